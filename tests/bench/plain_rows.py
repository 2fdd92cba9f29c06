"""The plain way to feed the network: a torch DataLoader over a Dataset of rows that carry their own features.

The table is made beforehand, as for boosted trees, and counts for nothing in the timing: of every offer its product,
price move, promotion and what its user did before, of every choice who chose, what and when. A row is an offer, or a
choice with all its offers, padded to the largest choice set; a row is a dictionary of tensors, collated by default.
From them the network computes the same utilities as from our batches. Only a user's past baskets, which have no common
length, it looks up for the whole batch, as for ours.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from gpu_pricer.network.encoding.batches import EVERY_ALTERNATIVE, Batch, Share, gather_batch
from gpu_pricer.network.encoding.choice_data import ChoiceData
from gpu_pricer.network.model.demand_network import DemandNetwork
from gpu_pricer.network.model.loyalty import Frequencies
from gpu_pricer.network.model.price_bend import bent

AT_ONCE = 8192  # choices whose offers are described at once

ProductColumns = dict[str, Tensor]


@dataclass(frozen=True)
class OfferTable:
    """Columns of N choices [N] and of their R offers [R, …], and where each choice's offers begin and end, N + 1."""

    choices: ProductColumns
    offers: ProductColumns
    ends: list[int]


def offer_table(data: ChoiceData, index: Tensor) -> OfferTable:
    """Return the table of the choices `index` with all that was on offer."""
    parts = [_offers(data, gather_batch(data, some, EVERY_ALTERNATIVE, torch.Generator()))
             for some in index.split(AT_ONCE)]  # fmt: skip
    user, choice_set = (values[index].long() for values in (data.choices.user, data.choices.choice_set))
    size = data.sets.start[choice_set + 1] - data.sets.start[choice_set]
    own = {"weight": data.choices.weight(index), "size": data.choices.size[index]}
    own["outside"] = data.sets.outside[choice_set]
    choices = {"user": user, "choice_set": choice_set, **own}
    offers = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
    return OfferTable(choices, offers, [0, *size.cumsum(0).tolist()])


def _offers(data: ChoiceData, batch: Batch) -> ProductColumns:
    user, choice_set = (values[batch.occasion] for values in (batch.user, batch.choice_set))
    product, history = data.shelf.product[batch.row], data.history
    period, category = data.sets.period[choice_set], data.sets.category[choice_set]
    visits, since = (
        history.visits_since(user, first, period)
        for first in (torch.zeros_like(period), data.products.first_period[product])
    )
    in_category, own = history.of_category(user, category, period), history.of_product(user, product, period)
    bought = in_category.decayed, own.decayed
    return {
        "product": product,
        "row": batch.row,
        "move": data.trusted_move(batch.row),
        "context": data.shelf.context[batch.row],
        "history": history.features(user, product, category, period),
        "bought": torch.stack([history.bought[user, period], *bought], dim=1),
        "visits": torch.stack([visits, visits, since], dim=1),
        "recency": history.recency(user, category, own, in_category.count),
        "is_bought": torch.zeros_like(product, dtype=torch.bool).index_fill(0, batch.chosen[batch.chosen >= 0], True),
    }


class ChoiceRows(Dataset):
    """A row is a choice: its own columns, and those of its offers, padded."""

    def __init__(self, table: OfferTable) -> None:
        self.table = table
        self.largest = max(end - start for start, end in zip(table.ends, table.ends[1:], strict=False))

    def __len__(self) -> int:
        return len(self.table.ends) - 1

    def __getitem__(self, number: int) -> ProductColumns:
        start, end = self.table.ends[number], self.table.ends[number + 1]
        row = {name: column[number] for name, column in self.table.choices.items()}
        for name, column in self.table.offers.items():
            row[name] = column.new_zeros(self.largest, *column.shape[1:])
            row[name][: end - start] = column[start:end]
        return row | {"is_offer": torch.arange(self.largest) < end - start}


class OfferRows(Dataset):
    """A row is an offer: its own columns, those of its choice, and which choice that is."""

    def __init__(self, table: OfferTable) -> None:
        choice = torch.repeat_interleave(torch.tensor(table.ends).diff())
        of_choice = {name: column[choice] for name, column in table.choices.items()}
        self.ends, self.columns = table.ends, of_choice | table.offers | {"choice": choice}

    def __len__(self) -> int:
        return self.ends[-1]

    def __getitem__(self, number: int) -> ProductColumns:
        return {name: column[number] for name, column in self.columns.items()}


class OffersOfChoices:
    """As a batch sampler: the offers of so many choices in random order."""

    def __init__(self, rows: OfferRows, batch_size: int) -> None:
        self.ends, self.batch_size = rows.ends, batch_size

    def __iter__(self) -> Iterator[list[int]]:
        for choices in torch.randperm(len(self.ends) - 1).split(self.batch_size):
            yield [row for c in choices.tolist() for row in range(self.ends[c], self.ends[c + 1])]


class PlainBatch(NamedTuple):
    """Columns of N choices and of their R offers, and the choice of every offer [R]."""

    choices: ProductColumns
    offers: ProductColumns
    occasion: Tensor


def batches_of_choices(table: OfferTable, batch_size: int, workers: int) -> Iterator[PlainBatch]:
    """Yield batches from a loader of choices, in random order."""
    for columns in DataLoader(ChoiceRows(table), batch_size, shuffle=True, num_workers=workers):
        occasion, place = columns["is_offer"].nonzero(as_tuple=True)
        offers = {name: columns[name][occasion, place] for name in table.offers}
        yield PlainBatch({name: columns[name] for name in table.choices}, offers, occasion)


def batches_of_offers(table: OfferTable, batch_size: int, workers: int) -> Iterator[PlainBatch]:
    """Yield batches from a loader of all offers of so many choices, in random order."""
    rows = OfferRows(table)
    for columns in DataLoader(rows, batch_sampler=OffersOfChoices(rows, batch_size), num_workers=workers):
        _, occasion, size = torch.unique_consecutive(columns["choice"], return_inverse=True, return_counts=True)
        first = size.cumsum(0) - size
        offers = {name: columns[name] for name in table.offers}
        yield PlainBatch({name: columns[name][first] for name in table.choices}, offers, occasion)


def utility_of(network: DemandNetwork, batch: PlainBatch) -> Tensor:
    """Return the utility of every offer [R], from what the rows carry."""
    assert network.history is not None
    choices, offers, occasion = batch
    user, product = choices["user"], offers["product"]
    user_taste = network.user_tastes(user, network.data.sets.period[choices["choice_set"]])
    taste = (user_taste[occasion] * network.product_taste(product)).sum(1)
    habit = network.history.habit_of(offers["history"], network.history.category[product])
    common = _average_utility(network, batch) * network.log_scale.exp()
    return common + network.user_level(user)[occasion, 0] + _loyalty(network, offers) + taste + habit


def _average_utility(network: DemandNetwork, batch: PlainBatch) -> Tensor:
    choices, offers, occasion = batch
    product, response = offers["product"], network.response_of(offers["product"])
    level = network.product_level(product)[:, 0] + network.mean_level + network.shelf_effect[offers["row"]]
    promoted = (response[:, 1:] * offers["context"]).sum(1)
    low, high = (network.support[product] - 1).T
    slope = network.log_slope[choices["user"], 0].exp()[occasion]
    return level + promoted - slope * response[:, 0].exp() * bent(offers["move"].clamp(low, high), network.bend)


def _loyalty(network: DemandNetwork, offers: ProductColumns) -> Tensor:
    assert network.loyalty is not None
    product, of_category = offers["product"], network.category_rate
    category = network.data.products.category[product]
    rates = of_category.sum().expand(len(product)), of_category[category], network.product_rate[product, 0]
    expected = offers["visits"] * torch.stack(rates, dim=1)[:, :, None]
    return network.loyalty(Frequencies(offers["bought"], expected, offers["recency"]))


def as_batch(batch: PlainBatch) -> Batch:
    """Return what the likelihood reads: who chose what, without shelf rows."""
    choices, offers, occasion = batch
    bought = offers["is_bought"].nonzero().squeeze(1)
    chosen = torch.full_like(choices["user"], -1).index_put((occasion[bought],), bought)
    nowhere, correction = occasion.new_empty(0), torch.zeros(len(occasion))
    return Batch(
        **choices, share=Share.of(len(choices["user"]), 0, 1), chosen=chosen, occasion=occasion, row=nowhere,
        correction=correction, products=nowhere, place=nowhere,
    )  # fmt: skip
