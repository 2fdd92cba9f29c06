"""How a visit chooses one product of each category or none, and what is special about a week."""

from dataclasses import dataclass, replace

import numpy as np

from tests.bench.markets.responses import Response

SMALLEST = 1e-300


@dataclass(frozen=True)
class WeekState:
    """A week: offset [P, 1] or [P, U] is added to utility, −inf off the shelf; remembered [P]: prices in cents."""

    offset: np.ndarray
    remembered: np.ndarray

    def of(self, users: np.ndarray) -> "WeekState":
        """Return the week as some users see it."""
        return self if self.offset.shape[1] == 1 else replace(self, offset=self.offset[:, users])


@dataclass(frozen=True)
class Choice:
    """Choice inside G categories by U users: a logit nested under buying anything of the category.

    start [G + 1]: the first product of each category, and P. appeal [P, U]: at the usual price. dissimilarity: 1 makes
    a plain logit; below 1 shoppers rather switch than leave.
    """

    start: np.ndarray
    appeal: np.ndarray
    response: Response
    dissimilarity: float = 1.0

    def probability(self, price: np.ndarray, week_state: WeekState) -> np.ndarray:
        """Return the probability [P, U] that a visit takes the product, at prices [P, U] or [P, 1] in cents."""
        utility = self.appeal + week_state.offset + self.response.utility(price, week_state.remembered)
        weight = np.exp(utility)
        total = np.maximum(np.add.reduceat(weight, self.start[:-1]), SMALLEST)
        inclusive = total**self.dissimilarity
        share = inclusive / (1 + inclusive) / total
        return weight * np.repeat(share, np.diff(self.start), axis=0)

    def of(self, users: np.ndarray) -> "Choice":
        """Return the choice of some users."""
        return replace(self, appeal=self.appeal[:, users], response=self.response.of(users))

    def at_rates(self, rate: np.ndarray, base: np.ndarray) -> "Choice":
        """Return the choice with levels at which visits buy of each category at rate [G] at usual prices base [P]."""
        week_state = WeekState(np.zeros((len(base), 1)), base)
        low, high = np.full(len(rate), -30.0), np.full(len(rate), 30.0)
        for _ in range(40):
            middle = (low + high) / 2
            bought = np.add.reduceat(self._raised(middle).probability(base[:, None], week_state), self.start[:-1])
            is_high = bought.mean(axis=1) > rate
            low, high = np.where(is_high, low, middle), np.where(is_high, middle, high)
        return self._raised((low + high) / 2)

    def _raised(self, by: np.ndarray) -> "Choice":
        return replace(self, appeal=self.appeal + np.repeat(by, np.diff(self.start))[:, None])
