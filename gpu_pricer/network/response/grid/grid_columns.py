"""The columns of a grid: the periods, and in each the clusters of price groups whose users saw prices of their own."""

from dataclasses import dataclass

import torch
from torch import Tensor

from gpu_pricer.network.encoding.choice_records import ChoiceSets

MOST_SPANS = 256  # a pass costs the cube of their number


@dataclass(frozen=True)
class GridColumns:
    """The W columns, by period.

    period [W]: numbers from 0, each at least once. A period's columns begin with that of users at the usual prices.
    of_group [periods, L]: the column of the users of each price group. Group 0 saw the usual prices, and so did groups
    from L on.
    """

    period: Tensor
    of_group: Tensor

    @classmethod
    def of_periods(cls, periods: int) -> "GridColumns":
        """Return the columns of a log in which everybody sees the same prices."""
        return cls.of_clusters(torch.zeros(periods, 1, dtype=torch.int64))

    @classmethod
    def of_clusters(cls, cluster: Tensor) -> "GridColumns":
        """Return the columns of users whose price groups are in these clusters [periods, L], 0 for the usual prices.

        Each period has clusters from 0, with none left out, and group 0 in cluster 0.
        """
        columns = cluster.amax(1) + 1
        first = columns.cumsum(0) - columns
        return cls(torch.arange(len(cluster)).repeat_interleave(columns), first[:, None] + cluster)

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
        return self.of_group[period, torch.where(price_group < self.of_group.shape[1], price_group, 0)]

    def of_sets(self, sets: ChoiceSets) -> Tensor:
        """Return the column of the users who chose from each choice set, [G]."""
        return self.find(sets.period, sets.price_group)

    def usual(self) -> Tensor:
        """Return the column of users at the usual prices in the period of every column, [W]."""
        return self.of_group[self.period, 0]

    def is_usual(self) -> Tensor:
        """Return whether each column is that of users at the usual prices, [W]."""
        return self.usual() == torch.arange(self.count)

    def sum_by_period(self, values: Tensor) -> Tensor:
        """Return the sums [n, periods] of values [n, W] over the columns of each period."""
        return torch.zeros(len(values), self.periods, dtype=values.dtype).index_add(1, self.period, values)
