"""Everything that makes a market, but for the draws of its purchases."""

from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np

from tests.bench.markets.assortment import Assortment
from tests.bench.markets.choice import Choice, WeekState
from tests.bench.markets.history import History
from tests.bench.markets.people import People
from tests.bench.markets.quantities import Quantity

START = date(2024, 1, 1)
"""The first day of every log, a Monday."""

MEMORY = 0.7
"""Share of the remembered price that last week's remembered price keeps."""


@dataclass(frozen=True)
class Drift:
    """Tastes that wander: group c adds loading [P, K] · path [W + 1, K, C] to the appeal; group [U]."""

    loading: np.ndarray
    path: np.ndarray
    group: np.ndarray

    def week(self, week: int) -> np.ndarray:
        """Return what the week adds to the appeal, [P, U]."""
        return (self.loading @ self.path[week])[:, self.group]


@dataclass(frozen=True)
class Scenario:
    """A market before any purchase is drawn.

    hidden [W + 1, P]: season and shocks, in utility, that no table shows. display: what a display adds to utility.
    on_shelf [W, P]: None for always; in the priced week everything is. shows_cost: whether the table context has the
    unit cost of every week.
    """

    goods: Assortment
    people: People
    history: History
    choice: Choice
    quantity: Quantity
    hidden: np.ndarray
    display: float = 0.25
    on_shelf: np.ndarray | None = None
    drift: Drift | None = None
    shows_cost: bool = False

    @cached_property
    def shelf(self) -> np.ndarray:
        """Whether each product is on the shelf, [W, P]."""
        return np.ones_like(self.history.paid, bool) if self.on_shelf is None else self.on_shelf

    @cached_property
    def remembered(self) -> np.ndarray:
        """The prices that shoppers remember at the start of each week, [W + 1, P]: a smoothed past, base at first."""
        memory = [self.goods.base]
        for paid, is_seen in zip(self.history.paid, self.shelf, strict=True):
            memory.append(np.where(is_seen, MEMORY * memory[-1] + (1 - MEMORY) * paid, memory[-1]))
        return np.array(memory)

    def week_state(self, week: int) -> WeekState:
        """Return a week of the log, or the priced week after it, which has no displays."""
        offset = self.hidden[week].copy()
        if week < self.history.weeks:
            offset += self.display * self.history.display[week]
            offset[~self.shelf[week]] = -np.inf
        drifted = offset[:, None] if self.drift is None else offset[:, None] + self.drift.week(week)
        return WeekState(drifted, self.remembered[week])
