"""How the expected profit over the draws depends on the price of one product, with all other prices fixed."""

import math

from kernels.compiled import compiled
from kernels.posterior.category_draws import add_odds, add_outside, margin_of, odds_in_draw, outside_in_draw


@compiled()
def leave_out(category_draws, j, price):
    """Fill `rest_...` with the sums without product j; `price` is product j's price in the sums."""
    odds, scale = category_draws.odds[j], category_draws.scale[j]
    margin, is_nested = margin_of(category_draws, j, price), category_draws.dissimilarity < 1.0
    for d in range(len(odds)):
        if is_nested:
            inner = max(category_draws.inner[d] - scale * odds[d], 0.0)
            category_draws.rest_inner[d], rest = inner, inner + outside_in_draw(category_draws, inner, d)
        else:
            rest = max(category_draws.total[d] - scale * odds[d], 0.0)
        earned = category_draws.earned[d] - margin * (scale * odds[d])
        category_draws.rest_total[d] = rest
        category_draws.rest_value[d] = earned / rest if rest > 0.0 else 0.0


@compiled()
def marginal_contribution(category_draws, j, price):
    """Return product j's marginal contribution to the mean of R_d at `price`, up to a positive factor.

    All other prices stay; `leave_out` must have filled the sums without j. The contribution is the mean over the draws
    of (m_j - R_d) P_jd, where R_d is the expected profit of the other products. If j is off the shelf, P_jd is 0; the
    result is then the contribution in the limit of a vanishing availability, which has the same best price.
    """
    if category_draws.dissimilarity < 1.0:
        return nested_contribution(category_draws, j, price)
    on_shelf = category_draws.products[j].on_shelf
    margin, scale = margin_of(category_draws, j, price), category_draws.scale[j] if on_shelf else 1.0
    contribution = 0.0
    for d in range(len(category_draws.factor)):
        odds = scale * odds_in_draw(category_draws, j, price, d)
        total = category_draws.rest_total[d] + (odds if on_shelf else 0.0)
        contribution += (margin - category_draws.rest_value[d]) * (odds / total if total > 0.0 else 0.0)
    return contribution


@compiled()
def nested_contribution(category_draws, j, price):
    """Return what marginal_contribution returns, in a nested category.

    Product j of weight w adds w to `inner` and h to the outside option's weight, so that R_d becomes
    (R_d total + m_j w) / (total + w + h), which is larger by (m_j w - R_d (w + h)) / (total + w + h); total and R_d are
    those without j. As w vanishes, (w + h) / w becomes `switching`.
    """
    on_shelf, margin, contribution = category_draws.products[j].on_shelf, margin_of(category_draws, j, price), 0.0
    for d in range(len(category_draws.factor)):
        odds = odds_in_draw(category_draws, j, price, d)
        total, value = category_draws.rest_total[d], category_draws.rest_value[d]
        if on_shelf:
            weight = category_draws.scale[j] * odds
            added = weight + added_outside(category_draws, weight, d)
            contribution += (margin * weight - value * added) / (total + added)
        else:
            contribution += (margin - value * category_draws.switching[d]) * (odds / total)
    return contribution


@compiled()
def added_outside(category_draws, weight, d):
    """Return how much `weight` on top of rest_inner adds to the outside option's weight, which is a power of the sum.

    A small weight would vanish in the difference of two powers.
    """
    inner, before = category_draws.rest_inner[d], category_draws.rest_total[d] - category_draws.rest_inner[d]
    if weight < inner:
        return before * math.expm1((1.0 - category_draws.dissimilarity) * math.log1p(weight / inner))
    return outside_in_draw(category_draws, inner + weight, d) - before


@compiled()
def change_price(category_draws, j, before, price):
    """Change product j's odds, and the sums, from those at the price `before` to those at `price`, in cents."""
    odds, scale, is_nested = category_draws.odds[j], category_draws.scale[j], category_draws.dissimilarity < 1.0
    if is_nested:
        for d in range(len(odds)):
            category_draws.total[d] = category_draws.inner[d]
    add_odds(category_draws, j, before, -scale)
    for d in range(len(odds)):
        odds[d] = odds_in_draw(category_draws, j, price, d)
    add_odds(category_draws, j, price, scale)
    if is_nested:
        add_outside(category_draws)
