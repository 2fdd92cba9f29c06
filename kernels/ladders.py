"""Price ladders: the prices that a product may have."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from kernels.checks import require, require_array, require_each, require_offsets

PRICE_LIMIT = 2**24
"""In cents, exclusive. Above this limit a float32 does not hold every whole number, so prices would be rounded."""


@dataclass(frozen=True)
class Ladders:
    """L ladders; the rungs of ladder l are k * period[l] + ending, in cents, for k >= 0 and each of its endings.

    period int [L]: in cents, up to PRICE_LIMIT; 0 for a ladder without endings, on which every price exists
    endings int [E]: in cents, ascending, below the period; the endings of ladder 0, then those of ladder 1, and so on
    ending_start int [L + 1]: ladder l has the endings ending_start[l] to ending_start[l + 1] - 1

    Whole cents are period 1 with the ending 0; .29/.49/.79/.99 is period 100 with four endings; an explicit list of
    prices is period PRICE_LIMIT with the prices as endings.

    Raises ValueError unless types, shapes and ranges are these.
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
        """The distance of each ladder's rungs where they lie evenly, else 0; int32 [L], in cents."""
        starts = zip(self.ending_start[:-1], self.ending_start[1:], self.period, strict=True)
        return np.array([_spacing(self.endings[first:last], int(period)) for first, last, period in starts], np.int32)

    def has_rung(self, ladder: np.ndarray, price: np.ndarray) -> np.ndarray:
        """Return bool [P]: whether each price [P], in cents, is on its ladder [P]; on a continuous one all are."""
        is_rung = self.period[ladder] == 0
        for row in np.unique(ladder[~is_rung]):
            mine = ladder == row
            endings = self.endings[self.ending_start[row] : self.ending_start[row + 1]]
            is_rung[mine] = np.isin(price[mine] % self.period[row], endings)
        return is_rung


def _spacing(endings: np.ndarray, period: int) -> int:
    """Return the distance of one ladder's rungs in cents, or 0 if distances differ or the ladder is continuous."""
    if len(endings) == 0:
        return 0
    gaps = np.diff(np.append(endings, endings[0] + period))
    return int(gaps[0]) if np.all(gaps == gaps[0]) else 0
