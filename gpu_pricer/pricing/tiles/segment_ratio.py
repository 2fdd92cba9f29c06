"""The limit `max_segment_ratio` of a product's highest price over all segments, divided by its lowest.

A ratio of 1.0 is one price for all segments. The level of a product is its lowest price over all segments. With the
levels given, the kernels find the best price of every segment inside the ranges [level, ratio * level]; but the profit
is not concave in the levels. So the levels are searched from several starts, without a claim to the global optimum. A
step moves all levels of a category to where a first-order model (`kernels.segment_ratio`) promises the most. If that
does not raise the profit, the step moves only the level with the largest promised gain.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from gpu_pricer.policy.rates import millionths
from gpu_pricer.pricing.problem.pricing_problem import PricingProblem
from kernels import Demand, PricedCells, PricingInputs, price_cells
from kernels.segment_ratio import MILLION, RatioTile, ratio_tile

MOST_STEPS = 30
"""Steps from one start at most."""

NOISE = 1e-7
"""Relative gain of profit that counts as rounding, because the kernels sum in float32."""

PriceCells = Callable[[PricingInputs], PricedCells]


def within_ratio(
    problem: PricingProblem, demand: Demand, inputs: PricingInputs, categories: tuple[int, int], backend: str
) -> PricingInputs:
    """Return the inputs with the bounds that keep the problem's bounds.max_segment_ratio; unchanged without one.

    demand, inputs: of all segments and of the categories from the first one to the one before the last.
    """
    if problem.bounds.max_segment_ratio is None:
        return inputs

    def price(narrowed: PricingInputs) -> PricedCells:
        """Return the best prices within narrowed bounds."""
        return price_cells(demand, narrowed, backend)

    levels = ratio_tile(demand, inputs, millionths(problem.bounds.max_segment_ratio))
    today = problem.products.today[problem.product_slice(*categories)]
    return limit_ratio(levels, inputs, price, problem.segments.visits, today)


@dataclass
class PricedLevels:
    """Levels, the best cells inside the ranges of these levels, and the profit of these cells.

    level [P]: in cents; cells: as the kernels price them, of which only price and category_value are used; value
    float64 [G]: the expected profit of each category over a period's visits, in cents.
    """

    level: np.ndarray
    cells: PricedCells
    value: np.ndarray


def limit_ratio(
    tile: RatioTile, inputs: PricingInputs, price: PriceCells, visits: np.ndarray, today: np.ndarray
) -> PricingInputs:
    """Return the inputs with the bounds [P] of the best ranges found, in categories whose best prices break the ratio.

    Other categories keep their bounds. price: a function that returns the kernels' best cells for pricing inputs;
    visits [S]; today [P]: today's prices in cents, one of the starts.
    """
    unlimited = price(inputs)
    is_within = _is_within(unlimited.price, tile)
    if is_within.all():
        return inputs
    mean = unlimited.price @ visits / max(visits.sum(), np.finfo(np.float64).tiny)
    spread = np.sqrt(tile.ratio / MILLION)
    lowest, highest = unlimited.price.min(axis=1), unlimited.price.max(axis=1)
    best = None
    for start in (today.astype(np.float64), mean / spread, lowest, highest / spread**2):
        level = tile.rungs_at_or_below(_share_within_families(inputs, start))
        found = _improve_levels(tile, inputs, price, visits, level)
        best = found if best is None else _better_of(tile, best, found)
    assert best is not None
    limited = _limit_to_ranges(tile, inputs, best.level)
    low, high = np.where(is_within, inputs.low, limited.low), np.where(is_within, inputs.high, limited.high)
    return replace(inputs, low=low, high=high)


def _is_within(price: np.ndarray, tile: RatioTile) -> np.ndarray:
    """Return bool [P]: whether prices [P, S] keep the ratio for all products of the product's category."""
    least, most = price.min(axis=1).astype(np.int64), price.max(axis=1).astype(np.int64)
    is_too_wide = most * MILLION > least * tile.ratio
    return ~np.isin(tile.category, tile.category[is_too_wide])


def _share_within_families(inputs: PricingInputs, price: np.ndarray) -> np.ndarray:
    """Return prices [P] in which every product of a family has the price of the family's first product."""
    if inputs.family is None:
        return price
    mates = np.flatnonzero(inputs.family >= 0)
    _, first, which = np.unique(inputs.family[mates], return_index=True, return_inverse=True)
    shared = price.copy()
    shared[mates] = price[mates][first][which]
    return shared


def _improve_levels(
    tile: RatioTile, inputs: PricingInputs, price: PriceCells, visits: np.ndarray, level: np.ndarray
) -> PricedLevels:
    """Return levels that no step improves, or the levels after MOST_STEPS steps; the search starts from `level` [P]."""
    best = _price_levels(tile, inputs, price, visits, level)
    is_open = np.ones(len(best.value), np.bool_)
    for _ in range(MOST_STEPS):
        proposed, gain = tile.propose_levels(best.level, best.cells.price, best.cells.category_value, visits)
        before = best.value
        for step in (proposed, _move_most_promising(tile, inputs, best.level, proposed, gain)):
            level = np.where(is_open[tile.category], step, best.level)
            if not np.array_equal(level, best.level):
                best = _better_of(tile, best, _price_levels(tile, inputs, price, visits, level))
        is_open &= best.value > before + NOISE * np.abs(before)
        if not is_open.any():
            break
    return best


def _price_levels(
    tile: RatioTile, inputs: PricingInputs, price: PriceCells, visits: np.ndarray, level: np.ndarray
) -> PricedLevels:
    """Return levels [P] with the best cells inside their ranges."""
    cells = price(_limit_to_ranges(tile, inputs, level))
    return PricedLevels(level, cells, cells.category_value.astype(np.float64) @ visits)


def _limit_to_ranges(tile: RatioTile, inputs: PricingInputs, level: np.ndarray) -> PricingInputs:
    """Return the inputs with the bounds [level, ratio * level] of levels [P], the upper one moved down to a rung."""
    dtype = inputs.low.dtype
    return replace(inputs, low=level.astype(dtype), high=tile.highest_prices(level).astype(dtype))


def _move_most_promising(
    tile: RatioTile, inputs: PricingInputs, level: np.ndarray, proposed: np.ndarray, gain: np.ndarray
) -> np.ndarray:
    """Return levels [P] in which one product of each category, with its family, moves to its proposed level.

    This is the product with the largest promised gain [P]; level, proposed [P]: the present and the proposed levels.
    """
    order = np.lexsort((gain, tile.category))
    last = np.flatnonzero(np.diff(tile.category[order], append=-1))
    is_best = np.zeros(len(level), np.bool_)
    is_best[order[last]] = True
    if inputs.family is not None:
        is_best |= (inputs.family >= 0) & np.isin(inputs.family, inputs.family[is_best & (inputs.family >= 0)])
    return np.where(is_best, proposed, level)


def _better_of(tile: RatioTile, one: PricedLevels, other: PricedLevels) -> PricedLevels:
    """Return for each category the levels that earn more: those of `one` unless `other` gains more than NOISE."""
    is_better = other.value > one.value + NOISE * np.abs(one.value)
    rows = is_better[tile.category]
    cells = replace(
        one.cells,
        price=np.where(rows[:, None], other.cells.price, one.cells.price),
        category_value=np.where(is_better[:, None], other.cells.category_value, one.cells.category_value),
    )
    return PricedLevels(np.where(rows, other.level, one.level), cells, np.where(is_better, other.value, one.value))
