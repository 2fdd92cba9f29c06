"""The contribution of users' purchase histories, loyalty and habit, to the appeal of the products of some categories.

Nearly all pairs of a user and a product have no purchase, and most pairs of a user and a category have none (94 of 100
on the example log). There the contribution follows from the user, the category and the product's total sales. Only
pairs with purchases are computed one by one.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from gpu_pricer.network.encoding.purchase_events import PastPurchases
from gpu_pricer.network.model.demand_network import DemandNetwork
from gpu_pricer.network.model.loyalty import NO_PAST, Loyalty, Ratios


@dataclass(frozen=True)
class _Bought:
    """The m pairs of users and products, or categories, that were bought before a period.

    row [m]: places of the users among those asked for. user, item, period [m]: row numbers, and the period.
    """

    row: Tensor
    user: Tensor
    item: Tensor
    period: Tensor

    @classmethod
    def of(cls, events: PastPurchases, items: int, user: Tensor, period: Tensor, numbers: slice) -> "_Bought":
        """Return the pairs of n users [n] and the items in a range of numbers, before n periods [n].

        items: how many products or categories there are.
        """
        first = user * items
        event, size = events.last_events(first + numbers.start, first + numbers.stop, period)
        row = torch.repeat_interleave(size)
        item = events.place[event].div(events.periods, rounding_mode="floor") - first[row]
        return cls(row, user[row], item, period[row])


@torch.no_grad()
def past_appeal(network: DemandNetwork, user: Tensor, period: Tensor, block: slice) -> Tensor:
    """Return what the pasts of n users before n periods add to the appeal, [n, block]; a scalar 0 without the past.

    user, period [n]: row numbers. block: products of complete categories.
    """
    loyalty, encoder = network.loyalty, network.history
    if loyalty is None or encoder is None:
        return torch.zeros(())
    data, history = network.data, network.data.history
    category, firsts = data.products.category, data.products.first_period[block]
    habits, ratios = _of_categories(
        network, loyalty, user, period, slice(category[block.start], category[block.stop - 1] + 1)
    )
    column = category[block] - category[block.start]
    visits = loyalty.mixed(history.visits_since(user[:, None], torch.arange(int(firsts.max()) + 1), period[:, None]))
    expected = visits.index_select(1, firsts).mul_(network.product_rate[block, 0])
    appeal = loyalty.add_products(expected, column, Ratios(ratios.product, ratios.appeal + habits))
    pairs = _Bought.of(history.products, history.product_count, user, period, block)
    place = pairs.row, pairs.item - block.start
    own = history.of_product(pairs.user, pairs.item, pairs.period)
    beside = history.of_category(pairs.user, category[pairs.item], pairs.period)
    features = history.features_of(pairs.user, pairs.period, own, beside)
    added = encoder.habit_of(features, encoder.category[pairs.item]) - habits[pairs.row, column[place[1]]]
    added += loyalty.of_bought(loyalty.mixed(own.decayed))
    added += history.recency(pairs.user, category[pairs.item], own, beside.count) @ loyalty.recency
    return appeal.index_put_(place, added, accumulate=True)


def _of_categories(
    network: DemandNetwork, loyalty: Loyalty, user: Tensor, period: Tensor, numbers: slice
) -> tuple[Tensor, Ratios]:
    """Return n users' habits with products that they never bought, and their ratios, of G categories, [n, G] each.

    numbers: those of the categories.
    """
    data, history, encoder = network.data, network.data.history, network.history
    assert encoder is not None
    categories = torch.arange(numbers.start, numbers.stop)
    pairs = _Bought.of(history.categories, history.category_count, user, period, numbers)
    place, known = (pairs.row, pairs.item - numbers.start), history.of_category(pairs.user, pairs.item, pairs.period)
    habits = encoder.habits_of_strangers(data, user, period, categories)
    habits[place] = encoder.habits_of_unbought(data, pairs.user, pairs.item, pairs.period, known)
    in_category = torch.zeros_like(habits).index_put_(place, loyalty.mixed(known.decayed))
    visits, everything = (loyalty.mixed(counts[user, period])[:, None] for counts in (history.visits, history.bought))
    of_user = loyalty.add_level(0, everything, visits * network.category_rate.sum(), NO_PAST)
    return habits, loyalty.add_level(1, in_category, visits * network.category_rate[categories], of_user)
