"""Tridiagonal matrices, which the precisions of autoregressions are, at a cost of the square of their size.

The loops are compiled, and release Python's lock. Tensor operations row by row are so many and so small that threads
wait for the lock: they took a third of a pass over the products (1,689 products, 52 spans, November 2026).
"""

import numba
import numpy as np
import torch
from torch import Tensor

import kernels  # noqa: F401  numba keeps the processor's features of the first function, which are for kernels to choose


def times_tridiagonal(values: Tensor, matrix: Tensor) -> Tensor:
    """Return the products [n, k, V] of values [n, k, V] and a tridiagonal matrix [V, V]."""
    product = torch.empty(values.shape, dtype=values.dtype)
    _multiply(values.numpy(), _bands(matrix), product.numpy())
    return product


def tridiagonal_inverse(diagonal: Tensor, beside: Tensor) -> Tensor:
    """Return the inverses [n, V, V] of symmetric positive definite tridiagonal matrices.

    diagonal [n, V]; beside [n, V − 1]: what stands beside the diagonal. By elimination row by row: with L the lower
    triangular root whose diagonal is 1 and E the eliminated diagonal, the inverse is L⁻′ E⁻¹ L⁻¹.
    """
    inverse = torch.empty(*diagonal.shape, diagonal.shape[1], dtype=diagonal.dtype)
    _invert(diagonal.numpy(), beside.numpy(), inverse.numpy())
    return inverse


def traces_of_settled(left: Tensor, square: Tensor, prior: Tensor, one: Tensor, other: Tensor, total: Tensor) -> Tensor:
    """Return tr(D A D A), tr(D A D B), tr(D B D B) and tr(L A), [n, 4], and add the sum of all L to total [V, V].

    L is a covariance of left [n, V, V] over the square [n] of its scale, and D = prior − L. A, B [V, V]: one, other;
    both are tridiagonal.
    """
    traces = torch.empty(len(left), 4, dtype=left.dtype)
    bands = _bands(one), _bands(other)
    _trace(left.contiguous().numpy(), square.numpy(), prior.numpy(), *bands, total.numpy(), traces.numpy())
    return traces


def _bands(matrix: Tensor) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what stands above, on and below the diagonal, [V] each; above[0] and below[V − 1] are 0."""
    zero = torch.zeros(1, dtype=matrix.dtype)
    above, below = torch.cat([zero, matrix.diagonal(1)]), torch.cat([matrix.diagonal(-1), zero])
    return above.numpy(), matrix.diagonal().contiguous().numpy(), below.numpy()


@numba.njit(nogil=True, cache=True)
def _times(row, above, diagonal, below, product):  # type: ignore[no-untyped-def]
    """Set product [V] to the row [V] times a tridiagonal matrix of these bands."""
    final = len(row) - 1
    for i in range(len(row)):
        product[i] = row[i] * diagonal[i]
    for i in range(final):
        product[i + 1] += row[i] * above[i + 1]
        product[i] += row[i + 1] * below[i]


@numba.njit(nogil=True, cache=True)
def _multiply(values, bands, product):  # type: ignore[no-untyped-def]
    """Set the product [n, k, V] to the values [n, k, V] times a tridiagonal matrix of these bands."""
    above, diagonal, below = bands
    for i in range(values.shape[0]):
        for k in range(values.shape[1]):
            _times(values[i, k], above, diagonal, below, product[i, k])


@numba.njit(nogil=True, cache=True)
def _invert(diagonal, beside, inverse):  # type: ignore[no-untyped-def]
    """Set the inverse [n, V, V] to those of matrices with these diagonals [n, V] and, beside them, [n, V − 1]."""
    size = diagonal.shape[1]
    left, factor = np.empty(size), np.zeros(size)
    for n in range(len(diagonal)):
        left[0] = diagonal[n, 0]
        for i in range(1, size):
            factor[i] = -beside[n, i - 1] / left[i - 1]
            left[i] = diagonal[n, i] + factor[i] * beside[n, i - 1]
        own = inverse[n]
        own[size - 1, size - 1] = 1 / left[size - 1]
        for i in range(size - 2, -1, -1):
            for j in range(i + 1, size):
                own[i, j] = factor[i + 1] * own[i + 1, j]
            own[i, i] = 1 / left[i] + factor[i + 1] * own[i, i + 1]
            for j in range(i + 1, size):
                own[j, i] = own[i, j]


@numba.njit(nogil=True, cache=True)
def _trace(left, square, prior, one_bands, other_bands, total, traces):  # type: ignore[no-untyped-def]
    """Set the traces [n, 4] of traces_of_settled of matrices with these bands, and add to total [V, V]."""
    size = left.shape[1]
    above, diagonal, below = one_bands
    other_above, other_diagonal, other_below = other_bands
    row, one, other = np.empty(size), np.empty((size, size)), np.empty((size, size))
    for n in range(len(left)):
        own, crossed, others, open_, unit = 0.0, 0.0, 0.0, 0.0, 1 / square[n]
        for i in range(size):
            for j in range(size):
                share = left[n, i, j] * unit
                total[i, j] += share
                row[j] = prior[i, j] - share
            _times(row, above, diagonal, below, one[i])
            _times(row, other_above, other_diagonal, other_below, other[i])
            open_ += left[n, i, i] * diagonal[i]
            if i:
                open_ += left[n, i, i - 1] * (above[i] + below[i - 1])
        for i in range(size):
            for j in range(size):
                own += one[i, j] * one[j, i]
                crossed += one[i, j] * other[j, i]
                others += other[i, j] * other[j, i]
        traces[n] = own, crossed, others, open_ * unit
