"""The proof that goes with constrained prices: certificate.json in a version's record, and shadow prices of stock."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from gpu_pricer.constraints.certificate_file import CERTIFICATE, find_certificate, read_certificate
from gpu_pricer.constraints.linear_constraints import absolute_limit, linear_constraints_of, measure_value, ratio_of
from gpu_pricer.constraints.solution import EXACT, Solution
from gpu_pricer.policy.constraint import Constraint
from gpu_pricer.tables.files.disk_errors import write_table
from gpu_pricer.tables.files.replacing import replacing_file
from gpu_pricer.tables.version.stock_record import STOCK_PRICES

MET, RELAXED, MISSED = "met", "relaxed", "missed"

NOTHING_PROVEN: dict[str, object] = {
    "status": MET, "currency": None, "includes_vat": None, "objective": None, "dual_bound": None, "gap": None,
    "constraints": {}, "stock": None,
}  # fmt: skip
"""The certificate of a policy without constraints."""


@dataclass(frozen=True)
class ProductLimits:
    """Limits per product, after solving.

    names: the constraints that set the limits; table: of every product with a limit, see STOCK_PRICES.
    """

    names: list[str]
    table: pl.DataFrame

    def summary(self) -> dict[str, object]:
        """Return the entry `stock` of the certificate."""
        return {
            "names": self.names,
            "limited": self.table.height,
            "binding": int((self.table["shadow_price"] > 0).sum()),
            "rationed_products": int((self.table["rationed"] > 0).sum()),
            "rationed_units": float(self.table["rationed"].sum()),
        }


@dataclass(frozen=True)
class Certificate:
    """The statements that are proved of a version's prices.

    summary: the content of certificate.json.
    product_limits: None where no constraint is per product.
    """

    summary: dict[str, object]
    product_limits: ProductLimits | None

    @property
    def status(self) -> str:
        """met: every limit holds; relaxed: limits that cannot hold together are eased; missed: one is not reached."""
        return str(self.summary["status"])

    def shortfalls(self) -> list[str]:
        """Return a sentence for every limit that is not met, in its own unit."""
        entries: dict[str, Any] = self.summary["constraints"]  # type: ignore[assignment]
        return [self.shortfall(name) for name, entry in entries.items() if entry["violation"] > 0]

    def shortfall(self, name: str) -> str:
        """Return a sentence on what a limit asks for and gets, in its own unit."""
        entry: dict[str, Any] = self.summary["constraints"][name]  # type: ignore[index]
        return (
            f"{name} asks for {entry['measure']} {entry['kind']} {entry['required']:.6g}, gets {entry['achieved']:.6g}"
        )

    def write(self, folder: Path) -> None:
        """Write certificate.json, and the shadow prices of stock beside it."""
        if self.product_limits is not None:
            with replacing_file(folder / STOCK_PRICES) as fresh:
                write_table(self.product_limits.table, fresh)
        _write(folder, self.summary)


def certificate_of(
    solution: Solution,
    constraints: dict[str, Constraint],
    today: np.ndarray,
    base: np.ndarray,
    product_limits: ProductLimits | None,
    currency: str,
    includes_vat: bool,
    tolerance: float = 0.0,
) -> Certificate:
    """Return the certificate of a solution.

    constraints: the K constraints that are not per product; today, base [K, 6]: the sums of their slices at today's
    prices, and at those that the limits are relative to; currency: of all amounts; includes_vat: whether prices do, so
    that objective, revenue and profit are after it. A shadow_price is what a limit looser by one (unit, currency unit,
    or 1.0 of a ratio) would add to the objective. tolerance: the share of its scale by which a limit may be missed.
    """
    sums = solution.sums.covered.sum(axis=0)
    is_violated = linear_constraints_of(constraints, base).violation(solution.achieved) > EXACT
    entries = {
        name: _entry(constraint, (today[k], base[k], sums[k]), solution, k, bool(is_violated[k]))
        for k, (name, constraint) in enumerate(constraints.items())
    }
    violation = solution.linear_constraints.violation(solution.achieved)  # of limits as the search eased them
    is_missed = (violation > max(EXACT, tolerance)).any()
    status = MISSED if is_missed else RELAXED if any(entry["relaxed"] for entry in entries.values()) else MET
    summary = {
        "status": status,
        "currency": currency,
        "includes_vat": includes_vat,
        "objective": solution.objective,
        "dual_bound": solution.bound,
        "gap": solution.gap if math.isfinite(solution.gap) else None,
        "constraints": entries,
        "stock": None if product_limits is None else product_limits.summary(),
        "costs": None,
        "kept": None,
        "passes": solution.passes,
        "start": {"multiplier": dict(zip(constraints, solution.start.multiplier.tolist(), strict=True))},
    }
    return Certificate(summary, product_limits)


def certified_objective(folder: Path) -> float | None:
    """Return the objective in the certificate of a record, None where the record has no certificate."""
    certificate = find_certificate(folder)
    return float(certificate["objective"]) if certificate else None


def is_met(folder: Path) -> bool:
    """Return whether the certificate of a record says that every limit is met."""
    return bool(read_certificate(folder)["status"] == MET)


def add_costs(folder: Path, costs: dict[str, object]) -> Path:
    """Add what each rule costs (see rule_costs) to the certificate of a record; return its path.

    Where there is no certificate, because the policy has no constraints, the costs are written into a new one.
    """
    _write(folder, (find_certificate(folder) or NOTHING_PROVEN) | costs)
    return folder / CERTIFICATE


def clear(folder: Path) -> None:
    """Remove the certificate that an earlier scoring into the same folder left of other prices."""
    for name in (CERTIFICATE, STOCK_PRICES):
        (folder / name).unlink(missing_ok=True)


def _write(folder: Path, summary: dict[str, object]) -> None:
    with replacing_file(folder / CERTIFICATE) as fresh:
        fresh.write_text(json.dumps(summary, indent=2, allow_nan=False) + "\n")


def _entry(
    constraint: Constraint,
    of_slice: tuple[np.ndarray, np.ndarray, np.ndarray],
    solution: Solution,
    k: int,
    is_violated: bool,
) -> dict[str, object]:
    """Return the certificate's entry of constraint k, in the unit of its measure.

    of_slice: the sums [6] of its slice at today's prices, at those that the limit is relative to, and at the new ones.
    is_violated: whether it is missed as it was asked for, not as the search eased it.
    """
    today, base, sums = of_slice
    required, achieved, ratio = absolute_limit(constraint, base), measure_value(constraint, sums), ratio_of(constraint)
    missing = required - achieved if constraint.at_least is not None else achieved - required
    of_limit = 1.0 if ratio is None else float(sums @ ratio[1])
    multiplier = float(solution.start.multiplier[k])
    return {
        "measure": constraint.measure,
        "where": constraint.where,
        "priority": constraint.priority,
        "kind": "at_least" if constraint.at_least is not None else "at_most",
        "relative_to": constraint.relative_to,
        "today": measure_value(constraint, today),
        "base": measure_value(constraint, base),
        "required": required,
        "achieved": achieved,
        "violation": max(missing, 0.0) if is_violated else 0.0,
        "relaxed": is_violated and bool(solution.is_relaxed[k]),  # eased for the search, it may hold all the same
        "binding": multiplier > 0,
        "shadow_price": multiplier * of_limit,
    }
