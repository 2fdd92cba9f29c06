"""Where ids lie in another table, in little memory."""

import numpy as np
import polars as pl

IDS_AT_ONCE = 2**16


def rows_of(wanted: pl.Series, ids: pl.Series) -> np.ndarray:
    """The row of `ids`, unique but for nulls, at which each wanted id lies, int32; −1 where it is null or not there.

    Joined a part at a time: the hash table of all of a million ids takes 100 MB more.
    """
    rows = np.full(len(wanted), -1, np.int32)
    table = pl.DataFrame({"id": ids}).with_row_index("row")
    for first in range(0, len(wanted), IDS_AT_ONCE):
        part = pl.DataFrame({"id": wanted[first : first + IDS_AT_ONCE]}).with_row_index("place", offset=first)
        found = part.join(table, on="id", how="inner")
        rows[found["place"].to_numpy()] = found["row"].to_numpy()
    return rows


def is_unique(name: str) -> pl.Expr:
    """Whether each value of a column, null included, is there once; in a third of the memory where all values are."""
    return pl.col(name).map_batches(_is_unique, return_dtype=pl.Boolean)


def _is_unique(values: pl.Series) -> pl.Series:
    nulls = values.null_count()
    if values.n_unique() < len(values) - max(nulls - 1, 0):
        return values.is_unique()
    return values.is_not_null() if nulls > 1 else pl.repeat(True, len(values), dtype=pl.Boolean, eager=True)
