"""A user's past as the network reads it: a taste vector, and whether it is time to buy a product again."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_array
from torch import Tensor, nn
from torch.nn import functional

from gpu_pricer.checks import require_integer, require_number
from gpu_pricer.network.encoding.batches import Batch, Share
from gpu_pricer.network.encoding.choice_data import ChoiceData
from gpu_pricer.network.encoding.purchase_events import PurchaseState
from gpu_pricer.network.model.towers import rows_of


@dataclass(frozen=True)
class HistoryConfig:
    """Hidden units of the two encoders, and the dropout on the hidden units of the taste encoder."""

    hidden: int
    dropout: float

    def __post_init__(self) -> None:
        require_integer("history.hidden", self.hidden, 1)
        require_number("history.dropout", self.dropout, least=0, below=1)


class HistoryEncoder(nn.Module):
    """Two encoders of what happened strictly before an occasion.

    The taste encoder maps the products that a user bought, weighted by how often, to a taste vector; its inner product
    with a product's taste vector is part of the appeal. The habit encoder maps the past of one user with one product
    and with its category to a number, which is high when it is time to buy again. Its last layer is the sum of a common
    one and one per category.
    """

    def __init__(self, data: ChoiceData, config: HistoryConfig, taste_width: int) -> None:
        super().__init__()
        hidden = config.hidden
        code = data.products.attributes.codes[:, 0]
        of_category = torch.zeros(data.categories.count, dtype=code.dtype).index_put((data.products.category,), code)
        self.register_buffer("category", code, persistent=False)
        self.register_buffer("code_of_category", of_category, persistent=False)
        self.bought = nn.EmbeddingBag(data.products.count, hidden, mode="sum")
        self.bias = nn.Parameter(torch.zeros(hidden))
        self.dropout = config.dropout
        self.taste_head = nn.Linear(hidden, taste_width, bias=False)
        self.habit = nn.Sequential(
            nn.Linear(data.history.width, hidden), nn.SiLU(), nn.Linear(hidden, hidden // 2), nn.SiLU()
        )
        self.common = nn.Parameter(torch.zeros(hidden // 2 + 1))
        self.of_category = nn.Embedding(data.products.attributes.sizes[0], hidden // 2 + 1)
        nn.init.zeros_(self.taste_head.weight)
        nn.init.normal_(self.bought.weight, std=0.05)
        with torch.no_grad():  # training never changes these rows: they would stay at their random start
            self.bought.weight[~data.products.is_trained] = 0.0
        nn.init.zeros_(self.of_category.weight)

    category: Tensor
    code_of_category: Tensor

    def taste(self, data: ChoiceData, user: Tensor, period: Tensor, share: Share | None = None) -> Tensor:
        """Return the taste vectors of n users before n periods, [n, taste_width].

        share: of which batch the n are, where processes share one.
        """
        periods = data.history.visits.shape[1]
        visit, place = torch.unique(user * periods + period, return_inverse=True)
        product, weight, begin = data.history.baskets(visit // periods, visit % periods)
        total = weighted_sums(self.bought.weight, product, weight, begin).index_select(0, place)
        hidden = functional.silu(total + self.bias)
        return self.taste_head(drop_out(hidden, self.dropout, share) if self.training else hidden)

    def habits_in(self, data: ChoiceData, batch: Batch) -> Tensor:
        """Return what the past adds to the appeal of every alternative of the batch, [A].

        All products of an occasion that its user never bought have the same value. Only the other alternatives are
        computed one by one (a tenth of the alternatives on Complete Journey).
        """
        period, category = data.sets.period[batch.choice_set], data.sets.category[batch.choice_set]
        bought = data.history.of_category(batch.user, category, period)
        unbought = self.habits_of_unbought(data, batch.user, category, period, bought)
        when, user = (values.index_select(0, batch.occasion) for values in (period, batch.user))
        product = batch.products.index_select(0, batch.place)
        known = data.history.has_bought(user, product, when).nonzero().squeeze(1)
        own = self.habits(data, *(values.index_select(0, known) for values in (user, product, when)))
        return unbought.index_select(0, batch.occasion).index_copy(0, known, own)

    def habits(self, data: ChoiceData, user: Tensor, product: Tensor, period: Tensor) -> Tensor:
        """Return what the past of n users with n products adds to the appeal before n periods, [n]."""
        features = data.history.features(user, product, data.products.category[product], period)
        return self.habit_of(features, self.category[product])

    def habits_of_unbought(
        self, data: ChoiceData, user: Tensor, category: Tensor, period: Tensor, bought: PurchaseState
    ) -> Tensor:
        """Return what the past of n users adds to the appeal of a product that they never bought, [n].

        category [n]: the product's category. period [n]: the period before which the past ends. bought: what the users
        had bought of the categories.
        """
        return self.habit_of(data.history.features_of(user, period, None, bought), self.code_of_category[category])

    def habits_of_strangers(self, data: ChoiceData, user: Tensor, period: Tensor, category: Tensor) -> Tensor:
        """Return what the past of n users adds to the appeal of G categories of which they bought nothing, [n, G].

        user, period [n]; category [G]. Only the last layer differs between the categories.
        """
        hidden = self.habit(data.history.features_of(user, period, None, None))
        weight = self._last_layer(self.code_of_category[category])
        return torch.addmm(weight[:, -1], hidden, weight[:, :-1].T)

    def habit_of(self, features: Tensor, code: Tensor) -> Tensor:
        """Return what n rows of history features [n, width] of categories with the codes [n] add to the appeal, [n]."""
        weight = self._last_layer(code)
        return (self.habit(features) * weight[:, :-1]).sum(1) + weight[:, -1]

    def _last_layer(self, code: Tensor) -> Tensor:
        """Return the weights of the hidden units, and at the end the level, of n categories, [n, hidden // 2 + 1]."""
        return self.common + rows_of(self.of_category, code)


def drop_out(values: Tensor, chance: float, share: Share | None) -> Tensor:
    """Return values [n, width], each zeroed with this chance below 1, the others scaled up by as much (dropout).

    The mask is drawn for all rows of the batch that the n are a share of, so that processes with equal seeds that share
    a batch zero what one process would.
    """
    share = share or Share.of(len(values), 0, 1)
    kept = values.new_empty(share.whole, values.shape[1]).bernoulli_(1 - chance)
    return values * share(kept).div_(1 - chance)


def weighted_sums(table: Tensor, index: Tensor, weight: Tensor, begin: Tensor) -> Tensor:
    """Return Σ weight · table[index] over each of n runs of entries, [n, width].

    table [T, width]; index [m] and weight [m] are the entries; begin [n]: where each run begins. Only the table gets a
    gradient.
    """
    if table.device.type == "cpu":
        return torch.as_tensor(_WeightedSums.apply(table, index, weight, begin))
    return functional.embedding_bag(index, table, begin, mode="sum", per_sample_weights=weight)


class _WeightedSums(torch.autograd.Function):
    """weighted_sums on a CPU, with the gradient as a sparse product.

    Torch's own gradient sorts the entries: 84 ms for 1M entries of width 32, a sparse product 11 ms.
    """

    @staticmethod
    def forward(ctx: Any, table: Tensor, index: Tensor, weight: Tensor, begin: Tensor) -> Tensor:
        ctx.save_for_backward(index, weight, begin)
        ctx.table_rows = len(table)
        return functional.embedding_bag(index, table, begin, mode="sum", per_sample_weights=weight)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:  # type: ignore[override]
        index, weight, begin = (tensor.numpy() for tensor in ctx.saved_tensors)
        ends = np.append(begin, len(index)).astype(index.dtype)
        runs = csr_array((weight, index, ends), shape=(len(begin), ctx.table_rows))
        return torch.from_numpy(runs.T @ gradient.numpy()), None, None, None
