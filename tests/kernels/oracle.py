"""A slow, obvious float64 oracle of one category and one segment; it imports nothing of ours."""

from itertools import product

import numpy as np
from scipy.optimize import minimize


def choice(utility, on_shelf, has_outside_option, dissimilarity=1.0):
    """Return the (nested) logit probabilities [n] of the products on the shelf."""
    if has_outside_option and dissimilarity < 1 and on_shelf.any():
        within = choice(utility, on_shelf, False)
        inclusive = np.logaddexp.reduce(utility[on_shelf])
        return within / (1 + np.exp(-dissimilarity * inclusive))
    peak = max([0.0] * has_outside_option + list(utility[on_shelf]), default=0.0)
    weight = np.where(on_shelf, np.exp(utility - peak), 0.0)
    total = weight.sum() + (np.exp(-peak) if has_outside_option else 0.0)
    return weight / total if total > 0 else weight


def profit(price, category):
    """Return sum omega (x - c) P at the prices [n]."""
    utility = category["appeal"] - category["sensitivity"] * (price / category["reference_price"] - 1)
    dissimilarity = category.get("dissimilarity", 1.0)
    probability = choice(utility, category["on_shelf"], category["has_outside_option"], dissimilarity)
    return float(np.sum(category["weight"] * (price - category["unit_cost"]) * probability))


def best_profit(rungs, category):
    """Return the highest profit over every combination of the shelf's rungs, a list per product."""
    candidates = [
        prices if is_on_shelf else prices[:1] for prices, is_on_shelf in zip(rungs, category["on_shelf"], strict=True)
    ]
    return max(profit(np.array(prices, float), category) for prices in product(*candidates))


def best_interior_profit(category, low, high, starts):
    """Return the highest profit over continuous prices in [low, high], by L-BFGS-B from every one of the starts."""
    scale = high - low

    def loss(place):
        return -profit(low + scale * place, category)

    found = [minimize(loss, start, method="L-BFGS-B", bounds=[(0, 1)] * len(low)).fun for start in starts]
    return -min(found)


def rungs_between(low, high, period, endings):
    """Return the rungs in [low, high], and low and high, by listing whole cents."""
    return [cents for cents in range(int(low), int(high) + 1) if cents % period in endings or cents in (low, high)]


def outside(prices, gap_low, kept, gap_high):
    """Return the prices outside the gap, and the kept one."""
    return sorted({*(price for price in prices if not gap_low < price < gap_high), int(kept)})
