"""Purchases as events sorted by key and period, each with the key's state after the event.

The state before a period is that of the last event before the period, found by binary search and decayed to the
period. So no row sees its own period or a later one.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gpu_pricer.network.encoding.on_device import OnDevice

BEFORE_ALL = -1  # the place of an event that precedes all others


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

    def before(self, key: Tensor, period: Tensor) -> PurchaseState:
        """Return the state of each key [n] after its last purchase before the period [n], decayed to the period."""
        event, is_known = self._last_event(key, period)
        last = torch.where(is_known, self.period.index_select(0, event), period)
        decayed = self.decayed.index_select(0, event) * self.decay ** (period - last)[:, None] * is_known[:, None]
        first, count = (values.index_select(0, event).long() for values in (self.first, self.count))
        return PurchaseState(decayed, last, first, count * is_known)

    def events_before(self, period: int, count: int) -> Tensor:
        """Return the events before a period of each of `count` products or categories, [count]."""
        is_earlier = (self.place >= 0) & (self.period < period)
        of_key = torch.div(self.place[is_earlier], self.periods, rounding_mode="floor") % count
        return torch.bincount(of_key, minlength=count)

    def last_events(self, first: Tensor, end: Tensor, period: Tensor) -> tuple[Tensor, Tensor]:
        """Return every key's last event before a period [m], and how many of them there are for each of n ranges [n].

        Range i consists of the keys from first[i] to end[i] − 1 and is asked about the time before period[i]; its
        events follow each other by key.
        """
        start, stop = (torch.searchsorted(self.place, keys * self.periods) for keys in (first, end))
        size = stop - start
        ends = size.cumsum(0)
        whose = torch.repeat_interleave(size)
        event = torch.arange(len(whose), device=size.device) + (stop - ends).index_select(0, whose)
        is_last = self.period.index_select(0, event) < period.to(self.period.dtype).index_select(0, whose)
        goes_on = is_last & (self.count.index_select(0, event) > 1)  # the event before is of the same key
        is_last[:-1] &= ~goes_on[1:]
        place = is_last.nonzero().squeeze(1)
        found = torch.searchsorted(place, ends)
        return event.index_select(0, place), found.diff(prepend=torch.zeros_like(found[:1]))

    def is_known(self, key: Tensor, period: Tensor) -> Tensor:
        """Return whether each key [n] had a purchase before the period [n], [n]."""
        return self._last_event(key, period)[1]

    def _last_event(self, key: Tensor, period: Tensor) -> tuple[Tensor, Tensor]:
        """Return the last event before the period [n], and whether that event is of the key [n]."""
        event = torch.searchsorted(self.place, key * self.periods + period) - 1
        is_known = self.place.index_select(0, event.clamp(min=0)) >= key * self.periods
        return event.clamp(min=0), is_known & (event >= 0)


def past_purchases(key: np.ndarray, period: np.ndarray, periods: int, decay: np.ndarray) -> PastPurchases:
    """Return the events of n purchases, given their key [n] and period [n] in any order; decay [H] per period.

    Several purchases of a key in one period are one event. The first event belongs to no key and precedes all periods,
    so that every search finds an event. Periods and counts take two bytes each.
    """
    assert periods <= np.iinfo(np.int16).max
    place = np.unique(np.append(key.astype(np.int64) * periods + period, BEFORE_ALL))
    key, period = place // periods, place % periods
    start = np.flatnonzero(np.diff(key, prepend=BEFORE_ALL - 1))
    rank = np.arange(len(key)) - np.repeat(start, np.diff(start, append=len(key)))
    decayed = np.ones((len(key), len(decay)))
    for step in range(1, int(rank.max(initial=0)) + 1):  # all keys with more than `step` purchases at once
        now = np.flatnonzero(rank == step)
        decayed[now] += decayed[now - 1] * decay ** (period[now] - period[now - 1])[:, None]
    return PastPurchases(
        place=torch.from_numpy(place),
        decayed=torch.from_numpy(decayed).float(),
        period=torch.from_numpy(period.astype(np.int16)),
        first=torch.from_numpy(period[np.arange(len(key)) - rank].astype(np.int16)),
        count=torch.from_numpy((rank + 1).astype(np.int16)),
        decay=torch.from_numpy(decay).float(),
        periods=periods,
    )
