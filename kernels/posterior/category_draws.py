"""One category for one segment under D draws of its price sensitivity, in float64.

In draw d, P_jd is the probability that product j is chosen, m_j = omega_j (x_j - c_j) its weighted margin, and
R_d = sum_j m_j P_jd the category's expected profit. The best prices maximise the mean of R_d over the draws. The
derivative of R_d with respect to x_j is P_jd (omega_j - beta_jd (m_j - R_d)), and the sum over the draws is zero at

    x_j = c_j + sum_d P_jd (omega_j + beta_jd R_d) / (omega_j sum_d P_jd beta_jd)

With a single draw this is the stationary price of Gallego and Wang (2014), x_j = c_j + 1 / beta_j + R / omega_j. In a
category whose dissimilarity is below 1, T_d = R_d * switching_d stands for R_d in both formulas: R_d = M_d / g(V_d) in
the symbols of nesting, and T_d = R_d g'(V_d). The dissimilarity is the same in all draws.
"""

from typing import NamedTuple

import numpy as np

from kernels.compiled import compiled
from kernels.formulas import LOWEST, drawn_utility, exponential, margin_at
from kernels.nesting import logarithm, outside_weight, switching_factor


class CategoryDraws(NamedTuple):
    """A category's n products for one segment, its D draws, and its choices at one set of prices.

    These are given:
    products [n]: records (see product_records);
    utility_at_zero, slope [n]: the utility at a price of 0 and the utility that each cent takes off, without draws;
    factor [D]: the factor by which each draw multiplies the sensitivity;
    has_outside_option: whether a visit may choose nothing;
    dissimilarity: gamma, 1 without an outside option.

    `evaluate_prices` fills these, so that P_jd = scale_j odds_jd / total_d and R_d = earned_d / total_d:
    odds [n, D]: e^(u - shift - top), at most 1;
    top [n]: the largest u - shift of a product over the draws;
    scale [n]: e^top, but 0 for a product off the shelf;
    shift [D]: the largest utility on the shelf, the outside option's 0 included;
    inner [D]: in a nested category, the sum of scale * odds over the products;
    total [D]: the same and the outside option's weight, which is e^-shift unless nested;
    earned [D]: the sum of m * scale * odds, in cents;
    switching [D]: what P_jd is multiplied with where it stands for the choosers that a higher x_j moves to rivals;
    1 unless nested.

    `one_price.leave_out` fills these:
    rest_inner, rest_total, rest_value [D]: inner, total and R_d without one product.
    """

    products: np.ndarray
    utility_at_zero: np.ndarray
    slope: np.ndarray
    factor: np.ndarray
    has_outside_option: bool
    dissimilarity: float
    odds: np.ndarray
    top: np.ndarray
    scale: np.ndarray
    shift: np.ndarray
    inner: np.ndarray
    total: np.ndarray
    earned: np.ndarray
    switching: np.ndarray
    rest_inner: np.ndarray
    rest_total: np.ndarray
    rest_value: np.ndarray


class Workspace(NamedTuple):
    """One worker's memory, for categories of up to n products and D draws.

    price, trial, best [n] are for the price search; draw_value, bought, moved [D] for the outcomes (see fill_outcomes);
    single_factor [1] is the factor 1 of a category without draws; the other fields are as in CategoryDraws.
    """

    utility_at_zero: np.ndarray
    slope: np.ndarray
    top: np.ndarray
    scale: np.ndarray
    price: np.ndarray
    trial: np.ndarray
    best: np.ndarray
    odds: np.ndarray
    shift: np.ndarray
    inner: np.ndarray
    total: np.ndarray
    earned: np.ndarray
    switching: np.ndarray
    rest_inner: np.ndarray
    rest_total: np.ndarray
    rest_value: np.ndarray
    draw_value: np.ndarray
    bought: np.ndarray
    moved: np.ndarray
    single_factor: np.ndarray


@compiled()
def new_workspace(longest, draws):
    """Return the memory of a worker for categories of up to `longest` products."""
    return Workspace(
        utility_at_zero=np.empty(longest),
        slope=np.empty(longest),
        top=np.empty(longest),
        scale=np.empty(longest),
        price=np.empty(longest),
        trial=np.empty(longest),
        best=np.empty(longest),
        odds=np.empty((longest, draws)),
        shift=np.empty(draws),
        inner=np.empty(draws),
        total=np.empty(draws),
        earned=np.empty(draws),
        switching=np.empty(draws),
        rest_inner=np.empty(draws),
        rest_total=np.empty(draws),
        rest_value=np.empty(draws),
        draw_value=np.empty(draws),
        bought=np.empty(draws),
        moved=np.empty(draws),
        single_factor=np.ones(1),
    )


@compiled()
def open_category_draws(workspace, products, has_outside_option, dissimilarity, utility_at_zero, slope, factor, s):
    """Return the CategoryDraws of a category for segment s, with its odds and sums not filled yet.

    utility_at_zero, slope [n, S]: column s is copied into the workspace. factor [D]: see CategoryDraws.
    """
    n, draws = len(products), len(factor)
    for j in range(n):
        workspace.utility_at_zero[j], workspace.slope[j] = utility_at_zero[j, s], slope[j, s]
    return CategoryDraws(
        products=products,
        utility_at_zero=workspace.utility_at_zero[:n],
        slope=workspace.slope[:n],
        factor=factor,
        has_outside_option=has_outside_option,
        dissimilarity=dissimilarity,
        odds=workspace.odds[:n, :draws],
        top=workspace.top[:n],
        scale=workspace.scale[:n],
        shift=workspace.shift[:draws],
        inner=workspace.inner[:draws],
        total=workspace.total[:draws],
        earned=workspace.earned[:draws],
        switching=workspace.switching[:draws],
        rest_inner=workspace.rest_inner[:draws],
        rest_total=workspace.rest_total[:draws],
        rest_value=workspace.rest_value[:draws],
    )


@compiled()
def evaluate_prices(category_draws, price):
    """Fill the odds and sums at prices [n] in cents; return the mean of R_d over the draws."""
    fill_utilities(category_draws, price)
    fill_odds(category_draws, price)
    category_value = 0.0
    for d in range(len(category_draws.factor)):
        category_value += category_draws.earned[d] / category_draws.total[d]
    return category_value / len(category_draws.factor)


@compiled()
def fill_utilities(category_draws, price):
    """Fill `odds` with utilities, and `shift` with the largest one on the shelf, so that no sum overflows."""
    shift = category_draws.shift
    for d in range(len(shift)):
        shift[d] = 0.0 if category_draws.has_outside_option else LOWEST
    for j in range(len(price)):
        odds = category_draws.odds[j]
        for d in range(len(shift)):
            odds[d] = utility_in_draw(category_draws, j, price[j], d)
        if category_draws.products[j].on_shelf:
            for d in range(len(shift)):
                shift[d] = max(shift[d], odds[d])
    for d in range(len(shift)):
        shift[d] = 0.0 if shift[d] == LOWEST else shift[d]


@compiled()
def fill_odds(category_draws, price):
    """Turn utilities into odds and fill the sums; the total of an empty shelf without outside option is set to 1."""
    shift, total, earned = category_draws.shift, category_draws.total, category_draws.earned
    is_nested = category_draws.dissimilarity < 1.0
    for d in range(len(shift)):
        total[d] = exponential(-shift[d]) if category_draws.has_outside_option and not is_nested else 0.0
        earned[d], category_draws.switching[d] = 0.0, 1.0
    for j in range(len(price)):
        product, odds = category_draws.products[j], category_draws.odds[j]
        top = odds[0] - shift[0]
        for d in range(1, len(shift)):
            top = max(top, odds[d] - shift[d])
        for d in range(len(shift)):
            odds[d] = exponential(odds[d] - shift[d] - top)
        category_draws.top[j], category_draws.scale[j] = top, exponential(top) if product.on_shelf else 0.0
        add_odds(category_draws, j, price[j], category_draws.scale[j])
    if is_nested:
        add_outside(category_draws)
    for d in range(len(shift)):
        total[d] = 1.0 if total[d] == 0.0 else total[d]


@compiled()
def add_outside(category_draws):
    """Move a nested category's `total` to `inner`, add the outside option's weight to it, and fill `switching`."""
    total = category_draws.total
    for d in range(len(total)):
        inner = max(total[d], 0.0)
        category_draws.inner[d], category_draws.switching[d] = inner, 1.0
        if inner > 0.0:
            depth = logarithm(inner) + category_draws.shift[d]
            category_draws.switching[d] = switching_factor(depth, category_draws.dissimilarity)
        total[d] = inner + outside_in_draw(category_draws, inner, d)


@compiled()
def outside_in_draw(category_draws, inner, d):
    """Return the weight of a nested category's outside option in draw d, where the products' weights sum to `inner`."""
    depth = logarithm(inner) + category_draws.shift[d] if inner > 0.0 else 0.0
    return outside_weight(inner, depth, category_draws.dissimilarity)


@compiled()
def utility_in_draw(category_draws, j, price, d):
    """Return the utility of product j at a price in draw d."""
    reference_price, factor = category_draws.products[j].reference_price, category_draws.factor[d]
    return drawn_utility(price, category_draws.utility_at_zero[j], category_draws.slope[j], factor, reference_price)


@compiled()
def odds_in_draw(category_draws, j, price, d):
    """Return e^(u - shift - top) of product j at a price in draw d, with the present shift and top."""
    return exponential(utility_in_draw(category_draws, j, price, d) - category_draws.shift[d] - category_draws.top[j])


@compiled()
def margin_of(category_draws, j, price):
    """Return m_j, the weighted margin of product j at a price, in cents."""
    product = category_draws.products[j]
    return margin_at(price, product.weight, product.weighted_cost)


@compiled()
def add_odds(category_draws, j, price, scale):
    """Add scale * odds of product j to `total`, and this times its margin at the price to `earned`."""
    odds, total, earned = category_draws.odds[j], category_draws.total, category_draws.earned
    margin = margin_of(category_draws, j, price)
    for d in range(len(total)):
        total[d] += scale * odds[d]
        earned[d] += margin * (scale * odds[d])


@compiled()
def stationary_price(category_draws, j):
    """Return the price x_j in cents of the module's formula for product j, at the present probabilities."""
    product, slope, odds = category_draws.products[j], category_draws.slope[j], category_draws.odds[j]
    total, earned, upper, lower = category_draws.total, category_draws.earned, 0.0, 0.0
    for d in range(len(total)):
        share, steep = odds[d] / total[d], slope * category_draws.factor[d]
        upper += share * (product.weight + steep * (earned[d] / total[d] * category_draws.switching[d]))
        lower += share * steep
    return product.unit_cost + upper / (product.weight * lower)
