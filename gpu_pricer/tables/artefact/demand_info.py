"""What demand.json says of a demand artefact: its form, its periods and its currency."""

import json
from dataclasses import MISSING, dataclass, fields
from datetime import date, timedelta
from pathlib import Path

from gpu_pricer.checks import require_flag, require_integer, require_number
from gpu_pricer.errors import InputError

FORMAT_VERSION = 1
FORMS = {
    "factors": ("segment_appeal", "product_appeal", "segment_sensitivity", "product_sensitivity"),
    "dense": ("appeal", "sensitivity"),
}
"""The factors of each form of an artefact."""


@dataclass(frozen=True)
class DemandInfo:
    """The content of demand.json; dates are ISO strings.

    pricing_period: the first day that is priced. sales_end: the last day of the sales that the demand knows; None: the
    day before pricing_period. bend: of the response that the utilities of a demand from training are tangents to, at
    today's prices (see network/model/price_bend.py); 0: utilities are straight.
    """

    format_version: int
    kind: str
    form: str
    run: str
    created: str
    training_start: str
    training_end: str
    period_days: int
    pricing_period: str
    outside_option: bool
    currency: str
    sales_end: str | None = None
    bend: float = 0.0

    def __post_init__(self) -> None:
        if self.format_version != FORMAT_VERSION:
            raise ValueError(f"format_version must be {FORMAT_VERSION}, found {self.format_version!r}")
        if self.kind != "mnl":
            raise ValueError(f"kind must be 'mnl', found {self.kind!r}")
        if self.form not in FORMS:
            raise ValueError(f"form must be one of {sorted(FORMS)}, found {self.form!r}")
        require_integer("period_days", self.period_days, 1)
        require_flag("outside_option", self.outside_option)
        for name in ("training_start", "training_end", "pricing_period"):
            if not _is_date(getattr(self, name)):
                raise ValueError(f"{name} must be an ISO date, found {getattr(self, name)!r}")
        if self.sales_end is not None and not _is_date(self.sales_end):
            raise ValueError(f"sales_end must be an ISO date, found {self.sales_end!r}")
        require_number("bend", self.bend, least=0, most=1)

    @property
    def last_sales_day(self) -> date:
        """Return the last day of the sales that the demand knows."""
        if self.sales_end is not None:
            return date.fromisoformat(self.sales_end)
        return date.fromisoformat(self.pricing_period) - timedelta(days=1)


def read_info(path: Path) -> DemandInfo:
    """Return what a file demand.json says; raise InputError if that is not what it must be."""
    try:
        raw = json.loads(path.read_text())
        known = (field.name for field in fields(DemandInfo) if field.default is MISSING or field.name in raw)
        return DemandInfo(**{name: raw[name] for name in known})
    except (KeyError, TypeError, ValueError, OSError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise InputError(f"{path} must describe a demand artefact, found: {reason}; train it again") from error


def _is_date(text: object) -> bool:
    try:
        return isinstance(text, str) and bool(date.fromisoformat(text))
    except ValueError:
        return False
