"""Shops in folders, as jobs find them: demand and a catalog, and what earlier jobs made of these."""

import logging
import os
import shutil
from pathlib import Path

import polars as pl

from gpu_pricer.command_line.cli import main
from gpu_pricer.data.raw.logged_list_prices import ListPriceRule
from gpu_pricer.data.raw.outliers import OutlierRule
from gpu_pricer.data.raw.validation import Validation
from gpu_pricer.tables.artefact import DemandArtefact, write_artefact


def lay_out(folder: Path, artefact: DemandArtefact, catalog: pl.DataFrame) -> Path:
    """Write demand and catalog where the jobs look for them, and return the folder."""
    write_artefact(artefact, folder / "work/demand")
    (folder / "work/data").mkdir()
    catalog.write_parquet(folder / "work/data/products.parquet")
    return folder


def run_job(folder: Path, *arguments: str) -> int:
    """Run a command in a folder, leave logging as it was, and return the exit status."""
    root = logging.getLogger()
    handlers, level, before = root.handlers[:], root.level, Path.cwd()
    try:
        os.chdir(folder)
        return main(list(arguments))
    finally:
        os.chdir(before)
        root.handlers[:] = handlers
        root.setLevel(level)


def copied(shop: Path, folder: Path) -> Path:
    """Copy a shop that no test may change into an empty folder, and return that."""
    shutil.copytree(shop, folder, symlinks=True, dirs_exist_ok=True)
    return folder


def validation(on_invalid: str, outliers: dict[str, OutlierRule] | None = None) -> Validation:
    """Return how the rows of a shop are judged, as the jobs do it by default but for these settings."""
    return Validation(on_invalid, 0.5, 0.5, outliers or {}, ListPriceRule(most_ratio=5, most_implausible=0.5), None)
