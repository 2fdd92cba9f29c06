"""The CPU loop's working memory, and the appeals and slopes that fill it.

The sums over factors are ours and not BLAS's, whose bits may depend on the shape of the tile and whose
threads would compete with ours.
"""

from typing import NamedTuple

import numpy as np

from kernels.compiled import compiled
from kernels.formulas import slope_of, softplus

BLOCK = 64
"""Segments of one category that are iterated together."""

LOWEST = np.float32(-1e38)
"""Below any utility, and still finite after a subtraction."""


class Block(NamedTuple):
    """Working memory of one category and up to BLOCK segments; the first four [n, lanes], the rest [lanes].

    share holds the utility u first, then e^(u - peak), whose sum is total; worth is the R that prices are
    best for, reached the R that they earn, target the unclipped optimum of the product at hand, moved into
    its bounds.
    """

    appeal: np.ndarray
    slope: np.ndarray
    price: np.ndarray
    share: np.ndarray
    worth: np.ndarray
    reached: np.ndarray
    total: np.ndarray
    peak: np.ndarray
    target: np.ndarray


@compiled()
def new_block(rows, lanes, like):
    """Return a block in the type of the array `like`, with R = 0."""
    grid, line = (rows, lanes), (lanes,)
    return Block(
        np.empty(grid, like.dtype),
        np.empty(grid, like.dtype),
        np.empty(grid, like.dtype),
        np.empty(grid, like.dtype),
        np.zeros(line, like.dtype),
        np.empty(line, like.dtype),
        np.empty(line, like.dtype),
        np.empty(line, like.dtype),
        np.empty(line, like.dtype),
    )


@compiled()
def score_rows(scores, products, first, begin, block):
    """Fill the block's appeal and slope, products from `first` on and segments from `begin` on."""
    appeal, slope, end = block.appeal, block.slope, begin + block.worth.shape[0]
    last = first + appeal.shape[0]
    if scores.is_dense:
        appeal[:] = scores.product_appeal[first:last, begin:end]
        slope[:] = scores.product_sensitivity[first:last, begin:end]
    else:
        dot_rows(scores.product_appeal[first:last], scores.segment_appeal[:, begin:end].copy(), appeal)
        dot_rows(scores.product_sensitivity[first:last], scores.segment_sensitivity[:, begin:end].copy(), slope)
        for row in range(slope.shape[0]):
            for s in range(slope.shape[1]):
                slope[row, s] = softplus(slope[row, s])
    for row in range(appeal.shape[0]):
        appeal_offset, sensitivity_offset = products[row].appeal_offset, products[row].sensitivity_offset
        reference_price = products[row].reference_price
        for s in range(appeal.shape[1]):
            appeal[row, s] += appeal_offset
            slope[row, s] = slope_of(slope[row, s] + sensitivity_offset, reference_price)


@compiled()
def dot_rows(product, segment, out):
    """Fill out [n, lanes] with product factors [n, D] times segment factors [D, lanes], eight at a time."""
    whole = product.shape[1] // 8 * 8
    for row in range(out.shape[0]):
        for s in range(out.shape[1]):
            out[row, s] = 0
        for k in range(0, whole, 8):
            p0, p1, p2, p3 = product[row, k], product[row, k + 1], product[row, k + 2], product[row, k + 3]
            p4, p5, p6, p7 = (
                product[row, k + 4],
                product[row, k + 5],
                product[row, k + 6],
                product[row, k + 7],
            )
            for s in range(out.shape[1]):
                dot = p1 * segment[k + 1, s] + (p0 * segment[k, s] + out[row, s])
                dot = p3 * segment[k + 3, s] + (p2 * segment[k + 2, s] + dot)
                dot = p5 * segment[k + 5, s] + (p4 * segment[k + 4, s] + dot)
                out[row, s] = p7 * segment[k + 7, s] + (p6 * segment[k + 6, s] + dot)
        for k in range(whole, product.shape[1]):
            for s in range(out.shape[1]):
                out[row, s] = product[row, k] * segment[k, s] + out[row, s]
