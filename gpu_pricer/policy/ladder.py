"""Price ladders: which prices exist."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from gpu_pricer.checks import require_number
from gpu_pricer.tables.price_table import CENTS
from kernels import PRICE_LIMIT, Ladders


@dataclass(frozen=True)
class Ladder:
    """The prices that exist. With neither endings nor prices, every whole cent exists.

    endings: amounts below 1.00 in currency, with which every price must end.
    prices: all prices that exist, in currency.
    """

    endings: list[float] | None
    prices: list[float] | None

    def __post_init__(self) -> None:
        if self.endings is not None and self.prices is not None:
            raise ValueError("ladder must have endings or prices, found both: set one of them to null")
        if self.endings is not None:
            _require_amounts("ladder.endings", self.endings, 0, CENTS)
        if self.prices is not None:
            _require_amounts("ladder.prices", self.prices, 1, PRICE_LIMIT)

    @property
    def period(self) -> int:
        """The distance in cents after which the rungs repeat; an explicit list never repeats below PRICE_LIMIT."""
        if self.prices is not None:
            return PRICE_LIMIT
        return 1 if self.endings is None else CENTS

    @property
    def rungs(self) -> np.ndarray:
        """The rungs of one period in cents, ascending, int64."""
        amounts = self.prices or self.endings or [0]
        return np.array(sorted({_cents(amount) for amount in amounts}), np.int64)

    @property
    def has_whole_amounts(self) -> bool:
        """Whether some rung is a whole amount of the currency, such as 5.00."""
        return bool((self.rungs % CENTS == 0).any())

    def at_or_above(self, cents: np.ndarray) -> np.ndarray:
        """Return the lowest rung at or above each price in cents; PRICE_LIMIT or more above an explicit list's last."""
        periods, rest = np.divmod(cents, self.period)
        rungs = np.append(self.rungs, self.rungs[0] + self.period)
        return periods * self.period + rungs[np.searchsorted(self.rungs, rest, "left")]

    def at_or_below(self, cents: np.ndarray) -> np.ndarray:
        """Return the highest rung at or below each price in cents; negative below the first rung."""
        periods, rest = np.divmod(cents, self.period)
        rungs = np.insert(self.rungs, 0, self.rungs[-1] - self.period)
        return periods * self.period + rungs[np.searchsorted(self.rungs, rest, "right")]

    def nearest(self, cents: np.ndarray) -> np.ndarray:
        """Return the rung nearest to each price in cents, of two equally near ones the lower."""
        below, above = self.at_or_below(cents), self.at_or_above(cents)
        is_lower = (below > 0) & ((cents - below <= above - cents) | (above >= PRICE_LIMIT))
        return np.where(is_lower, below, above)


def kernel_ladders(ladders: Sequence[Ladder]) -> Ladders:
    """Return the ladders as the kernels take them, one row per ladder."""
    return Ladders.of(*((ladder.period, [int(rung) for rung in ladder.rungs]) for ladder in ladders))


def _cents(amount: float) -> int:
    return int(Decimal(str(amount)) * CENTS)


def _require_amounts(name: str, amounts: object, least: int, limit: int) -> None:
    """Raise ValueError unless the amounts are a list of whole cents with least <= cents < limit."""
    if not isinstance(amounts, list) or not amounts:
        raise ValueError(f"{name} must be a list of at least one amount, found {amounts!r}")
    for amount in amounts:
        require_number(name, amount, least=least / CENTS)
        if Decimal(str(amount)) * CENTS % 1:
            raise ValueError(f"{name} must be whole cents, found {amount!r}")
        if _cents(amount) >= limit:
            raise ValueError(f"{name} must be below {limit / CENTS:.2f}, found {amount!r}")
