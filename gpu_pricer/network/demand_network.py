"""The demand network: appeal and price sensitivity of every product to every user, as inner products."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from gpu_pricer.checks import require_number, require_whole
from gpu_pricer.network.batches import Batch
from gpu_pricer.network.choice_data import ChoiceData
from gpu_pricer.network.towers import Tower


@dataclass(frozen=True)
class NetworkConfig:
    """Width of the taste and the sensitivity vectors, and what is expected before any data are seen.

    start_sensitivity: where training starts from; season_spread: prior standard deviation of the effect of a
    category in a period; carry_periods: a period not trained on takes its category's mean effect, and the pricing
    period each product's mean promotion, of the last so many.
    """

    taste_width: int
    sensitivity_width: int
    start_sensitivity: float
    season_spread: float
    carry_periods: int

    def __post_init__(self) -> None:
        for name in ("taste_width", "sensitivity_width", "carry_periods"):
            require_whole(f"network.{name}", getattr(self, name), 1)
        for name in ("start_sensitivity", "season_spread"):
            require_number(f"network.{name}", getattr(self, name), above=0)


class DemandNetwork(nn.Module):
    """u = a − b (x / r − 1): appeal a, sensitivity b = softplus(·) > 0, so demand never rises with price.

    a = taste_u · taste_p + level_u + level_p + context · effect_p + season of the category in the period.
    The price response is learned from products whose price was seen nearly always: where it is mostly carried
    forward, a promotion that ended unseen looks like a low price that sold nothing (on Complete Journey the slope
    of well-seen groceries is three times that of the others). The others take their category's.
    """

    def __init__(self, data: ChoiceData, config: NetworkConfig) -> None:
        super().__init__()
        self.config, self.data = config, data
        products = torch.from_numpy(data.products["is_trained"].to_numpy().copy())
        users = torch.zeros(data.users.height, dtype=torch.bool)
        users[data.user[data.split()[0]]] = True
        contexts = data.context.shape[1]
        self.product_taste = Tower(data.product_attributes, products, config.taste_width, spread=0.1)
        self.product_level = Tower(data.product_attributes, products, 1 + contexts, spread=0.0)
        self.product_sensitivity = Tower(data.product_attributes, products, config.sensitivity_width + 1, spread=0.03)
        self.user_taste = Tower(data.user_attributes, users, config.taste_width + 1, spread=0.1)
        self.user_sensitivity = Tower(data.user_attributes, users, config.sensitivity_width + 1, spread=0.03)
        start = torch.expm1(torch.tensor(config.start_sensitivity)).log()
        self.mean_sensitivity = nn.Parameter(start)
        self.mean_level = nn.Parameter(torch.tensor(-4.0))
        self.mean_effect = nn.Parameter(torch.zeros(contexts))
        self.season = nn.Embedding(len(data.set_category), 1)
        nn.init.zeros_(self.season.weight)

    def forward(self, batch: Batch) -> Tensor:
        """Return the utility of every alternative of the batch, [R]."""
        appeal, raw = self.scores(batch)
        return appeal - functional.softplus(raw) * (self.data.price_ratio[batch.row] - 1)

    def scores(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return appeal a and raw sensitivity (b = softplus(raw)) of every alternative of the batch, [R] each."""
        product, place = torch.unique(self.data.product[batch.row], return_inverse=True)
        user, seat = torch.unique(batch.user, return_inverse=True)
        seat = seat[batch.occasion]
        taste, level, sensitivity = (
            tower(product).index_select(0, place)
            for tower in (self.product_taste, self.product_level, self.product_sensitivity)
        )
        user_taste, user_sensitivity = (
            tower(user).index_select(0, seat) for tower in (self.user_taste, self.user_sensitivity)
        )
        appeal = (
            (user_taste[:, :-1] * taste).sum(1)
            + user_taste[:, -1]
            + level[:, 0]
            + ((level[:, 1:] + self.mean_effect) * self.data.context[batch.row]).sum(1)
            + self.mean_level
            + self.season_effect(batch.choice_set).index_select(0, batch.occasion)
        )
        raw = (user_sensitivity[:, :-1] * sensitivity[:, :-1]).sum(1) + user_sensitivity[:, -1] + sensitivity[:, -1]
        raw = raw + self.mean_sensitivity
        return appeal, torch.where(self.data.teaches_price[product][place], raw, raw.detach())

    def season_effect(self, choice_set: Tensor) -> Tensor:
        """The effect of the sets' category in their period [n]; a period not trained on has the carried one."""
        effect = self.season(choice_set).squeeze(1)
        unseen = self.data.set_period[choice_set] >= self.data.trained_periods
        carried = self.carried_season()[self.data.set_category[choice_set]] if bool(unseen.any()) else effect
        return torch.where(unseen, carried, effect)

    def carried_season(self) -> Tensor:
        """Mean season effect of every category over the last trained periods, 0 where it has none, [categories]."""
        last = self.data.trained_periods
        recent = (self.data.set_period < last) & (self.data.set_period >= last - self.config.carry_periods)
        category, effect = self.data.set_category[recent], self.season.weight[recent, 0].detach()
        zeros = torch.zeros(self.data.categories.height, device=effect.device)
        return zeros.index_add(0, category, effect) / zeros.index_add(0, category, torch.ones_like(effect)).clamp(min=1)

    def season_penalty(self, batch: Batch) -> Tensor:
        """The zero-mean Gaussian prior of the season effects, spread over the choices of each set: its share here."""
        share = 1 / self.data.choices_of_set[batch.choice_set]
        square = self.season(batch.choice_set).squeeze(1).square()
        return 0.5 * (square * share).mean() / self.config.season_spread**2
