"""What the demand says of each product on the shelf: units and profit at today's prices, elasticity, demand curve.

All sums are over a period's visits of all segments, by the demand's own sensitivities, in float64.
"""

from dataclasses import dataclass

import numpy as np

from gpu_pricer.pricing.problem.pricing_problem import PricingProblem
from gpu_pricer.pricing.tiling import tiles_of
from gpu_pricer.tables.price_table import CENTS
from kernels import Shelf, choice_probabilities, in_double, own_elasticities, utility_lines
from kernels.tile import dissimilarity_of

POINTS = 9
"""Prices of a demand curve."""

CELLS_AT_ONCE = 400_000
"""Products × segments whose demand curves are computed at once: POINTS float64 numbers each."""


@dataclass(frozen=True)
class DemandFigures:
    """The demand for P products of S segments.

    units_today, profit_today [P]: at today's prices, profit in currency. elasticity [P]: the change in % of a product's
    units for 1 % more on its price in all segments, at the new prices; NaN without units. by_segment [S]: the mean over
    all products, weighted with their units. curve_price [P, POINTS]: prices in currency. curve_units [P, POINTS]: units
    of the product when all segments see this price of it and the new prices of all other products.
    """

    units_today: np.ndarray
    profit_today: np.ndarray
    elasticity: np.ndarray
    by_segment: np.ndarray
    curve_price: np.ndarray
    curve_units: np.ndarray


def demand_figures(problem: PricingProblem, price: np.ndarray, support: np.ndarray) -> DemandFigures:
    """Return the figures at new prices [P, S] in cents; support [P, 2]: prices that training saw, in currency."""
    count, segments = price.shape
    products, visits = problem.products, problem.segments.visits
    units_today, units, response = np.zeros(count), np.zeros((count, segments)), np.zeros((count, segments))
    curve_price = curve_prices(problem, price, support)
    curve_units = np.zeros_like(curve_price)
    for first, last in tiles_of(products.category_start, max(CELLS_AT_ONCE // segments, 1)):
        tile, shelf = problem.product_slice(first, last), problem.shelf(first, last)
        demand = in_double(problem.demand.tile(tile.start, tile.stop))
        weight = products.units_per_choice[tile, None] * visits
        today = choice_probabilities(demand, shelf, products.today[tile, None].astype(np.float64))
        share = choice_probabilities(demand, shelf, price[tile].astype(np.float64))
        slope = utility_lines(demand, shelf)[1]
        units_today[tile], units[tile] = (weight * today).sum(axis=1), weight * share
        response[tile] = own_elasticities(share, price[tile], slope, shelf) * units[tile]
        step = CENTS * curve_price[tile, None, :] - price[tile, :, None]
        moved = moved_shares(shelf, share, slope[..., None] * step)
        curve_units[tile] = (weight[..., None] * moved).sum(axis=1)
    margin = products.margin(products.today / CENTS)
    with np.errstate(invalid="ignore"):
        elasticity = response.sum(axis=1) / units.sum(axis=1)
        by_segment = response.sum(axis=0) / units.sum(axis=0)
    return DemandFigures(units_today, units_today * margin, elasticity, by_segment, curve_price, curve_units)


def moved_shares(shelf: Shelf, share: np.ndarray, loss: np.ndarray) -> np.ndarray:
    """Return the choice probabilities [n, S, K] of products, each when its own utility alone falls by `loss` [n, S, K].

    share [n, S]: before.
    """
    moved = share_after(share[..., None], loss)
    sizes = np.diff(shelf.category_start)
    dissimilarity = np.repeat(dissimilarity_of(shelf, share.dtype), sizes)
    bought = np.repeat(np.add.reduceat(share, shelf.category_start[:-1]), sizes, axis=0)
    nested = np.flatnonzero(dissimilarity < 1)
    if len(nested):
        before = (share[nested, :, None], bought[nested, :, None], dissimilarity[nested, None, None])
        moved[nested] = nested_share_after(*before, loss[nested])
    return moved


def nested_share_after(
    share: np.ndarray, bought: np.ndarray, dissimilarity: np.ndarray, loss: np.ndarray
) -> np.ndarray:
    """Return what share_after returns where the odds of buying in the category are those of V^dissimilarity.

    bought: the probability that the category is bought before. V, the sum of e^u, falls to the share `rest` of itself.
    """
    within = share / np.maximum(bought, np.finfo(np.float64).tiny)
    kept = within * np.exp(-loss)
    rest = np.maximum(1 - within + kept, np.finfo(np.float64).tiny)
    odds = bought / (1 - bought) * rest**dissimilarity
    return kept / rest * odds / (1 + odds)


def share_after(share: np.ndarray, loss: np.ndarray) -> np.ndarray:
    """Return the choice probability of a product whose utility falls by `loss` while all others keep theirs.

    The odds against the rest of the shelf and buying nothing fall by the factor exp(−loss), so that no other product's
    utility is needed. share, loss: of equal or broadcast shapes.
    """
    odds = share * np.exp(-loss)
    return odds / (1 - share + odds)


def curve_prices(problem: PricingProblem, price: np.ndarray, support: np.ndarray) -> np.ndarray:
    """Return POINTS evenly spaced prices per product in currency, [P, POINTS].

    They span today's price, the new prices [P, S] in cents, the allowed range and what training saw (support [P, 2]).
    The allowed range of a product without limits is not part of them.
    """
    today, limits = problem.products.today, problem.limits
    low = np.minimum.reduce([today, price.min(axis=1), CENTS * support[:, 0]])
    high = np.maximum.reduce([today, price.max(axis=1), CENTS * support[:, 1]])
    allowed = [np.clip(end, low / 2, high * 2) for end in (limits.low, limits.high)]
    low, high = np.minimum(low, allowed[0]), np.maximum(high, allowed[1])
    return np.linspace(low, high, POINTS, axis=1) / CENTS
