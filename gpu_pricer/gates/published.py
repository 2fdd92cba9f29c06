"""The published version that a new one is compared with: its prices, its columns, its currency, its artefact."""

from pathlib import Path
from typing import NamedTuple

import polars as pl

from gpu_pricer.errors import InputError, first_line
from gpu_pricer.tables.price_table import products_in, scan_prices
from gpu_pricer.tables.version.price_moves import published_cells


class Published(NamedTuple):
    """The published version.

    folder, run: where it lies, its name. columns: type by column. currency, artefact: as its files say. products:
    product_id as text, and `file`, which holds the product's prices.
    """

    folder: Path
    run: str
    columns: dict[str, str]
    currency: str
    artefact: str
    products: pl.DataFrame

    def cells(self, products: pl.Series) -> pl.DataFrame:
        """Return product_id and segment_id as text, and the price `before`, of the published cells of products.

        products: ids as text. Only the files that hold them are read: a table of 100 million cells has 25.
        """
        asked = self.products.join(products.unique().to_frame("product_id"), on="product_id", how="semi")
        files = asked["file"].unique().sort()
        in_files = self.products.filter(pl.col("file").is_in(files.implode()))
        needed = None if in_files.height == asked.height else asked["product_id"]
        return published_cells([Path(file) for file in files], needed)


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
            products=pl.concat(products),
        )
    except (OSError, ValueError, KeyError, pl.exceptions.PolarsError) as error:
        raise InputError(
            f"{folder} must hold the published version, with which the next one is compared, found: "
            f"{first_line(error)}: restore its files, or publish without this comparison: publish=unguarded"
        ) from error


def columns_of(schema: pl.Schema) -> dict[str, str]:
    """Return the type of each column as text."""
    return {name: str(dtype) for name, dtype in schema.items()}
