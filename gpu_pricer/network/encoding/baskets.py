"""What each user had bought before a period: a sparse row of products, each with how often it was bought."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gpu_pricer.network.encoding.on_device import OnDevice
from gpu_pricer.network.encoding.purchase_events import Purchases

RARE = 0.02  # purchases per visit that count as rare: a rate enters as log(1 + rate / RARE), which is 0 for none


@dataclass(frozen=True)
class PastBaskets(OnDevice):
    """What users had bought before the periods for which it is needed, as B sparse rows (baskets) of m entries.

    row [U, T + 1]: the basket of each user before each period, -1 where it is not needed and was not computed.
    start [B + 1]: basket b consists of the entries from start[b] to start[b + 1] - 1.
    product [m]: the product's row number. weight [m]: log(1 + rate / RARE) of its decayed purchases per visit.
    """

    row: Tensor
    start: Tensor
    product: Tensor
    weight: Tensor

    def gather(self, user: Tensor, period: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the products [m] and weights [m] of n users before n periods, and where each user's entries begin [n].

        Raise LookupError where a basket was not computed: it is not the empty basket of a user who bought nothing.
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
    purchases: Purchases, is_needed: np.ndarray, products: int, visits: np.ndarray, decay: float
) -> PastBaskets:
    """Return the baskets that is_needed [U, T + 1] marks, of users with decayed visits [U, T + 1] before each period.

    One pass over the periods carries the decayed purchase count of every user × product pair that was ever bought.
    products: the number of products; decay: the factor per period.
    """
    pair, of_purchase = np.unique(purchases.user * products + purchases.product, return_inverse=True)
    user, count = pair // products, np.zeros(len(pair))
    order = np.argsort(purchases.period, kind="stable")
    periods = visits.shape[1] - 1
    ends = np.searchsorted(purchases.period[order], np.arange(periods + 1))
    row, sizes = np.full(visits.shape, -1), []
    entries: list[tuple[np.ndarray, np.ndarray]] = []
    rows = 0
    for t in range(periods + 1):
        needed = is_needed[:, t]
        row[needed, t] = rows + np.arange(needed.sum())
        rows += int(needed.sum())
        kept = np.flatnonzero(needed[user] & (count > 0))
        sizes.append(np.bincount(user[kept], minlength=len(is_needed))[needed])
        weight = np.log1p(count[kept] / (visits[user[kept], t] + 1) / RARE)
        entries.append(((pair[kept] % products).astype(np.int32), weight.astype(np.float32)))
        if t < periods:
            count[np.unique(of_purchase[order[ends[t] : ends[t + 1]]])] += 1
            count *= decay
    product, weight = (np.concatenate(column) for column in zip(*entries, strict=True))
    start = np.concatenate([[0], np.cumsum(np.concatenate(sizes))])
    return PastBaskets(
        row=torch.from_numpy(row),
        start=torch.from_numpy(start),
        product=torch.from_numpy(product),
        weight=torch.from_numpy(weight),
    )
