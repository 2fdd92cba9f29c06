"""The log of purchases: every visit chooses once per category from the true (nested) multinomial logit."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gpu_pricer.checks import require_number, require_range
from gpu_pricer.data.sources.synthetic.history import MarketHistory
from gpu_pricer.data.sources.synthetic.market import SyntheticMarket, Tastes, draw_between
from gpu_pricer.data.sources.synthetic.price_groups import GroupHistory

DAYS = 7


@dataclass(frozen=True)
class Baskets:
    """How much a buying occasion buys.

    second_choice: chance that a buying occasion chooses a second time, possibly the same product.
    extra_units: range of the categories' mean number of units beyond the first, at the base price.
    quantity_sensitivity: by how much the log of that mean falls per 100 % of the base price; 0: prices do not matter.
    """

    second_choice: float
    extra_units: Sequence[float]
    quantity_sensitivity: float

    def __post_init__(self) -> None:
        require_number("second_choice", self.second_choice, least=0.0, most=1.0)
        require_range("extra_units", self.extra_units, 0.0, 10.0)
        require_number("quantity_sensitivity", self.quantity_sensitivity, least=0.0, most=20.0)

    def mean_extra_units(self, extra: np.ndarray, relative: np.ndarray) -> np.ndarray:
        """Return the mean units of a choice beyond the first; extra: at the base price, relative: price / base − 1."""
        return extra * np.exp(-self.quantity_sensitivity * relative)


@dataclass(frozen=True)
class Sales:
    """The N sales lines, and extra_units [G]: the categories' mean units of a choice beyond the first, at base prices.

    user, product, week [N]: indices. day [N]: 0 to 6 within the week. quantity [N]: units. baskets: the settings.
    """

    user: np.ndarray
    product: np.ndarray
    week: np.ndarray
    day: np.ndarray
    quantity: np.ndarray
    extra_units: np.ndarray
    baskets: Baskets

    def units_per_choice(self, category: np.ndarray, relative: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the mean units of a choice, and by how much their log falls per 100 % of the base price, [P] each.

        category [P]: of products whose price / base price − 1 is `relative` [P]. The choices of an occasion count once.
        """
        extra = self.baskets.mean_extra_units(self.extra_units[category], relative)
        units = (1.0 + self.baskets.second_choice) * (1.0 + extra)
        return units, self.baskets.quantity_sensitivity * extra / (1.0 + extra)


def utility(
    market: SyntheticMarket, tastes: Tastes, history: MarketHistory, week: int, price: np.ndarray | None = None
) -> np.ndarray:
    """Return the true utility [T, P] in one week; minus infinity if a product is not on the shelf.

    price [P]: in cents, None for the usual one.
    """
    relative = (history.price[week] if price is None else price) / (100.0 * market.base_price) - 1.0
    promotion = tastes.display * history.display[week] + tastes.mailer * history.mailer[week]
    everyone = history.season[week] + history.shock[week] + promotion
    everyone = np.where(history.on_shelf[week], everyone, -np.inf)
    return market.appeal - market.sensitivity * relative + everyone


def draw_sales(
    market: SyntheticMarket,
    tastes: Tastes,
    history: MarketHistory,
    groups: GroupHistory,
    baskets: Baskets,
    rng: np.random.Generator,
) -> Sales:
    """Return the drawn lines of all weeks; a user's choices of one product in one visit are one line."""
    extra = draw_between(baskets.extra_units, len(market.category_start) - 1, rng)
    return draw_lines(market, tastes, history, groups, baskets, extra, rng)


def draw_lines(
    market: SyntheticMarket,
    tastes: Tastes,
    history: MarketHistory,
    groups: GroupHistory,
    baskets: Baskets,
    extra: np.ndarray,
    rng: np.random.Generator,
) -> Sales:
    """Return the sales of draw_sales, with these extra units [G]."""
    count = groups.price.shape[1]
    kind = market.user_type * count + groups.of_user
    weeks = []
    for week, of_groups in enumerate(groups.price):
        seen = [utility(market, tastes, history, week, price) for price in of_groups]
        utilities = np.stack(seen, axis=1).reshape(-1, len(market.category))
        line = _draw_week(market, kind, utilities, baskets.second_choice, rng)
        weeks.append(np.vstack([np.full(len(line[0]), week), line]))
    week, user, product, day = np.concatenate(weeks, axis=1)
    relative = groups.price[week, groups.of_user[user], product] / (100.0 * market.base_price[product]) - 1.0
    quantity = 1 + rng.poisson(baskets.mean_extra_units(extra[market.category[product]], relative))
    key = (week * len(market.user_type) + user) * len(market.category) + product
    _, first, line = np.unique(key, return_index=True, return_inverse=True)
    return Sales(
        user=user[first],
        product=product[first],
        week=week[first],
        day=day[first],
        quantity=np.bincount(line, weights=quantity).astype(np.int64),
        extra_units=extra,
        baskets=baskets,
    )


def _draw_week(
    market: SyntheticMarket, kind: np.ndarray, utilities: np.ndarray, second_choice: float, rng: np.random.Generator
) -> np.ndarray:
    """Return user, product and day [3, n] of one week's choices of a product; kind [U]: whose utilities [T, P]."""
    start = market.category_start
    weight = np.exp(utilities)
    total = np.add.reduceat(weight, start[:-1], axis=1)
    nothing = np.where(total > 0, total, 1.0) ** (1.0 - market.dissimilarity)
    share = weight / (nothing + total)[:, market.category]
    before = np.cumsum(share, axis=1)
    before = before - np.repeat((before - share)[:, start[:-1]], np.diff(start), axis=1)

    visitor = np.flatnonzero(rng.random(len(market.visit_rate)) < market.visit_rate)
    day = rng.integers(0, DAYS, len(visitor))
    occasion = kind[visitor][:, None] * (len(start) - 1) + np.arange(len(start) - 1)
    draw = rng.random(occasion.shape)
    bought = (total / (nothing + total)).ravel()[occasion]
    is_bought = draw < bought
    again = is_bought & (rng.random(occasion.shape) < second_choice)
    second = rng.random(occasion.shape) * bought

    who = np.nonzero(is_bought)[0], np.nonzero(again)[0]
    where = np.concatenate([occasion[is_bought], occasion[again]])
    product = _find(before, start, market, where, np.concatenate([draw[is_bought], second[again]]))
    row = np.concatenate(who)
    return np.vstack([visitor[row], product, day[row]])


def _find(
    before: np.ndarray, start: np.ndarray, market: SyntheticMarket, occasion: np.ndarray, draw: np.ndarray
) -> np.ndarray:
    """Return the product whose interval of the cumulated shares contains the draw; occasion is type × G + category."""
    types, products = before.shape
    categories = len(start) - 1
    steps = (before + market.category + categories * np.arange(types)[:, None]).ravel()
    kind, category = np.divmod(occasion, categories)
    position = np.searchsorted(steps, occasion + draw, side="right") - kind * products
    return np.minimum(position, start[category + 1] - 1)
