"""The arrays that a loop over a tile fills: the cells, and the sums of the cells over segments."""

from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np

from kernels.checks import require, require_array
from kernels.tile import LANES, pad_segments, padded


class BindingSide(IntEnum):
    """The values of `PricedCells.binding_side`: what keeps a price from the one that is best without bounds.

    LOW: the best price without bounds lies below the lower bound. NONE: it lies inside the bounds.
    HIGH: it lies above the upper bound. The kernels write these three.
    OVERRIDE: a person or a rule fixed the price. CHANGE_BUDGET: today's price stays because the policy limits how
    many prices may change. SMALL_MOVE: today's price stays because the policy makes no smaller moves. Pricing writes
    these three after the kernels have run.
    """

    LOW = -1
    NONE = 0
    HIGH = 1
    OVERRIDE = 2
    CHANGE_BUDGET = 3
    SMALL_MOVE = 4


class Cells(NamedTuple):
    """The arrays per cell that a loop fills for P products and S segments, and R of G categories.

    price [P, S]: int32 or the demand's type, in cents
    probability [P, S]: the demand's type, see pricing.PricedCells
    binding_side int8 [P, S]: see BindingSide
    category_value [G, S']: R in cents per visit, S' as in tile.Tile. On entry the R to start from, 0 for none; on
        return the R that the prices earn if probabilities or totals are computed, else unspecified
    has_price, has_probability, has_binding_side: whether the loop fills the array of that name; where it does not,
        the array has one element, which is neither read nor written
    """

    price: np.ndarray
    probability: np.ndarray
    binding_side: np.ndarray
    category_value: np.ndarray
    has_price: bool
    has_probability: bool
    has_binding_side: bool


class BlockSums(NamedTuple):
    """Sums over the segments of each of B blocks, for C classes of segments, P products and G categories.

    visits float64 [C, S']: expected visits of each class, 0 for the padding
    chosen float64 [B, P, C]: expected choices; revenue float64 [B, P, C]: choices times price, in cents
    bound float64 [B, G, C]: visits * max(R, F(R)) in cents, which no prices can exceed
    has_totals: whether the loop fills chosen and revenue; has_bound: whether it fills bound; arrays that are not
        filled have one element
    """

    visits: np.ndarray
    chosen: np.ndarray
    revenue: np.ndarray
    bound: np.ndarray
    has_totals: bool
    has_bound: bool


def new_cells(
    category_value: np.ndarray,
    price: np.ndarray | None = None,
    probability: np.ndarray | None = None,
    binding_side: np.ndarray | None = None,
) -> Cells:
    """Return Cells in which the loop fills the given arrays, but not those that are None. Shapes: see Cells."""
    return Cells(
        price=_unused(np.int32) if price is None else price,
        probability=_unused(category_value.dtype) if probability is None else probability,
        binding_side=_unused(np.int8) if binding_side is None else binding_side,
        category_value=category_value,
        has_price=price is not None,
        has_probability=probability is not None,
        has_binding_side=binding_side is not None,
    )


def new_block_sums(
    visits: np.ndarray | None, products: int, categories: int, segments: int, has_bound: bool
) -> BlockSums:
    """Return BlockSums of zeros for visits [S] or [C, S]; without visits, BlockSums that the loop does not fill.

    Raises ValueError unless visits are finite floats of one of these shapes with at least one class.
    """
    if visits is None:
        nothing = np.zeros((1, 1, 1))
        return BlockSums(np.zeros((1, 1)), nothing, nothing, nothing, has_totals=False, has_bound=False)
    classes = np.atleast_2d(visits)
    require_array("visits", classes, (len(classes), segments), "f")
    require(len(classes) > 0, "visits must have at least one class of segments", classes.shape)
    blocks, count = padded(segments) // LANES, len(classes)
    return BlockSums(
        visits=pad_segments(classes, np.float64),
        chosen=np.zeros((blocks, products, count)),
        revenue=np.zeros((blocks, products, count)),
        bound=np.zeros((blocks, categories, count) if has_bound else (1, 1, 1)),
        has_totals=True,
        has_bound=has_bound,
    )


def _unused(dtype: Any) -> np.ndarray:
    """Return an array of one element: numba needs its type, although the loop does not fill it."""
    return np.empty((1, 1), dtype)
