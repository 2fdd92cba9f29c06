"""The proof that goes with constrained prices, as certificate.json says it, and as the next run reads it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from gpu_pricer.constraints.linear_constraints import REVENUE, asked_of, measured
from gpu_pricer.constraints.solver import Solution, Start
from gpu_pricer.errors import InputError, first_line
from gpu_pricer.policy.constraint import Constraint
from gpu_pricer.tables.replacing import replacing_file

CERTIFICATE, STOCK_PRICES = "certificate.json", "stock_prices.parquet"
MET, RELAXED, MISSED = "met", "relaxed", "missed"

NOTHING_PROVEN: dict[str, object] = {
    "status": MET, "currency": None, "objective": None, "dual_bound": None, "gap": None, "constraints": {},
    "stock": None,
}  # fmt: skip
"""The certificate of a policy without constraints."""

ROUNDING = 1e-9
"""Share by which sums of one product may differ from its limit and still keep to it."""


@dataclass(frozen=True)
class Certificate:
    """What is proved of a version's prices.

    summary: the content of certificate.json; stock: product_id, limit, units, rationed, shadow_price of the products
    with a limit, or None where no constraint is per product.
    """

    summary: dict[str, object]
    stock: pl.DataFrame | None

    @property
    def status(self) -> str:
        """met: every limit holds; relaxed: those that could not hold together are eased; missed: one is not reached."""
        return str(self.summary["status"])

    def shortfalls(self) -> list[str]:
        """What is missing of each limit that is not met, in its own units; of limits per product, the worst one."""
        entries: dict[str, Any] = self.summary["constraints"]  # type: ignore[assignment]
        found = [
            f"{name} asks for {entry['measure']} {entry['kind']} {entry['required']:.6g}, gets {entry['achieved']:.6g}"
            for name, entry in entries.items()
            if entry["violation"] > 0
        ]
        over = None if self.stock is None else _over(self.stock)
        if over is not None and over.height:
            names, worst = self.summary["stock"]["names"], over.row(0, named=True)  # type: ignore[index]
            found.append(
                f"{' and '.join(names)} asks for units at_most {worst['limit']:.6g} of product {worst['product_id']}, "
                f"gets {worst['sold']:.6g} (the worst of {over.height} products)"
            )
        return found

    def write(self, folder: Path) -> None:
        """Write certificate.json, and the shadow prices of stock beside it."""
        if self.stock is not None:
            with replacing_file(folder / STOCK_PRICES) as fresh:
                self.stock.write_parquet(fresh)
        _write(folder, self.summary)


def certificate_of(
    solution: Solution,
    constraints: dict[str, Constraint],
    today: np.ndarray,
    stock: pl.DataFrame | None,
    per_product: list[str],
    currency: str,
) -> Certificate:
    """The certificate of a solution; constraints: those that are not per product, with their sums of today [K, 3].

    stock: see Certificate; per_product: the names of the constraints that it is of.
    shadow_price is what a limit looser by one (unit, currency unit, or 1.0 of margin rate) would add to the objective.
    """
    sums = solution.sums.covered.sum(axis=0)
    described = {
        name: _entry(constraint, today[k], sums[k], solution, k)
        for k, (name, constraint) in enumerate(constraints.items())
    }
    is_missed = (solution.goals.violation(solution.reached) > 0).any()
    is_short = stock is not None and _over(stock).height > 0
    status = MISSED if is_missed or is_short else RELAXED if solution.relaxed.any() else MET
    summary = {
        "status": status,
        "currency": currency,
        "objective": solution.objective,
        "dual_bound": solution.bound,
        "gap": solution.gap,
        "constraints": described,
        "stock": None if stock is None else _stock_entry(stock, per_product),
        "costs": None,
        "passes": solution.passes,
        "start": {
            "multiplier": dict(zip(constraints, solution.start.multiplier.tolist(), strict=True)),
            "curvature": None if solution.start.curvature is None else solution.start.curvature.tolist(),
        },
    }
    return Certificate(summary, stock)


def certified_objective(folder: Path) -> float | None:
    """The objective in the certificate in a folder, None where there is no certificate."""
    path = folder / CERTIFICATE
    return float(json.loads(path.read_text())["objective"]) if path.is_file() else None


def add_costs(folder: Path, costs: dict[str, object]) -> Path:
    """Add what each rule costs to the certificate in a folder; its path.

    costs: see rule_costs. Where no constraint asked for a proof they make a certificate by themselves.
    """
    path = folder / CERTIFICATE
    summary = json.loads(path.read_text()) if path.is_file() else NOTHING_PROVEN
    _write(folder, summary | costs)
    return path


def clear(folder: Path) -> None:
    """Remove what an earlier scoring into the same folder proved of other prices."""
    for name in (CERTIFICATE, STOCK_PRICES):
        (folder / name).unlink(missing_ok=True)


def read_start(folder: Path, names: list[str], product_id: pl.Series) -> Start:
    """Where the certificate in a folder says to start; what it does not know starts from 0.

    InputError when there is none.
    """
    try:
        start = json.loads((folder / CERTIFICATE).read_text())["start"]
        multiplier = np.array([float(start["multiplier"].get(name, 0.0)) for name in names])
        is_same = list(start["multiplier"]) == names and start["curvature"] is not None
        curvature = np.array(start["curvature"], np.float64).reshape(len(names), len(names)) if is_same else None
        price = np.zeros(len(product_id))
        if (folder / STOCK_PRICES).is_file():
            known = pl.read_parquet(folder / STOCK_PRICES, columns=["product_id", "shadow_price"])
            joined = product_id.to_frame("product_id").join(known, on="product_id", how="left", maintain_order="left")
            price = joined["shadow_price"].fill_null(0.0).to_numpy(writable=True)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, pl.exceptions.PolarsError) as error:
        found = first_line(error)
        raise InputError(
            f"paths.warm_start must be the record of a version scored under constraints, found {folder}: {found}"
        ) from error
    return Start(multiplier, price, curvature)


def _write(folder: Path, summary: dict[str, object]) -> None:
    with replacing_file(folder / CERTIFICATE) as fresh:
        fresh.write_text(json.dumps(summary, indent=2, allow_nan=False) + "\n")


def _entry(
    constraint: Constraint, today: np.ndarray, sums: np.ndarray, solution: Solution, k: int
) -> dict[str, object]:
    """One constraint, in the units of its measure."""
    asked, achieved = asked_of(constraint, today), measured(constraint, sums)
    missing = asked - achieved if constraint.at_least is not None else achieved - asked
    is_rate = constraint.measure == "margin_rate"
    multiplier = float(solution.start.multiplier[k])
    return {
        "measure": constraint.measure,
        "where": constraint.where,
        "priority": constraint.priority,
        "kind": "at_least" if constraint.at_least is not None else "at_most",
        "today": measured(constraint, today),
        "required": asked,
        "achieved": achieved,
        "violation": max(missing, 0.0),
        "relaxed": bool(solution.relaxed[k]),
        "binding": multiplier > 0,
        "shadow_price": multiplier * (float(sums @ REVENUE) if is_rate else 1.0),
    }


def _over(stock: pl.DataFrame) -> pl.DataFrame:
    """The products that sell more than their limit, the worst first, with what they sell."""
    sold = stock.with_columns(sold=pl.col("units") - pl.col("rationed"))
    over = sold.filter(pl.col("sold") > pl.col("limit") * (1 + ROUNDING))
    return over.sort(pl.col("sold") / pl.col("limit"), descending=True)


def _stock_entry(stock: pl.DataFrame, names: list[str]) -> dict[str, object]:
    return {
        "names": names,
        "limited": stock.height,
        "binding": int((stock["shadow_price"] > 0).sum()),
        "rationed_products": int((stock["rationed"] > 0).sum()),
        "rationed_units": float(stock["rationed"].sum()),
    }
