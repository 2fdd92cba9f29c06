"""What a source of raw tables is."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import polars as pl


@dataclass(frozen=True)
class RawTable:
    """A lazy table in the input contract, and where it comes from, for messages."""

    rows: pl.LazyFrame
    origin: str


class Source(Protocol):
    """Anything that brings raw tables: products, transactions or offers, perhaps users and context."""

    def files(self) -> list[Path]:
        """The files and folders that hold them, for their fingerprints; none when nothing is read."""
        ...

    def tables(self) -> dict[str, RawTable]:
        """The tables by name; InputError when they cannot be found."""
        ...
