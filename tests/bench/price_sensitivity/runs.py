"""The runs that the judgements read: the grocery benchmark, and a training that ends before the weeks that judge it."""

import json
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

import polars as pl

from tests.bench.panels.ours import ROOT

BENCHMARK = "experiment=grocery_benchmark"
LAST_TRAINED, LAST = date(2017, 9, 25), date(2017, 12, 18)  # weeks 40 and 52
TABLES = ("shelf", "choices", "visits")


def run_benchmark(folder: Path, overrides: list[str]) -> Path:
    """Return the folder of the benchmark's first fold and seed; a run that is there is not run again."""
    if not (folder / "metrics.json").is_file():
        for job in ("prepare", "train", "evaluate"):
            _run(job, f"data.last_period={LAST}", f"paths.work={folder}", "evaluate=default", *overrides)
    return folder


def train_until(tables: Path, folder: Path, overrides: list[str]) -> Path:
    """Return the folder of a training on the benchmark's canonical tables of the weeks up to LAST_TRAINED alone.

    tables: the canonical tables of all weeks, whose products are kept, so that the same products are judged.
    """
    work = folder.resolve()
    if not (work / "demand" / "demand.json").is_file():
        truncate(tables, work / "data")
        _run("train", "split.test_periods=0", f"paths.work={work}", *overrides)
    return work


def truncate(tables: Path, folder: Path) -> None:
    """Write the canonical tables up to LAST_TRAINED, for a split without a test, into a new folder."""
    shutil.copytree(tables, folder)
    for name in TABLES:
        pl.read_parquet(tables / f"{name}.parquet").filter(pl.col("period") <= LAST_TRAINED).write_parquet(
            folder / f"{name}.parquet"
        )
    shelf = pl.read_parquet(folder / "shelf.parquet").sort("period")
    last = shelf.group_by("product_id").agg(pl.col("price", "list_price").last().name.prefix("last_"))
    products = pl.read_parquet(tables / "products.parquet").join(last, on="product_id", maintain_order="left")
    products = products.with_columns(price="last_price", list_price="last_list_price")
    products.drop("last_price", "last_list_price").write_parquet(folder / "products.parquet")
    summary = json.loads((tables / "summary.json").read_text())
    summary["split"]["test_periods"] = 0
    (folder / "summary.json").write_text(json.dumps(summary))


def _run(job: str, *overrides: str) -> None:
    command = [sys.executable, "-m", "gpu_pricer", job, BENCHMARK, *overrides]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
