"""A file whose columns are added to those of a table, such as a list of stocks to the products."""

from dataclasses import dataclass

import polars as pl

from gpu_pricer.data.sources.csv import CsvFile
from gpu_pricer.data.sources.parquet import ParquetFile
from gpu_pricer.errors import InputError

KEY = "added:key"
"""The column of keys as text during a join."""


@dataclass(frozen=True)
class AddedFile:
    """A file with at most one row for each row of a table; key: the column of the table that both have."""

    key: str
    file: CsvFile | ParquetFile

    def __post_init__(self) -> None:
        if not isinstance(self.file, CsvFile | ParquetFile) or self.key not in self.file.columns:
            raise InputError(
                f"data.source.added must name files with their key among their columns, found {self.key!r} of "
                f"{self.file!r}; mend it, or let gpu-pricer inspect write it"
            )

    def joined(self, table: pl.LazyFrame, origin: str, zone: str | None) -> pl.LazyFrame:
        """Return the table with the columns of this file, null where it has no row; origin: of the table.

        Raise InputError if the table has no such key, has a column already, or if a key is in several rows of the file.
        """
        rows, names = self.file.rows(zone), table.collect_schema().names()
        others = [name for name in rows.collect_schema() if name != self.key]
        both = [name for name in others if name in names]
        if self.key not in names or both:
            found = f"{both[0]} in both" if both else f"no {self.key}"
            raise InputError(
                f"{self.file.path} must add columns to {origin} by {self.key}, found {found}: run gpu-pricer inspect "
                "again"
            )
        keyed = rows.select(pl.col(self.key).cast(pl.String).alias(KEY), *others).drop_nulls(KEY)
        twice = keyed.group_by(KEY).len().filter(pl.col("len") > 1).sort(KEY).head(1).collect()
        if twice.height:
            raise InputError(
                f"{self.file.path} must have one row for each {self.key}, found {twice['len'][0]} for "
                f"{twice[KEY][0]!r}: keep one row each"
            )
        key = pl.col(self.key).cast(pl.String).alias(KEY)
        return table.with_columns(key).join(keyed, on=KEY, how="left", maintain_order="left").drop(KEY)
