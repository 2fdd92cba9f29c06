"""Do units answer prices as the artefact says? python -m tests.bench.elasticity

On Complete Journey, goods with a unit price that are seen in most weeks, a last line of JSON:
ratio_units: the artefact's elasticity of units over that of a Poisson regression of units on log price, with effects of
product and category × week, display and mailer, on the same weeks. ratio_units_instrumented: over that of a regression
in which the price that one half of the households paid tells what the other half was asked.
ratio_base, ratio_deal: the same for the everyday price and the cut below it; null for the reason under `missing`.
Unknown arguments are overrides of the runs.
"""

import argparse
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl

from gpu_pricer.tables.artefact import read_artefact
from tests.bench.elasticity.cells import Cells, cells_of, halves, lines_of
from tests.bench.elasticity.implied import implied_elasticity, responses
from tests.bench.elasticity.poisson import poisson_regression, projected
from tests.bench.panels.ours import ROOT
from tests.bench.timing import report, short

CATEGORY = "product_type"
TABLES = ("products", "shelf", "choices")
ONE_RESPONSE = "the artefact has one response to the price, whether the everyday price or a cut moves it"


def main() -> None:
    """Print the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("work/elasticity"), help="work folder; what is there is kept")
    given, overrides = parser.parse_known_args()
    work = trained(given.work.resolve(), overrides)
    cells = cells_of(*(pl.read_parquet(work / "data" / f"{name}.parquet") for name in TABLES))
    found = responses(read_artefact(work / "demand"))
    report(benchmark="elasticity", **short(judged(cells, halves(cells, lines_of(CATEGORY)), found)))


def trained(work: Path, overrides: list[str]) -> Path:
    """Return the work folder with canonical tables and artefact; what is there already is not made again."""
    for job, made in (("prepare", work / "data" / "summary.json"), ("train", work / "demand" / "demand.json")):
        if not made.is_file():
            command = [sys.executable, "-m", "gpu_pricer", job, "data=complete_journey", f"paths.work={work}"]
            subprocess.run([*command, *overrides], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return work


def judged(cells: Cells, parts: list[Cells], found: pl.DataFrame) -> dict[str, object]:
    """Return the ratios, and the elasticities and standard errors that they are of.

    parts: the cells of each half of the households, from halves.
    """
    plain = poisson_regression(cells.table["units"].to_numpy(), cells.log("price"), cells.effects)
    split = poisson_regression(cells.table["units"].to_numpy(), _split(cells), cells.effects)
    ours = implied_elasticity(cells, found, plain.mean)
    pairs = [instrumented(half, found) for half in parts]
    theirs, implied, error = (float(np.mean(values)) for values in zip(*pairs, strict=True))
    return {
        "products": cells.table["product_id"].n_unique(),
        "cells": cells.table.height,
        "ours": ours,
        "regression": {
            "units": [plain.coefficient[0], plain.error[0]],
            "units_instrumented": [theirs, error],
            "base": [split.coefficient[0], split.error[0]],
            "deal": [split.coefficient[1], split.error[1]],
        },
        "ratio_units_instrumented": implied / theirs,
        "ratio_units": ours / plain.coefficient[0],
        "ratio_base": None,
        "ratio_deal": None,
        "missing": {"ratio_base": ONE_RESPONSE, "ratio_deal": ONE_RESPONSE},
    }


def instrumented(half: Cells, found: pl.DataFrame) -> tuple[float, float, float]:
    """Return the regression's elasticity, that which the artefact implies on the same cells, and the standard error.

    The residual of the own price given the other half's stands beside the price (a control function: Wooldridge 2015).
    It is learned with the weights of the regression, because prices of cells with few lines err most. The standard
    error takes the residual as known.
    """
    units, effects = half.table["units"].to_numpy(), half.effects
    weight = poisson_regression(units, half.log("price"), effects).mean
    within = projected(np.column_stack([half.log("price")[:, :1], half.log("seen")]), weight, effects)
    root = np.sqrt(weight)[:, None]
    slope = np.linalg.lstsq(root * within[:, 1:], root[:, 0] * within[:, 0], rcond=None)[0]
    covariates = np.column_stack([half.log("price"), within[:, 0] - within[:, 1:] @ slope])
    fitted = poisson_regression(units, covariates, effects)
    return float(fitted.coefficient[0]), implied_elasticity(half, found, fitted.mean), float(fitted.error[0])


def _split(cells: Cells) -> np.ndarray:
    """Return the log of the everyday price, that of the price over it, and PROMOTION, [n, 4]."""
    logs = cells.log("everyday", "price")
    return np.column_stack([logs[:, 0], logs[:, 1] - logs[:, 0], logs[:, 2:]])


if __name__ == "__main__":
    main()
