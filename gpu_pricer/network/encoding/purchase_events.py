"""Purchases as events sorted by key and period, each with the key's state after the event.

The state before a period is that of the last event before the period, found by binary search and decayed to the
period. So no row sees its own period or a later one.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gpu_pricer.network.encoding.last_events import last_events
from gpu_pricer.network.encoding.on_device import OnDevice

BEFORE_ALL = -1  # the place of an event that precedes all others
AT_ONCE = 1 << 20  # events that are counted in one go


@dataclass(frozen=True)
class Purchases:
    """n purchases: row numbers of the user, the product, the category and the period, [n] each."""

    user: np.ndarray
    product: np.ndarray
    category: np.ndarray
    period: np.ndarray


@dataclass(frozen=True)
class PurchaseState:
    """The purchases of n keys before n periods; a key is a user × product or a user × category.

    decayed [n, H]: decayed number of purchases at each rate. count [n]: number of purchases.
    last [n], first [n]: periods of the last and the first purchase. Without a purchase, count is 0 and last is the
    period itself.
    """

    decayed: Tensor
    last: Tensor
    first: Tensor
    count: Tensor

    @classmethod
    def none(cls, period: Tensor, rates: int) -> "PurchaseState":
        """Return the state of keys without a purchase before the periods [n]; rates: H."""
        nothing = torch.zeros_like(period)
        return cls(torch.zeros(len(period), rates, device=period.device), period, nothing, nothing)


@dataclass(frozen=True)
class PastPurchases(OnDevice):
    """E purchase events, at most one per key and period; a key is a user × product or a user × category.

    place [E]: key · periods + period, ascending.
    decayed [E, H]: Σ λ^(periods since) over the key's purchases so far.
    period [E], first [E]: of the event and of the key's first one. count [E]: the key's purchases so far.
    decay [H]: λ per period. periods: the number of periods, the one to price included.
    """

    place: Tensor
    decayed: Tensor
    period: Tensor
    first: Tensor
    count: Tensor
    decay: Tensor
    periods: int

    @property
    def faded(self) -> Tensor:
        """Return what is left of a purchase after so many periods, [periods, H]."""
        return self.decay ** torch.arange(self.periods, device=self.decay.device)[:, None]

    def before(self, key: Tensor, period: Tensor) -> PurchaseState:
        """Return the state of each key [n] after its last purchase before the period [n], decayed to the period."""
        event, is_known = self._last_event(key, period)
        last = torch.where(is_known, self.period.index_select(0, event), period)
        left = self.faded.index_select(0, period - last) * is_known[:, None]
        first, count = (values.index_select(0, event).long() for values in (self.first, self.count))
        return PurchaseState(self.decayed.index_select(0, event) * left, last, first, count * is_known)

    def events_before(self, period: int, count: int) -> Tensor:
        """Return the events before a period of each of `count` products or categories, [count]."""
        found = torch.zeros(count, dtype=torch.int64, device=self.place.device)
        for place, when in zip(self.place.split(AT_ONCE), self.period.split(AT_ONCE), strict=True):
            earlier = place[(place >= 0) & (when < period)]
            of_key = torch.div(earlier, self.periods, rounding_mode="floor") % count
            found += torch.bincount(of_key, minlength=count)
        return found

    def last_events(self, first: Tensor, end: Tensor, period: Tensor) -> tuple[Tensor, Tensor]:
        """Return every key's last event before a period [m], and how many of them there are for each of n ranges [n].

        Range i consists of the keys from first[i] to end[i] − 1 and is asked about the time before period[i]; its
        events follow each other by key.
        """
        start, stop = (torch.searchsorted(self.place, keys * self.periods) for keys in (first, end))
        return last_events(self.period, self.count, start, stop, period)

    def is_known(self, key: Tensor, period: Tensor) -> Tensor:
        """Return whether each key [n] had a purchase before the period [n], [n]."""
        return self._last_event(key, period)[1]

    def _last_event(self, key: Tensor, period: Tensor) -> tuple[Tensor, Tensor]:
        """Return the last event before the period [n], and whether that event is of the key [n]."""
        event = torch.searchsorted(self.place, key * self.periods + period) - 1
        is_known = self.place.index_select(0, event.clamp(min=0)) >= key * self.periods
        return event.clamp(min=0), is_known & (event >= 0)


@dataclass(frozen=True)
class When:
    """The period [n] of each of n purchases, of so many periods, and the decay [H] of a purchase per period."""

    period: np.ndarray
    periods: int
    decay: np.ndarray


def past_purchases(user: np.ndarray, item: np.ndarray, items: int, bought: When) -> PastPurchases:
    """Return the events of n purchases, given user [n] and item [n], one of so many products or categories.

    The purchases may be in any order, and several of a key in one period are one event. The first event belongs to no
    key and precedes all periods, so that every search finds an event. Periods and counts take two bytes each, and what
    is computed on the way as little as it can, since there is an event for nearly every line of the log.
    """
    periods = bought.periods
    assert periods <= np.iinfo(np.int16).max
    place = np.empty(len(user) + 1, np.int64)
    place[0] = BEFORE_ALL
    place[1:] = numbered(numbered(user, item, items), bought.period, periods)
    place = distinct(place)
    number = np.int32 if len(place) < np.iinfo(np.int32).max else np.int64
    start = np.flatnonzero(_is_new(place // periods)).astype(number)
    size = np.diff(start, append=number(len(place)))
    when = (place % periods).astype(np.int16)
    count = (np.arange(1, len(place) + 1, dtype=number) - np.repeat(start, size)).astype(np.int16)
    return PastPurchases(
        place=torch.from_numpy(place),
        decayed=torch.from_numpy(_decayed(when, count, bought.decay)),
        period=torch.from_numpy(when),
        first=torch.from_numpy(np.repeat(when[start], size)),
        count=torch.from_numpy(count),
        decay=torch.from_numpy(bought.decay).float(),
        periods=periods,
    )


def numbered(row: np.ndarray, column: np.ndarray, columns: int) -> np.ndarray:
    """Return one number for each of n cells of a table of so many columns, int64 [n]."""
    number = row.astype(np.int64)
    number *= columns
    number += column
    return number


def distinct(numbers: np.ndarray) -> np.ndarray:
    """Sort the numbers [n] in place, and return the distinct ones; np.unique takes copies of them."""
    numbers.sort()
    return numbers[_is_new(numbers)]


def _is_new(numbers: np.ndarray) -> np.ndarray:
    """Return whether each of n ascending numbers is larger than the one before it."""
    found = np.ones(len(numbers), bool)
    np.not_equal(numbers[1:], numbers[:-1], out=found[1:])
    return found


def _decayed(period: np.ndarray, count: np.ndarray, decay: np.ndarray) -> np.ndarray:
    """Return Σ λ^(periods since) over the key's purchases so far for E events, float32 [E, H]; as in PastPurchases."""
    later = [np.flatnonzero(count == number) for number in range(2, int(count.max(initial=0)) + 1)]
    gone = [(period[now] - period[now - 1]).astype(np.int64) for now in later]
    found = np.empty((len(period), len(decay)), np.float32)
    for column, rate in zip(found.T, decay, strict=True):
        sums = np.ones(len(period))
        for now, since in zip(later, gone, strict=True):  # all keys with so many purchases at once
            sums[now] += sums[now - 1] * rate**since
        column[:] = sums
    return found
