"""What each user did strictly before a period: how often, how lately and how regularly the user bought what."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gpu_pricer.network.encoding.on_device import OnDevice
from gpu_pricer.network.encoding.purchase_events import (
    PastPurchases,
    Purchases,
    PurchaseState,
    When,
    distinct,
    numbered,
    past_purchases,
)
from gpu_pricer.network.encoding.tensor_files import TensorFiles

FIRST_HALF_LIFE, NEXT_HALF_LIFE = 2.0, 4.0  # periods; each is so many times the one before
LONGEST_RATIO = 4.0  # largest ratio of the time since the last purchase to the usual interval
LONGEST_TIME = 16.0  # periods; longer times count as this one, since the last periods have longer times than training
RARE = 0.02  # purchases per visit that count as rare: a rate enters as log(1 + rate / RARE), which is 0 for none
RECENCY = 3  # numbers that tell how lately a product was bought


def half_lives_of(periods: int) -> list[float]:
    """Return half-lives from short ones to one that is no shorter than a log of so many periods."""
    lives = [FIRST_HALF_LIFE]
    while lives[-1] < periods:
        lives.append(NEXT_HALF_LIFE * lives[-1])
    return lives


@dataclass(frozen=True)
class UserHistory(OnDevice):
    """The past of U users over T periods; period T is the one to price.

    products, categories: purchase events by user × product and by user × category.
    visits [U, T + 1, H]: decayed number of visits before the period.
    bought [U, T + 1, H]: decayed number of purchases before the period, one per category and period.
    visit_count [U, T + 1]: visits before the period. last_visit [U, T + 1]: period of the last one, -1 for none.
    product_count, category_count: numbers of products and categories.
    half_lives: the H half-lives in periods.
    """

    products: PastPurchases
    categories: PastPurchases
    visits: Tensor
    bought: Tensor
    visit_count: Tensor
    last_visit: Tensor
    product_count: int
    category_count: int
    half_lives: list[float]

    @property
    def width(self) -> int:
        """Return how many features a row has."""
        return 4 * self.visits.shape[2] + 11

    def baskets(self, user: Tensor, period: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return what n users had bought before n periods: products [m], their weights [m], where each begins [n].

        A weight is log(1 + rate / RARE) of the product's purchases per visit, both decayed at the longest half-life.
        """
        events, longest = self.products, len(self.half_lives) - 1
        first = user * self.product_count
        event, size = events.last_events(first, first + self.product_count, period)
        gone = torch.repeat_interleave(period, size) - events.period.index_select(0, event)
        count = events.decayed[:, longest].index_select(0, event) * events.faded[:, longest].index_select(0, gone)
        visits = torch.repeat_interleave(self.visits[user, period, longest] + 1, size)
        key = torch.div(events.place.index_select(0, event), events.periods, rounding_mode="floor")
        product = key - torch.repeat_interleave(first, size)
        return product, torch.log1p(count / visits / RARE), size.cumsum(0) - size

    def has_bought(self, user: Tensor, product: Tensor, period: Tensor) -> Tensor:
        """Return whether n users had bought n products before n periods, [n]."""
        return self.products.is_known(user * self.product_count + product, period)

    def of_product(self, user: Tensor, product: Tensor, period: Tensor) -> PurchaseState:
        """Return what n users had bought of n products before n periods."""
        return self.products.before(user * self.product_count + product, period)

    def of_category(self, user: Tensor, category: Tensor, period: Tensor) -> PurchaseState:
        """Return what n users had bought of n categories before n periods."""
        return self.categories.before(user * self.category_count + category, period)

    def visits_since(self, user: Tensor, first: Tensor, period: Tensor) -> Tensor:
        """Return the decayed visits of users before periods and from the periods `first` on, [..., H].

        user, period and first are broadcast to each other.
        """
        gone = (period - first).clamp(min=0)
        earlier = self.visits[user, torch.minimum(first, period)]
        return self.visits[user, period] - earlier * self.products.faded[gone]

    def recency(self, user: Tensor, category: Tensor, own: PurchaseState, category_count: Tensor) -> Tensor:
        """Return how lately n users bought n products, compared with the category's other products, [n, RECENCY].

        Whether bought before; whether among the user's last purchase of the category; log(1 + the user's purchases of
        the category since). All are 0 without a purchase. own: what the users had bought of the products;
        category_count [n]: in how many periods they had bought the category.
        """
        found = torch.zeros(len(user), RECENCY, device=user.device)
        known = (own.count > 0).nonzero().squeeze(1)
        earlier = self.of_category(user[known], category[known], own.last[known])
        since = (category_count[known] - earlier.count - 1).float()
        return found.index_copy(0, known, torch.stack([torch.ones_like(since), since == 0, torch.log1p(since)], dim=1))

    def features(self, user: Tensor, product: Tensor | None, category: Tensor, period: Tensor) -> Tensor:
        """Return the features of n offers, [n, width]; product: None stands for products that the users never bought.

        See features_of.
        """
        bought = None if product is None else self.of_product(user, product, period)
        return self.features_of(user, period, bought, self.of_category(user, category, period))

    def features_of(
        self, user: Tensor, period: Tensor, of_product: PurchaseState | None, of_category: PurchaseState | None
    ) -> Tensor:
        """Return the features of n offers, [n, width], all of the order of 1.

        of_product, of_category: what n users had bought of n products and categories before n periods; None stands for
        those of which they never bought anything.
        Features of purchases are 0 where there was none.
        No feature grows with the length of the log, because the periods to predict lie beyond those trained on.
        """
        nothing = PurchaseState.none(period, len(self.half_lives))
        of_product, of_category = of_product or nothing, of_category or nothing
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

    def _timing(self, state: PurchaseState, user: Tensor, period: Tensor, visit_count: Tensor) -> Tensor:
        """Return the timing features, [n, 5].

        Whether bought, time since the last purchase in periods and in visits, whether bought at least twice, and the
        ratio of the time since the last purchase to the usual interval.
        """
        is_known, is_regular = state.count > 0, state.count > 1
        gap = (period - state.last).float()
        missed = visit_count - self.visit_count[user, state.last] - 1
        usual = (state.last - state.first).float() / (state.count - 1).clamp(min=1)
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
    files: TensorFiles | None = None,
) -> UserHistory:
    """Return the history of U users over T periods from their visits, is_visit [U, T], and purchases.

    products, categories: how many there are. half_lives [H]: after how many periods a purchase counts half.
    files: where the events lie, if any; those of products are there before those of categories are counted.
    """
    decay = 0.5 ** (1 / np.array(half_lives, dtype=np.float64))
    periods = is_visit.shape[1] + 1
    visits = np.zeros((len(is_visit), periods, len(decay)), np.float32)
    bought = np.zeros_like(visits)
    bought[:, 1:] = _categories_bought(purchases, is_visit.shape, categories)[:, :, None]
    for t in range(1, periods):
        visits[:, t] = (visits[:, t - 1] + is_visit[:, t - 1, None]) * decay
        bought[:, t] = (bought[:, t - 1] + bought[:, t]) * decay
    count = np.pad(is_visit.cumsum(axis=1), ((0, 0), (1, 0))).astype(np.float32)
    when = np.where(is_visit, np.arange(periods - 1), -1)
    last = np.pad(np.maximum.accumulate(when, axis=1), ((0, 0), (1, 0)), constant_values=-1)
    of_products, of_categories = (
        events if files is None else files.hold(events)
        for events in _events(purchases, products, categories, When(purchases.period, periods, decay))
    )
    return UserHistory(
        products=of_products,
        categories=of_categories,
        visits=torch.from_numpy(visits),
        bought=torch.from_numpy(bought),
        visit_count=torch.from_numpy(count),
        last_visit=torch.from_numpy(last),
        product_count=products,
        category_count=categories,
        half_lives=[float(half_life) for half_life in half_lives],
    )


def _events(purchases: Purchases, products: int, categories: int, when: When) -> Iterator[PastPurchases]:
    """Yield the events of users with products, and then with categories."""
    yield past_purchases(purchases.user, purchases.product, products, when)
    yield past_purchases(purchases.user, purchases.category, categories, when)


def _categories_bought(purchases: Purchases, shape: tuple[int, ...], categories: int) -> np.ndarray:
    """Return from how many categories each user bought in each period; shape: U users and T periods."""
    visit = numbered(purchases.user, purchases.period, shape[1])
    in_category = distinct(numbered(visit, purchases.category, categories)) // categories
    return np.bincount(in_category, minlength=shape[0] * shape[1]).reshape(shape)
