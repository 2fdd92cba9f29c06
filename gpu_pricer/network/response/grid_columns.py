"""The columns of a grid: the periods, and in each period the price groups whose users saw prices of their own."""

from dataclasses import dataclass

import torch
from torch import Tensor

from gpu_pricer.network.encoding.choice_records import ChoiceSets

MOST_SPANS = 256  # a pass costs the cube of their number


@dataclass(frozen=True)
class GridColumns:
    """The W columns, by period.

    period [W]: numbers from 0, each at least once. price_group [W]: 0: users at the usual prices, with whom a period's
    columns begin; else a group whose users saw other prices in the period.
    """

    period: Tensor
    price_group: Tensor

    @classmethod
    def of_periods(cls, periods: int) -> "GridColumns":
        """Return the columns of a log in which everybody sees the same prices."""
        return cls(torch.arange(periods), torch.zeros(periods, dtype=torch.int64))

    @property
    def count(self) -> int:
        """Return W."""
        return len(self.period)

    @property
    def periods(self) -> int:
        """Return the number of periods."""
        return int(self.period[-1]) + 1

    @property
    def spans(self) -> int:
        """Return V, the number of spans of equally many periods that have a season and a shock each."""
        return min(self.periods, MOST_SPANS)

    def span_of_periods(self) -> Tensor:
        """Return the span of every period, [periods]."""
        return torch.arange(self.periods) * self.spans // self.periods

    def spans_of(self) -> Tensor:
        """Return the span of every column, [W]."""
        return self.span_of_periods()[self.period]

    def find(self, period: Tensor, price_group: Tensor) -> Tensor:
        """Return the columns [n] in which the users of price groups [n] are in periods [n]."""
        groups = int(torch.cat([price_group, self.price_group]).max()) + 1
        known = torch.searchsorted(self.period, torch.arange(self.periods))[:, None].repeat(1, groups)
        known[self.period, self.price_group] = torch.arange(self.count)
        return known[period, price_group]

    def of_sets(self, sets: ChoiceSets) -> Tensor:
        """Return the column of the users who chose from each choice set, [G]."""
        return self.find(sets.period, sets.price_group)

    def usual(self) -> Tensor:
        """Return the column of users at the usual prices in the period of every column, [W]."""
        return torch.searchsorted(self.period, self.period)

    def sum_by_period(self, values: Tensor) -> Tensor:
        """Return the sums [n, periods] of values [n, W] over the columns of each period."""
        return torch.zeros(len(values), self.periods, dtype=values.dtype).index_add(1, self.period, values)
