"""Price ladders: which prices exist."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from kernels.checks import require, require_array, require_each, require_offsets

# Above 2**24 a float32 can no longer hold every whole number, so a price in cents would be rounded.
PRICE_LIMIT = 2**24


@dataclass(frozen=True)
class Ladders:
    """L ladders; the rungs of ladder l are k * period[l] + ending, in cents, for k >= 0 and its endings.

    period int32 [L]; endings int32, all ladders one after the other; ending_start int32 [L + 1], where each
    begins. Whole cents are period 1 with the ending 0; .29/.49/.79/.99 is period 100 with four endings; an
    explicit list is period 2**24 with its prices as endings. Period 0, without endings, is no ladder: the
    continuous optimum.
    """

    period: np.ndarray
    endings: np.ndarray
    ending_start: np.ndarray

    def __post_init__(self) -> None:
        require_array("Ladders.period", self.period, (np.size(self.period),), "i")
        require_array("Ladders.endings", self.endings, (np.size(self.endings),), "i")
        require_offsets("Ladders.ending_start", self.ending_start)
        expected = len(self.period) + 1
        require(
            len(self.ending_start) == expected,
            f"Ladders.ending_start needs {expected} entries (ladders + 1)",
            len(self.ending_start),
        )
        require(
            self.ending_start[-1] == len(self.endings),
            f"Ladders.ending_start must end at {len(self.endings)}",
            self.ending_start[-1],
        )
        count = np.diff(self.ending_start)
        require(
            (self.period >= 0) & (self.period <= PRICE_LIMIT),
            f"Ladders.period must lie in [0, {PRICE_LIMIT}]",
            self.period,
        )
        require(
            (self.period == 0) == (count == 0),
            "a ladder has endings unless its period is 0",
            f"period {self.period} with {count} endings",
        )
        for first, last in zip(self.ending_start[:-1], self.ending_start[1:], strict=True):
            require(np.diff(self.endings[first:last]) > 0, "a ladder's endings must ascend", self.endings[first:last])
        longest = np.repeat(self.period, count)
        require_each(
            (self.endings >= 0) & (self.endings < longest),
            "a ladder's endings must lie in [0, period)",
            self.endings,
        )

    @classmethod
    def of(cls, *ladders: tuple[int, Sequence[int]]) -> "Ladders":
        """Return ladders from (period, endings) pairs, such as (100, [29, 49, 79, 99])."""
        count = [len(endings) for _, endings in ladders]
        return cls(
            np.array([period for period, _ in ladders], np.int32),
            np.array([ending for _, endings in ladders for ending in endings], np.int32),
            np.concatenate([[0], np.cumsum(count)]).astype(np.int32),
        )

    @cached_property
    def spacing(self) -> np.ndarray:
        """int32 [L]: the distance of a ladder's rungs where they lie evenly, else 0; ten nine-endings are 10 apart."""
        starts = zip(self.ending_start[:-1], self.ending_start[1:], self.period, strict=True)
        return np.array([_spacing(self.endings[first:last], int(period)) for first, last, period in starts], np.int32)

    def has_rung(self, ladder: np.ndarray, price: np.ndarray) -> np.ndarray:
        """Return bool [P]: whether each price [P] is a rung of its ladder [P], continuous ones included."""
        is_rung = self.period[ladder] == 0
        for row in np.unique(ladder[~is_rung]):
            mine = ladder == row
            endings = self.endings[self.ending_start[row] : self.ending_start[row + 1]]
            is_rung[mine] = np.isin(price[mine] % self.period[row], endings)
        return is_rung


def _spacing(endings: np.ndarray, period: int) -> int:
    if len(endings) == 0:
        return 0
    gaps = np.diff(np.append(endings, endings[0] + period))
    return int(gaps[0]) if np.all(gaps == gaps[0]) else 0
