"""Levels of the products in the average household's appeal, from how often they were bought.

A level is the most likely one around what the product's attributes say (ridge regression: Hoerl & Kennard 1970), as
closely as they predict the levels of other products in cross-validation.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, KFold
from torch import Tensor, nn

from gpu_pricer.network.encoding.attributes import Attributes, feature_columns
from gpu_pricer.network.model.demand_network import DemandNetwork
from gpu_pricer.network.model.level_process import AverageLevels, PeriodSales
from gpu_pricer.network.model.likelihood import log_denominator
from gpu_pricer.network.model.price_bend import bent
from gpu_pricer.network.model.towers import Tower
from gpu_pricer.network.training.local_levels import learn_process, local_levels, period_sales
from gpu_pricer.network.training.sales import Sales

FIRST_SPREAD = 2.0  # prior standard deviation of a level around all products' mean, before attributes are known
LEAST_SPREAD = 0.1  # around what attributes say
STEPS, SETTLED = 100, 1e-3  # at most so many; they end when no level moves further
LONGEST_STEP = 1.0
FOLDS, PENALTIES = 5, (0.3, 1.0, 3.0, 10.0, 30.0)  # of the cross-validation that chooses how much attributes say


@torch.no_grad()
def adopt_levels(network: DemandNetwork, sales: Sales, is_moving: Tensor) -> None:
    """Set the levels of the products to those at which the average household buys what was bought.

    is_moving [P]: whose levels move (see local_levels.py). Their levels are those after the trained periods. How far
    they were from these before adds to the shelf effect.
    Where levels were set before, they move by as much as those of the average household have moved; a product that is
    new since then is as far from its level in the average household as the others are on average.
    """
    data, before, tower = network.data, network.average, network.product_level
    average = _start(network, sales, is_moving) if before is None else before
    level, departure = _levels(network, sales, average, is_moving)
    network.shelf_effect.add_(departure)
    learned = tower.all_rows()[:, 0] + network.mean_level
    if before is None:
        tower.own.weight.copy_(torch.where(data.products.is_trained, level - learned, 0.0)[:, None])
    else:
        is_new = before.level.isnan()
        away = (learned - before.level)[~is_new].mean()
        tower.own.weight += torch.where(is_new, level + away - learned, level - before.level)[:, None]
    network.average = replace(average, level=torch.where(data.products.is_trained, level, torch.nan))


def _start(network: DemandNetwork, sales: Sales, is_moving: Tensor) -> AverageLevels:
    """Set the level tower to what attributes say of the levels, and return it, with no levels yet.

    What the tower said of attributes before, where training starts from another network, is where the attributes'
    effects are expected.
    """
    tower, products, beside = network.product_level, network.data.products, beside_levels(network, sales)
    bought = sales.of_products(sales.bought, products.count)
    same = torch.full_like(bought, float(_overall_level(network, sales, beside)))
    level = settle_levels(network, sales, beside, same, FIRST_SPREAD)
    tower.own.weight.zero_()
    rest = level.float() - tower.all_rows()[:, 0]
    effects = _attribute_effects(products.attributes, rest.numpy(), bought.numpy())
    _write_attributes(tower, products.attributes, torch.from_numpy(effects.weights).float())
    network.mean_level.fill_(effects.mean)
    prior = (tower.all_rows()[:, 0] + network.mean_level).double()
    average = AverageLevels(level, prior, effects.spread, None)
    if not (network.data.has_outside_option and bool(is_moving[sales.products].any())):
        return average
    level = settle_levels(network, sales, beside, prior, effects.spread)
    every = torch.ones_like(is_moving)
    moving, of_all = (_purchases(network, sales, average, level, some) for some in (is_moving, every))
    process, usual, entering = learn_process(moving, of_all.of_new_products())
    network.mean_level.add_(entering)
    above = torch.where(network.data.products.is_trained, usual, entering)
    return replace(average, prior=prior + above, process=process)


def _levels(network: DemandNetwork, sales: Sales, average: AverageLevels, is_moving: Tensor) -> tuple[Tensor, Tensor]:
    """Return the level of every product [P], and by how much its levels before differ on each shelf row, [R]."""
    level = settle_levels(network, sales, beside_levels(network, sales), average.prior, average.spread)
    if average.process is None:
        return level.float(), torch.zeros(network.data.shelf.count)
    purchases = _purchases(network, sales, average, level, is_moving)
    local = local_levels(network.data, average.process, purchases, is_moving)
    return torch.where(is_moving, average.prior + local.now, level).float(), local.before


def _purchases(
    network: DemandNetwork, sales: Sales, average: AverageLevels, level: Tensor, is_moving: Tensor
) -> PeriodSales:
    """Return the purchases of the products whose levels move, where all others are at their levels [P]."""
    expected = _expected(network, sales, beside_levels(network, sales), level)
    at_prior = expected * torch.exp(average.prior - level)[sales.products]
    return period_sales(network.data, sales, at_prior, is_moving)


def _overall_level(network: DemandNetwork, sales: Sales, beside: Tensor) -> Tensor:
    """Return the level at which all products together sell about as much as was bought, from equal levels."""
    if not network.data.has_outside_option:
        return torch.zeros(())
    one = torch.exp(beside).mean() * len(sales.rows) / (sales.occasions > 0).sum()
    chance = (sales.bought.sum() / sales.occasions.sum()).clamp(max=0.9)
    return torch.log(chance / (1 - chance) / one)


def beside_levels(network: DemandNetwork, sales: Sales) -> Tensor:
    """Return the average household's utility of the rows beside the product's level, [r]."""
    data = network.data
    response = network.response_of(sales.products)
    promoted = (response[:, 1:] * data.shelf.context[sales.rows]).sum(1)
    moved = response[:, 0].exp() * bent(data.trusted_move(sales.rows), network.bend)
    return (promoted + network.shelf_effect[sales.rows] - moved).double()


def settle_levels(network: DemandNetwork, sales: Sales, beside: Tensor, prior: Tensor, spread: float) -> Tensor:
    """Return the most likely levels [P] around the prior means [P], given the rows' other utility [r].

    Newton steps of every product for itself; the prior has the standard deviation `spread`.
    """
    level, bought = prior.clone(), sales.of_products(sales.bought, len(prior))
    for _ in range(STEPS):
        expected = sales.of_products(_expected(network, sales, beside, level), len(prior))
        score = bought - expected - (level - prior) / spread**2
        step = (score / (expected + 1 / spread**2)).clamp(-LONGEST_STEP, LONGEST_STEP)
        level += step
        if float(step.abs().max()) < SETTLED:
            break
    return level


def _expected(network: DemandNetwork, sales: Sales, beside: Tensor, level: Tensor) -> Tensor:
    """Return how often every row is expected to be bought at the levels [P], [r]."""
    utility = level[sales.products] + beside
    denominator = log_denominator(utility, sales.sets, network.data.sets.outside.double())
    return torch.exp(utility - denominator[sales.sets]) * sales.occasions[sales.sets]


def _write_attributes(tower: Tower, attributes: Attributes, weights: Tensor) -> None:
    """Add to a tower of width 1 what attributes say: weights [F] of feature_columns."""
    words = sum(attributes.sizes) - len(attributes.sizes)
    of_words = weights[:words].split([size - 1 for size in attributes.sizes])
    for embedding, rows in zip(tower.values, of_words, strict=True):
        assert isinstance(embedding, nn.Embedding)
        embedding.weight[1:] += rows[:, None]
    if tower.slope is not None:
        tower.slope.weight += weights[None, words:]


class _AttributeEffects(NamedTuple):
    """Weights [F] of the attributes' features, the mean level, and the standard deviation of what they leave open."""

    weights: np.ndarray
    mean: float
    spread: float


def _attribute_effects(attributes: Attributes, level: np.ndarray, bought: np.ndarray) -> _AttributeEffects:
    """Return what attributes say of levels [P]; a level that few purchases tell counts less."""
    features, sold = feature_columns(attributes), np.flatnonzero(bought > 0)
    if not features.shape[1] or len(sold) < FOLDS:
        return _AttributeEffects(np.zeros(features.shape[1]), float(level[sold].mean()), FIRST_SPREAD)
    folds = KFold(FOLDS, shuffle=True, random_state=0)
    search = GridSearchCV(Ridge(solver="sparse_cg"), {"alpha": PENALTIES}, scoring="neg_mean_squared_error", cv=folds)
    search.fit(features[sold], level[sold], sample_weight=bought[sold] / (bought[sold] + 1))
    found = search.best_estimator_
    return _AttributeEffects(
        found.coef_, float(found.intercept_), max(float(np.sqrt(-search.best_score_)), LEAST_SPREAD)
    )
