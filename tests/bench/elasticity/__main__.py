"""Do units answer prices as the artefact says? python -m tests.bench.elasticity

On Complete Journey, goods with a unit price that are seen in most weeks, a last line of JSON:
ratio_units: the elasticity of units of the response that the artefact touches at today's prices, over that of a Poisson
regression of units on log price, with effects of product and category × week, display and mailer, on the same weeks.
ratio_units_instrumented: over that of a regression in which the price that one half of the households paid tells what
the other half was asked.
ratio_base, ratio_deal: the same for the everyday price, as list prices show it, and for the cut below it;
ratio_base_paid, ratio_deal_paid: for the everyday price as the prices of the last weeks show it. The artefact has one
response, whether the everyday price or a cut moves the price.
fifths: elasticities of the fifths of products from the fewest units sold to the most, by the regression, with its
effects of display, and by the artefact.
held_out_units: Poisson deviance of the units per product-week that training never saw, by the network, the artefact and
boosted trees with a Poisson objective; deviance_over_trees: the network's over the trees'. Null without LightGBM.
Unknown arguments are overrides of the runs: data.last_period=2017-12-04 judges by three weeks before those of the
default.
"""

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from gpu_pricer.evaluation.baselines.trees import NotInstalledError
from tests.bench.elasticity.cells import EVERYDAY, Cells, cells_of, halves, lines_of
from tests.bench.elasticity.implied import Response, implied_elasticity
from tests.bench.elasticity.poisson import poisson_regression, projected
from tests.bench.elasticity.units import TREES, judged_units
from tests.bench.panels.ours import ROOT
from tests.bench.timing import report, short

CATEGORY = "product_type"
TABLES = ("products", "shelf", "choices")


def main() -> None:
    """Print the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("work/elasticity"), help="work folder; what is there is kept")
    given, overrides = parser.parse_known_args()
    work = trained(given.work.resolve(), overrides)
    cells = cells_of(*(pl.read_parquet(work / "data" / f"{name}.parquet") for name in TABLES))
    response = Response.read(work)
    block = judged(cells, halves(cells, lines_of(CATEGORY)), response) | units_block(work, cells)
    report(benchmark="elasticity", **short(block))


def trained(work: Path, overrides: list[str]) -> Path:
    """Return the work folder with canonical tables and artefact; what is there already is not made again."""
    for job, made in (("prepare", work / "data" / "summary.json"), ("train", work / "demand" / "demand.json")):
        if not made.is_file():
            command = [sys.executable, "-m", "gpu_pricer", job, "data=complete_journey", f"paths.work={work}"]
            subprocess.run([*command, *overrides], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return work


def judged(cells: Cells, parts: list[Cells], response: Response) -> dict[str, object]:
    """Return the ratios, and the elasticities and standard errors that they are of.

    parts: the cells of each half of the households, from halves.
    """
    units = cells.table["units"].to_numpy()
    plain = poisson_regression(units, cells.log("price"), cells.effects)
    ours = float(implied_elasticity(cells, response, plain.mean, cells.log("price"))[0])
    pairs = [instrumented(half, response) for half in parts]
    theirs, implied, error = (float(np.mean(values)) for values in zip(*pairs, strict=True))
    block: dict[str, Any] = {
        "products": cells.table["product_id"].n_unique(),
        "cells": cells.table.height,
        "ours": ours,
        "regression": {
            "units": [plain.coefficient[0], plain.error[0]],
            "units_instrumented": [theirs, error],
        },
        "ratio_units_instrumented": implied / theirs,
        "ratio_units": ours / plain.coefficient[0],
    }
    for everyday in EVERYDAY:
        split = poisson_regression(units, cells.split(everyday), cells.effects)
        implied_both = implied_elasticity(cells, response, split.mean, cells.split(everyday))
        for place, name in enumerate(("base", "deal")):
            name += everyday.removeprefix("everyday")
            block["regression"][name] = [split.coefficient[place], split.error[place]]
            block[f"ratio_{name}"] = float(implied_both[place] / split.coefficient[place])
    return block | {"fifths": by_fifth(cells, response)}


def by_fifth(cells: Cells, response: Response) -> dict[str, list[float]]:
    """Return the elasticities and effects of display of the fifths of products by units sold, from the fewest."""
    fifth, logs = cells.fifth, cells.log("price")
    is_own = fifth[:, None] == np.arange(fifth.max() + 1)
    covariates = np.column_stack([logs[:, :1] * is_own, logs[:, 1:2] * is_own, logs[:, 2:]])
    fitted = poisson_regression(cells.table["units"].to_numpy(), covariates, cells.effects)
    implied, count = implied_elasticity(cells, response, fitted.mean, covariates), is_own.shape[1]
    prices, displays = slice(0, count), slice(count, 2 * count)
    return {
        "regression": fitted.coefficient[prices].tolist(),
        "errors": fitted.error[prices].tolist(),
        "ours": implied[prices].tolist(),
        "displays": fitted.coefficient[displays].tolist(),
    }


def units_block(work: Path, cells: Cells) -> dict[str, object]:
    """Return the deviances of held-out units, and the network's over the trees' of all weeks and of moves > 15 %."""
    try:
        found = judged_units(work, cells.table["product_id"].unique().sort())
    except NotInstalledError as error:
        return {"held_out_units": None, "deviance_over_trees": None, "missing": {"held_out_units": str(error)}}
    ratio = {name: value / found[TREES][name] for name, value in found["network"].items()}
    return {"held_out_units": found, "deviance_over_trees": ratio}


def instrumented(half: Cells, response: Response) -> tuple[float, float, float]:
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
    implied = implied_elasticity(half, response, fitted.mean, half.log("price"))
    return float(fitted.coefficient[0]), float(implied[0]), float(fitted.error[0])


if __name__ == "__main__":
    main()
