"""A tile's file, written into memory and read back by Polars, which shares no line with our writer."""

from io import BytesIO

import polars as pl

from gpu_pricer.pricing.scoring import LAYOUT, table_columns
from gpu_pricer.tables.parquet.file import write_parquet


def rows_of(tile, layout="long", details=()) -> pl.DataFrame:
    """The rows of a solved tile."""
    file = BytesIO()
    write_parquet(file, table_columns(tile.problem, layout, details), LAYOUT[layout].groups(tile, details), {})
    return pl.read_parquet(file.getvalue())
