"""Levels of the products in the average household's appeal, from how often they were bought.

A level is the most likely one around what the product's attributes say (ridge regression: Hoerl & Kennard 1970), as
closely as they predict the levels of other products in cross-validation.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, KFold
from torch import Tensor, nn

from gpu_pricer.network.encoding.attributes import Attributes, feature_columns
from gpu_pricer.network.encoding.choice_data import AT_ONCE, ChoiceData
from gpu_pricer.network.model.demand_network import DemandNetwork
from gpu_pricer.network.model.likelihood import log_denominator

FIRST_SPREAD = 2.0  # prior standard deviation of a level around all products' mean, before attributes are known
LEAST_SPREAD = 0.1  # around what attributes say
STEPS, SETTLED = 100, 1e-3  # at most so many; they end when no level moves further
LONGEST_STEP = 1.0
FOLDS, PENALTIES = 5, (0.3, 1.0, 3.0, 10.0, 30.0)  # of the cross-validation that chooses how much attributes say


@dataclass(frozen=True)
class Sales:
    """What was chosen in the trained periods: occasions [sets] of every choice set, bought [P] of every product.

    product_events [P], category_events [categories]: how often users bought of each, at most once in a period, before
    the trained periods end. rows [r], sets [r], products [r]: the shelf rows of the trained periods, their choice sets
    and products.
    """

    occasions: Tensor
    bought: Tensor
    product_events: Tensor
    category_events: Tensor
    rows: Tensor
    sets: Tensor
    products: Tensor

    @classmethod
    def of(cls, data: ChoiceData) -> "Sales":
        """Return the sales of the trained periods; a sampled occasion without purchase counts for all it stands for."""
        choices, of_rows, end = data.choices, data.sets.of_rows(), data.calendar.trained_periods
        occasions = torch.zeros(data.sets.count, dtype=torch.float64)
        bought = torch.zeros(data.products.count, dtype=torch.float64)
        for index in data.split()[0].split(AT_ONCE):
            chosen, weight, choice_set = (
                choices.chosen[index],
                choices.weight(index).double(),
                choices.choice_set[index],
            )
            is_bought = chosen >= 0
            stands_for = torch.where(is_bought, weight, weight * torch.exp(-choices.log_kept[index].double()))
            occasions.index_add_(0, choice_set, stands_for)
            bought.index_add_(0, data.shelf.product[chosen[is_bought]], weight[is_bought])
        rows = (occasions[of_rows] > 0).nonzero().squeeze(1)
        return cls(
            occasions=occasions,
            bought=bought,
            product_events=data.history.products.events_before(end, data.products.count),
            category_events=data.history.categories.events_before(end, data.categories.count),
            rows=rows,
            sets=of_rows[rows],
            products=data.shelf.product[rows],
        )


def average_levels(network: DemandNetwork, sales: Sales) -> Tensor:
    """Return the level of every product [P] with which the average household buys what was bought.

    They are the most likely ones under a Gaussian prior around their mean, where a product stands that was never on
    the shelf.
    """
    beside = beside_levels(network, sales)
    start = torch.full_like(sales.bought, float(_overall_level(network, sales, beside)))
    return settle_levels(network, sales, beside, start, FIRST_SPREAD).float()


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
    moved = response[:, 0].exp() * data.trusted_move(sales.rows)
    return (promoted + network.shelf_effect[sales.rows] - moved).double()


def settle_levels(network: DemandNetwork, sales: Sales, beside: Tensor, prior: Tensor, spread: float) -> Tensor:
    """Return the most likely levels [P] around the prior means [P], given the rows' other utility [r].

    Newton steps of every product for itself; the prior has the standard deviation `spread`.
    """
    level = prior.clone()
    outside = network.data.sets.outside.double()
    for _ in range(STEPS):
        utility = level[sales.products] + beside
        share = torch.exp(utility - log_denominator(utility, sales.sets, outside)[sales.sets])
        expected = torch.zeros_like(level).index_add(0, sales.products, share * sales.occasions[sales.sets])
        score = sales.bought - expected - (level - prior) / spread**2
        step = (score / (expected + 1 / spread**2)).clamp(-LONGEST_STEP, LONGEST_STEP)
        level += step
        if float(step.abs().max()) < SETTLED:
            break
    return level


@torch.no_grad()
def start_levels(network: DemandNetwork, level: Tensor, sales: Sales) -> None:
    """Set the level tower: what attributes say of the levels [P], and each product's own rest.

    A product that was never on the shelf has its attributes alone. What the tower said of attributes before, where
    training starts from another network, is where the attributes' effects are expected.
    """
    tower, attributes = network.product_level, network.data.products.attributes
    tower.own.weight.zero_()
    rest = level - tower.all_rows()[:, 0]
    told = _told_by_attributes(attributes, rest.numpy(), sales.bought.numpy())
    network.mean_level.fill_(told.mean)
    weights = torch.from_numpy(told.weights).float()
    words = sum(attributes.sizes) - len(attributes.sizes)
    of_words = weights[:words].split([size - 1 for size in attributes.sizes])
    for embedding, rows in zip(tower.values, of_words, strict=True):
        assert isinstance(embedding, nn.Embedding)
        embedding.weight[1:] += rows[:, None]
    if tower.slope is not None:
        tower.slope.weight += weights[None, words:]
    prior = (tower.all_rows()[:, 0] + network.mean_level).double()
    settled = settle_levels(network, sales, beside_levels(network, sales), prior, told.spread)
    tower.own.weight.copy_(torch.where(network.data.products.is_trained, settled - prior, 0.0)[:, None])


class _Told(NamedTuple):
    """Weights [F] of the attributes' features, the mean level, and the standard deviation of what they leave open."""

    weights: np.ndarray
    mean: float
    spread: float


def _told_by_attributes(attributes: Attributes, level: np.ndarray, bought: np.ndarray) -> _Told:
    """Return what attributes say of levels [P]; a level that few purchases tell counts less."""
    features, sold = feature_columns(attributes), np.flatnonzero(bought > 0)
    if not features.shape[1] or len(sold) < FOLDS:
        return _Told(np.zeros(features.shape[1]), float(level[sold].mean()), FIRST_SPREAD)
    folds = KFold(FOLDS, shuffle=True, random_state=0)
    search = GridSearchCV(Ridge(solver="sparse_cg"), {"alpha": PENALTIES}, scoring="neg_mean_squared_error", cv=folds)
    search.fit(features[sold], level[sold], sample_weight=bought[sold] / (bought[sold] + 1))
    found = search.best_estimator_
    return _Told(found.coef_, float(found.intercept_), max(float(np.sqrt(-search.best_score_)), LEAST_SPREAD))
