"""A demand and an offer laid out for the kernels, the same for every backend."""

from typing import Any, NamedTuple

import numpy as np

from kernels.cpu.worker_memory import LANES
from kernels.demand import Demand, DenseDemand
from kernels.inputs import PricingInputs, Shelf


class Tile(NamedTuple):
    """G categories of P products for S segments, padded to S' = B * LANES.

    Factors: segment_* [B, D, LANES], product_* [P, D]. Dense: segment_* [B, 0, LANES] and
    product_* [P, S'], a and b themselves. segment_count: S. What its products are: products.Columns.
    """

    segment_appeal: np.ndarray
    product_appeal: np.ndarray
    segment_sensitivity: np.ndarray
    product_sensitivity: np.ndarray
    is_dense: bool
    category_start: np.ndarray
    endings: np.ndarray
    has_outside_option: bool
    segment_count: int


def tile_of(demand: Demand, shelf: Shelf, inputs: PricingInputs | None = None) -> Tile:
    """Return the tile; without an offer it knows no ladders."""
    endings = np.zeros(0, demand.dtype) if inputs is None else inputs.ladders.endings.astype(demand.dtype)
    return Tile(
        *_scores(demand),
        shelf.category_start.astype(np.int64),
        endings,
        shelf.has_outside_option,
        demand.segment_count,
    )


def padded(segment_count: int) -> int:
    """Return S', the number of segments rounded up to whole blocks."""
    return -(-segment_count // LANES) * LANES


def pad_segments(array: np.ndarray, dtype: Any) -> np.ndarray:
    """Return the array with its last axis, segments, filled up with zeros."""
    filled = np.zeros((*array.shape[:-1], padded(array.shape[-1])), dtype)
    filled[..., : array.shape[-1]] = array
    return filled


def _scores(demand: Demand) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, bool]:
    if isinstance(demand, DenseDemand):
        nothing = np.empty((padded(demand.segment_count) // LANES, 0, LANES), demand.dtype)
        rows = (pad_segments(matrix.T, demand.dtype) for matrix in (demand.appeal, demand.sensitivity))
        return nothing, next(rows), nothing, next(rows), True
    return (
        _segment_blocks(demand.segment_appeal),
        np.ascontiguousarray(demand.product_appeal),
        _segment_blocks(demand.segment_sensitivity),
        np.ascontiguousarray(demand.product_sensitivity),
        False,
    )


def _segment_blocks(factors: np.ndarray) -> np.ndarray:
    """Return factors [S, D] as [B, D, LANES], one contiguous matrix per block."""
    columns = pad_segments(factors.T, factors.dtype)
    return np.ascontiguousarray(columns.reshape(len(columns), -1, LANES).swapaxes(0, 1))
