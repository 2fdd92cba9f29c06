"""What is left uncertain of the price sensitivities, as draws."""

from dataclasses import dataclass

import numpy as np

from kernels.checks import require, require_array, require_each


@dataclass(frozen=True)
class Draws:
    """D equally likely price sensitivities of each segment and category: the demand's own b times a factor.

    factor float64 [H, S, D]; row int [G]: the row of `factor` that a category has, -1 for one whose sensitivity is
    taken for certain. The appeal at the reference price is the same in all draws.
    """

    factor: np.ndarray
    row: np.ndarray

    def __post_init__(self) -> None:
        require(np.ndim(self.factor) == 3, "Draws.factor must have three axes", np.shape(self.factor))
        require_array("Draws.factor", self.factor, self.factor.shape, "f")
        require(self.factor.dtype == np.float64, "Draws.factor must be float64", self.factor.dtype)
        require(self.factor.shape[2] > 0, "Draws.factor must hold at least one draw", self.factor.shape)
        require_each(self.factor > 0, "Draws.factor must be positive", self.factor)
        require_array("Draws.row", self.row, (np.size(self.row),), "i")
        rows = len(self.factor)
        require_each((self.row >= -1) & (self.row < rows), f"Draws.row must lie in [-1, {rows})", self.row)

    @property
    def segment_count(self) -> int:
        """S."""
        return self.factor.shape[1]

    def of_segment(self, segment: int) -> "Draws":
        """Those of one segment."""
        return Draws(self.factor[:, segment : segment + 1], self.row)

    def of_categories(self, first: int, last: int) -> "Draws":
        """Those of the categories first to last - 1."""
        return Draws(self.factor, self.row[first:last])
