"""The published version that a new one is compared with: its prices, its columns, its currency, its artefact."""

from functools import reduce
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from gpu_pricer.errors import UNREADABLE, InputError, first_line
from gpu_pricer.tables.price_table import products_in, scan_prices
from gpu_pricer.tables.version.price_grid import PriceGrid, read_grid


class Published(NamedTuple):
    """The published version.

    folder, run: where it lies, its name. columns: type by column. currency, artefact, valid_from: as its files say, the
    last the first day after the whole periods of sales that its demand knows. products: product_id as text, and `file`,
    which holds the product's prices.
    """

    folder: Path
    run: str
    columns: dict[str, str]
    currency: str
    artefact: str
    valid_from: str
    products: pl.DataFrame

    def prices_for(self, grid: PriceGrid) -> np.ndarray:
        """Return the published price of every cell of a grid in int64 cents [P, S], 0 where none is published.

        Only the files that hold its products are read: a table of 100 million cells has 25.
        """
        products, segments = (ids.cast(pl.String) for ids in (grid.product_id, grid.segment_id))
        asked = self.products.join(products.to_frame("product_id"), on="product_id", how="semi")
        files = asked["file"].unique().sort()
        parts = [read_grid(Path(file)).prices_for(products, segments) for file in files]
        return reduce(np.maximum, parts) if parts else np.zeros((len(products), len(segments)), np.int64)


def read_published(prices: Path, run: str) -> Published:
    """Return the version whose run is the published table; its files tell all, whatever became of its record.

    Raise InputError if its files cannot be read.
    """
    folder = prices / run
    try:
        metadata = pl.read_parquet_metadata(min(folder.glob("*.parquet")))
        rows = scan_prices(folder)
        products = [
            products_in(file).cast(pl.String).to_frame("product_id").with_columns(file=pl.lit(str(file)))
            for file in sorted(folder.glob("*.parquet"))
        ]
        return Published(
            folder=folder,
            run=run,
            columns=columns_of(rows.collect_schema()),
            currency=metadata["currency"],
            artefact=metadata["artefact"],
            valid_from=metadata["valid_from"],
            products=pl.concat(products),
        )
    except (InputError, ValueError, KeyError, *UNREADABLE) as error:
        raise InputError(
            f"{folder} must hold the published version, with which the next one is compared, found: "
            f"{first_line(error)}: restore its files, or publish without this comparison: publish=unguarded"
        ) from error


def columns_of(schema: pl.Schema) -> dict[str, str]:
    """Return the type of each column as text."""
    return {name: str(dtype) for name, dtype in schema.items()}
