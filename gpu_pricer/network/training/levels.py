"""Levels of the products in the average household's appeal, from how often they were bought.

A level is the most likely one around what the product's attributes say; attributes weigh by how well they explain the
levels of the best sellers (Bayesian ridge regression: MacKay 1992).
"""

from dataclasses import dataclass

import numpy as np
import torch
from sklearn.linear_model import BayesianRidge
from torch import Tensor, nn

from gpu_pricer.network.encoding.attributes import Attributes
from gpu_pricer.network.encoding.choice_data import ChoiceData
from gpu_pricer.network.model.demand_network import DemandNetwork
from gpu_pricer.network.model.likelihood import log_denominator

FIRST_SPREAD = 2.0  # prior standard deviation of a level around all products' mean, before attributes are known
LEAST_SPREAD = 0.1  # around what attributes say
STEPS = 30  # each closes most of what is left
LONGEST_STEP = 1.0
MOST_PRODUCTS = 4000  # the best sellers, which teach what attributes say of levels


@dataclass(frozen=True)
class Sales:
    """What was chosen in the trained periods: occasions [sets] of every choice set, bought [P] of every product.

    rows [r], sets [r], products [r]: the shelf rows of those periods, their choice sets and products.
    """

    occasions: Tensor
    bought: Tensor
    rows: Tensor
    sets: Tensor
    products: Tensor

    @classmethod
    def of(cls, data: ChoiceData) -> "Sales":
        """Return the sales of the trained periods; a sampled occasion without purchase counts for all it stands for."""
        index, choices = data.split()[0], data.choices
        chosen, weight = choices.chosen[index], choices.weight[index].double()
        is_bought = chosen >= 0
        stands_for = torch.where(is_bought, weight, weight * torch.exp(-choices.outside[index]))
        occasions = torch.zeros(data.sets.count, dtype=weight.dtype)
        occasions.index_add_(0, choices.choice_set[index], stands_for)
        of_rows = data.sets.of_rows()
        rows = (occasions[of_rows] > 0).nonzero().squeeze(1)
        bought = torch.zeros(data.products.count, dtype=weight.dtype)
        bought.index_add_(0, data.shelf.product[chosen[is_bought]], weight[is_bought])
        return cls(occasions, bought, rows, of_rows[rows], data.shelf.product[rows])


def average_levels(network: DemandNetwork, sales: Sales) -> Tensor:
    """Return the level of every product [P] with which the average household buys what was bought.

    They are the most likely ones under a Gaussian prior around their mean; a product without sales stands at it.
    """
    beside = beside_levels(network, sales)
    start = torch.full_like(sales.bought, float(_overall_level(network, sales, beside)))
    return settle_levels(network, sales, beside, start, FIRST_SPREAD).float()


def _overall_level(network: DemandNetwork, sales: Sales, beside: Tensor) -> Tensor:
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
    outside = torch.full((network.data.sets.count,), 0.0 if network.data.has_outside_option else -torch.inf)
    for _ in range(STEPS):
        utility = level[sales.products] + beside
        share = torch.exp(utility - log_denominator(utility, sales.sets, outside.double())[sales.sets])
        expected = torch.zeros_like(level).index_add(0, sales.products, share * sales.occasions[sales.sets])
        score = sales.bought - expected - (level - prior) / spread**2
        level += (score / (expected + 1 / spread**2)).clamp(-LONGEST_STEP, LONGEST_STEP)
    return level


@torch.no_grad()
def start_levels(network: DemandNetwork, level: Tensor, sales: Sales) -> None:
    """Set the level tower: what attributes say of the levels [P], and each product's own rest.

    A product that was not sold has its attributes alone. What the tower said of attributes before, where training
    starts from another network, is where the attributes' effects are expected.
    """
    tower, attributes = network.product_level, network.data.products.attributes
    tower.own.weight.zero_()
    rest = level - tower.all_rows()[:, 0]
    best = torch.argsort(sales.bought, descending=True)[:MOST_PRODUCTS]
    best = best[sales.bought[best] > 0]
    features, spread = _features(attributes, best), FIRST_SPREAD
    weights = torch.zeros(features.shape[1])
    network.mean_level.fill_(float(rest[best].mean()))
    if features.shape[1] and len(best) > 1:
        told = BayesianRidge().fit(features, rest[best], sample_weight=_certainty(sales.bought[best]))
        weights, spread = torch.from_numpy(told.coef_).float(), max(float(told.alpha_**-0.5), LEAST_SPREAD)
        network.mean_level.fill_(float(told.intercept_))
    words = sum(attributes.sizes) - len(attributes.sizes)
    of_words = weights[:words].split([size - 1 for size in attributes.sizes])
    for embedding, rows in zip(tower.values, of_words, strict=True):
        assert isinstance(embedding, nn.Embedding)
        embedding.weight[1:] += rows[:, None]
    if tower.slope is not None:
        tower.slope.weight += weights[None, words:]
    prior = (tower.all_rows()[:, 0] + network.mean_level).double()
    settled = settle_levels(network, sales, beside_levels(network, sales), prior, spread)
    tower.own.weight.copy_(torch.where(network.data.products.is_trained, settled - prior, 0.0)[:, None])


def _certainty(bought: Tensor) -> np.ndarray:
    """Return the weight of levels that so many purchases tell, [n]: the variance is 1 / purchases + about 1."""
    return (bought / (bought + 1)).numpy()


def _features(attributes: Attributes, rows: Tensor) -> np.ndarray:
    """Return a column for every known word and the numbers of n rows, float64 [n, F]."""
    words = [
        torch.nn.functional.one_hot(codes, size)[:, 1:]
        for codes, size in zip(attributes.codes[rows].T, attributes.sizes, strict=True)
    ]
    return torch.cat([*words, attributes.numbers[rows]], dim=1).double().numpy()
