"""Tridiagonal matrices, which the precisions of autoregressions are, at a cost of the square of their size."""

import torch
from torch import Tensor


def times_tridiagonal(values: Tensor, matrix: Tensor) -> Tensor:
    """Return the product of values [..., V] and a tridiagonal matrix [V, V]."""
    product = values * matrix.diagonal()
    product[..., 1:] += values[..., :-1] * matrix.diagonal(1)
    product[..., :-1] += values[..., 1:] * matrix.diagonal(-1)
    return product


def tridiagonal_inverse(diagonal: Tensor, beside: Tensor) -> Tensor:
    """Return the inverses [n, V, V] of symmetric positive definite tridiagonal matrices.

    diagonal [n, V]; beside [V − 1]: what all have beside the diagonal. By elimination row by row: with L the lower
    triangular root whose diagonal is 1 and E the eliminated diagonal, the inverse is L⁻′ E⁻¹ L⁻¹.
    """
    left, factors = diagonal.clone(), torch.zeros_like(diagonal)
    inverse = torch.diag_embed(torch.ones_like(diagonal))
    for row in range(1, diagonal.shape[1]):
        factors[:, row] = -beside[row - 1] / left[:, row - 1]
        left[:, row] += factors[:, row] * beside[row - 1]
        torch.mul(factors[:, row, None], inverse[:, row - 1, :row], out=inverse[:, row, :row])
    inverse /= left[:, :, None]
    for row in range(diagonal.shape[1] - 1, 0, -1):
        inverse[:, row - 1].addcmul_(factors[:, row, None], inverse[:, row])
    return inverse
