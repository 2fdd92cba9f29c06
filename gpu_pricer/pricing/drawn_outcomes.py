"""Profit and price response under each posterior draw of the price sensitivities, and the intervals that follow."""

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from gpu_pricer.pricing.problem.pricing_problem import PricingProblem
from gpu_pricer.pricing.tiling import tiles_of
from gpu_pricer.tables.price_table import CENTS
from kernels import INTERVAL_ENDS, Draws, expected_outcomes

CELLS_AT_ONCE = 10_000_000
"""Products × segments × draws of one kernel call."""


class DrawnResponse(NamedTuple):
    """Choices of categories per visit and their response to price, under each draw, for each segment.

    choices [D, G, S]: expected choices of all products of a category. response [D, G, S]: the sum of the products'
    choices times own-price elasticities, so that sums of both, weighted with visits, give mean elasticities.
    """

    choices: np.ndarray
    response: np.ndarray


class UnitValue(NamedTuple):
    """What a unit of P products counts at a price in currency, share · price − cost: share [P], above 0; cost [P]."""

    share: np.ndarray
    cost: np.ndarray


def profit_of(problem: PricingProblem) -> UnitValue:
    """Return what a unit earns after VAT."""
    return UnitValue(problem.products.net_share, problem.products.cost)


def drawn_profit(problem: PricingProblem, draws: Draws, price: np.ndarray, value: UnitValue) -> np.ndarray:
    """Return what a period's visits are worth under each draw [D], in currency; price int64 cents [P, S] or [P, 1]."""
    return drawn_category_profit(problem, draws, price, value).sum(axis=1)


def drawn_category_profit(problem: PricingProblem, draws: Draws, price: np.ndarray, value: UnitValue) -> np.ndarray:
    """Return what each category is worth under each draw [D, G]; see drawn_profit."""
    products, visits = problem.products, problem.segments.visits
    profit = np.zeros((draws.factor.shape[2], problem.category_count))
    for first, last in _tiles(problem, draws):
        tile = problem.product_slice(first, last)
        demand = problem.demand.tile(tile.start, tile.stop)
        weight = products.units_per_choice[tile] * value.share[tile]
        unit_cost = CENTS * value.cost[tile] / value.share[tile]
        inputs = replace(problem.pricing_inputs(first, last), weight=weight, unit_cost=unit_cost)
        found = expected_outcomes(demand, inputs, draws.of_categories(first, last), price[tile], "draw_values")
        profit[:, first:last] = found.draw_value @ visits
    return profit / CENTS


def drawn_responses(problem: PricingProblem, draws: Draws, price: np.ndarray) -> Iterator[DrawnResponse]:
    """Yield the choices and their response at prices [P, S] or [P, 1] in cents, some categories after the other."""
    for first, last in _tiles(problem, draws):
        tile = problem.product_slice(first, last)
        demand, inputs = problem.demand.tile(tile.start, tile.stop), problem.pricing_inputs(first, last)
        found = expected_outcomes(demand, inputs, draws.of_categories(first, last), price[tile], "drawn_response")
        yield DrawnResponse(found.drawn_choices, found.drawn_response)


def interval(values: np.ndarray) -> tuple[float, float]:
    """Return the quantiles INTERVAL_ENDS of values [D]."""
    low, high = np.quantile(values, INTERVAL_ENDS)
    return float(low), float(high)


def drawn_intervals(problem: PricingProblem, draws: Draws, price: np.ndarray) -> dict[str, tuple[float, float]]:
    """Return the 90 % intervals of a version's changes from today's prices: units and price_index; price [P, S] cents.

    units: relative change of a period's units. price_index: revenue over what the same units bring at today's prices.
    The profit with a cost of zero is revenue, with the VAT that shoppers pay, and one currency unit of cost per unit
    takes off the units.
    """
    today = problem.products.today[:, None].astype(np.int64)
    whole = np.ones(len(today))
    no_cost, one = UnitValue(whole, np.zeros(len(today))), UnitValue(whole, whole)
    revenue = drawn_profit(problem, draws, price, no_cost)
    units = revenue - drawn_profit(problem, draws, price, one)
    at_today = drawn_profit(problem, draws, today, no_cost) - drawn_profit(problem, draws, today, one)
    moved = drawn_profit(problem, draws, price, UnitValue(whole, problem.products.today / CENTS))
    return {"units": interval(units / at_today - 1), "price_index": interval(revenue / (revenue - moved))}


def _tiles(problem: PricingProblem, draws: Draws) -> Iterator[tuple[int, int]]:
    """Yield ranges of categories, from the first to before the last, of about CELLS_AT_ONCE cells and draws each."""
    cells = CELLS_AT_ONCE // draws.factor.shape[2]
    yield from tiles_of(problem.products.category_start, max(cells // len(problem.segments.visits), 1))
