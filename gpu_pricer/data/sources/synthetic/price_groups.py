"""Groups of users who see prices of their own: what a shop that publishes prices by segment has in its log."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from gpu_pricer.checks import require_integer, require_number
from gpu_pricer.data.sources.synthetic.history import MarketHistory
from gpu_pricer.data.sources.synthetic.market import SyntheticMarket

FARTHEST = 0.12
"""A group's price lies at most so far from the usual one, in logs."""


@dataclass(frozen=True)
class PriceGroups:
    """Who sees whose prices.

    count: the number of groups; 0: everybody sees the usual prices. formed_by: type: types of like price sensitivity
    are one group, as segments are; chance: every user is in a group by chance, as in a test. first_week: the first week
    of the log in which groups have prices of their own. spread: log of the lasting price of the least sensitive group
    over the usual one; that of the most sensitive one is as far below it, and groups formed by chance have none.
    wobble: standard deviation of a product's log price around that of its group. renewal: chance that it is drawn anew
    in a week.
    """

    count: int
    formed_by: Literal["type", "chance"]
    first_week: int
    spread: float
    wobble: float
    renewal: float

    def __post_init__(self) -> None:
        require_integer("count", self.count, 0)
        if self.count == 1:
            raise ValueError("count must be 0 or at least 2, found 1: a single group sees the usual prices")
        require_integer("first_week", self.first_week, 0)
        if self.formed_by not in ("type", "chance"):
            raise ValueError(f"formed_by must be type or chance, found {self.formed_by!r}")
        for name in ("spread", "wobble"):
            require_number(name, getattr(self, name), least=0.0, most=FARTHEST)
        require_number("renewal", self.renewal, least=0.0, most=1.0)


@dataclass(frozen=True)
class GroupHistory:
    """What L groups saw in W weeks: of_user [U]: the group of each user. price [W, L, P]: in integer cents.

    first_week: from when the prices are the groups' own; before, they are the usual ones.
    """

    of_user: np.ndarray
    price: np.ndarray
    first_week: int


def draw_groups(
    groups: PriceGroups, market: SyntheticMarket, history: MarketHistory, rng: np.random.Generator
) -> GroupHistory:
    """Return the drawn groups; without groups everybody is in one that sees the usual prices."""
    weeks, products = history.price.shape
    count, types = max(groups.count, 1), len(market.sensitivity_rank)
    is_by_type = groups.formed_by == "type"
    of_type = np.argsort(np.argsort(market.sensitivity_rank)) * count // types
    of_user = of_type[market.user_type] if is_by_type else rng.integers(0, count, len(market.user_type))
    lasting = groups.spread * np.linspace(1.0, -1.0, count)[:, None] if is_by_type and count > 1 else np.zeros((1, 1))
    apart, now = np.zeros((weeks, count, products)), rng.normal(0.0, groups.wobble, (count, products))
    for week in range(groups.first_week if groups.count else weeks, weeks):
        is_new = rng.random((count, products)) < groups.renewal
        now = np.where(is_new, rng.normal(0.0, groups.wobble, (count, products)), now)
        apart[week] = np.clip(lasting + now, -FARTHEST, FARTHEST)
    price = np.maximum(np.rint(history.price[:, None] * np.exp(apart)), 1).astype(np.int64)
    return GroupHistory(of_user, price, groups.first_week)
