"""Batches of choices, built by tensor arithmetic from the numbers of the choices."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.utils.data import IterableDataset

from gpu_pricer.network.encoding.choice_data import ChoiceData

EVERY_ALTERNATIVE = 1 << 30  # as max_alternatives: larger than any choice set


@dataclass(frozen=True)
class Batch:
    """N choices and their A alternatives laid end to end.

    user, choice_set, weight, size, outside [N]: as in LoggedChoices.
    chosen [N]: position of the chosen one among the A alternatives, -1 for nothing.
    occasion [A]: which of the N choices an alternative belongs to. row [A]: its shelf row.
    correction [A]: log of how many products of its choice set an alternative stands for.
    products [D]: the distinct products of the batch. place [A]: which of them an alternative is.
    """

    user: Tensor
    choice_set: Tensor
    weight: Tensor
    size: Tensor
    outside: Tensor
    chosen: Tensor
    occasion: Tensor
    row: Tensor
    correction: Tensor
    products: Tensor
    place: Tensor


def gather_batch(data: ChoiceData, index: Tensor, max_alternatives: int, generator: torch.Generator) -> Batch:
    """Return the batch of the choices `index` [N], each with at most max_alternatives alternatives.

    A choice set with more products is cut into that many strata. From each stratum one product is drawn; from the
    stratum of the product that was bought, that product is taken. An alternative from a stratum of k products stands
    for all k, so log k is added to its utility, which keeps the likelihood consistent (McFadden 1978, positive
    conditioning).
    """
    choices, choice_set = data.choices, data.choices.choice_set[index]
    first, size = data.sets.start[choice_set], data.sets.start[choice_set + 1] - data.sets.start[choice_set]
    drawn = size.clamp(max=max_alternatives)
    occasion = torch.repeat_interleave(drawn)
    of_occasion = partial(torch.index_select, dim=0, index=occasion)
    size_there, drawn_there = of_occasion(size), of_occasion(drawn)
    stratum = torch.arange(len(occasion), device=index.device) - of_occasion(drawn.cumsum(0) - drawn)
    low = stratum * size_there // drawn_there
    width = (stratum + 1) * size_there // drawn_there - low
    chance = torch.rand(len(occasion), generator=generator, device=index.device)
    pick = low + (chance * width).long().clamp(max=width - 1)
    bought = of_occasion(torch.where(choices.chosen[index] >= 0, choices.chosen[index] - first, -1))
    is_bought = (bought >= low) & (bought < low + width)
    position = is_bought.nonzero().squeeze(1)
    row = of_occasion(first) + torch.where(is_bought, bought, pick)
    products, place = torch.unique(data.shelf.product.index_select(0, row), return_inverse=True)
    return Batch(
        user=choices.user[index],
        choice_set=choice_set,
        weight=choices.weight[index],
        size=choices.size[index],
        outside=choices.outside[index],
        chosen=torch.full_like(index, -1).index_put((occasion[position],), position),
        occasion=occasion,
        row=row,
        correction=torch.log(width.float()),
        products=products,
        place=place,
    )


class IndexBatches(IterableDataset[Tensor]):
    """Yields batches of choice numbers, [batch_size] each: shuffled anew in each epoch with a seed, in order without.

    The process of number rank takes every world_size-th batch; all processes take equally many, and at least one.
    The first ones of an epoch are left out, `first` of them, where training resumes within it.
    """

    def __init__(self, index: Tensor, batch_size: int, seed: int | None = None, world_size: int = 1) -> None:
        self.index, self.batch_size, self.seed, self.world_size = index, batch_size, seed, world_size
        self.epoch, self.rank, self.first = 0, 0, 0

    def __len__(self) -> int:
        batches = -(-len(self.index) // self.batch_size)
        return max(batches // self.world_size, 1)

    def __iter__(self) -> Iterator[Tensor]:
        order = self.index
        if self.seed is not None:
            generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
            order = order[torch.randperm(len(order), generator=generator)]
        chunks = order.split(self.batch_size)
        for number in range(self.first, len(self)):
            yield chunks[(number * self.world_size + self.rank) % len(chunks)]
