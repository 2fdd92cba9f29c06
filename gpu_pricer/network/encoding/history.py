"""What each user did strictly before a period: how often, how lately and how regularly it bought what.

Purchases are kept as events sorted by key × period, each with the state after it; what was known before a period is
the last event before it, found by binary search and decayed to that period. So no row can see its own or a later one.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gpu_pricer.network.encoding.baskets import RARE, PastBaskets, Purchases, past_baskets
from gpu_pricer.network.encoding.on_device import OnDevice

LONGEST_RATIO = 4.0  # of the time since the last purchase to the usual interval
LONGEST_TIME = 16.0  # periods: longer ago is the same, for no training row has seen the times of the last ones
NO_PRODUCT = -1  # as a product: one that was never bought
NOBODY = -1  # as a place in time: before all events


@dataclass(frozen=True)
class Past:
    """What was known of n keys before n periods: decayed purchases [n, H], the last and first period, the count.

    Where there was none, count is 0 and last the period itself.
    """

    decayed: Tensor
    last: Tensor
    first: Tensor
    count: Tensor


@dataclass(frozen=True)
class PastPurchases(OnDevice):
    """E purchase events of keys (user × product, user × category), at most one per key and period.

    place [E] = key · periods + period, ascending; decayed [E, H]: Σ λ^(periods since) over the key's purchases so far;
    first [E]: the key's first period; count [E]: its purchases so far; decay [H]: λ per period.
    """

    place: Tensor
    decayed: Tensor
    first: Tensor
    count: Tensor
    decay: Tensor
    periods: int

    def before(self, key: Tensor, period: Tensor) -> Past:
        """The state of each key [n] after its last purchase before the period [n], decayed to the period."""
        event, is_known = self._last_event(key, period)
        last = torch.where(is_known, self.place.index_select(0, event) % self.periods, period)
        decayed = self.decayed.index_select(0, event) * self.decay ** (period - last)[:, None] * is_known[:, None]
        return Past(decayed, last, self.first.index_select(0, event), self.count.index_select(0, event) * is_known)

    def is_known(self, key: Tensor, period: Tensor) -> Tensor:
        """Whether each key [n] had a purchase before the period [n], [n]."""
        return self._last_event(key, period)[1]

    def _last_event(self, key: Tensor, period: Tensor) -> tuple[Tensor, Tensor]:
        """The last event before the period [n], and whether it is of the key [n]."""
        event = torch.searchsorted(self.place, key * self.periods + period) - 1
        is_known = self.place.index_select(0, event.clamp(min=0)) >= key * self.periods
        return event.clamp(min=0), is_known & (event >= 0)


def past_purchases(key: np.ndarray, period: np.ndarray, periods: int, decay: np.ndarray) -> PastPurchases:
    """The events of purchases of key [n] in period [n], in any order; a key bought twice in a period bought once.

    They begin with one of nobody, before all that can be asked for, so that there always is a last event.
    """
    place = np.unique(np.append(key.astype(np.int64) * periods + period, NOBODY))
    key, period = place // periods, place % periods
    start = np.flatnonzero(np.diff(key, prepend=NOBODY - 1))
    rank = np.arange(len(key)) - np.repeat(start, np.diff(start, append=len(key)))
    decayed = np.ones((len(key), len(decay)))
    for step in range(1, int(rank.max(initial=0)) + 1):  # one step for all keys that have so many purchases
        now = np.flatnonzero(rank == step)
        decayed[now] += decayed[now - 1] * decay ** (period[now] - period[now - 1])[:, None]
    return PastPurchases(
        place=torch.from_numpy(place),
        decayed=torch.from_numpy(decayed).float(),
        first=torch.from_numpy(period[np.arange(len(key)) - rank]),
        count=torch.from_numpy(rank + 1),
        decay=torch.from_numpy(decay).float(),
        periods=periods,
    )


@dataclass(frozen=True)
class History(OnDevice):
    """The past of U users over T periods; period T is the one to price.

    visits [U, T + 1, H]: decayed visits before the period; visit_count and last_visit [U, T + 1] (-1: none yet).
    """

    products: PastPurchases
    categories: PastPurchases
    baskets: PastBaskets
    visits: Tensor
    visit_count: Tensor
    last_visit: Tensor
    product_count: int
    category_count: int
    half_lives: list[float]

    @property
    def width(self) -> int:
        """How many features a row has."""
        return 4 * self.visits.shape[2] + 11

    def has_bought(self, user: Tensor, product: Tensor, period: Tensor) -> Tensor:
        """Whether n users had bought n products before n periods, [n]."""
        return self.products.is_known(user * self.product_count + product, period)

    def features(self, user: Tensor, product: Tensor, category: Tensor, period: Tensor) -> Tensor:
        """The features of n offers, [n, width], all of the order of 1 and 0 for who never bought.

        None grows with the length of the log as such: the periods to predict lie beyond those trained on.
        """
        of_product = self.products.before(
            torch.where(product < 0, product, user * self.product_count + product), period
        )
        of_category = self.categories.before(user * self.category_count + category, period)
        now = user * self.visits.shape[1] + period
        visits, visit_count, last_visit = (
            values.flatten(0, 1).index_select(0, now) for values in (self.visits, self.visit_count, self.last_visit)
        )
        is_last = (of_product.count > 0) & (of_product.last == of_category.last)
        absence = _log_time((period - last_visit).float())
        return torch.cat(
            [
                torch.log1p(of_product.decayed / (visits + 1) / RARE),
                torch.log1p(of_category.decayed / (visits + 1) / RARE),
                of_product.decayed / (of_category.decayed + 0.5),
                torch.log1p(visits[:, :-1]) / 2,
                torch.stack([is_last.float(), absence], dim=1),
                self._timing(of_product, user, period, visit_count),
                self._timing(of_category, user, period, visit_count),
            ],
            dim=1,
        )

    def _timing(self, past: Past, user: Tensor, period: Tensor, visit_count: Tensor) -> Tensor:
        """Whether bought, how long ago in periods and in visits, and against the usual interval, [n, 5]."""
        is_known, is_regular = past.count > 0, past.count > 1
        gap = (period - past.last).float()
        missed = visit_count - self.visit_count[user, past.last] - 1
        usual = (past.last - past.first).float() / (past.count - 1).clamp(min=1)
        ratio = (gap / usual.clamp(min=1)).clamp(max=LONGEST_RATIO) / 2
        columns = [is_known.float(), _log_time(gap) * is_known, _log_time(missed.clamp(min=0)) * is_known]
        return torch.stack([*columns, is_regular.float(), ratio * is_regular], dim=1)


def _log_time(periods: Tensor) -> Tensor:
    return torch.log1p(periods.clamp(max=LONGEST_TIME)) / 2


def build_history(
    purchases: Purchases,
    is_visit: np.ndarray,
    products: int,
    categories: int,
    half_lives: list[float],
    is_asked: np.ndarray,
) -> History:
    """The history of users that came when is_visit [U, T] says and bought what `purchases` says.

    half_lives: after how many periods a purchase counts half, for each of the H rates. is_asked [U, T + 1]: before
    which periods what users had bought will be asked.
    """
    decay = 0.5 ** (1 / np.array(half_lives, dtype=np.float64))
    periods = is_visit.shape[1] + 1
    visits = np.zeros((len(is_visit), periods, len(decay)), np.float32)
    for t in range(1, periods):
        visits[:, t] = (visits[:, t - 1] + is_visit[:, t - 1, None]) * decay
    count = np.pad(is_visit.cumsum(axis=1), ((0, 0), (1, 0))).astype(np.float32)
    when = np.where(is_visit, np.arange(periods - 1), -1)
    last = np.pad(np.maximum.accumulate(when, axis=1), ((0, 0), (1, 0)), constant_values=-1)
    return History(
        products=past_purchases(purchases.user * products + purchases.product, purchases.period, periods, decay),
        categories=past_purchases(purchases.user * categories + purchases.category, purchases.period, periods, decay),
        baskets=past_baskets(purchases, is_asked, products, visits[:, :, -1], decay[-1]),
        visits=torch.from_numpy(visits),
        visit_count=torch.from_numpy(count),
        last_visit=torch.from_numpy(last),
        product_count=products,
        category_count=categories,
        half_lives=[float(half_life) for half_life in half_lives],
    )
