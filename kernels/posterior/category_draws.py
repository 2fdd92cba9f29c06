"""One category for one segment under all draws of its price sensitivity, in float64.

With R_d the worth of the category in draw d and m_j = omega_j (x_j - c_j), what is maximised is the mean over draws of
R_d = sum_j m_j P_jd. Its derivative is the mean of d R_d / d x_j = P_jd (omega_j - beta_jd (m_j - R_d)), and zero at

    x_j = c_j + sum_d P_jd (omega_j + beta_jd R_d) / (omega_j sum_d P_jd beta_jd)

of which Gallego and Wang's (2014) x_j = c_j + 1 / beta_j + R / omega_j is the case of one draw.
"""

from typing import NamedTuple

import numpy as np

from kernels.compiled import compiled
from kernels.formulas import LOWEST, drawn_utility, exponential, margin_at


class CategoryDraws(NamedTuple):
    """n products, their records and utility lines free, slope [n], and factor [D]; and working memory.

    odds [n, D]: e^(u - shift - top), of which the largest of each product is 1; scale [n]: e^top, 0 off the shelf;
    shift, total, earned [D]: the sums over the shelf are of scale * odds; rest_total, rest_worth [D]: total and R
    without the product that `leave_out` was asked for.
    """

    products: np.ndarray
    utility_at_zero: np.ndarray
    slope: np.ndarray
    factor: np.ndarray
    has_outside_option: bool
    odds: np.ndarray
    top: np.ndarray
    scale: np.ndarray
    shift: np.ndarray
    total: np.ndarray
    earned: np.ndarray
    rest_total: np.ndarray
    rest_value: np.ndarray


class Workspace(NamedTuple):
    """Working memory of one worker for scenes of up to n products and D draws."""

    lines: np.ndarray
    odds: np.ndarray
    sums: np.ndarray
    certain: np.ndarray


@compiled()
def new_workspace(longest, draws):
    """Return working memory."""
    return Workspace(np.empty((4, longest)), np.empty((longest, draws)), np.empty((5, draws)), np.ones(1))


@compiled()
def open_category_draws(workspace, products, has_outside_option, utility_at_zero, slope, factor, s):
    """Return the scene of some products for segment s, whose utility lines are in free, slope [n, S]."""
    n, draws = len(products), len(factor)
    lines, sums = workspace.lines, workspace.sums
    for j in range(n):
        lines[0, j], lines[1, j] = utility_at_zero[j, s], slope[j, s]
    return CategoryDraws(
        products, lines[0, :n], lines[1, :n], factor, has_outside_option, workspace.odds[:n, :draws], lines[2, :n],
        lines[3, :n], sums[0, :draws], sums[1, :draws], sums[2, :draws], sums[3, :draws], sums[4, :draws],
    )  # fmt: skip


@compiled()
def evaluate_prices(category_draws, price):
    """Fill the scene's odds and sums at prices [n]; return the mean over draws of what the category is worth."""
    take_utilities(category_draws, price)
    take_odds(category_draws, price)
    category_value = 0.0
    for d in range(len(category_draws.factor)):
        category_value += category_draws.earned[d] / category_draws.total[d]
    return category_value / len(category_draws.factor)


@compiled()
def take_utilities(category_draws, price):
    """Fill odds with utilities, and shift with the largest of the shelf, so that no sum overflows."""
    shift, factor = category_draws.shift, category_draws.factor
    for d in range(len(factor)):
        shift[d] = 0.0 if category_draws.has_outside_option else LOWEST
    for j in range(len(price)):
        product, odds = category_draws.products[j], category_draws.odds[j]
        for d in range(len(factor)):
            odds[d] = drawn_utility(
                price[j], category_draws.utility_at_zero[j], category_draws.slope[j], factor[d], product.reference_price
            )
        if product.on_shelf:
            for d in range(len(factor)):
                shift[d] = max(shift[d], odds[d])
    for d in range(len(factor)):
        shift[d] = 0.0 if shift[d] == LOWEST else shift[d]


@compiled()
def take_odds(category_draws, price):
    """Turn utilities into odds, and fill the sums; an empty shelf without outside option has a total of 1."""
    shift, total, earned = category_draws.shift, category_draws.total, category_draws.earned
    for d in range(len(shift)):
        total[d] = exponential(-shift[d]) if category_draws.has_outside_option else 0.0
        earned[d] = 0.0
    for j in range(len(price)):
        product, odds = category_draws.products[j], category_draws.odds[j]
        top = odds[0] - shift[0]
        for d in range(1, len(shift)):
            top = max(top, odds[d] - shift[d])
        for d in range(len(shift)):
            odds[d] = exponential(odds[d] - shift[d] - top)
        category_draws.top[j], category_draws.scale[j] = top, exponential(top) if product.on_shelf else 0.0
        add_odds(category_draws, j, margin_at(price[j], product.weight, product.weighted_cost), category_draws.scale[j])
    for d in range(len(shift)):
        total[d] = 1.0 if total[d] == 0.0 else total[d]


@compiled()
def add_odds(category_draws, j, margin, scale):
    """Add a product's odds, so many times, to the sums."""
    odds, total, earned = category_draws.odds[j], category_draws.total, category_draws.earned
    for d in range(len(total)):
        total[d] += scale * odds[d]
        earned[d] += margin * (scale * odds[d])


@compiled()
def stationary_price(category_draws, j):
    """Return the price at which the expected worth is stationary in that of product j, at the scene's shares."""
    odds, total, earned, factor = (
        category_draws.odds[j],
        category_draws.total,
        category_draws.earned,
        category_draws.factor,
    )
    product, slope, upper, lower = category_draws.products[j], category_draws.slope[j], 0.0, 0.0
    for d in range(len(factor)):
        share, steep = odds[d] / total[d], slope * factor[d]
        upper += share * (product.weight + steep * (earned[d] / total[d]))
        lower += share * steep
    return product.unit_cost + upper / (product.weight * lower)


@compiled()
def leave_out(category_draws, j, price):
    """Fill rest_total and rest_worth with the sums without product j, which has that price in them."""
    product, odds, scale = category_draws.products[j], category_draws.odds[j], category_draws.scale[j]
    margin = margin_at(price, product.weight, product.weighted_cost)
    for d in range(len(odds)):
        rest = max(category_draws.total[d] - scale * odds[d], 0.0)
        category_draws.rest_total[d] = rest
        category_draws.rest_value[d] = (
            (category_draws.earned[d] - margin * (scale * odds[d])) / rest if rest > 0.0 else 0.0
        )


@compiled()
def gain_at(category_draws, j, price):
    """Return what product j adds to the expected worth at a price, all others keeping theirs, times a constant.

    It is the mean of (m_j - R_d) P_jd with the R_d of the others. A product off the shelf adds nothing: of it, what
    the first to find it would, whom it takes nothing from.
    """
    product, on_shelf = category_draws.products[j], category_draws.products[j].on_shelf
    margin, scale = (
        margin_at(price, product.weight, product.weighted_cost),
        category_draws.scale[j] if on_shelf else 1.0,
    )
    gain = 0.0
    for d in range(len(category_draws.factor)):
        utility = drawn_utility(
            price,
            category_draws.utility_at_zero[j],
            category_draws.slope[j],
            category_draws.factor[d],
            product.reference_price,
        )
        odds = scale * exponential(utility - category_draws.shift[d] - category_draws.top[j])
        everything = category_draws.rest_total[d] + (odds if on_shelf else 0.0)
        gain += (margin - category_draws.rest_value[d]) * (odds / everything if everything > 0.0 else 0.0)
    return gain


@compiled()
def move(category_draws, j, before, price):
    """Change the sums to another price of product j."""
    product, odds = category_draws.products[j], category_draws.odds[j]
    add_odds(category_draws, j, margin_at(before, product.weight, product.weighted_cost), -category_draws.scale[j])
    for d in range(len(odds)):
        utility = drawn_utility(
            price,
            category_draws.utility_at_zero[j],
            category_draws.slope[j],
            category_draws.factor[d],
            product.reference_price,
        )
        odds[d] = exponential(utility - category_draws.shift[d] - category_draws.top[j])
    add_odds(category_draws, j, margin_at(price, product.weight, product.weighted_cost), category_draws.scale[j])
