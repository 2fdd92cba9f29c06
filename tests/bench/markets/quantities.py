"""How many units a purchase holds: a class per kind of goods, each with `mean` [P, U], `draw` and `of` some users."""

from dataclasses import dataclass, replace
from typing import Protocol, Self

import numpy as np


class Quantity(Protocol):
    """The units of a purchase."""

    def mean(self, price: np.ndarray) -> np.ndarray:
        """Return the expected units [P, U] or [P, 1] of a purchase at prices [P, U] or [P, 1] in cents."""
        ...

    def draw(self, mean: np.ndarray, product: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return drawn units [n] of purchases of products [n] whose expected units are mean [n]."""
        ...

    def of(self, users: np.ndarray) -> Self:
        """Return the quantities of some users."""
        ...


@dataclass(frozen=True)
class Pieces:
    """1 + Poisson(extra · (price / base)^−response) pieces; extra [P], base [P] in cents, response [U] or [1]."""

    base: np.ndarray
    extra: np.ndarray
    response: np.ndarray

    def mean(self, price: np.ndarray) -> np.ndarray:
        """See Quantity."""
        if not self.response.any():
            return 1 + self.extra[:, None]
        return 1 + self.extra[:, None] * (price / self.base[:, None]) ** -self.response

    def draw(self, mean: np.ndarray, product: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """See Quantity."""
        return 1.0 + rng.poisson(mean - 1)

    def of(self, users: np.ndarray) -> "Pieces":
        """See Quantity."""
        return self if len(self.response) == 1 else replace(self, response=self.response[users])


@dataclass(frozen=True)
class Weights:
    """Kilograms for goods that are weighed, else one piece; weight [P]: the mean weight, 0 for pieces."""

    weight: np.ndarray
    shape: float = 4.0

    def mean(self, price: np.ndarray) -> np.ndarray:
        """See Quantity."""
        return np.where(self.weight > 0, self.weight, 1.0)[:, None]

    def draw(self, mean: np.ndarray, product: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """See Quantity."""
        weighed = rng.gamma(self.shape, mean / self.shape).round(3).clip(0.02)
        return np.where(self.weight[product] > 0, weighed, 1.0)

    def of(self, users: np.ndarray) -> "Weights":
        """See Quantity."""
        return self


def single_pieces(base: np.ndarray, extra: float = 0.15) -> Pieces:
    """Return quantities that do not depend on the price."""
    return Pieces(base, np.full(len(base), extra), np.zeros(1))
