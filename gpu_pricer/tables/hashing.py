"""A table's rows as bytes for a fingerprint, a part at a time so that no second copy of the table is made."""

from typing import Protocol

import polars as pl

ROWS = 2**16


class Digest(Protocol):
    """What hashlib makes."""

    def update(self, data: bytes, /) -> None:
        """Add bytes."""


def add_rows(digest: Digest, table: pl.DataFrame, by: str | None = None) -> None:
    """Add the table, sorted by a column if one is named, to a hash, as CSV."""
    order = pl.int_range(table.height, eager=True) if by is None else table[by].arg_sort()
    for first in range(0, max(table.height, 1), ROWS):
        part = table[order[first : first + ROWS]]
        digest.update(part.write_csv(include_header=first == 0).encode())
