"""What each user had bought before a period, as a sparse row of products and how often."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gpu_pricer.network.encoding.on_device import OnDevice

RARE = 0.02  # purchases per visit that count as rare: rates enter as log(1 + rate / RARE), 0 for none


@dataclass(frozen=True)
class Purchases:
    """Row numbers of who bought what and when, [n] each."""

    user: np.ndarray
    product: np.ndarray
    category: np.ndarray
    period: np.ndarray


@dataclass(frozen=True)
class PastBaskets(OnDevice):
    """What users had bought before the periods that are asked for, as sparse rows.

    row [U, T + 1]: which row a user has before a period, -1 where nobody asks; start [rows + 1] into product and
    weight (log(1 + rate / RARE)).
    """

    row: Tensor
    start: Tensor
    product: Tensor
    weight: Tensor

    def gather(self, user: Tensor, period: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The products [m] and weights [m] of n users before n periods, and where each user's begin [n].

        LookupError where a user was not to be asked for: who has no row is not who bought nothing.
        """
        row = self.row[user, period]
        if bool((row < 0).any()):
            raise LookupError(f"what a user had bought is not known before periods {period[row < 0].unique().tolist()}")
        first = self.start[row]
        size = self.start[row + 1] - first
        begin = size.cumsum(0) - size
        entry = torch.arange(int(size.sum()), device=size.device) + torch.repeat_interleave(first - begin, size)
        return self.product.index_select(0, entry), self.weight.index_select(0, entry), begin


def past_baskets(
    purchases: Purchases, is_asked: np.ndarray, products: int, visits: np.ndarray, decay: float
) -> PastBaskets:
    """One pass over the periods, in which every user × product pair ever bought keeps its decayed count."""
    pair, of_purchase = np.unique(purchases.user * products + purchases.product, return_inverse=True)
    user, count = pair // products, np.zeros(len(pair))
    order = np.argsort(purchases.period, kind="stable")
    periods = visits.shape[1] - 1
    ends = np.searchsorted(purchases.period[order], np.arange(periods + 1))
    row, sizes = np.full(visits.shape, -1), []
    entries: list[tuple[np.ndarray, np.ndarray]] = []
    rows = 0
    for t in range(periods + 1):
        comes = is_asked[:, t]
        row[comes, t] = rows + np.arange(comes.sum())
        rows += int(comes.sum())
        kept = np.flatnonzero(comes[user] & (count > 0))
        sizes.append(np.bincount(user[kept], minlength=len(is_asked))[comes])
        weight = np.log1p(count[kept] / (visits[user[kept], t] + 1) / RARE)
        entries.append(((pair[kept] % products).astype(np.int32), weight.astype(np.float32)))
        if t < periods:
            count[np.unique(of_purchase[order[ends[t] : ends[t + 1]]])] += 1
            count *= decay
    product, weight = (np.concatenate(column) for column in zip(*entries, strict=True))
    start = np.concatenate([[0], np.cumsum(np.concatenate(sizes))])
    return PastBaskets(*(torch.from_numpy(array) for array in (row, start, product, weight)))
