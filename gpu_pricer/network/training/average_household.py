"""What the average household buys, from which the network starts: response, seasons and shocks, levels, rates.

The hierarchical response model of all users as one segment gives the response to prices and promotions, seasons and
shocks of the products that teach (see network/response/). Every product's level follows from how often it was bought,
beside that response. The network then learns what makes a user different.
"""

import hashlib
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gpu_pricer.network.model.demand_network import DemandNetwork
from gpu_pricer.network.model.towers import Tower
from gpu_pricer.network.response.fitting.fit import Fit
from gpu_pricer.network.response.model import nest_effect
from gpu_pricer.network.response.priors.autoregression import Autoregression
from gpu_pricer.network.training.levels import adopt_levels
from gpu_pricer.network.training.sales import Sales


@dataclass(frozen=True)
class AverageHousehold:
    """What all users do as one segment.

    fit: their response. context: names of the first columns of its context, before the controls. slope [U]: price
    sensitivity of every user relative to everybody's.
    """

    fit: Fit
    context: list[str]
    slope: Tensor

    def fingerprint(self) -> str:
        """Return a hash that differs for another response of the users."""
        state = self.fit.state
        known = (
            state.z, state.beside, state.season, state.shock, state.dissimilarity, self.fit.grid.offset, self.slope
        )  # fmt: skip
        return hashlib.sha256(b"".join(values.numpy().tobytes() for values in known)).hexdigest()


@torch.no_grad()
def adopt(network: DemandNetwork, household: AverageHousehold, sales: Sales) -> None:
    """Set the network's parameters of the average household; sales: of the network's data.
    Levels of the products that teach no price response move: see level_process.py.
    """
    _adopt_response(network, household)
    _adopt_seasons(network, household.fit)
    _adopt_rates(network, sales)
    network.log_slope.copy_(torch.log(household.slope)[:, None])
    is_moving = torch.ones(network.data.products.count, dtype=torch.bool)
    is_moving[household.fit.grid.row] = False
    adopt_levels(network, sales, is_moving)


def _adopt_response(network: DemandNetwork, household: AverageHousehold) -> None:
    """Set the responses; products that taught nothing respond as their category, or as any product, and as their
    attributes say.

    A product that training never saw responds as any product where its category is too small to have a word.
    """
    fit, product = household.fit, network.data.products
    effect = fit.layout.effect
    names = network.data.context_scale.names
    columns = [0, *(1 + names.index(name) for name in household.context)]

    def rows(log_sensitivity: Tensor, effects: Tensor) -> Tensor:
        """Return [n, 1 + C] from log sensitivities [n] and effects [n, contexts and controls of the grid]."""
        found = torch.zeros(len(effects), 1 + len(names))
        given = torch.cat([log_sensitivity[:, None], effects[:, : len(columns) - 1]], dim=1)
        found[:, columns] = given.float()
        return found

    common = rows(fit.common_sensitivity().log(), fit.state.mu[None, effect])[0]
    of_category = common.repeat(network.data.categories.count, 1)
    of_category[_taught_categories(network, fit)] = rows(
        fit.category_sensitivity()[0].log(), fit.state.theta[:, effect]
    )
    target = of_category[product.category]
    target[:, 0] += fit.told_by_attributes(len(target)).float()
    target[fit.grid.row] = rows(fit.sensitivity[0].log(), fit.state.z[:, effect])
    network.mean_response.copy_(common)
    network.bend.fill_(fit.grid.bend)
    _write_by_category(network.product_response, target - common, of_category - common, product.category)


def _adopt_seasons(network: DemandNetwork, fit: Fit) -> None:
    """Set what adds to each shelf row's appeal: season, shock, controls, nest and known parts of the appeal.

    Seasons and shocks are those that the period before lets expect, as in any period that is predicted.
    """
    data, grid, state, widths = network.data, fit.grid, fit.state, fit.widths
    row, place, columns = grid.row, _taught_categories(network, fit), grid.columns
    span = columns.spans_of()
    season, next_season = _forecast(state.season, widths.season, grid.periods_ahead)
    shock, next_shock = _forecast(state.shock, widths.shock, grid.periods_ahead)
    network.next_season.zero_()[place] = next_season
    effect = state.z[:, fit.layout.effect]
    kept, ages = grid.context.shape[2] - grid.controls, grid.context.shape[2] - grid.next_ages.shape[1]
    next_ages = (grid.next_ages * effect[:, ages:]).sum(1)
    network.next_shock.zero_()[row, 0] = next_shock + (next_ages + grid.next_offset).float()
    controls = (grid.context[:, :, kept:] * effect[:, None, kept:]).sum(2)
    of_category = torch.zeros(data.categories.count, columns.count)
    of_product = torch.zeros(data.products.count, columns.count)
    of_category[place] = season[:, span] + nest_effect(grid, state, fit.layout)[:, 0].float()
    of_product[row] = shock[:, span] + (controls + grid.offset).float()
    column = columns.of_sets(data.sets)[data.sets.of_rows()]
    product = data.shelf.product
    network.shelf_effect.copy_(of_category[data.products.category[product], column] + of_product[product, column])


def _forecast(effects: Tensor, process: Autoregression, ahead: int) -> tuple[Tensor, Tensor]:
    """Return what the effects [n, V] are expected to be given those of the span before, and those to price with [n].

    ahead: as periods_ahead of Grid.
    """
    before = torch.nn.functional.pad(effects, (1, 0))[:, :-1]
    return process.forecast(before, 1).float(), process.forecast(effects[:, -1], ahead).float()


def _taught_categories(network: DemandNetwork, fit: Fit) -> Tensor:
    """Return the rows [G] of the grid's categories in the network's data."""
    first = torch.searchsorted(fit.grid.category, torch.arange(fit.grid.categories))
    return network.data.products.category[fit.grid.row[first]]


def _write_by_category(tower: Tower, target: Tensor, of_category: Tensor, category: Tensor) -> None:
    """Set a tower whose vectors are target [P, K]: a category's word has its vector [G, K], a product the rest.

    Words that stand for several categories stay at 0.
    """
    for parameter in tower.parameters():
        parameter.zero_()
    word = tower.codes[:, 0]
    embedding = tower.values[0]
    assert isinstance(embedding, nn.Embedding)
    of_word = embedding.weight
    of_word[word] = of_category[category]
    of_word[0] = 0.0
    tower.own.weight.copy_(target - of_word[word])


def _adopt_rates(network: DemandNetwork, sales: Sales) -> None:
    """Set how often the average user buys, in a visit, of every category, and of every product once it was there."""
    data, end = network.data, network.data.calendar.trained_periods
    came = data.history.visit_count.sum(0)[: end + 1]
    first = data.products.first_period.clamp(max=end)
    network.product_rate.copy_((sales.product_events / (came[end] - came[first]).clamp(min=1))[:, None])
    network.category_rate.copy_(sales.category_events / came[end])
