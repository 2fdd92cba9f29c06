"""The demand of every user at one point of the market, from which segments are formed and exported."""

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass

import polars as pl
import torch
from torch import Tensor

from gpu_pricer.network.model.demand_network import DemandNetwork
from gpu_pricer.network.model.price_bend import bent
from gpu_pricer.network.segments.past_appeal import past_appeal

PRODUCTS, USERS = 2048, 512  # per block, so that [USERS, PRODUCTS] temporaries, of 4 MB, stay in a processor's cache
ALL_USERS = slice(None)


@dataclass(frozen=True)
class MarketPoint:
    """The prices, availability and context of the P products in one period.

    period: row number. price_ratio [P]: price / reference price. availability [P]: share of the time on the shelf.
    context [P, C]: scaled context. shelf_effect [P]: what season and shock add to the average appeal.
    """

    period: int
    price_ratio: Tensor
    availability: Tensor
    context: Tensor
    shelf_effect: Tensor

    def presence(self, block: slice) -> Tensor:
        """Return the availability of the block's products, 1 instead of 0 for those off the shelf, [block]."""
        return torch.where(self.availability[block] > 0, self.availability[block], 1.0)


def period_to_price(network: DemandNetwork) -> MarketPoint:
    """Return the period after the last: today's prices and availability, and the mean promotion of the last periods."""
    products = network.data.products.table
    return MarketPoint(
        period=network.data.calendar.count,
        price_ratio=_tensor(products["price"] / products["reference_price"]).clamp(*network.support.detach().T),
        availability=_tensor(products["availability"]),
        context=_recent_context(network, network.data.calendar.count),
        shelf_effect=network.next_shelf_effect(),
    )


def _tensor(column: pl.Series) -> Tensor:
    return torch.from_numpy(column.to_numpy(writable=True)).float()


def period_to_judge(network: DemandNetwork, period: int) -> MarketPoint:
    """Return a past period as it looked just before: the last prices and promotions, with the period's own shelf.

    Prices are the usual ones, which no price group has for itself.
    """
    data = network.data
    row_period, is_usual = data.sets.period_of_rows(), data.sets.is_usual()
    earlier, now = (
        (is_usual & of_period).nonzero().squeeze(1) for of_period in (row_period < period, row_period == period)
    )
    last = torch.full((data.products.count,), -1).scatter_reduce(0, data.shelf.product[earlier], earlier, "amax")
    is_known, row = last >= 0, last.clamp(min=0)
    return MarketPoint(
        period=period,
        price_ratio=torch.where(is_known, data.shelf.price_ratio[row], 1.0),
        availability=torch.zeros_like(is_known).float().index_fill(0, data.shelf.product[now], 1.0),
        context=_recent_context(network, period),
        shelf_effect=network.next_shelf_effect(),
    )


def period_as_it_was(network: DemandNetwork, period: int, price_group: int = 0) -> MarketPoint:
    """Return a past period with its own prices, promotions, shelf, season and shocks, as users of a price group saw it.

    Products off the shelf have their reference price, and nothing beside it.
    """
    data = network.data
    row = data.sets.rows_seen(period, price_group)
    product = data.shelf.product[row]
    low, high = (network.support[product] - 1).T

    def of_products(of_rows: Tensor) -> Tensor:
        return torch.zeros(data.products.count, *of_rows.shape[1:]).index_copy(0, product, of_rows)

    return MarketPoint(
        period=period,
        price_ratio=1 + of_products(data.shelf.price_move(row).clamp(low, high)),
        availability=of_products(torch.ones(len(row))),
        context=of_products(data.shelf.context[row]),
        shelf_effect=of_products(network.shelf_effect[row]),
    )


def _recent_context(network: DemandNetwork, before: int) -> Tensor:
    """Return the mean context of every product over the last carry_periods, 0 if it was never on the shelf, [P, C]."""
    data = network.data
    shelf, period = data.shelf, data.sets.period_of_rows()
    recent = (period >= before - network.config.carry_periods) & (period < before) & data.sets.is_usual()
    product = shelf.product[recent]
    total = torch.zeros(data.products.count, shelf.context.shape[1]).index_add(0, product, shelf.context[recent])
    count = torch.zeros(data.products.count, 1).index_add(0, product, torch.ones(len(product), 1))
    return total / count.clamp(min=1)


class Members:
    """Appeal and sensitivity of P products to U users at a point of the market, computed in blocks of both.

    Appeal at the reference price: a = user_taste · product_taste + user_level + product_level + loyalty + habit. The
    sensitivity b is per unit of price / reference price. effect [P, C]: what a unit of context adds to the appeal.
    user_vector [U, K + 3] and product_vector [P, K + 3] are the tastes, then (user_level, 1, slope) and
    (1, product_level, 0): their inner product is the appeal but for the past. For the utility at the point's prices,
    −sensitivity × move of a slope of 1 stands in place of the 0.
    """

    def __init__(self, network: DemandNetwork, point: MarketPoint) -> None:
        data = network.data
        self.network, self.point = network, point
        self.users = torch.arange(data.users.count)
        self.period = torch.full_like(self.users, point.period)
        with torch.no_grad():
            scale, response = network.log_scale.exp(), network.response_of(torch.arange(data.products.count))
            self.effect = scale * response[:, 1:]
            level = network.product_level.all_rows()[:, 0] + network.mean_level + point.shelf_effect
            self.product_level = scale * level + (self.effect * point.context).sum(1)
            self.product_response = scale * response[:, 0].exp()
            self.user_slope = network.log_slope[:, 0].exp()
            self.user_taste = torch.cat([
                network.user_tastes(self.users[users], self.period[users]) for users in self.blocks_of_users()
            ])  # fmt: skip
            self.product_taste = network.product_taste.all_rows()
            self.user_level = network.user_level.all_rows()[:, 0]
            ones, zeros = torch.ones(data.users.count), torch.zeros(data.products.count)
            of_users = (self.user_level, ones, self.user_slope)
            of_products = (torch.ones_like(zeros), self.product_level, zeros)
            self.user_vector = torch.cat([self.user_taste, torch.stack(of_users, dim=1)], dim=1)
            self.product_vector = torch.cat([self.product_taste, torch.stack(of_products, dim=1)], dim=1)

    def bent_move(self, block: slice) -> Tensor:
        """Return by what sensitivities are multiplied at the point's prices, [block]."""
        return bent(self.point.price_ratio[block] - 1, self.network.bend.detach())

    def of(self, users: Tensor) -> "Members":
        """Return these users alone; users [n]: their places among these members, ascending."""
        if len(users) == len(self.users):
            return self
        part = copy(self)
        part.users, part.period = self.users[users], self.period[users]
        part.user_taste, part.user_level = self.user_taste[users], self.user_level[users]
        part.user_slope, part.user_vector = self.user_slope[users], self.user_vector[users]
        return part

    def blocks(self) -> Iterator[slice]:
        """Yield slices of complete categories, of about PRODUCTS products."""
        category = self.network.data.products.category
        ends = [*((category.diff() != 0).nonzero().squeeze(1) + 1).tolist(), len(category)]
        start = 0
        for end, following in zip(ends, [*ends[1:], None], strict=True):
            if following is None or following - start > PRODUCTS:
                yield slice(start, end)
                start = end

    def blocks_of_users(self) -> Iterator[slice]:
        """Yield slices of at most USERS users, and set aside what was read of each."""
        for start in range(0, len(self.users), USERS):
            yield slice(start, min(start + USERS, len(self.users)))
            self.network.data.set_aside()

    def demand(self, block: slice, users: slice = ALL_USERS) -> tuple[Tensor, Tensor]:
        """Return the users' appeal at the reference price and sensitivity, [users, block] each."""
        response = self.user_slope[users, None] * self.product_response[block]
        return self._appeal(block, users, self.product_vector[block]), response

    def utility(self, block: slice, users: slice = ALL_USERS) -> Tensor:
        """Return the users' utility of the products at the point's prices, [users, block]."""
        vector = self.product_vector[block].clone()
        vector[:, -1] = -self.product_response[block] * self.bent_move(block)
        return self._appeal(block, users, vector)

    def _appeal(self, block: slice, users: slice, vector: Tensor) -> Tensor:
        """Return the inner products of the users' vectors with the products' [block, K + 3], and what the past adds."""
        return torch.addmm(self.past(block, users), self.user_vector[users], vector.T)

    def past(self, block: slice, users: slice = ALL_USERS) -> Tensor:
        """Return what loyalty and habits add to the appeal, [users, block]; a scalar 0 without the past."""
        return past_appeal(self.network, self.users[users], self.period[users], block)
