"""A demand and its shelf laid out for the loops, in the same way for every backend."""

from typing import Any, NamedTuple

import numpy as np

from kernels.demand import Demand, DenseDemand, FactorDemand
from kernels.inputs import PricingInputs, Shelf

LANES = 64
"""Segments of one block. The CPU iterates them together, one segment in each lane of its vectors."""


class Tile(NamedTuple):
    """G categories with P products for S segments, padded to S' = B * LANES segments in B blocks.

    segment_appeal [B, Da, LANES], segment_sensitivity [B, Db, LANES]: the segments' factors; one element if is_dense
    product_appeal [P, Da], product_sensitivity [P, Db]: the products' factors; if is_dense, a and b themselves [P, S']
    is_dense: whether the demand gives a and b rather than factors
    category_start int64 [G + 1]: category g holds the products category_start[g] to category_start[g + 1] - 1
    endings [E]: the endings of all ladders, in cents; empty without pricing inputs
    has_outside_option: whether a visit may buy nothing
    dissimilarity [G]: gamma of each category, 1 everywhere without an outside option, which changes no choice then
    segment_count: S; block_count: B
    Everything else about the products is in product_records.ProductColumns.
    """

    segment_appeal: np.ndarray
    product_appeal: np.ndarray
    segment_sensitivity: np.ndarray
    product_sensitivity: np.ndarray
    is_dense: bool
    category_start: np.ndarray
    endings: np.ndarray
    has_outside_option: bool
    dissimilarity: np.ndarray
    segment_count: int
    block_count: int


def tile_of(demand: Demand, shelf: Shelf, inputs: PricingInputs | None = None) -> Tile:
    """Return the tile of a demand and a shelf; its ladders have no endings unless pricing inputs are given."""
    arrays = _dense_arrays(demand) if isinstance(demand, DenseDemand) else _factor_arrays(demand)
    return Tile(
        **arrays,
        is_dense=isinstance(demand, DenseDemand),
        category_start=shelf.category_start.astype(np.int64),
        endings=np.zeros(0, demand.dtype) if inputs is None else inputs.ladders.endings.astype(demand.dtype),
        has_outside_option=shelf.has_outside_option,
        dissimilarity=dissimilarity_of(shelf, demand.dtype),
        segment_count=demand.segment_count,
        block_count=padded(demand.segment_count) // LANES,
    )


def dissimilarity_of(shelf: Shelf, dtype: Any) -> np.ndarray:
    """Return Tile.dissimilarity of a shelf."""
    if shelf.dissimilarity is None or not shelf.has_outside_option:
        return np.ones(shelf.category_count, dtype)
    return shelf.dissimilarity.astype(dtype)


def padded(segment_count: int) -> int:
    """Return S', the number of segments rounded up to complete blocks."""
    return -(-segment_count // LANES) * LANES


def pad_segments(array: np.ndarray, dtype: Any) -> np.ndarray:
    """Return the array [..., S] extended with zeros to [..., S'] and converted to `dtype`."""
    filled = np.zeros((*array.shape[:-1], padded(array.shape[-1])), dtype)
    filled[..., : array.shape[-1]] = array
    return filled


def _dense_arrays(demand: DenseDemand) -> dict[str, np.ndarray]:
    """Return the Tile's four demand arrays, a and b as [P, S']."""
    unused = np.empty((1, 1, 1), demand.dtype)
    return {
        "segment_appeal": unused,
        "product_appeal": pad_segments(demand.appeal.T, demand.dtype),
        "segment_sensitivity": unused,
        "product_sensitivity": pad_segments(demand.sensitivity.T, demand.dtype),
    }


def _factor_arrays(demand: FactorDemand) -> dict[str, np.ndarray]:
    """Return the Tile's four demand arrays, the factors of segments and of products."""
    return {
        "segment_appeal": _segment_blocks(demand.segment_appeal),
        "product_appeal": np.ascontiguousarray(demand.product_appeal),
        "segment_sensitivity": _segment_blocks(demand.segment_sensitivity),
        "product_sensitivity": np.ascontiguousarray(demand.product_sensitivity),
    }


def _segment_blocks(factors: np.ndarray) -> np.ndarray:
    """Return factors [S, D] as [B, D, LANES], one contiguous matrix per block."""
    columns = pad_segments(factors.T, factors.dtype)
    return np.ascontiguousarray(columns.reshape(len(columns), -1, LANES).swapaxes(0, 1))
