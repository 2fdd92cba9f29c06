"""What a price adds to utility: a class per form, each with `utility` at prices [P, U] and `of` some users.

`remembered` [P] is the price in cents that shoppers remember of each product.
"""

from dataclasses import dataclass, replace
from typing import Protocol, Self

import numpy as np


class Response(Protocol):
    """The part of utility [P, U] that depends on the price; it never rises with it."""

    def utility(self, price: np.ndarray, remembered: np.ndarray) -> np.ndarray:
        """Return what prices [P, U] or [P, 1] in cents add to utility, [P, U]."""
        ...

    def of(self, users: np.ndarray) -> Self:
        """Return the response of some users."""
        ...


@dataclass(frozen=True)
class Linear:
    """−b (price / base − 1), with sensitivity b [P, U] and base [P] in cents."""

    base: np.ndarray
    sensitivity: np.ndarray

    def utility(self, price: np.ndarray, remembered: np.ndarray) -> np.ndarray:
        """See Response."""
        return -self.sensitivity * (price / self.base[:, None] - 1)

    def of(self, users: np.ndarray) -> "Linear":
        """See Response."""
        return replace(self, sensitivity=self.sensitivity[:, users])


@dataclass(frozen=True)
class Logarithmic:
    """−b ln(price / base), with sensitivity b [P, U] and base [P] in cents."""

    base: np.ndarray
    sensitivity: np.ndarray

    def utility(self, price: np.ndarray, remembered: np.ndarray) -> np.ndarray:
        """See Response."""
        return -self.sensitivity * np.log(price / self.base[:, None])

    def of(self, users: np.ndarray) -> "Logarithmic":
        """See Response."""
        return replace(self, sensitivity=self.sensitivity[:, users])


@dataclass(frozen=True)
class Remembering:
    """A response to the distance from the remembered price, with a dead zone and losses that outweigh gains.

    With d = price / remembered − 1: b · (gain(−d) − aversion · gain(d)), where gain(d) = max(d − zone, 0), less
    level · b · ln(price / base). sensitivity b [P, U]; base [P] in cents. Prices inside ± zone are hardly noticed.
    Reference prices: Kalyanaram & Winer (1995).
    """

    base: np.ndarray
    sensitivity: np.ndarray
    zone: float
    aversion: float
    level: float

    def utility(self, price: np.ndarray, remembered: np.ndarray) -> np.ndarray:
        """See Response."""
        distance = price / remembered[:, None] - 1
        gain, loss = np.maximum(-distance - self.zone, 0), np.maximum(distance - self.zone, 0)
        slow = self.level * np.log(price / self.base[:, None])
        return self.sensitivity * (gain - self.aversion * loss - slow)

    def of(self, users: np.ndarray) -> "Remembering":
        """See Response."""
        return replace(self, sensitivity=self.sensitivity[:, users])


@dataclass(frozen=True)
class Stepped:
    """−b ln(price / base), and `step` less for every whole hundred cents; sensitivity b [P, U], base [P] in cents.

    step [U]: how much a user reads prices from the left.
    """

    base: np.ndarray
    sensitivity: np.ndarray
    step: np.ndarray

    def utility(self, price: np.ndarray, remembered: np.ndarray) -> np.ndarray:
        """See Response."""
        steps = np.floor(price / 100) - np.floor(self.base / 100)[:, None]
        return -self.sensitivity * np.log(price / self.base[:, None]) - self.step * steps

    def of(self, users: np.ndarray) -> "Stepped":
        """See Response."""
        return replace(self, sensitivity=self.sensitivity[:, users], step=self.step[users])
