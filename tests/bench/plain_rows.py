"""The plain way to feed a network: a torch DataLoader that asks a Dataset for row after row and collates them.

A row is a choice with its whole choice set, padded to the largest one, or an offer, as in a table for boosted trees.
Rows carry no more than where to look: prices, promotion and history are looked up by the network, as for our batches.
"""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from gpu_pricer.network.batches import EVERY_ALTERNATIVE, Batch, gather_batch
from gpu_pricer.network.choice_data import ChoiceData

PADDING = -1


class ChoiceRows(Dataset):
    """A row is a choice: user, choice set, weight and so on, and the shelf rows of its alternatives, padded."""

    def __init__(self, data: ChoiceData, index: Tensor) -> None:
        self.data, self.index = data, index
        self.largest = int(data.set_start.diff().max())

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, number: int) -> dict[str, Tensor]:
        data, choice = self.data, self.index[number]
        choice_set = data.choice_set[choice]
        first, end = data.set_start[choice_set], data.set_start[choice_set + 1]
        shelf_row = torch.full((self.largest,), PADDING)
        shelf_row[: end - first] = torch.arange(first, end)
        return {
            "user": data.user[choice],
            "choice_set": choice_set,
            "weight": data.weight[choice],
            "size": data.size[choice],
            "outside": data.outside[choice],
            "bought": data.chosen[choice],
            "shelf_row": shelf_row,
        }


class OfferRows(Dataset):
    """A row is an offer: which choice it belongs to, and its shelf row."""

    def __init__(self, data: ChoiceData, index: Tensor) -> None:
        whole = gather_batch(data, index, EVERY_ALTERNATIVE, torch.Generator())
        self.choice, self.shelf_row = index[whole.occasion], whole.row
        self.fields = {name: getattr(data, name) for name in ("user", "choice_set", "weight", "size", "outside")}
        self.bought = data.chosen
        self.start = torch.bincount(whole.occasion, minlength=len(index)).cumsum(0).tolist()

    def __len__(self) -> int:
        return len(self.choice)

    def __getitem__(self, number: int) -> dict[str, Tensor]:
        choice = self.choice[number]
        row = {name: values[choice] for name, values in self.fields.items()}
        return row | {"bought": self.bought[choice], "shelf_row": self.shelf_row[number], "choice": choice}


class OffersOfChoices:
    """As a batch sampler: the offers of so many choices in random order."""

    def __init__(self, rows: OfferRows, batch_size: int) -> None:
        self.ends, self.batch_size = [0, *rows.start], batch_size

    def __iter__(self) -> Iterator[list[int]]:
        for choices in torch.randperm(len(self.ends) - 1).split(self.batch_size):
            yield [row for c in choices.tolist() for row in range(self.ends[c], self.ends[c + 1])]


def loader_of_choices(data: ChoiceData, index: Tensor, batch_size: int, workers: int) -> DataLoader:
    """Return the loader of batches of choices, in random order."""
    return DataLoader(ChoiceRows(data, index), batch_size, shuffle=True, num_workers=workers)


def loader_of_offers(data: ChoiceData, index: Tensor, batch_size: int, workers: int) -> DataLoader:
    """Return the loader of batches of all offers of so many choices."""
    rows = OfferRows(data, index)
    return DataLoader(rows, batch_sampler=OffersOfChoices(rows, batch_size), num_workers=workers)


def batch_of_choices(data: ChoiceData, columns: dict[str, Tensor]) -> Batch:
    """Return the network's batch, from collated rows of choices."""
    occasion, position = (columns["shelf_row"] != PADDING).nonzero(as_tuple=True)
    return _batch(data, columns, occasion, columns["shelf_row"][occasion, position])


def batch_of_offers(data: ChoiceData, columns: dict[str, Tensor]) -> Batch:
    """Return the network's batch, from collated rows of offers that lie together by choice."""
    _, occasion, size = torch.unique_consecutive(columns["choice"], return_inverse=True, return_counts=True)
    first = size.cumsum(0) - size
    of_choices = {name: values[first] for name, values in columns.items()}
    return _batch(data, of_choices, occasion, columns["shelf_row"])


def _batch(data: ChoiceData, of_choices: dict[str, Tensor], occasion: Tensor, shelf_row: Tensor) -> Batch:
    bought = of_choices["bought"]
    is_bought = (shelf_row == bought[occasion]).nonzero().squeeze(1)
    products, place = torch.unique(data.product[shelf_row], return_inverse=True)
    return Batch(
        user=of_choices["user"],
        choice_set=of_choices["choice_set"],
        weight=of_choices["weight"],
        size=of_choices["size"],
        outside=of_choices["outside"],
        chosen=torch.full_like(bought, -1).index_put((occasion[is_bought],), is_bought),
        occasion=occasion,
        row=shelf_row,
        correction=torch.zeros(len(shelf_row)),
        products=products,
        place=place,
    )
