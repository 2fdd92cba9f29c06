"""Our commands on a panel, with untouched defaults, and what they predicted for the test."""

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl

from tests.bench.panels.panel import FIRST_DAY, TEST, Panel

ROOT = Path(__file__).parents[3]
JOBS = ("prepare", "train", "evaluate")
TABLES, WORK = "tables", "work"
PREDICTIONS = Path("train") / "held_out.parquet"


def held_out_file(panel: Panel, folder: Path, overrides: list[str]) -> Path:
    """Return the file of our predictions for the test, once our jobs have run in `folder`.

    A run that is there is not run again. overrides: of the jobs, beyond what the panel says of its tables.
    """
    work = (folder / WORK).resolve()
    if not (work / PREDICTIONS).is_file():
        tables = (folder / TABLES).resolve()
        if not tables.is_dir():
            panel.write(tables)
        given = [*panel.overrides(tables), f"paths.work={work}", f"paths.prices={work / 'prices'}", *overrides]
        for job in JOBS:
            command = [sys.executable, "-m", "gpu_pricer", job, *given]
            subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return work / PREDICTIONS


def read_probabilities(path: Path, panel: Panel) -> np.ndarray:
    """Return the predicted probabilities [T, J] of the T test choices, which sum to 1 in every choice.

    path: a table of offers with user_id, period, product_id and probability, such as held_out.parquet. Raises
    ValueError where a test choice lacks a product's probability.
    """
    test = np.flatnonzero(panel.stage == TEST)
    choice, product = (index.ravel() for index in np.indices((len(test), len(panel.products))))
    offers = pl.DataFrame({
        "user_id": panel.user[test][choice],
        "period": [FIRST_DAY + timedelta(days=day) for day in panel.period[test][choice].tolist()],
        "product_id": pl.Series(panel.products).gather(product),
    })  # fmt: skip
    predicted = pl.read_parquet(path, columns=[*offers.columns, "probability"])
    found = offers.join(predicted, on=offers.columns, how="left", maintain_order="left", validate="1:1")
    missing = found["probability"].null_count()
    if missing:
        raise ValueError(f"{path} must have a probability for every test offer of {panel.name}, {missing} lack one")
    probability = found["probability"].to_numpy().reshape(len(test), -1)
    return probability / probability.sum(axis=1, keepdims=True)
