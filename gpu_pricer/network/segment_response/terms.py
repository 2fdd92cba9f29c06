"""The parts of a category's utility, and the blocks of the normal equations that they make.

Every parameter of the response model multiplies a known factor in the cells [S, W, n] of a category and is shared over
some of the axes: a level belongs to a product (axis j), a season to a period (w), a taste to a segment (s). So one rule
gives every block of XᵀIX: multiply information and factors, and sum over the axes that neither has.
"""

from typing import NamedTuple

import numpy as np

AXES = "swj"  # segment, period, product


class Term(NamedTuple):
    """Parameters that share a prior: axis "s", "w", "j" or "" (a single one); factor broadcasts to [S, W, n]."""

    name: str
    axis: str
    factor: np.ndarray


def per_axis(cells: np.ndarray, axis: str) -> np.ndarray:
    """Cells [S, W, n] summed over all axes but the given ones, in the order of AXES."""
    return np.asarray(cells.sum(axis=tuple(AXES.index(other) for other in AXES if other not in axis)))


def spread_out(values: np.ndarray, axis: str) -> np.ndarray:
    """Values along one axis (or a single one), so that they broadcast to [S, W, n]."""
    shape = [len(values) if other == axis else 1 for other in AXES]
    return values.reshape(shape)


def score(terms: list[Term], residual: np.ndarray) -> np.ndarray:
    """Xᵀ residual: the gradient of the log likelihood in all parameters, end to end."""
    return np.concatenate([np.atleast_1d(per_axis(residual * term.factor, term.axis)) for term in terms])


def normal_matrix(rows: list[Term], columns: list[Term], information: np.ndarray) -> np.ndarray:
    """XᵀIX between two lists of terms."""
    return np.block([[_block(row, column, information) for column in columns] for row in rows])


def _block(row: Term, column: Term, information: np.ndarray) -> np.ndarray:
    shape = np.broadcast_shapes(information.shape, row.factor.shape, column.factor.shape)
    total = per_axis(np.broadcast_to(information * row.factor * column.factor, shape), row.axis + column.axis)
    if row.axis == column.axis:
        return np.diag(total) if row.axis else total.reshape(1, 1)
    sizes = [shape[AXES.index(axis)] if axis else 1 for axis in (row.axis, column.axis)]
    is_transposed = bool(row.axis and column.axis) and AXES.index(row.axis) > AXES.index(column.axis)
    return total.reshape(sizes[::-1]).T if is_transposed else total.reshape(sizes)


def against_shocks(terms: list[Term], information: np.ndarray) -> np.ndarray:
    """ZᵀIX [n, W, d] between the shocks of every product × period and all parameters of the terms."""
    weeks, products = information.shape[1:]
    blocks = []
    for term in terms:
        cells = np.broadcast_to(information * term.factor, information.shape)
        if term.axis == "s":
            blocks.append(cells.transpose(2, 1, 0))
            continue
        total = cells.sum(axis=0).T
        block = np.zeros((products, weeks, {"": 1, "w": weeks, "j": products}[term.axis]))
        if term.axis == "w":
            block[:, np.arange(weeks), np.arange(weeks)] = total
        elif term.axis == "j":
            block[np.arange(products), :, np.arange(products)] = total
        else:
            block[:, :, 0] = total
        blocks.append(block)
    return np.concatenate(blocks, axis=2)
