"""The demand network: appeal and price sensitivity of every product to every user, as inner products."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from gpu_pricer.checks import require_integer, require_number
from gpu_pricer.network.encoding.batches import Batch
from gpu_pricer.network.encoding.choice_data import ChoiceData
from gpu_pricer.network.model.history_encoder import HistoryConfig, HistoryEncoder
from gpu_pricer.network.model.towers import Tower


@dataclass(frozen=True)
class NetworkConfig:
    """The architecture, and what is expected before any data are seen.

    taste_width, sensitivity_width: factors of the appeal and of the price sensitivity.
    start_sensitivity: mean price sensitivity at which training starts.
    season_spread: prior standard deviation of the effect of a category in a period.
    carry_periods: over how many last trained periods a category's season effects are averaged for a period that is not
    trained on. The pricing period also takes each product's mean promotion and each user's visits over as many periods.
    history: how users' pasts are encoded; null: they are not used.
    """

    taste_width: int
    sensitivity_width: int
    start_sensitivity: float
    season_spread: float
    carry_periods: int
    history: HistoryConfig | None

    def __post_init__(self) -> None:
        for name, least in (("taste_width", 0), ("sensitivity_width", 0), ("carry_periods", 1)):
            require_integer(f"network.{name}", getattr(self, name), least)
        for name in ("start_sensitivity", "season_spread"):
            require_number(f"network.{name}", getattr(self, name), above=0)


class DemandNetwork(nn.Module):
    """Utility of user u for product p at price x: a − b ((1 − w) (x / r − 1) + w (x / l − 1)).

    r is the reference price, l the recent price and w the weight of the recent price, so utility is linear in x. The
    sensitivity b is positive, so demand never rises with price.
    Appeal a = taste_u · taste_p + habit_up + level_u + level_p + context · effect_p + season + shock. taste_u and
    level_u come from the user's attributes and past purchases (from the user's id where the past is not used), habit_up
    from the past of user and product. season is the category's effect in the period; shock is the product's effect in
    the period, 0 in periods that are not trained on.
    Sensitivity b = softplus(factors_u · factors_p + response_u + response_p). It is learned from products whose price
    was seen in nearly all periods: where prices are mostly imputed, a price move is seen only if the product sold then
    (see data/shelf.py). In training the prices of all other products count as unmoved, so these products take their
    category's response.
    """

    def __init__(self, data: ChoiceData, config: NetworkConfig) -> None:
        super().__init__()
        self.config, self.data = config, data
        products, users, with_ids = _seen_in_training(data, config)
        contexts = data.shelf.context.shape[1]
        self.product_taste = Tower(data.products.attributes, products, config.taste_width, spread=0.1)
        self.product_level = Tower(data.products.attributes, products, 1 + contexts, spread=0.0)
        self.product_sensitivity = Tower(data.products.attributes, products, config.sensitivity_width + 1, spread=0.03)
        self.user_taste = Tower(data.users.attributes, with_ids, config.taste_width, spread=0.1)
        self.user_level = Tower(data.users.attributes, with_ids, 1, spread=0.1)
        self.user_sensitivity = Tower(data.users.attributes, users, config.sensitivity_width + 1, spread=0.03)
        self.history = HistoryEncoder(data, config.history, config.taste_width) if config.history else None
        self.mean_sensitivity = nn.Parameter(torch.expm1(torch.tensor(config.start_sensitivity)).log())
        self.memory = nn.Parameter(torch.tensor(0.0))
        self.mean_level = nn.Parameter(torch.tensor(-4.0))
        self.mean_effect = nn.Parameter(torch.zeros(contexts))
        self.season = nn.Embedding(data.sets.count, 1)
        nn.init.zeros_(self.season.weight)
        self.shock = nn.Parameter(torch.zeros(data.shelf.count), requires_grad=False)

    def go_on_with(self, data: ChoiceData) -> None:
        """Replace the data by the same tables with more periods to train on.

        Products and users first seen there start at the vectors of their attributes.
        """
        products, users, with_ids = _seen_in_training(data, self.config)
        self.data = data
        for tower in (self.product_taste, self.product_level, self.product_sensitivity):
            tower.admit(products)
        for tower in (self.user_taste, self.user_level):
            tower.admit(with_ids)
        self.user_sensitivity.admit(users)

    def forward(self, batch: Batch) -> Tensor:
        """Return the utility of every alternative of the batch, [A]."""
        return self.utility(batch, self.tastes(batch), self.data.shelf.price_moves(batch.row))

    def utility(self, batch: Batch, tastes: Tensor, moves: Tensor) -> Tensor:
        """Return the utility of every alternative [A], given its user's tastes for it [A] and price moves [A, 2]."""
        return self.appeal(batch, tastes) - self.sensitivities(batch) * self.remembered(moves)

    def appeal(self, batch: Batch, tastes: Tensor) -> Tensor:
        """Return the appeal of every alternative [A], given its user's tastes for it [A]."""
        level = self.product_level(batch.products).index_select(0, batch.place)
        of_choice = self.user_level(batch.user)[:, 0] + self.season_effect(batch.choice_set)
        offered = self.offer_appeal(level, self.data.shelf.context.index_select(0, batch.row))
        return tastes + of_choice.index_select(0, batch.occasion) + offered + self.shock.index_select(0, batch.row)

    def offer_appeal(self, level: Tensor, context: Tensor) -> Tensor:
        """Return the part of the appeal of n offers that is common to all users, without season and shock, [n].

        level [n, 1 + C]: level vectors of their products, the level and then the effect of each context column.
        """
        return level[:, 0] + ((level[:, 1:] + self.mean_effect) * context).sum(1) + self.mean_level

    def remembered(self, moves: Tensor) -> Tensor:
        """Return the price move that shoppers respond to [n], from the moves of ShelfRows.price_moves [n, 2]."""
        weight = torch.sigmoid(self.memory)
        return (1 - weight) * moves[:, 0] + weight * moves[:, 1]

    def sensitivities(self, batch: Batch) -> Tensor:
        """Return the price sensitivity b of every alternative of the batch, [A]."""
        of_user = self.user_sensitivity(batch.user).index_select(0, batch.occasion)
        return self.sensitivity(of_user, self.product_sensitivity(batch.products).index_select(0, batch.place))

    def sensitivity(self, user: Tensor, product: Tensor) -> Tensor:
        """Return b [...] from the sensitivity vectors of users [..., Kb + 1] and of products [..., Kb + 1]."""
        return functional.softplus(affinity(user, product) + user[..., -1] + product[..., -1] + self.mean_sensitivity)

    def tastes(self, batch: Batch) -> Tensor:
        """Return the part of every alternative's appeal that depends on user and product, [A]."""
        user_taste = self.user_tastes(batch.user, self.data.sets.period[batch.choice_set])
        product_taste = self.product_taste(batch.products).index_select(0, batch.place)
        appeal = (user_taste.index_select(0, batch.occasion) * product_taste).sum(1)
        return appeal if self.history is None else appeal + self.history.habits_in(self.data, batch)

    def user_tastes(self, user: Tensor, period: Tensor) -> Tensor:
        """Return the taste vectors of n users before n periods, [n, taste_width]."""
        taste = self.user_taste(user)
        return taste if self.history is None else taste + self.history.taste(self.data, user, period)

    def season_effect(self, choice_set: Tensor) -> Tensor:
        """Return the season effect [n] of choice_set [n]: the carried effect in a period that is not trained on."""
        effect = self.season(choice_set).squeeze(1)
        unseen = self.data.sets.period[choice_set] >= self.data.calendar.trained_periods
        carried = self.carried_season()[self.data.sets.category[choice_set]] if bool(unseen.any()) else effect
        return torch.where(unseen, carried, effect)

    def carried_season(self) -> Tensor:
        """Return each category's mean season effect in the last carry_periods trained, 0 without one, [categories]."""
        last = self.data.calendar.trained_periods
        recent = (self.data.sets.period < last) & (self.data.sets.period >= last - self.config.carry_periods)
        category, effect = self.data.sets.category[recent], self.season.weight[recent, 0].detach()
        zeros = torch.zeros(self.data.categories.count, device=effect.device)
        return zeros.index_add(0, category, effect) / zeros.index_add(0, category, torch.ones_like(effect)).clamp(min=1)

    def season_penalty(self, batch: Batch) -> Tensor:
        """Return the batch's mean share of the season effects' penalty; the choices of a set share the penalty equally.

        The penalty is the negative log density of a zero-mean Gaussian prior.
        """
        share = 1 / self.data.sets.choices[batch.choice_set]
        square = self.season(batch.choice_set).squeeze(1).square()
        return 0.5 * (square * share).mean() / self.config.season_spread**2


def _seen_in_training(data: ChoiceData, config: NetworkConfig) -> tuple[Tensor, Tensor, Tensor]:
    """Return the products [P] and users [U] that training sees, and the users [U] with a taste and level of their own.

    Where the network uses the past, no user has a taste or level of their own: beside the past, ids added only noise.
    """
    products = data.products.is_trained
    users = torch.zeros(data.users.count, dtype=torch.bool)
    users[data.choices.user[data.split()[0]]] = True
    return products, users, torch.zeros_like(users) if config.history else users


def affinity(user: Tensor, product: Tensor) -> Tensor:
    """Return factors_u · factors_p [...] of sensitivity vectors of users and of products [..., Kb + 1]."""
    return (user[..., :-1] * product[..., :-1]).sum(-1)
