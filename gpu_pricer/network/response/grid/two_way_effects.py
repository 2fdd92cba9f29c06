"""Effects of two kinds of groups, such as products and their categories' periods, and what values are without them."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import coo_array, csr_array, diags_array
from scipy.sparse.linalg import LinearOperator, cg

CONVERGED = 1e-10  # residual of the equations of effects, relative to their right side
NOTHING = 1e-7  # of the values around their mean; so little is what the search leaves open
ROUNDING = 1e-12  # and relative to the values themselves: where the first groups explain all, the right side is noise
MOST_STEPS = 1000


@dataclass(frozen=True)
class TwoWayEffects:
    """The groups of n rows, of two kinds, and the rows' weights in the least squares that estimate the effects.

    one, other: int [n], the numbers of the groups of each kind, from 0 without gaps. weight: float [n], above 0.
    """

    one: np.ndarray
    other: np.ndarray
    weight: np.ndarray

    def residual(self, values: np.ndarray) -> tuple[np.ndarray, bool]:
        """Return finite values [n] less the effects of the groups of both kinds, and whether the search has settled.

        The effects of the first kind are eliminated, and those of the second found by conjugate gradients (as Abowd,
        Creecy & Kramarz 2002 do with workers and firms).
        """
        around = values - np.average(values, weights=self.weight)
        noise, spread = (self._norm(each) for each in (values, around))
        values = self._without_first(values)
        right = np.bincount(self.other, self.weight * values)
        scale = diags_array(1.0 / self._size_of_other)
        effect, is_open = cg(
            self._equations, right, rtol=CONVERGED, atol=ROUNDING * noise * np.sqrt(self.weight.max()),
            maxiter=MOST_STEPS, M=scale,
        )  # fmt: skip
        left = self._without_first(values - effect[self.other])
        return (left if self._norm(left) > NOTHING * spread else np.zeros_like(left)), not is_open

    def _norm(self, values: np.ndarray) -> float:
        return float(np.sqrt((self.weight * values**2).sum()))

    def _without_first(self, values: np.ndarray) -> np.ndarray:
        return values - (np.bincount(self.one, self.weight * values) / self._size_of_one)[self.one]

    @cached_property
    def _size_of_one(self) -> np.ndarray:
        return np.bincount(self.one, self.weight)

    @cached_property
    def _size_of_other(self) -> np.ndarray:
        return np.bincount(self.other, self.weight)

    @cached_property
    def _equations(self) -> LinearOperator:
        """Return the equations of the second kind's effects, after those of the first are eliminated."""
        shape = (len(self._size_of_other), len(self._size_of_one))
        meet: csr_array = coo_array((self.weight, (self.other, self.one)), shape=shape).tocsr()
        back = meet.T.tocsr()
        return LinearOperator(
            (shape[0],) * 2,
            lambda effect: self._size_of_other * effect - meet @ ((back @ effect) / self._size_of_one),
            dtype=float,
        )
