"""The anchor of a price: a price that does not follow each night's price, so that many moves do not add up."""

from dataclasses import dataclass, fields

from gpu_pricer.checks import require_integer
from gpu_pricer.policy.rates import require_rate

MOST_DAYS = 366
MOST_DECREASE, MOST_INCREASE = 1, 100
"""The largest distances from an anchor that can be set."""

ANCHOR_PRICE, DAYS_SINCE_CHANGE = "anchor_price", "days_since_change"
"""Columns that the job adds to the catalog from the history of prices, where the catalog does not bring them."""


@dataclass(frozen=True)
class Anchor:
    """A price of each product, and how far the product's new price may lie from it.

    column: the catalog's column that holds the anchor; or days: the anchor is the price of so many days ago, or the
    price that the shop itself set last since then (tables/version/price_history.py says which prices are its own).
    max_decrease, max_increase: the largest distance as a share of the anchor; null: no limit on this side.
    """

    column: str | None = None
    days: int | None = None
    max_decrease: float | None = None
    max_increase: float | None = None

    def __post_init__(self) -> None:
        if (self.column is None) == (self.days is None):
            raise ValueError(
                "bounds.anchor must have a column or days, and not both, "
                f"found column {self.column!r} and days {self.days!r}"
            )
        if self.column is not None and not (isinstance(self.column, str) and self.column):
            raise ValueError(f"bounds.anchor.column must name a column of the catalog, found {self.column!r}")
        if self.days is not None:
            require_days("bounds.anchor.days", self.days)
        if self.max_decrease is None and self.max_increase is None:
            raise ValueError("bounds.anchor must have max_decrease, max_increase or both, found neither")
        for name, most in (("max_decrease", MOST_DECREASE), ("max_increase", MOST_INCREASE)):
            if getattr(self, name) is not None:
                require_rate(f"bounds.anchor.{name}", getattr(self, name), 0, most)

    @property
    def catalog_column(self) -> str:
        """The column of the catalog that holds the anchor's price."""
        return ANCHOR_PRICE if self.column is None else self.column


def anchor_of(entry: object) -> Anchor | None:
    """Return the anchor that a mapping of the configuration states, None for null; ValueError if it states none."""
    if entry is None:
        return None
    known = [field.name for field in fields(Anchor)]
    if not isinstance(entry, dict) or not {*entry} <= {*known}:
        raise ValueError(f"bounds.anchor must be null or a mapping of {', '.join(known)}, found {entry!r}")
    return Anchor(**entry)


def require_days(name: str, days: object) -> None:
    """Raise ValueError unless the value is a whole number of days, from one to MOST_DAYS."""
    require_integer(name, days, 1)
    if days > MOST_DAYS:  # type: ignore[operator]
        raise ValueError(f"{name} must be at most {MOST_DAYS}, found {days!r}")
