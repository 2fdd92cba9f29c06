"""Purchase habits: how often a user bought of a category on the visits before one, in the order of visits by user."""

from dataclasses import dataclass

import numpy as np
import polars as pl


@dataclass(frozen=True)
class Habits:
    """The n visits of users who had bought of a category before, and the share of their earlier visits that bought.

    rows [n]: of the table of visits. share [n]: of the visits up to this one, which counts as one without purchase.
    is_buying [n]: whether the visit bought of it again.
    """

    rows: np.ndarray
    share: np.ndarray
    is_buying: np.ndarray


@dataclass(frozen=True)
class VisitsByUser:
    """The V visits by user, within a user by period.

    rows [V]: which row of the table of visits stands where; place [V]: where each row stands. first, last [V]: where
    the first visit of the same user stands, and the place after the last.
    """

    rows: np.ndarray
    place: np.ndarray
    first: np.ndarray
    last: np.ndarray

    @classmethod
    def of(cls, visits: pl.DataFrame) -> "VisitsByUser":
        """Return the visits, user_id and period, which are sorted by period."""
        user = visits["user_id"].rank("dense").to_numpy()
        rows = np.argsort(user, kind="stable").astype(np.uint32)
        place = np.empty_like(rows)
        place[rows] = np.arange(len(rows), dtype=np.uint32)
        begins = np.flatnonzero(np.diff(user[rows], prepend=0)).astype(np.uint32)
        lengths = np.diff(begins, append=np.uint32(len(rows)))
        return cls(rows, place, np.repeat(begins, lengths), np.repeat(begins + lengths, lengths))

    def habits(self, buying: np.ndarray) -> Habits:
        """Return the habits of a category's buyers; buying [m]: the rows of the visits that bought of it, each once.

        The work follows the visits of those who bought, not all visits.
        """
        place = np.sort(self.place[buying]).astype(np.int64)
        is_first = np.diff(self.first[place], prepend=np.uint32(len(self.first))) != 0
        begin = place[is_first] + 1
        count = self.last[place[is_first]] - begin
        offset = np.cumsum(count) - count
        at = np.arange(count.sum()) + np.repeat(begin - offset, count)
        again = place[~is_first] - (begin - offset)[np.cumsum(is_first)[~is_first] - 1]
        is_buying = np.bincount(again, minlength=len(at) + 1)
        earlier = np.cumsum(is_buying) - is_buying
        bought = 1 + earlier[:-1] - np.repeat(earlier[offset], count)
        share = (bought / (at - self.first[at] + 1)).astype(np.float32)
        return Habits(self.rows[at], share, is_buying[:-1] > 0)
