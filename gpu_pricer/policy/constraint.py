"""A limit on sums over the assortment, as the configuration states it."""

from dataclasses import dataclass

from gpu_pricer.checks import require_integer, require_number
from gpu_pricer.policy.conditions import columns_in, require_condition

MEASURES = ("units", "revenue", "profit", "margin_rate", "price_index")
RATES = ("margin_rate", "price_index")
"""Measures that are ratios: their changes are in percentage points."""
CURRENT_PRICES, ANCHOR_PRICES = "current_prices", "anchor_prices"
PRODUCT = "product_id"
REFUSE, EVERYTHING = "refuse", "everything"
"""What becomes of a limit for each value of a column that the catalog lacks."""


@dataclass(frozen=True)
class Constraint:
    """A limit on a measure of a period's sales over a slice of the assortment.

    measure: units, revenue, profit (both in currency), margin_rate (profit / revenue) or price_index (revenue over what
        the same units would bring at today's prices, or at those of relative_to).
    at_least, at_most: the limit, of which exactly one is set.
    relative_to: current_prices or anchor_prices makes the limit a multiple of the measure at these prices. Anchor
        prices (bounds.anchor) do not follow each night's prices, so that what a limit allows does not add up over many
        nights. If the policy or a product has no anchor, they are today's prices.
    where: condition in SQL over the columns of products and segments; null: the whole assortment.
    per: with product_id, every product has a limit of its own, and at_most names the catalog column that holds the
        limits in units; null in the column: no limit.
    each: a column of the catalog, each of whose values has the limit for its own part of the slice.
    if_absent: refuse a catalog without this column, or let the limit hold over everything.
    priority: 1 is the most important. Constraints that cannot be met together are relaxed from the largest number up.
    """

    measure: str
    at_least: float | None = None
    at_most: float | str | None = None
    relative_to: str | None = None
    where: str | None = None
    per: str | None = None
    each: str | None = None
    if_absent: str = REFUSE
    priority: int = 1

    def __post_init__(self) -> None:
        if self.measure not in MEASURES:
            raise ValueError(f"measure must be one of {', '.join(MEASURES)}, found {self.measure!r}")
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError(
                f"one of at_least and at_most must be set, found {self.at_least!r} and {self.at_most!r}: "
                "state two constraints for a range"
            )
        if self.relative_to not in (None, CURRENT_PRICES, ANCHOR_PRICES):
            raise ValueError(
                f"relative_to must be {CURRENT_PRICES}, {ANCHOR_PRICES} or null, found {self.relative_to!r}"
            )
        if self.per not in (None, PRODUCT):
            raise ValueError(f"per must be {PRODUCT} or null, found {self.per!r}")
        if self.each is not None and not (isinstance(self.each, str) and self.each):
            raise ValueError(f"each must name a column of the catalog, found {self.each!r}")
        if self.each is not None and self.per is not None:
            raise ValueError("each cannot be set beside per, which has a limit for every product: leave each out")
        if self.if_absent not in (REFUSE, EVERYTHING):
            raise ValueError(f"if_absent must be {REFUSE} or {EVERYTHING}, found {self.if_absent!r}")
        if self.where is not None:
            require_condition("where", self.where)
        require_integer("priority", self.priority, 1)
        self._check_limit()

    def _check_limit(self) -> None:
        """Raise ValueError unless the limit fits the measure."""
        if self.per is not None:
            if self.measure != "units" or not isinstance(self.at_most, str) or self.relative_to is not None:
                raise ValueError(
                    "a limit per product must be measure: units with at_most: the name of a catalog column, found "
                    f"measure {self.measure}, at_most {self.at_most!r}, relative_to {self.relative_to!r}"
                )
            return
        is_signed = self.measure in ("profit", "margin_rate") and self.relative_to is None
        name = "at_least" if self.at_most is None else "at_most"
        limit = self.at_least if self.at_most is None else self.at_most
        if is_signed:
            require_number(name, limit, below=1.0 if self.measure == "margin_rate" else float("inf"))
        elif self.measure == "price_index":
            require_number(name, limit, above=0.0)
        else:
            require_number(name, limit, least=0.0)

    @property
    def limit(self) -> float:
        """The one of at_least and at_most that is set; only for constraints that are not per product."""
        limit = self.at_least if self.at_most is None else self.at_most
        assert isinstance(limit, int | float)
        return float(limit)


def columns_read(constraints: dict[str, Constraint]) -> list[str]:
    """Return the columns of the catalog or of the segments that the constraints read, sorted."""
    names: set[str] = set()
    for constraint in constraints.values():
        names |= set(columns_in(constraint.where) if constraint.where else ())
        names |= {str(constraint.at_most)} if constraint.per else set()
        names |= {constraint.each} if constraint.each else set()
    return sorted(names)
