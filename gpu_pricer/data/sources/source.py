"""The interface of a source of raw tables."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import polars as pl


@dataclass(frozen=True)
class RawTable:
    """A lazy table that follows the input contract (rows), and where it comes from, for messages (origin)."""

    rows: pl.LazyFrame
    origin: str


class Source(Protocol):
    """An object that brings raw tables: products, transactions or offers, and optionally users and context."""

    def files(self) -> list[Path]:
        """Return the files and folders that hold the tables, for their fingerprints; none if nothing is read."""
        ...

    def tables(self) -> dict[str, RawTable]:
        """Return the tables by name; raise InputError if they cannot be found."""
        ...
