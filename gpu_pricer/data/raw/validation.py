"""How the rows of the raw tables are judged."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from gpu_pricer.checks import require_number
from gpu_pricer.data.raw.logged_list_prices import ListPriceRule
from gpu_pricer.data.raw.outliers import OutlierRule
from gpu_pricer.errors import InputError


@dataclass(frozen=True)
class Validation:
    """How rows are judged.

    on_invalid: what happens to rows that break a rule. most_invalid: the largest share of the lines that may be set
    aside for other reasons than a product that is not in the products table. most_implausible: the largest share, of
    all lines and of those of the last period, that may be outliers or hold cells that cannot be read. outliers: by
    name, further rules that plausible sales keep. list_prices: which list prices are plausible. guests: the user ids
    that many buyers share, or None where nothing is said of them.
    """

    on_invalid: Literal["quarantine", "refuse"]
    most_invalid: float
    most_implausible: float
    outliers: dict[str, OutlierRule]
    list_prices: ListPriceRule
    guests: list[int | str] | None

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> "Validation":
        """Return the validation that the settings of a source describe; their rules are objects."""
        return cls(**{field.name: data[field.name] for field in fields(cls)})

    def __post_init__(self) -> None:
        if self.on_invalid not in ("quarantine", "refuse"):
            raise InputError(f"data.on_invalid must be quarantine or refuse, found {self.on_invalid!r}: mend that key")
        try:
            for name in ("most_invalid", "most_implausible"):
                require_number(f"data.{name}", getattr(self, name), least=0, most=1)
        except ValueError as error:
            raise InputError(f"{error}: mend that key") from error
        if not isinstance(self.list_prices, ListPriceRule):
            raise InputError(
                f"data.list_prices must be a rule with a _target_, found {self.list_prices!r}: mend it, or set "
                "data.list_prices.most_implausible=1 to accept any list price"
            )
        guests = self.guests or []
        if not isinstance(guests, list) or not all(
            isinstance(user, int | str) and not isinstance(user, bool) for user in guests
        ):
            raise InputError(f"data.guests must be a list of user ids, or null, found {guests!r}: mend that key")
        for name, rule in self.outliers.items():
            if not hasattr(rule, "holds"):
                raise InputError(
                    f"data.outliers.{name} must be a rule with a _target_, found {rule!r}: "
                    f"mend it, or leave it out with ~data.outliers.{name}"
                )
