"""The equations of a Newton step for what all users share, and draws from the Gaussian that they describe."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.linalg import LinearOperator, cg

SEARCH = 1e-2, 300  # relative residual, most steps: a whole catalog climbs as fast with 1e-4 in twice the time
DRAW = 1e-4, 3000  # a draw that is not solved is none


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
        step, _ = system.solve(gradient - system.columns(absorbed * of_shocks), SEARCH)
        return step, (of_shocks - information * system.rows(step)) / (information + self.shock)

    def draw(self, information: np.ndarray, steepness: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Parameters [n] from the zero-mean Gaussian with the inverse of the equations, the shocks integrated out.

        Solves the equations of perturbed data, whose right side has them as its covariance (Papandreou & Yuille 2010).
        ArithmeticError where the steps do not suffice.
        """
        left = self.shock * information / (information + self.shock)
        system = _System(self, left, steepness)
        noise = system.columns(np.sqrt(left) * rng.standard_normal(len(left)))
        right = noise + np.sqrt(self.precision) * rng.standard_normal(len(self.precision))
        drawn, is_solved = system.solve(right, DRAW)
        if not is_solved:
            raise ArithmeticError(f"a draw of the price response was not solved to {DRAW[0]:.0e} in {DRAW[1]} steps")
        return drawn


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

    def solve(self, right: np.ndarray, accuracy: tuple[float, int]) -> tuple[np.ndarray, bool]:
        """The solution by conjugate gradients, scaled by the diagonal, and whether it is as accurate."""
        levels, slopes, precision = self.equations.levels, self.equations.slopes, self.equations.precision
        diagonal = _squares(levels).T @ self.left + _squares(slopes).T @ (self.steepness**2 * self.left) + precision
        shape = len(precision), len(precision)
        normal = LinearOperator(shape, lambda v: self.columns(self.left * self.rows(v)) + precision * v)
        scale = LinearOperator(shape, lambda v: v / diagonal)
        solution, unsolved = cg(normal, right, rtol=accuracy[0], maxiter=accuracy[1], M=scale)
        return np.asarray(solution), unsolved == 0


def _squares(matrix: csr_array) -> csr_array:
    return csr_array((matrix.data**2, matrix.indices, matrix.indptr), shape=matrix.shape)
