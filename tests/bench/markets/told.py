"""The told reference: prices of an estimator that is told the true types and the hidden shocks, by several estimators.

`logit` is the evaluation's fixed-effects logit, which is told the types only. `job` is our own: `train` reads the
folder that its setting train.told names, with types.parquet (user_id, segment_id) and shocks.parquet (product_id,
period, shock).
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from tests.bench.markets.contest import run_jobs
from tests.bench.markets.market import Market
from tests.bench.markets.rivals import Canonical, logit_prices
from tests.bench.markets.truth import Truth


def write_told(truth: Truth, folder: Path) -> None:
    """Write types.parquet and shocks.parquet to the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    types = pl.DataFrame({"user_id": truth.user_id, "segment_id": [f"T{kind:02d}" for kind in truth.types]})
    types.write_parquet(folder / "types.parquet")
    truth.hidden.write_parquet(folder / "shocks.parquet")


def _by_logit(market: Market, tables: Canonical, folder: Path, overrides: list[str]) -> np.ndarray:
    return logit_prices(market.truth, tables, market.truth.types)


def _by_job(market: Market, tables: Canonical, folder: Path, overrides: list[str]) -> np.ndarray:
    write_told(market.truth, folder / "told")
    ours = run_jobs(market, folder, [*overrides, f"train.told={folder / 'told'}"])
    return ours.prices(market.truth.user_id, market.truth.product_id)


TOLD: dict[str, Callable[[Market, Canonical, Path, list[str]], np.ndarray]] = {"logit": _by_logit, "job": _by_job}
"""Return the prices in cents [P, U] for a market, its canonical tables, a folder for files, and overrides of `run`."""
