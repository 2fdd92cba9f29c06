"""Probabilities, elasticities and parts of a price under all draws of the price sensitivity: means and intervals."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from kernels.checks import require
from kernels.compiled import compiled
from kernels.posterior.category_draws import margin_of

INTERVAL_ENDS = (0.05, 0.95)
"""The quantiles between which a 90 % interval lies."""

LEAST_OTHERS = 1e-9
"""The least 1 - P that the parts of a price are computed with; with 1 - P = 0 they would be infinite."""


class OutcomeGroups(NamedTuple):
    """Which groups of outcomes are requested; Outcomes says which arrays a group holds."""

    means: bool
    probability_interval: bool
    elasticity_interval: bool
    drawn_response: bool
    price_parts: bool
    draw_values: bool


class Outcomes(NamedTuple):
    """What prices lead to, float64, by group; the arrays of a group that is not requested are empty.

    means: probability [P, S] and category_value [G, S], R in cents per visit, both means over the draws.
    probability_interval, elasticity_interval [2, P, S]: the quantiles INTERVAL_ENDS over the draws of the probability P
    and of the own-price elasticity -beta x (1 - P); in a nested category, see nesting, P times `switching` stands here
    and below for P in 1 - P.
    drawn_response: drawn_choices and drawn_response [D, G, S], in each draw the sum of the products' probabilities and
    that of probability times own-price elasticity; the second over the first is the category's mean elasticity.
    price_parts: markup and opportunity [P, S], the sensitivity mark-up and the opportunity value of a stationary price
    in cents: sum P / sum w and sum P beta O / (omega sum w), sums over the draws, with w = P beta (1 - P) and O what
    the category's other products earn.
    draw_values: draw_value [D, G, S], R in cents per visit in each draw.
    """

    probability: np.ndarray
    category_value: np.ndarray
    probability_interval: np.ndarray
    elasticity_interval: np.ndarray
    drawn_choices: np.ndarray
    drawn_response: np.ndarray
    markup: np.ndarray
    opportunity: np.ndarray
    draw_value: np.ndarray


def groups_of(names: Sequence[str]) -> OutcomeGroups:
    """Return the groups with these names. Raises ValueError for a name that is not a field of OutcomeGroups."""
    known = OutcomeGroups._fields
    require(set(names) <= set(known), f"groups of outcomes must be among {', '.join(known)}", ", ".join(names))
    return OutcomeGroups(**{name: name in names for name in known})


def new_outcomes(products: int, segments: int, categories: int, draws: int, requested: OutcomeGroups) -> Outcomes:
    """Return outcomes to be filled: arrays of the requested groups, and empty arrays for the other groups."""

    def array(is_requested: bool, *shape: int) -> np.ndarray:
        """Return an array of the shape to be filled, empty unless requested."""
        return np.empty(shape if is_requested else (0,) * len(shape))

    return Outcomes(
        probability=array(requested.means, products, segments),
        category_value=array(requested.means, categories, segments),
        probability_interval=array(requested.probability_interval, 2, products, segments),
        elasticity_interval=array(requested.elasticity_interval, 2, products, segments),
        drawn_choices=array(requested.drawn_response, draws, categories, segments),
        drawn_response=array(requested.drawn_response, draws, categories, segments),
        markup=array(requested.price_parts, products, segments),
        opportunity=array(requested.price_parts, products, segments),
        draw_value=array(requested.draw_values, draws, categories, segments),
    )


@compiled()
def fill_outcomes(category_draws, price, requested, outcomes, workspace, category, first, s):
    """Fill the requested outcomes of one category and segment s at prices [n], except category_value.

    The category's products are those from `first` on. In the workspace, bought [D] is the sum of the products'
    probabilities, moved [D] the sum of probability times elasticity, and draw_value [D] holds one quantity in all
    draws.
    """
    draws = len(category_draws.factor)
    values, bought, moved = workspace.draw_value[:draws], workspace.bought[:draws], workspace.moved[:draws]
    for d in range(draws):
        bought[d] = moved[d] = 0.0
    if requested.draw_values:
        for d in range(outcomes.draw_value.shape[0]):
            own = d if draws > 1 else 0  # a category without draws has one value
            outcomes.draw_value[d, category, s] = category_draws.earned[own] / category_draws.total[own]
    for j in range(len(price)):
        p = first + j
        if requested.means:
            outcomes.probability[p, s] = mean_of(fill_probabilities(category_draws, j, values))
        if requested.probability_interval:
            fill_interval(fill_probabilities(category_draws, j, values), outcomes.probability_interval[:, p, s])
        if requested.elasticity_interval:
            fill_elasticities(category_draws, j, price[j], values)
            fill_interval(values, outcomes.elasticity_interval[:, p, s])
        if requested.drawn_response:
            add_elasticity(category_draws, j, price[j], values, bought, moved)
        if requested.price_parts:
            outcomes.markup[p, s], outcomes.opportunity[p, s] = parts_of(category_draws, j, price[j])
    if requested.drawn_response:
        for d in range(outcomes.drawn_choices.shape[0]):
            own = d if draws > 1 else 0
            outcomes.drawn_choices[d, category, s] = bought[own]
            outcomes.drawn_response[d, category, s] = moved[own]


@compiled()
def mean_of(values):
    """Return the mean of values [D]."""
    total = 0.0
    for d in range(len(values)):
        total += values[d]
    return total / len(values)


@compiled()
def probability_in_draw(category_draws, j, d):
    """Return the probability of product j in draw d."""
    return category_draws.scale[j] * category_draws.odds[j, d] / category_draws.total[d]


@compiled()
def fill_probabilities(category_draws, j, values):
    """Return values [D], filled with the probability of product j in each draw."""
    for d in range(len(values)):
        values[d] = probability_in_draw(category_draws, j, d)
    return values


@compiled()
def fill_elasticities(category_draws, j, price, values):
    """Fill values [D] with the own-price elasticity of product j in each draw; price in cents."""
    fill_probabilities(category_draws, j, values)
    for d in range(len(values)):
        kept = 1.0 - values[d] * category_draws.switching[d]
        values[d] = -category_draws.slope[j] * category_draws.factor[d] * price * kept


@compiled()
def add_elasticity(category_draws, j, price, values, bought, moved):
    """Add the probability of product j in each draw to bought [D], and probability times elasticity to moved [D]."""
    fill_elasticities(category_draws, j, price, values)
    for d in range(len(values)):
        share = probability_in_draw(category_draws, j, d)
        bought[d] += share
        moved[d] += share * values[d]


@compiled()
def fill_interval(values, ends):
    """Sort values [D] and fill ends [2] with their quantiles INTERVAL_ENDS, linear between two draws."""
    values.sort()
    for end in range(2):
        place = INTERVAL_ENDS[end] * (len(values) - 1)
        below = int(place)
        above = min(below + 1, len(values) - 1)
        ends[end] = values[below] + (place - below) * (values[above] - values[below])


@compiled()
def parts_of(category_draws, j, price):
    """Return the sensitivity mark-up and the opportunity value of product j's price (see Outcomes), in cents.

    A common factor of all P_jd cancels in both parts, so the sums use odds / total, which is not 0 off the shelf.
    """
    slope, scale, margin = category_draws.slope[j], category_draws.scale[j], margin_of(category_draws, j, price)
    chosen, braked, others = 0.0, 0.0, 0.0
    for d in range(len(category_draws.factor)):
        weight, steep = category_draws.odds[j, d] / category_draws.total[d], slope * category_draws.factor[d]
        switching = category_draws.switching[d]
        share = scale * weight * switching
        chosen += weight
        braked += weight * steep * max(1.0 - share, LEAST_OTHERS)
        others += weight * steep * (category_draws.earned[d] / category_draws.total[d] * switching - margin * share)
    return chosen / braked, others / (category_draws.products[j].weight * braked)
