"""Batches of choices, built by tensor arithmetic from row numbers alone."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.utils.data import IterableDataset

from gpu_pricer.network.encoding.choice_data import ChoiceData

EVERY_ALTERNATIVE = 1 << 30  # as max_alternatives: no set is larger


@dataclass(frozen=True)
class Batch:
    """N choices and their R alternatives laid end to end.

    user, choice_set, weight, size, outside [N]; chosen [N]: position among the R alternatives, -1 for nothing;
    occasion [R]: which choice; row [R]: which shelf row; correction [R]: log of the alternatives it stands for;
    products [D]: the distinct products, place [R]: which of them.
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
    """Build the batch of the choices `index` [N].

    A set of n > max_alternatives products is cut into that many strata and one product is drawn from each (the
    one bought from its own). Given the draw, an alternative of a stratum of size k has the odds of k of its
    kind, so adding log k to its utility keeps the likelihood consistent (McFadden 1978, positive conditioning).
    """
    choice_set = data.choices.choice_set[index]
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
    bought = of_occasion(torch.where(data.choices.chosen[index] >= 0, data.choices.chosen[index] - first, -1))
    is_bought = (bought >= low) & (bought < low + width)
    position = is_bought.nonzero().squeeze(1)
    row = of_occasion(first) + torch.where(is_bought, bought, pick)
    products, place = torch.unique(data.shelf.product.index_select(0, row), return_inverse=True)
    return Batch(
        user=data.choices.user[index],
        choice_set=choice_set,
        weight=data.choices.weight[index],
        size=data.choices.size[index],
        outside=data.choices.outside[index],
        chosen=torch.full_like(index, -1).index_put((occasion[position],), position),
        occasion=occasion,
        row=row,
        correction=torch.log(width.float()),
        products=products,
        place=place,
    )


class IndexBatches(IterableDataset[Tensor]):
    """Yields batches of choice numbers: shuffled anew each epoch where a seed is given, in order where not.

    Each of world_size processes takes every world_size-th batch; all take equally many.
    """

    def __init__(self, index: Tensor, batch_size: int, seed: int | None = None, world_size: int = 1) -> None:
        self.index, self.batch_size, self.seed, self.world_size = index, batch_size, seed, world_size
        self.epoch, self.rank = 0, 0

    def __len__(self) -> int:
        batches = -(-len(self.index) // self.batch_size)
        return max(batches // self.world_size, 1)

    def __iter__(self) -> Iterator[Tensor]:
        order = self.index
        if self.seed is not None:
            generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
            order = order[torch.randperm(len(order), generator=generator)]
        chunks = order.split(self.batch_size)
        for number in range(len(self)):
            yield chunks[(number * self.world_size + self.rank) % len(chunks)]
