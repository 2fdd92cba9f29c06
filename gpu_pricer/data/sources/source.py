"""The interface of a source of raw tables."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import polars as pl

FILE, LINE, CELLS, COLUMN, TIME = "csv:file", "csv:line", "csv:unreadable", "csv:column", "csv:time"
"""Of a row that cannot be read: its file, its line there, the cells, of a single cell its column in the contract, and
when it was, if that can be read.

No column of a user's is called so.
"""
CAN_LACK = ("vat_rate", "list_price", "launched")
"""Columns without whose value a row stays if its cell there cannot be read."""


@dataclass(frozen=True)
class RawTable:
    """A lazy table.

    rows: those that follow the input contract. origin: where they come from, for messages. unreadable: rows of text
    with a cell that cannot be read, as they are written, after the columns FILE, LINE, CELLS and TIME, which say where,
    what and when; None for a format whose cells have types. unread: FILE, LINE, CELLS and COLUMN of the cells in
    columns of CAN_LACK that cannot be read, in the rows among `rows`. in_utc: columns of times in UTC, which stay in
    UTC because no time zone of the stores is known. left_out: lines that do not count, such as cancelled ones, as
    `unreadable` shows rows; CELLS holds what says so. doubts: what speaks against the rows as a whole.
    """

    rows: pl.LazyFrame
    origin: str
    unreadable: pl.LazyFrame | None = None
    unread: pl.LazyFrame | None = None
    in_utc: tuple[str, ...] = ()
    left_out: pl.LazyFrame | None = None
    doubts: tuple[str, ...] = ()


class Source(Protocol):
    """An object that brings raw tables: products, transactions or offers, and optionally users and context."""

    def files(self) -> list[Path]:
        """Return the files and folders that hold the tables, for their fingerprints; none if nothing is read."""
        ...

    def tables(self) -> dict[str, RawTable]:
        """Return the tables by name; raise InputError if they cannot be found."""
        ...
