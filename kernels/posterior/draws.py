"""The uncertainty of the price sensitivities, as equally likely draws."""

from dataclasses import dataclass

import numpy as np

from kernels.checks import require, require_array, require_each


@dataclass(frozen=True)
class Draws:
    """D equally likely price sensitivities of each segment and category: the demand's own b times a factor.

    factor float64 [H, S, D]: the factors, all positive; row int [G]: each category's row of `factor`, or -1 if its
    sensitivity is certain. The appeal at the reference price is the same in all draws. Raises ValueError where an
    array has another shape or type, or values out of range.
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
        """Return S."""
        return self.factor.shape[1]

    def of_segment(self, segment: int) -> "Draws":
        """Return the draws of one segment, S = 1."""
        return Draws(self.factor[:, segment : segment + 1], self.row)

    def of_categories(self, first: int, last: int) -> "Draws":
        """Return the draws of the categories first to last - 1."""
        return Draws(self.factor, self.row[first:last])
