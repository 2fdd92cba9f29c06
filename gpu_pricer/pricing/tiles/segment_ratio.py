"""No more than so much between a product's dearest and its cheapest segment; 1.0 is one price for all.

Which range is best is an outer search over the level of every product, its cheapest price: given the levels the
kernels price each segment exactly inside the ranges, but the profit is not concave in them. So it is searched from
several starts, and no claim is made that the best found is the best there is. A step moves all levels of a category to
where a first-order model sees the most (`kernels.levels`); if that does not pay it moves the most promising one alone.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from kernels import PricedCells, PricingInputs
from kernels.ratio import RatioTile

MOST_STEPS = 30
NOISE = 1e-7
"""Relative: the kernels' sums are float32, and a smaller gain may be none."""

Price = Callable[[PricingInputs], PricedCells]


@dataclass
class Found:
    """Levels [P], the cells that the kernels price at them, and what a period's visits earn, by category [G]."""

    level: np.ndarray
    cells: PricedCells
    value: np.ndarray


def limit_ratio(
    tile: RatioTile, inputs: PricingInputs, price: Price, visits: np.ndarray, today: np.ndarray
) -> PricingInputs:
    """The offer with the bounds [P] of the best ranges found, where its best prices differ by more than the ratio.

    price: the kernels' best cells of an offer; today [P] is where one of the starts is.
    """
    free = price(inputs)
    is_within = _is_within(free.price, tile)
    if is_within.all():
        return inputs
    mean = free.price @ visits / max(visits.sum(), np.finfo(np.float64).tiny)
    spread = np.sqrt(tile.ratio / 10**6)
    starts = [today.astype(np.float64), mean / spread, free.price.min(axis=1), free.price.max(axis=1) / spread**2]
    best = None
    for start in starts:
        found = _climb(tile, inputs, price, visits, tile.rungs(_together(inputs, start)))
        best = found if best is None else _better(tile, best, found)
    assert best is not None
    inside = _inside(tile, inputs, best.level)
    low, high = np.where(is_within, inputs.low, inside.low), np.where(is_within, inputs.high, inside.high)
    return replace(inputs, low=low, high=high)


def _is_within(price: np.ndarray, tile: RatioTile) -> np.ndarray:
    """Whether a product's category needs no limit, bool [P]."""
    least, most = price.min(axis=1).astype(np.int64), price.max(axis=1).astype(np.int64)
    is_too_wide = most * 10**6 > least * tile.ratio
    return ~np.isin(tile.category, tile.category[is_too_wide])


def _together(inputs: PricingInputs, price: np.ndarray) -> np.ndarray:
    """The prices [P], those of a family being its first product's."""
    if inputs.family is None:
        return price
    mates = np.flatnonzero(inputs.family >= 0)
    _, first, which = np.unique(inputs.family[mates], return_index=True, return_inverse=True)
    shared = price.copy()
    shared[mates] = price[mates][first][which]
    return shared


def _climb(tile: RatioTile, inputs: PricingInputs, price: Price, visits: np.ndarray, level: np.ndarray) -> Found:
    """The levels that no step improves."""
    found = _at(tile, inputs, price, visits, level)
    is_open = np.ones(len(found.value), np.bool_)
    for _ in range(MOST_STEPS):
        proposed, gain = tile.propose(found.level, found.cells.price, found.cells.category_value, visits)
        before = found.value
        for step in (proposed, _alone(tile, inputs, found.level, proposed, gain)):
            moved = np.where(is_open[tile.category], step, found.level)
            if not np.array_equal(moved, found.level):
                found = _better(tile, found, _at(tile, inputs, price, visits, moved))
        is_open &= found.value > before + NOISE * np.abs(before)
        if not is_open.any():
            break
    return found


def _at(tile: RatioTile, inputs: PricingInputs, price: Price, visits: np.ndarray, level: np.ndarray) -> Found:
    cells = price(_inside(tile, inputs, level))
    return Found(level, cells, cells.category_value.astype(np.float64) @ visits)


def _inside(tile: RatioTile, inputs: PricingInputs, level: np.ndarray) -> PricingInputs:
    dtype = inputs.low.dtype
    return replace(inputs, low=level.astype(dtype), high=tile.tops(level).astype(dtype))


def _alone(
    tile: RatioTile, inputs: PricingInputs, level: np.ndarray, proposed: np.ndarray, gain: np.ndarray
) -> np.ndarray:
    """Levels of which in each category only the one that promises the most moves, with its family."""
    order = np.lexsort((gain, tile.category))
    last = np.flatnonzero(np.diff(tile.category[order], append=-1))
    is_best = np.zeros(len(level), np.bool_)
    is_best[order[last]] = True
    if inputs.family is not None:
        is_best |= (inputs.family >= 0) & np.isin(inputs.family, inputs.family[is_best & (inputs.family >= 0)])
    return np.where(is_best, proposed, level)


def _better(tile: RatioTile, one: Found, other: Found) -> Found:
    """Of each category the levels that earn more; the first ones where they earn the same."""
    is_better = other.value > one.value + NOISE * np.abs(one.value)
    rows = is_better[tile.category]
    cells = replace(
        one.cells,
        price=np.where(rows[:, None], other.cells.price, one.cells.price),
        category_value=np.where(is_better[:, None], other.cells.category_value, one.cells.category_value),
    )
    return Found(np.where(rows, other.level, one.level), cells, np.where(is_better, other.value, one.value))
