"""What the network makes of a user's past: a taste vector, and how the habit of buying one product stands today."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from gpu_pricer.checks import require_integer, require_number
from gpu_pricer.network.encoding.batches import Batch
from gpu_pricer.network.encoding.choice_data import ChoiceData
from gpu_pricer.network.encoding.history import NO_PRODUCT
from gpu_pricer.network.model.towers import rows_of
from gpu_pricer.network.model.weighted_sums import weighted_sums


@dataclass(frozen=True)
class HistoryConfig:
    """Hidden units of the two encoders, and the dropout on the taste encoder's."""

    hidden: int
    dropout: float

    def __post_init__(self) -> None:
        require_integer("history.hidden", self.hidden, 1)
        require_number("history.dropout", self.dropout, least=0, below=1)


class HistoryEncoder(nn.Module):
    """Two encoders of what happened strictly before an occasion.

    The taste encoder turns the products a user bought, weighted by how often, into a vector that the products'
    vectors multiply: who bought this likes that. The habit encoder turns the past of one user × product and of its
    category into a number: whether it is time again. Its last layer is the category's own, around a common one.
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
        self.dropout = nn.Dropout(config.dropout)
        self.taste_head = nn.Linear(hidden, taste_width, bias=False)
        self.habit = nn.Sequential(
            nn.Linear(data.history.width, hidden), nn.SiLU(), nn.Linear(hidden, hidden // 2), nn.SiLU()
        )
        self.common = nn.Parameter(torch.zeros(hidden // 2 + 1))
        self.of_category = nn.Embedding(data.products.attributes.sizes[0], hidden // 2 + 1)
        nn.init.normal_(self.bought.weight, std=0.05)
        untrained = ~data.products.is_trained
        with torch.no_grad():
            self.bought.weight[untrained] = 0.0  # what training never sees would stay as it was drawn
        nn.init.zeros_(self.of_category.weight)

    category: Tensor
    code_of_category: Tensor

    def taste(self, data: ChoiceData, user: Tensor, period: Tensor) -> Tensor:
        """The taste vector of n users before n periods, [n, taste_width]."""
        periods = data.history.visits.shape[1]
        visit, place = torch.unique(user * periods + period, return_inverse=True)
        product, weight, begin = data.history.baskets.gather(visit // periods, visit % periods)
        drawn = weighted_sums(self.bought.weight, product, weight, begin).index_select(0, place)
        return self.taste_head(self.dropout(functional.silu(drawn + self.bias)))

    def habits_in(self, data: ChoiceData, batch: Batch) -> Tensor:
        """What the past adds to the appeal of every alternative of the batch, [R].

        The products of an occasion that its user never bought have one value, so that only the others are computed
        one by one (a tenth of the alternatives on Complete Journey).
        """
        period = data.sets.period[batch.choice_set]
        stranger = self.habits_of_strangers(data, batch.user, data.sets.category[batch.choice_set], period)
        when, user = (values.index_select(0, batch.occasion) for values in (period, batch.user))
        product = batch.products.index_select(0, batch.place)
        known = data.history.has_bought(user, product, when).nonzero().squeeze(1)
        own = self.habits(data, *(values.index_select(0, known) for values in (user, product, when)))
        return stranger.index_select(0, batch.occasion).index_copy(0, known, own)

    def habits(self, data: ChoiceData, user: Tensor, product: Tensor, period: Tensor) -> Tensor:
        """What the past of n users with n products, before n periods, adds to the appeal, [n]."""
        features = data.history.features(user, product, data.products.category[product], period)
        return self.habit_of(features, self.category[product])

    def habits_of_strangers(self, data: ChoiceData, user: Tensor, category: Tensor, period: Tensor) -> Tensor:
        """The same for n categories, of whose products the users may have bought others, [n]."""
        features = data.history.features(user, torch.full_like(user, NO_PRODUCT), category, period)
        return self.habit_of(features, self.code_of_category[category])

    def habit_of(self, features: Tensor, code: Tensor) -> Tensor:
        """What n rows of history features, of categories with these codes, add to the appeal, [n]."""
        weight = self.common + rows_of(self.of_category, code)
        return (self.habit(features) * weight[:, :-1]).sum(1) + weight[:, -1]
