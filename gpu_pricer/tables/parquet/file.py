"""A Parquet file written from finished pages, row group by row group.

The footer's field numbers are those of https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO

import polars as pl

from gpu_pricer.tables.parquet.pages import PLAIN, RLE_DICTIONARY, ColumnChunk
from gpu_pricer.tables.parquet.thrift import Field, binary, i32, i64, listing, record

MAGIC = b"PAR1"
BOOLEAN, BYTE_ARRAY, FLOAT, INT32, INT64 = 0, 6, 4, 1, 2

TYPES: dict[pl.DataType, tuple[int, dict[int, Field]]] = {
    pl.String(): (BYTE_ARRAY, {6: i32(0)}),
    pl.Boolean(): (BOOLEAN, {}),
    pl.Float32(): (FLOAT, {}),
    pl.Int8(): (INT32, {6: i32(15)}),
    pl.Int16(): (INT32, {6: i32(16)}),
    pl.Int32(): (INT32, {6: i32(17)}),
    pl.Int64(): (INT64, {6: i32(18)}),
    pl.Decimal(12, 2): (INT64, {6: i32(5), 7: i32(2), 8: i32(12)}),
}
"""The physical type of each data type, and the fields after the name of its schema element, which say what it means."""

PLAIN_ENCODINGS = listing([i32(PLAIN)])
DICTIONARY_ENCODINGS = listing([i32(PLAIN), i32(RLE_DICTIONARY)])


@dataclass(frozen=True)
class Column:
    """The name and type (one of TYPES) of a column without nulls; decimals are given as integer hundredths."""

    name: str
    dtype: pl.DataType


def write_parquet(
    file: BinaryIO, columns: Sequence[Column], groups: Iterable[Sequence[ColumnChunk]], metadata: Mapping[str, str]
) -> None:
    """Write the file; `groups` yields one chunk per column for each row group."""
    file.write(MAGIC)
    end, rows, written = len(MAGIC), 0, []
    for chunks in groups:
        described = []
        for column, chunk in zip(columns, chunks, strict=True):
            pages = [page.content for page in chunk.pages]
            file.writelines(pages)
            described.append(_described(column, chunk, end))
            end += sum(map(len, pages))
        rows += chunks[0].rows
        written.append(_row_group(described, chunks))
    footer = _footer(columns, written, rows, metadata)
    file.write(footer + len(footer).to_bytes(4, "little") + MAGIC)


def _described(column: Column, chunk: ColumnChunk, start: int) -> Field:
    """Return the footer's entry for a chunk that begins at byte `start`."""
    *before, page = chunk.pages
    ahead = len(before[0].content) if before else 0
    fields = {
        1: i32(TYPES[column.dtype][0]),
        2: PLAIN_ENCODINGS if chunk.dictionary is None else DICTIONARY_ENCODINGS,
        3: listing([binary(column.name.encode())]),
        4: i32(chunk.codec),
        5: i64(chunk.rows),
        6: i64(page.uncompressed + (before[0].uncompressed if before else 0)),
        7: i64(ahead + len(page.content)),
        9: i64(start + ahead),
    }
    if chunk.dictionary is not None:
        fields |= {11: i64(start), 12: chunk.dictionary.statistics}
    return record({2: i64(start), 3: record(fields)})


def _row_group(described: Sequence[Field], chunks: Sequence[ColumnChunk]) -> Field:
    uncompressed = sum(page.uncompressed for chunk in chunks for page in chunk.pages)
    return record({1: listing(described), 2: i64(uncompressed), 3: i64(chunks[0].rows)})


def _footer(columns: Sequence[Column], groups: Sequence[Field], rows: int, metadata: Mapping[str, str]) -> bytes:
    root = record({4: binary(b"schema"), 5: i32(len(columns))})
    pairs = [record({1: binary(key.encode()), 2: binary(value.encode())}) for key, value in metadata.items()]
    type_defined_order = record({1: record({})})
    fields = {
        1: i32(1),
        2: listing([root, *map(_element, columns)]),
        3: i64(rows),
        4: listing(groups),
        5: listing(pairs),
        6: binary(b"gpu_pricer"),
        7: listing([type_defined_order] * len(columns)),
    }
    return record(fields)[1]


def _element(column: Column) -> Field:
    physical, meaning = TYPES[column.dtype]
    return record({1: i32(physical), 3: i32(0), 4: binary(column.name.encode())} | meaning)
