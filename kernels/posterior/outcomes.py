"""What prices lead to under all draws of the price sensitivity."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from kernels.compiled import compiled
from kernels.formulas import margin_at

TINY = 1e-9
"""The least share that does not choose a product, where a part of its price would be infinite."""


GROUPS = {
    "means": ("probability", "category_value"),
    "share": ("share",),
    "elasticity": ("elasticity",),
    "average": ("average",),
    "parts": ("markup", "opportunity"),
}
"""The fields of Outcomes that are asked for together."""


class Outcomes(NamedTuple):
    """What is filled, float64; what is not asked for has no segments.

    probability [P, S]: mean over draws; worth [G, S]: mean R; share, elasticity [2, P, S]: of the quantiles asked for,
    of the probability and of the own-price elasticity -beta x (1 - P); average [3, G, S]: the elasticity of a category,
    that of its products by their probabilities: its mean over draws and its quantiles; markup, opportunity [P, S]: the
    parts of a stationary price above its cost, sum P / sum w and sum P beta O / (omega sum w), sums over draws, with
    w = P beta (1 - P) and O what the category's others earn.
    """

    probability: np.ndarray
    category_value: np.ndarray
    share: np.ndarray
    elasticity: np.ndarray
    average: np.ndarray
    markup: np.ndarray
    opportunity: np.ndarray


def new_outcomes(products: int, segments: int, categories: int, groups: Sequence[str]) -> Outcomes:
    """Return outcomes to be filled, of some groups."""
    leading = dict.fromkeys(Outcomes._fields, (products,)) | {
        "category_value": (categories,),
        "share": (2, products),
        "elasticity": (2, products),
        "average": (3, categories),
    }
    asked = {name for group in groups for name in GROUPS[group]}
    return Outcomes(**{name: np.empty((*axes, segments * (name in asked))) for name, axes in leading.items()})


@compiled()
def describe(category_draws, price, tail, outcomes, category, first, s, memory):
    """Fill one category's outcomes for segment s at prices [n]; memory [3, D]."""
    values, bought, moved = memory[0], memory[1], memory[2]
    for d in range(len(values)):
        bought[d] = moved[d] = 0.0
    for j in range(len(price)):
        p = first + j
        if outcomes.probability.shape[1] > 0:
            outcomes.probability[p, s] = mean_of(normalise_shares(category_draws, j, values))
        if outcomes.share.shape[2] > 0:
            take_interval(normalise_shares(category_draws, j, values), tail, outcomes.share[:, p, s])
        if outcomes.elasticity.shape[2] > 0:
            take_interval(take_elasticities(category_draws, j, price[j], values), tail, outcomes.elasticity[:, p, s])
        if outcomes.average.shape[2] > 0:
            add_elasticity(category_draws, j, price[j], values, bought, moved)
        if outcomes.markup.shape[1] > 0:
            outcomes.markup[p, s], outcomes.opportunity[p, s] = parts_of(category_draws, j, price[j])
    if outcomes.average.shape[2] > 0:
        for d in range(len(values)):
            values[d] = moved[d] / bought[d] if bought[d] > 0.0 else np.nan
        outcomes.average[0, category, s] = mean_of(values)
        take_interval(values, tail, outcomes.average[1:, category, s])


@compiled()
def mean_of(values):
    """Return the mean of values [D]."""
    total = 0.0
    for d in range(len(values)):
        total += values[d]
    return total / len(values)


@compiled()
def normalise_shares(category_draws, j, values):
    """Return values [D], filled with the probability of product j in each draw."""
    for d in range(len(values)):
        values[d] = category_draws.scale[j] * category_draws.odds[j, d] / category_draws.total[d]
    return values


@compiled()
def take_elasticities(category_draws, j, price, values):
    """Return values [D], filled with the own-price elasticity of product j in each draw."""
    normalise_shares(category_draws, j, values)
    for d in range(len(values)):
        values[d] = -category_draws.slope[j] * category_draws.factor[d] * price * (1.0 - values[d])
    return values


@compiled()
def add_elasticity(category_draws, j, price, values, bought, moved):
    """Add the probability of product j in each draw to bought [D], and this times its elasticity to moved [D]."""
    take_elasticities(category_draws, j, price, values)
    for d in range(len(values)):
        share = category_draws.scale[j] * category_draws.odds[j, d] / category_draws.total[d]
        bought[d] += share
        moved[d] += share * values[d]


@compiled()
def take_interval(values, tail, ends):
    """Sort values [D] and fill ends [2] with their quantiles at `tail` and 1 - tail, linear between two draws."""
    values.sort()
    for end in range(2):
        place = (tail if end == 0 else 1.0 - tail) * (len(values) - 1)
        below = int(place)
        above = min(below + 1, len(values) - 1)
        ends[end] = values[below] + (place - below) * (values[above] - values[below])


@compiled()
def parts_of(category_draws, j, price):
    """Return the sensitivity mark-up and the opportunity value of product j's price (see Outcomes)."""
    product, slope, scale = category_draws.products[j], category_draws.slope[j], category_draws.scale[j]
    margin = margin_at(price, product.weight, product.weighted_cost)
    chosen, braked, others = 0.0, 0.0, 0.0
    for d in range(len(category_draws.factor)):
        weight, steep = category_draws.odds[j, d] / category_draws.total[d], slope * category_draws.factor[d]
        share = scale * weight
        chosen += weight
        braked += weight * steep * max(1.0 - share, TINY)
        others += weight * steep * (category_draws.earned[d] / category_draws.total[d] - margin * share)
    return chosen / braked, others / (product.weight * braked)
