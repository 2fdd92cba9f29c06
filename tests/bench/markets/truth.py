"""The truth of a market: the units that every user is expected to buy at any prices, whatever made the log."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import polars as pl

from tests.bench.markets.choice import Choice, WeekState
from tests.bench.markets.quantities import Quantity

PER_VISITS = 1000
STEP = 0.05
"""Half the relative move of price over which an elasticity is taken: wide, since some demands have kinks."""


@dataclass(frozen=True)
class Truth:
    """The true demand of U users for P products, sorted by category, in the week after the log; prices in cents.

    product_id, unit_cost, today [P]: the ids as in the tables, and cost and price of the priced day. lowest, highest
    [P]: the range of prices that the log shows, pooled by category and at least ± 10 %. user_id, visits, types [U]: the
    ids, the expected visits in the week, and a number of a type, or of a cluster of users of like demand. hidden:
    product_id, period and shock, the part of the log's utility that no table shows, as the mean over users.
    """

    product_id: np.ndarray
    unit_cost: np.ndarray
    today: np.ndarray
    lowest: np.ndarray
    highest: np.ndarray
    user_id: np.ndarray
    visits: np.ndarray
    types: np.ndarray
    choice: Choice
    quantity: Quantity
    week_state: WeekState
    hidden: pl.DataFrame

    @property
    def start(self) -> np.ndarray:
        """The first product of each category, and P: [G + 1]."""
        return self.choice.start

    @cached_property
    def category(self) -> np.ndarray:
        """The number of each product's category, [P]."""
        return np.repeat(np.arange(len(self.start) - 1), np.diff(self.start))

    @cached_property
    def rank(self) -> np.ndarray:
        """The number of each product inside its category, [P]."""
        return np.arange(len(self.category)) - self.start[self.category]

    def units(self, price: np.ndarray) -> np.ndarray:
        """Return the expected units [P, U] of a visit at prices [P, U], or [P, 1] for all users."""
        return self.choice.probability(price, self.week_state) * self.quantity.mean(price)

    def user_profit(self, price: np.ndarray) -> np.ndarray:
        """Return the expected profit [G, U] of every category and user in the week, in cents."""
        cells = (price - self.unit_cost[:, None]) * self.units(price)
        return np.add.reduceat(cells, self.start[:-1]) * self.visits

    def profit(self, price: np.ndarray) -> float:
        """Return the expected profit per 1,000 visits, in currency, at prices [P, U] or [P, 1]."""
        return float(PER_VISITS * self.user_profit(price).sum() / self.visits.sum() / 100)

    def elasticity(self, price: np.ndarray) -> np.ndarray:
        """Return the own elasticity of units [P, U] at prices [P, U] or [P, 1], by central differences."""
        slope = 0.0
        for rank in range(int(self.rank.max()) + 1):
            is_moved = (self.rank == rank)[:, None]
            up, down = (self.units(np.where(is_moved, price * (1 + sign * STEP), price)) for sign in (1, -1))
            slope = slope + is_moved * np.log(up / down)
        return slope / np.log((1 + STEP) / (1 - STEP))

    def condensed(self) -> "Truth":
        """Return the truth with one user for each type where all users of a type have the same demand, else itself."""
        first, number = np.unique(self.types, return_index=True, return_inverse=True)[1:]
        for factor in (1.0, 0.85):
            units = self.units(factor * self.today[:, None])
            if not np.array_equal(units, units[:, first[number]]):
                return self
        return replace(self.of(first), visits=np.bincount(number, self.visits))

    def of(self, users: np.ndarray) -> "Truth":
        """Return the truth of some users."""
        arrays = {name: getattr(self, name)[users] for name in ("user_id", "visits", "types")}
        parts = {name: getattr(self, name).of(users) for name in ("choice", "quantity", "week_state")}
        return replace(self, **arrays, **parts)
