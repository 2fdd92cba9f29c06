"""The demand network: appeal and price sensitivity of every product to every user."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gpu_pricer.checks import require_integer
from gpu_pricer.network.encoding.batches import Batch, Share
from gpu_pricer.network.encoding.choice_data import ChoiceData
from gpu_pricer.network.encoding.price_support import PriceSupport
from gpu_pricer.network.model.history_encoder import HistoryConfig, HistoryEncoder
from gpu_pricer.network.model.level_process import AverageLevels
from gpu_pricer.network.model.loyalty import Frequencies, Loyalty
from gpu_pricer.network.model.price_bend import bent
from gpu_pricer.network.model.towers import Tower

FIRST_LEVEL = -4.0  # of a product of which nothing is known


@dataclass(frozen=True)
class NetworkConfig:
    """The architecture.

    taste_width: factors of the appeal. carry_periods: the pricing period takes each product's mean promotion and each
    user's visits over so many last periods.
    history: how users' pasts are encoded; null: they are not used, and loyalty neither.
    """

    taste_width: int
    carry_periods: int
    history: HistoryConfig | None

    def __post_init__(self) -> None:
        for name, least in (("taste_width", 0), ("carry_periods", 1)):
            require_integer(f"network.{name}", getattr(self, name), least)


class DemandNetwork(nn.Module):
    """Utility of user u for product p at price x: a − b (x / r − 1), where r is the product's reference price.

    Appeal a = c · (level_p + context · effect_p + shelf_effect) + level_u + loyalty_up + taste_u · taste_p + habit_up
    and sensitivity b = c · slope_u · response_p.
    Effects, slopes and responses are those of the average household, and so is the shelf effect, which holds season,
    shock and controls of a product in a period (`adopt` in training/average_household.py sets them); levels start
    there. next_season [G] and next_shock [P] are the shelf effect's parts in a period that no table shows.
    The user's own choices tell what makes a user different: c > 0 (set by `fit_loyalty`, 1 without the past), since a
    user decides more sharply than the average of many users seems to; loyalty and habit from the past of user and
    product; taste_u and level_u from the user's attributes and past purchases (from the user's id where the past is not
    used).
    A price outside the product's support counts as the nearest one inside (see encoding/price_support.py).
    Where the price of a product is known too rarely to teach, its prices count as unmoved in training: such a price
    move is seen only if the product sold then (see data/shelf/shelf.py).
    """

    category_rate: Tensor
    category_support: Tensor
    next_season: Tensor

    def __init__(self, data: ChoiceData, config: NetworkConfig) -> None:
        super().__init__()
        self.config, self.data = config, data
        products, with_ids = _seen_in_training(data, config)
        contexts = data.shelf.context.shape[1]
        self.product_taste = Tower(data.products.attributes, products, config.taste_width, spread=0.1)
        self.product_level = Tower(data.products.attributes, products, 1, spread=0.0)
        self.product_response = Tower(data.products.attributes, products, 1 + contexts, spread=0.0)
        self.user_taste = Tower(data.users.attributes, with_ids, config.taste_width, spread=0.0)
        self.user_level = Tower(data.users.attributes, with_ids, 1, spread=0.0)
        self.history = HistoryEncoder(data, config.history, config.taste_width) if config.history else None
        self.loyalty = Loyalty(len(data.history.half_lives)) if config.history else None
        self.log_scale = nn.Parameter(torch.tensor(0.0))
        self.mean_level = nn.Parameter(torch.tensor(FIRST_LEVEL))
        self.mean_response = nn.Parameter(torch.zeros(1 + contexts))
        self.shelf_effect = nn.Parameter(torch.zeros(data.shelf.count))
        self.next_shock = nn.Parameter(torch.zeros(data.products.count, 1))
        self.log_slope = nn.Parameter(torch.zeros(data.users.count, 1))
        self.bend = nn.Parameter(torch.tensor(0.0))
        self.support = nn.Parameter(torch.tensor([0.0, torch.inf]).repeat(data.products.count, 1))
        self.product_rate = nn.Parameter(torch.zeros(data.products.count, 1))
        self.average: AverageLevels | None = None
        self.register_buffer("category_rate", torch.zeros(data.categories.count), persistent=False)
        any_price = torch.tensor([0.0, torch.inf]).repeat(data.categories.count, 1)
        self.register_buffer("category_support", any_price, persistent=False)
        self.register_buffer("next_season", torch.zeros(data.categories.count), persistent=False)
        for given in self.of_average_household():
            given.requires_grad_(False)

    @torch.no_grad()
    def set_support(self, support: PriceSupport) -> None:
        """Take prices beyond the support for the nearest supported ones, from now on."""
        self.support.copy_(support.product)
        self.category_support.copy_(support.category)

    @torch.no_grad()
    def next_shelf_effect(self) -> Tensor:
        """Return season and shock of every product in a period that no table shows, [P]."""
        return self.next_season[self.data.products.category] + self.next_shock[:, 0]

    def of_average_household(self) -> list[nn.Parameter]:
        """Return the parameters that gradients leave alone."""
        own = [self.log_scale, self.mean_response, self.shelf_effect, self.next_shock, self.log_slope, self.bend]
        return [*own, self.support, self.product_rate, *self.product_response.parameters()]

    def go_on_with(self, data: ChoiceData) -> None:
        """Replace the data by the same tables with more periods to train on.

        Products and users first seen there start at the vectors of their attributes.
        """
        products, with_ids = _seen_in_training(data, self.config)
        self.data = data
        for tower in (self.product_taste, self.product_level, self.product_response):
            tower.admit(products)
        for tower in (self.user_taste, self.user_level):
            tower.admit(with_ids)

    def forward(self, batch: Batch) -> Tensor:
        """Return the utility of every alternative of the batch, [A]."""
        return self.utility(batch, self.data.shelf.price_move(batch.row))

    def utility(self, batch: Batch, move: Tensor) -> Tensor:
        """Return the utility of every alternative [A] at these price moves [A]."""
        user_level = self.user_level(batch.user)[:, 0].index_select(0, batch.occasion)
        common = self.average_utility(batch, move) * self.log_scale.exp()
        return common + user_level + self.loyalty_in(batch) + self.tastes(batch)

    def average_utility(self, batch: Batch, move: Tensor) -> Tensor:
        """Return the utility of every alternative [A] of a user of average appeal and the batch's users' slopes."""
        response = self.response_of(batch.products).index_select(0, batch.place)
        slope = self.log_slope[batch.user, 0].exp().index_select(0, batch.occasion)
        level = self.product_level(batch.products)[:, 0].index_select(0, batch.place) + self.mean_level
        promoted = (response[:, 1:] * self.data.shelf.context.index_select(0, batch.row)).sum(1)
        of_row = self.shelf_effect.index_select(0, batch.row)
        low, high = (self.support[batch.products] - 1).index_select(0, batch.place).T
        return level + promoted + of_row - slope * response[:, 0].exp() * bent(move.clamp(low, high), self.bend)

    def response_of(self, product: Tensor) -> Tensor:
        """Return log sensitivity and effects of context of n products to the average household, [n, 1 + C]."""
        return self.product_response(product) + self.mean_response

    def loyalty_in(self, batch: Batch) -> Tensor:
        """Return what loyalty adds to the appeal of every alternative, [A]."""
        if self.loyalty is None:
            return torch.zeros(len(batch.row), device=batch.row.device)
        return torch.as_tensor(self.loyalty(self.frequencies_in(batch)))

    def frequencies_in(self, batch: Batch) -> Frequencies:
        """Return the frequencies of every alternative of the batch, [A, 3, H] each.

        Those of the user and of the category are looked up once for every choice.
        """
        data, history = self.data, self.data.history
        category, period = data.sets.category[batch.choice_set], data.sets.period[batch.choice_set]
        visits, in_category = history.visits[batch.user, period], history.of_category(batch.user, category, period)
        of_choice = torch.stack([
            history.bought[batch.user, period], in_category.decayed,
            visits * self.category_rate.sum(), visits * self.category_rate[category, None],
        ], dim=1).index_select(0, batch.occasion)  # fmt: skip
        user, when, where = (values.index_select(0, batch.occasion) for values in (batch.user, period, category))
        product = batch.products.index_select(0, batch.place)
        own = history.of_product(user, product, when)
        expected = history.visits_since(user, data.products.first_period[product], when) * self.product_rate[product]
        return Frequencies(
            torch.cat([of_choice[:, :2], own.decayed[:, None]], dim=1),
            torch.cat([of_choice[:, 2:], expected[:, None]], dim=1),
            history.recency(user, where, own, in_category.count.index_select(0, batch.occasion)),
        )

    def tastes(self, batch: Batch) -> Tensor:
        """Return the part of every alternative's appeal that factors and habits make of user and product, [A]."""
        user_taste = self.user_tastes(batch.user, self.data.sets.period[batch.choice_set], batch.share)
        product_taste = self.product_taste(batch.products).index_select(0, batch.place)
        appeal = (user_taste.index_select(0, batch.occasion) * product_taste).sum(1)
        return appeal if self.history is None else appeal + self.history.habits_in(self.data, batch)

    def user_tastes(self, user: Tensor, period: Tensor, share: Share | None = None) -> Tensor:
        """Return the taste vectors of n users before n periods, [n, taste_width].

        share: of which batch the n are, where processes share one.
        """
        taste = self.user_taste(user)
        return taste if self.history is None else taste + self.history.taste(self.data, user, period, share)


def _seen_in_training(data: ChoiceData, config: NetworkConfig) -> tuple[Tensor, Tensor]:
    """Return the products [P] that training sees, and the users [U] with a taste and level of their own.

    Where the network uses the past, no user has a taste or level of their own: beside the past, ids added only noise.
    """
    users = data.is_user_trained()
    return data.products.is_trained, torch.zeros_like(users) if config.history else users
