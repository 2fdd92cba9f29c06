"""Which prices may be set at all."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from gpu_pricer.checks import require_number
from gpu_pricer.tables.price_table import CENTS
from kernels import PRICE_LIMIT, Ladders


@dataclass(frozen=True)
class Ladder:
    """Prices with one of these endings (below 1.00), or exactly these prices; neither: every whole cent."""

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
        """The distance in cents after which the rungs repeat; an explicit list never does."""
        if self.prices is not None:
            return PRICE_LIMIT
        return 1 if self.endings is None else CENTS

    @property
    def rungs(self) -> np.ndarray:
        """The rungs of one period in cents, ascending, int64."""
        amounts = self.prices or self.endings or [0]
        return np.array(sorted({_cents(amount) for amount in amounts}), np.int64)

    def at_or_above(self, cents: np.ndarray) -> np.ndarray:
        """The lowest rung not below each price; above the last of an explicit list it exceeds all prices."""
        periods, rest = np.divmod(cents, self.period)
        rungs = np.append(self.rungs, self.rungs[0] + self.period)
        return periods * self.period + rungs[np.searchsorted(self.rungs, rest, "left")]

    def at_or_below(self, cents: np.ndarray) -> np.ndarray:
        """The highest rung not above each price; before the first rung it is negative."""
        periods, rest = np.divmod(cents, self.period)
        rungs = np.insert(self.rungs, 0, self.rungs[-1] - self.period)
        return periods * self.period + rungs[np.searchsorted(self.rungs, rest, "right")]


def for_kernels(ladders: Sequence[Ladder]) -> Ladders:
    """The ladders, a row each, as the kernels want them."""
    return Ladders.of(*((ladder.period, [int(rung) for rung in ladder.rungs]) for ladder in ladders))


def _cents(amount: float) -> int:
    return int(Decimal(str(amount)) * CENTS)


def _require_amounts(name: str, amounts: object, least: int, limit: int) -> None:
    """Raise ValueError unless it is a list of whole-cent amounts of least <= cents < limit."""
    if not isinstance(amounts, list) or not amounts:
        raise ValueError(f"{name} must be a list of at least one amount, found {amounts!r}")
    for amount in amounts:
        require_number(name, amount, least=least / CENTS)
        if Decimal(str(amount)) * CENTS % 1:
            raise ValueError(f"{name} must be whole cents, found {amount!r}")
        if _cents(amount) >= limit:
            raise ValueError(f"{name} must be below {limit / CENTS:.2f}, found {amount!r}")
