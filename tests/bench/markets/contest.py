"""Our prices for a market: the real commands on its raw tables, and what they leave behind."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from gpu_pricer.network.storage.saved_network import read_network
from gpu_pricer.tables.artefact import DemandArtefact, read_artefact
from gpu_pricer.tables.price_table import scan_cells
from gpu_pricer.tables.published.publishing import CURRENT
from tests.bench.markets.market import Market
from tests.bench.markets.rivals import Canonical
from tests.bench.markets.rungs import LIMITS, catalog_of

STEPS = "run.steps=[prepare,train,score,publish]"


@dataclass(frozen=True)
class Ours:
    """What a run left: the artefact, the bend of its response, the price table's cells, and the canonical tables."""

    artefact: DemandArtefact
    bend: float
    cells: pl.DataFrame
    tables: Canonical

    def segment(self, user_id: np.ndarray) -> np.ndarray:
        """Return the position in artefact.segments of each user [U]; whoever is in none counts to the largest."""
        segments = self.artefact.segments.with_row_index("segment")
        of_user = self.artefact.user_segments
        assert of_user is not None
        placed = of_user.join(segments, on="segment_id").select("user_id", "segment")
        found = pl.DataFrame({"user_id": user_id}).join(placed, on="user_id", how="left", maintain_order="left")
        largest = segments.sort("visits", "segment")["segment"][-1]
        return found["segment"].fill_null(largest).to_numpy().astype(np.int64)

    def prices(self, user_id: np.ndarray, product_id: np.ndarray) -> np.ndarray:
        """Return the prices in cents [P, U] that each user gets. Raises ValueError if a cell has none."""
        column = self.artefact.segments.with_row_index("segment").select("segment_id", "segment")
        row = pl.DataFrame({"product_id": product_id}).with_row_index("product")
        cells = self.cells.join(column, on="segment_id").join(row, on="product_id")
        price = np.full((len(product_id), column.height), np.nan)
        price[cells["product"].to_numpy(), cells["segment"].to_numpy()] = np.rint(100 * cells["price"].cast(pl.Float64))
        if np.isnan(price).any():
            raise ValueError(f"every product must have a price for every segment, found {np.isnan(price).sum()} none")
        return price[:, self.segment(user_id)]


def run_jobs(market: Market, folder: Path, overrides: list[str]) -> Ours:
    """Return what `gpu-pricer run` makes of the market's tables, in folders of its own below `folder`."""
    market.write(folder / "raw")
    products, catalog = market.tables["products"], folder / "catalog.parquet"
    catalog_of(market.truth, products).write_parquet(catalog)
    paths = {"work": folder / "work", "prices": folder / "prices", "catalog": catalog}
    command = [sys.executable, "-m", "gpu_pricer", "run", "data=parquet", f"data.path={folder / 'raw'}", STEPS]
    command += ["policy=profit", *LIMITS, *(f"paths.{name}={path}" for name, path in paths.items()), *overrides]
    with (folder / "log.txt").open("w") as log:
        subprocess.run(command, check=True, stdout=log, stderr=subprocess.STDOUT)
    data = folder / "work" / "data"
    demand = folder / "work" / "demand"
    artefact = read_artefact(demand)
    return Ours(
        artefact=artefact,
        bend=float(read_network(demand / "network").parameters.tensors["bend"].values),
        cells=scan_cells(folder / "prices" / CURRENT, artefact.segments.schema["segment_id"]).collect(),
        tables=Canonical(
            *(pl.read_parquet(data / f"{name}.parquet") for name in ("shelf", "choices", "categories")), products
        ),
    )
