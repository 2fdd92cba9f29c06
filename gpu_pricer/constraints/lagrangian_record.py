"""The Lagrangian of a version's prices in its record, so that `explain` derives every price from what made it."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from gpu_pricer.constraints.constrained_problem import Constraints, MarketData
from gpu_pricer.constraints.linear_constraints import SUMS, objective_weights
from gpu_pricer.errors import InputError, first_line
from gpu_pricer.policy.constraint import Constraint
from gpu_pricer.policy.objective import Objective
from gpu_pricer.pricing.problem.pricing_problem import PricingProblem
from gpu_pricer.pricing.tiles.lagrangian import LagrangianWeights
from gpu_pricer.tables.files.disk_errors import write_table
from gpu_pricer.tables.files.replacing import replacing_file
from gpu_pricer.tables.version.stock_record import unit_limits_of

LAGRANGIAN, ITERATES = "lagrangian.json", "iterates.parquet"
"""The K constraints with their coefficients and a row of multipliers per dual iterate; and product_id, iterate and
stock_price of every product, whose iterate is that of its category. Shapes and units as in LagrangianWeights."""


class RecordedLagrangian(NamedTuple):
    """The Lagrangian of a version's prices, and the K constraints on sums that it charges for, by name."""

    weights: LagrangianWeights
    constraints: Constraints


class RecordedMultipliers(NamedTuple):
    """The K constraints on sums by name, their coefficients [K, 6], and multipliers [I, K] as in LagrangianWeights."""

    constraints: Constraints
    coefficient: np.ndarray
    multiplier: np.ndarray


def write_lagrangian(lagrangian: RecordedLagrangian, product_id: pl.Series, folder: Path) -> None:
    """Write the Lagrangian into the record of a version; product_id [P]: the products in the problem's order."""
    weights, constraints = lagrangian
    content = {
        "constraints": {name: asdict(constraint) for name, constraint in constraints.items()},
        "coefficient": weights.coefficient.tolist(),
        "multiplier": weights.multiplier.tolist(),
    }
    iterates = {"product_id": product_id, "iterate": weights.iterate, "stock_price": weights.stock_price}
    with replacing_file(folder / ITERATES) as fresh:
        write_table(pl.DataFrame(iterates), fresh)
    with replacing_file(folder / LAGRANGIAN) as fresh:
        fresh.write_text(json.dumps(content, allow_nan=False) + "\n")


def read_lagrangian(
    folder: Path, problem: PricingProblem, objective: Objective, market: MarketData
) -> RecordedLagrangian:
    """Return what write_lagrangian wrote into a version's record.

    problem, objective, market: those that the version was scored from. InputError where the record has no Lagrangian,
    as in versions that were scored before it was kept, or a broken one.
    """
    multipliers = read_multipliers(folder)
    iterates = read_iterates(folder, problem.products.product_id)
    missing = iterates.filter(pl.col("iterate").is_null() | pl.col("stock_price").is_null())
    if missing.height:
        found = f"none of {missing.height} products, such as {missing['product_id'][0]}"
        raise InputError(f"{folder / ITERATES} must hold the iterate of every product, found {found}: score again")
    weights = LagrangianWeights(
        objective=objective_weights(objective),
        slices=market.slices(problem, multipliers.constraints),
        coefficient=multipliers.coefficient,
        multiplier=multipliers.multiplier,
        iterate=iterates["iterate"].to_numpy(),
        stock_price=iterates["stock_price"].to_numpy(),
        unit_limit=unit_limits_of(folder, problem.products.product_id),
    )
    return RecordedLagrangian(weights, multipliers.constraints)


def read_multipliers(folder: Path) -> RecordedMultipliers:
    """Return the constraints and multipliers in a version's record; InputError as read_lagrangian."""
    path = folder / LAGRANGIAN
    if not path.is_file():
        raise InputError(
            f"a price under policy.constraints is explained by the multipliers in {path}, found none, as in versions "
            "scored before they were kept: score again"
        )
    try:
        content = json.loads(path.read_text())
        constraints = {name: Constraint(**entry) for name, entry in content["constraints"].items()}
        coefficient = _coefficients(content["coefficient"]).reshape(len(constraints), len(SUMS))
        multiplier = np.array(content["multiplier"], np.float64).reshape(len(content["multiplier"]), len(constraints))
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path} must be what `gpu-pricer score` wrote, found: {first_line(error)}: score again"
        ) from error
    return RecordedMultipliers(constraints, coefficient, multiplier)


def _coefficients(rows: list[list[float]]) -> np.ndarray:
    """Return the rows as an array; a row of an older record lacks the last of SUMS, whose weights are then 0."""
    return np.array([(*row, *[0.0] * len(SUMS))[: len(SUMS)] for row in rows], np.float64)


def read_iterates(folder: Path, product_id: pl.Series) -> pl.DataFrame:
    """Return product_id, iterate and stock_price of products [P], null for those that the record does not know."""
    path = folder / ITERATES
    try:
        table = product_id.to_frame("product_id")
        joined = table.join(pl.read_parquet(path), on="product_id", how="left", maintain_order="left")
        return joined.cast({"iterate": pl.Int64, "stock_price": pl.Float64})
    except (OSError, pl.exceptions.PolarsError) as error:
        raise InputError(
            f"{path} must be what `gpu-pricer score` wrote, found: {first_line(error)}: score again"
        ) from error


def clear_lagrangian(folder: Path) -> None:
    """Remove the Lagrangian that an earlier scoring into the same folder left of other prices."""
    for name in (LAGRANGIAN, ITERATES):
        (folder / name).unlink(missing_ok=True)
