"""The equations of a Newton step for what all users share."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.linalg import LinearOperator, cg

SEARCH = 1e-2, 300  # relative residual, most steps: a whole catalog climbs as fast with 1e-4 in twice the time


class NormalEquations:
    """Xᵀ W X + Λ over R shelf rows: Fisher scoring with the diagonal of the multinomial information.

    X = levels + steepness · slopes, [R, n] each, with the prior precision Λ [n]; every row has a shock of its own
    beside, of prior precision shock. Levels and slopes fill different columns. The information W and the steepness [R]
    are given for each place; what else would change with it, the memory's weight, stays as it was at the start.
    (McCullagh & Nelder 1989, ch. 2.5.)
    """

    def __init__(self, levels: csr_array, slopes: csr_array, precision: np.ndarray, shock: float) -> None:
        self.levels, self.slopes, self.precision, self.shock = levels, slopes, precision, shock

    def solve(
        self, information: np.ndarray, steepness: np.ndarray, gradient: np.ndarray, of_shocks: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The step of the parameters [n] and of the shocks [R], from the gradients in them; to guide a search.

        Each shock has its row alone, so that they are eliminated: a row of information w is left with w τ / (w + τ).
        """
        absorbed = information / (information + self.shock)
        system = _System(self, self.shock * absorbed, steepness)
        step = system.solve(gradient - system.columns(absorbed * of_shocks))
        return step, (of_shocks - information * system.rows(step)) / (information + self.shock)


@dataclass(frozen=True)
class _System:
    """The equations where the rows' information, shocks eliminated, is left [R]."""

    equations: NormalEquations
    left: np.ndarray
    steepness: np.ndarray

    def rows(self, vector: np.ndarray) -> np.ndarray:
        """X · vector, [R]."""
        return np.asarray(self.equations.levels @ vector + self.steepness * (self.equations.slopes @ vector))

    def columns(self, vector: np.ndarray) -> np.ndarray:
        """Xᵀ · vector, [n]."""
        return np.asarray(self.equations.levels.T @ vector + self.equations.slopes.T @ (self.steepness * vector))

    def solve(self, right: np.ndarray) -> np.ndarray:
        """Return the solution by conjugate gradients, scaled by the diagonal."""
        levels, slopes, precision = self.equations.levels, self.equations.slopes, self.equations.precision
        diagonal = _squares(levels).T @ self.left + _squares(slopes).T @ (self.steepness**2 * self.left) + precision
        shape = len(precision), len(precision)
        normal = LinearOperator(shape, lambda v: self.columns(self.left * self.rows(v)) + precision * v)
        scale = LinearOperator(shape, lambda v: v / diagonal)
        return np.asarray(cg(normal, right, rtol=SEARCH[0], maxiter=SEARCH[1], M=scale)[0])


def _squares(matrix: csr_array) -> csr_array:
    return csr_array((matrix.data**2, matrix.indices, matrix.indptr), shape=matrix.shape)
