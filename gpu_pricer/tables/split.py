"""How the periods of the canonical tables divide: never by random rows, since tomorrow's rows tell of today's."""

from dataclasses import dataclass

from gpu_pricer.checks import require_integer
from gpu_pricer.errors import InputError

LEAST_TRAINED = 2


@dataclass(frozen=True)
class Split:
    """From the first period to the last: so many only feed histories, then training, validation and test."""

    history_periods: int
    validation_periods: int
    test_periods: int

    def __post_init__(self) -> None:
        for name, least in (("history_periods", 0), ("validation_periods", 1), ("test_periods", 0)):
            require_integer(f"split.{name}", getattr(self, name), least)

    def trained(self, periods: int) -> int:
        """How many of the first periods come before validation; InputError when they are too few to learn from."""
        trained = periods - self.validation_periods - self.test_periods
        if trained - self.history_periods < LEAST_TRAINED:
            raise InputError(
                f"training needs at least {LEAST_TRAINED} periods besides {self.history_periods} for histories, "
                f"{self.validation_periods} for validation and {self.test_periods} for test, found {periods} in all: "
                "give more data, or lower split.history_periods, split.validation_periods and split.test_periods"
            )
        return trained
