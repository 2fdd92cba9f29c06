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
class Share:
    """The part of a batch that one of several processes takes: choices first … last - 1 of `whole`."""

    first: int
    last: int
    whole: int

    @classmethod
    def of(cls, whole: int, rank: int, processes: int) -> "Share":
        """Return the share of process number rank in a batch of `whole` choices; shares differ by one choice at most.

        A batch of fewer choices than processes leaves empty shares.
        """
        return cls(whole * rank // processes, whole * (rank + 1) // processes, whole)

    def __call__(self, values: Tensor) -> Tensor:
        """Return the share's rows of values [whole, ...]."""
        return values[self.first : self.last]


@dataclass(frozen=True)
class Batch:
    """N choices and their A alternatives laid end to end.

    share: which choices of a batch that processes share these are.

    user, choice_set, weight, size [N]: as in LoggedChoices. outside [N]: the utility of buying nothing, plus log_kept.
    chosen [N]: position of the chosen one among the A alternatives, -1 for nothing.
    occasion [A]: which of the N choices an alternative belongs to. row [A]: its shelf row.
    correction [A]: log of how many products of its choice set an alternative stands for.
    products [D]: the distinct products of the batch. place [A]: which of them an alternative is.
    """

    share: Share
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


def gather_batch(
    data: ChoiceData, index: Tensor, max_alternatives: int, generator: torch.Generator, share: Share | None = None
) -> Batch:
    """Return the batch of the choices `index` [N], each with at most max_alternatives alternatives.

    share: return only these of the choices. Alternatives are drawn for all of them, so that processes with equal
    generators that share a batch draw what one process would.

    A choice set with more products is cut into that many strata. From each stratum one product is drawn; from the
    stratum of the product that was bought, that product is taken. An alternative from a stratum of k products stands
    for all k, so log k is added to its utility, which keeps the likelihood consistent (McFadden 1978, positive
    conditioning).
    """
    share = share or Share.of(len(index), 0, 1)
    chance = _chances(data, index, max_alternatives, generator, share)
    index = share(index).long()
    choices, choice_set = data.choices, data.choices.choice_set[index].long()
    first, size = data.sets.start[choice_set], _sizes(data, choice_set)
    drawn = size.clamp(max=max_alternatives)
    occasion = torch.repeat_interleave(drawn)
    of_occasion = partial(torch.index_select, dim=0, index=occasion)
    size_there, drawn_there = of_occasion(size), of_occasion(drawn)
    stratum = torch.arange(len(occasion), device=index.device) - of_occasion(drawn.cumsum(0) - drawn)
    low = stratum * size_there // drawn_there
    width = (stratum + 1) * size_there // drawn_there - low
    pick = low + (chance * width).long().clamp(max=width - 1)
    bought = of_occasion(torch.where(choices.chosen[index] >= 0, choices.chosen[index] - first, -1))
    is_bought = (bought >= low) & (bought < low + width)
    position = is_bought.nonzero().squeeze(1)
    row = of_occasion(first) + torch.where(is_bought, bought, pick)
    products, place = torch.unique(data.shelf.product.index_select(0, row), return_inverse=True)
    return Batch(
        share=share,
        user=choices.user[index].long(),
        choice_set=choice_set,
        weight=choices.weight(index),
        size=choices.size[index].float(),
        outside=data.sets.outside[choice_set] + choices.log_kept[index],
        chosen=torch.full_like(index, -1).index_put((occasion[position],), position),
        occasion=occasion,
        row=row,
        correction=torch.log(width.float()),
        products=products,
        place=place,
    )


def _chances(
    data: ChoiceData, index: Tensor, max_alternatives: int, generator: torch.Generator, share: Share
) -> Tensor:
    """Return the share's part of uniform draws for every alternative of the choices `index`, [A]."""
    drawn = _sizes(data, data.choices.choice_set[index]).clamp(max=max_alternatives)
    before, own = int(drawn[: share.first].sum()), int(share(drawn).sum())
    chance = torch.rand(int(drawn.sum()), generator=generator, device=index.device)
    return chance[before : before + own]


def _sizes(data: ChoiceData, choice_set: Tensor) -> Tensor:
    """Return how many products each choice_set [n] has, [n]."""
    return data.sets.start[choice_set + 1] - data.sets.start[choice_set]


class IndexBatches(IterableDataset[Tensor]):
    """Yields batches of choice numbers, [batch_size] each: shuffled anew in each epoch with a seed, in order without.

    together: the index is cut into runs of so many numbers, and whole runs are shuffled. From epoch to epoch the cuts
    move by one place.
    Processes that train together get the same batches, of which each takes its Share.
    The first ones of an epoch are left out, `first` of them, where training resumes within it.
    """

    def __init__(self, index: Tensor, batch_size: int, seed: int | None = None, together: int = 1) -> None:
        self.index, self.batch_size, self.seed, self.together = index, batch_size, seed, together
        self.epoch, self.first = 0, 0

    def __len__(self) -> int:
        return max(-(-len(self.index) // self.batch_size), 1)

    def __iter__(self) -> Iterator[Tensor]:
        order = self.index if self.seed is None else self.index.index_select(0, self._shuffled(self.seed))
        yield from order.split(self.batch_size)[self.first :]

    def _shuffled(self, seed: int) -> Tensor:
        """Return the places of all numbers in the order of the epoch, [n]."""
        generator, count = torch.Generator().manual_seed(seed * 1_000_003 + self.epoch), len(self.index)
        before = self.epoch % self.together  # places that the first run lacks
        runs = -(-(count + before) // self.together)
        order = torch.randperm(runs, generator=generator, dtype=self.index.dtype)
        if self.together == 1:
            return order
        inside = torch.arange(-before, self.together - before, dtype=order.dtype)
        place = (order[:, None] * self.together + inside).flatten()
        return place[(place >= 0) & (place < count)]
