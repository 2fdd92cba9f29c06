"""How far a price may go: the rules of a policy, as the configuration states them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from gpu_pricer.checks import require_flag, require_integer, require_number
from gpu_pricer.policy.anchor import DAYS_SINCE_CHANGE, Anchor, anchor_of, require_days
from gpu_pricer.policy.conditions import columns_in, require_condition
from gpu_pricer.policy.pack_sizes import PackSizes, pack_sizes_of
from gpu_pricer.policy.rates import require_rate
from gpu_pricer.tables.price_table import CENTS
from kernels import PRICE_LIMIT

COMPETITORS = ("cheapest", "mean")


@dataclass(frozen=True)
class Bounds:
    """Rules for a price, relative to today's price, the cost, the prices seen in training and other sellers' prices.

    null switches a rule off. A rule that reads a column does not apply to products whose value there is null.

    max_decrease, max_increase: largest move as a share of today's price; a negative value demands a move.
    max_decrease_amount, max_increase_amount: largest move in currency.
    min_days_between_changes: days for which a price stays after it changed.
    min_change: the smallest move worth making, as a share of today's price.
    min_margin_rate: the least (price − cost) / price.
    within_support: whether prices stay inside the artefact's min_price and max_price.
    below_list_price: whether prices stay at or below the catalog's list_price.
    max_below_competitor, max_above_competitor: largest distance as a share of the competitors' price.
    anchor: a mapping of Anchor, a price that the new price must stay near, so that moves of many runs do not add up.
    pack_sizes: a mapping of PackSizes; a larger pack of a good costs no less than a smaller one, and no more per unit.
    competitor_columns, competitor_of: the columns of competitors' prices, and whether the cheapest or the mean counts.
    floor_column, ceiling_column: catalog columns of each product's lowest and highest price.
    family_column: catalog column whose equal values, inside a category, mean one common price.
    frozen: condition in SQL over the catalog; the products for which it holds stay at today's price.
    max_changes: how many cells a run may move away from today's price.
    max_segment_ratio: the largest ratio of a product's highest to its lowest price over segments; 1: one price for all.
    """

    max_decrease: float | None
    max_increase: float | None
    max_decrease_amount: float | None
    max_increase_amount: float | None
    anchor: dict[str, Any] | None
    min_days_between_changes: int | None
    min_change: float | None
    min_margin_rate: float | None
    within_support: bool
    below_list_price: bool
    max_below_competitor: float | None
    max_above_competitor: float | None
    competitor_columns: list[str]
    competitor_of: str
    floor_column: str | None
    ceiling_column: str | None
    family_column: str | None
    frozen: str | None
    max_changes: int | None
    max_segment_ratio: float | None
    pack_sizes: dict[str, Any] | None = None  # absent from policies of versions that were scored before it was a rule

    def __post_init__(self) -> None:
        limits = {"max_decrease": (-100, 1), "max_increase": (-1, 100), "min_margin_rate": (-100, 0.99)}
        limits |= {"min_change": (0, 1)}
        limits |= {"max_below_competitor": (-10, 1), "max_above_competitor": (-1, 10), "max_segment_ratio": (1, 100)}
        for name, (least, most) in limits.items():
            if getattr(self, name) is not None:
                require_rate(f"bounds.{name}", getattr(self, name), least, most)
        for name in ("max_decrease_amount", "max_increase_amount"):
            if getattr(self, name) is not None:
                _require_cents(f"bounds.{name}", getattr(self, name))
        for name in ("within_support", "below_list_price"):
            require_flag(f"bounds.{name}", getattr(self, name))
        for name in ("floor_column", "ceiling_column", "family_column"):
            if getattr(self, name) is not None:
                _require_column(f"bounds.{name}", getattr(self, name))
        if self.frozen is not None:
            require_condition("bounds.frozen", self.frozen)
        if self.max_changes is not None:
            require_integer("bounds.max_changes", self.max_changes, 0)
        anchor_of(self.anchor)
        pack_sizes_of(self.pack_sizes)
        if self.min_days_between_changes is not None:
            require_days("bounds.min_days_between_changes", self.min_days_between_changes)
        if self.min_change is not None and self.family_column is not None:
            raise ValueError("bounds.min_change cannot be kept beside bounds.family_column: set one of them to null")
        self._check_competitor()
        _require_order("max_decrease", self.max_decrease, "max_increase", self.max_increase)
        _require_order(
            "max_below_competitor", self.max_below_competitor, "max_above_competitor", self.max_above_competitor
        )

    def _check_competitor(self) -> None:
        if self.competitor_of not in COMPETITORS:
            raise ValueError(f"bounds.competitor_of must be {' or '.join(COMPETITORS)}, found {self.competitor_of!r}")
        if not isinstance(self.competitor_columns, list) or not self.competitor_columns:
            raise ValueError(
                f"bounds.competitor_columns must be a list of at least one column, found {self.competitor_columns!r}"
            )
        for column in self.competitor_columns:
            _require_column("bounds.competitor_columns", column)

    @property
    def for_people(self) -> "Bounds":
        """The rules that hold for a price set by a person too: costs, list price, floor and ceiling of a product."""
        return replace(
            self,
            max_decrease=None,
            max_increase=None,
            max_decrease_amount=None,
            max_increase_amount=None,
            anchor=None,
            pack_sizes=None,
            min_days_between_changes=None,
            within_support=False,
            max_below_competitor=None,
            max_above_competitor=None,
        )

    @property
    def has_competitor(self) -> bool:
        """Whether a rule reads competitors' prices."""
        return self.max_below_competitor is not None or self.max_above_competitor is not None

    @property
    def price_anchor(self) -> Anchor | None:
        """The price that new prices must stay near, if any."""
        return anchor_of(self.anchor)

    @property
    def packs(self) -> PackSizes | None:
        """The packs whose prices keep their order, if any."""
        return pack_sizes_of(self.pack_sizes)

    @property
    def steep_increases(self) -> dict[str, float]:
        """Increases above 1 (100 %) by key; usually a percentage written without dividing by 100."""
        anchor = self.price_anchor
        of_anchor = None if anchor is None else anchor.max_increase
        rates = {"max_increase": self.max_increase, "anchor.max_increase": of_anchor}
        return {name: rate for name, rate in rates.items() if rate is not None and rate > 1}

    @property
    def days_needed(self) -> int | None:
        """How many days of the history of prices the rules read; None if they read none."""
        anchor = self.price_anchor
        days = (None if anchor is None else anchor.days, self.min_days_between_changes)
        return max((number for number in days if number is not None), default=None)

    @property
    def columns(self) -> list[str]:
        """The columns that the rules read beyond those that every catalog has, sorted."""
        return sorted(set(self._columns()))

    def _columns(self) -> Iterator[str]:
        if self.below_list_price:
            yield "list_price"
        if self.has_competitor:
            yield from self.competitor_columns
        if self.price_anchor is not None:
            yield self.price_anchor.catalog_column
        if self.packs is not None:
            yield from (self.packs.line, self.packs.size)
        if self.min_days_between_changes is not None:
            yield DAYS_SINCE_CHANGE
        for column in (self.floor_column, self.ceiling_column, self.family_column):
            if column is not None:
                yield column
        if self.frozen is not None:
            yield from columns_in(self.frozen)


def _require_cents(name: str, amount: object) -> None:
    require_number(name, amount, least=0, below=PRICE_LIMIT / CENTS)
    if (Fraction(str(amount)) * CENTS).denominator != 1:
        raise ValueError(f"{name} must be whole cents, found {amount!r}")


def _require_column(name: str, column: object) -> None:
    if not isinstance(column, str) or not column:
        raise ValueError(f"{name} must name columns of the catalog, found {column!r}")


def _require_order(lower: str, decrease: float | None, upper: str, increase: float | None) -> None:
    if decrease is not None and increase is not None and -decrease > increase:
        raise ValueError(f"bounds.{upper} must not lie below -bounds.{lower}, found {increase!r} and {decrease!r}")
