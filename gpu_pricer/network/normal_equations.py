"""The equations of a Newton step for what all users share, solved well enough to guide a search."""

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.linalg import LinearOperator, cg

STEPS = 300
TOLERANCE = 1e-2  # only preconditions a search, which on a whole catalog climbs as fast with 1e-4 in twice the time


class NormalEquations:
    """Xᵀ W X + Λ over R shelf rows: Fisher scoring with the diagonal of the multinomial information.

    X = levels + steepness · slopes, [R, n] each, with the prior precision Λ [n]; every row has a shock of its own
    beside, of prior precision shock. The information W and the steepness [R] change with the place, the rest does not.
    (McCullagh & Nelder 1989, ch. 2.5.)
    """

    def __init__(self, levels: csr_array, slopes: csr_array, precision: np.ndarray, shock: float) -> None:
        self.levels, self.slopes, self.precision, self.shock = levels, slopes, precision, shock

    def solve(
        self, information: np.ndarray, steepness: np.ndarray, gradient: np.ndarray, of_shocks: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The step of the parameters [n] and of the shocks [R], from the gradients in them.

        Each shock has its row alone, so that they are eliminated: a row of information w is left with w τ / (w + τ).
        """
        levels, slopes = self.levels, self.slopes
        absorbed = information / (information + self.shock)
        left, size = self.shock * absorbed, len(self.precision)

        def rows(vector: np.ndarray) -> np.ndarray:
            return np.asarray(levels @ vector + steepness * (slopes @ vector))

        def columns(vector: np.ndarray) -> np.ndarray:
            return np.asarray(levels.T @ vector + slopes.T @ (steepness * vector))

        diagonal = _squares(levels).T @ left + _squares(slopes).T @ (steepness**2 * left) + self.precision
        normal = LinearOperator((size, size), lambda v: columns(left * rows(v)) + self.precision * v)
        scale = LinearOperator((size, size), lambda v: v / diagonal)
        right = gradient - columns(absorbed * of_shocks)
        step, _ = cg(normal, right, rtol=TOLERANCE, maxiter=STEPS, M=scale)
        return step, (of_shocks - information * rows(step)) / (information + self.shock)


def _squares(matrix: csr_array) -> csr_array:
    return csr_array((matrix.data**2, matrix.indices, matrix.indptr), shape=matrix.shape)
