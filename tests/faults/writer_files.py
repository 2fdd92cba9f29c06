"""Random files of our Parquet writer, which four readers must read alike: values, types, nulls and statistics."""

import shutil
from collections.abc import Callable, Iterator
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable, QueryBuilder, convert_to_deltalake

from gpu_pricer.pricing.layouts.row_encoding import pack_prices
from gpu_pricer.pricing.layouts.wide import _width
from gpu_pricer.tables.parquet.file import TYPES, Column, write_parquet
from gpu_pricer.tables.parquet.pages import (
    ColumnChunk,
    codes_chunk,
    dictionary_of,
    flags_chunk,
    packed_chunks,
    runs_chunk,
    values_chunk,
)
from tests.faults.counts import Counts
from tests.faults.endings import counted

MONEY = pl.Decimal(12, 2)
INTEGERS = {pl.Int8(): 8, pl.Int16(): 16, pl.Int32(): 32, pl.Int64(): 64, MONEY: 39}
TEXTS = ("", "a", "äöü", "日本", "😀", "x" * 300, " ", "\n", "\0", "a,b", "~", "\U0010ffff")
LENGTHS = (1, 2, 7, 8, 9, 63, 64, 65, 255, 256, 257, 1000)


def run(limit: int, seed: int) -> Counts:
    """Return the counts over `limit` files; wrong is one that a reader refuses or reads otherwise."""
    with TemporaryDirectory() as folder:
        return counted("writer_files", _faults(f"{folder}/file.parquet", limit, np.random.default_rng(seed)))


def _faults(path: str, limit: int, rng: np.random.Generator) -> Iterator[str | None]:
    for case in range(limit):
        columns, expected, content = drawn_file(rng)
        Path(path).write_bytes(content)
        fault = _first_fault(path, expected, rng)
        yield None if fault is None else f"{case} {[str(column.dtype) for column in columns]}: {fault}"[:400]


def _first_fault(path: str, expected: list[pl.DataFrame], rng: np.random.Generator) -> str | None:
    """Return what the first reader that disagrees says, or what is wrong with the statistics."""
    rows = pl.concat(expected)
    for name, read in READERS.items():
        try:
            fault = _difference(read(path), rows)
        except Exception as error:
            fault = f"{type(error).__name__}: {error}"
        if fault is not None:
            return f"{name}: {fault}"
    return _wrong_statistics(path, expected, rng)


def drawn_file(rng: np.random.Generator) -> tuple[list[Column], list[pl.DataFrame], bytes]:
    """Return random columns, the rows of each row group, and the file that our writer makes of them."""
    dtypes = [list(TYPES)[i] for i in rng.integers(0, len(TYPES), rng.integers(1, 8))]
    columns = [Column(f"{rng.choice(['c', 'é', 'price_'])}{i}", dtype) for i, dtype in enumerate(dtypes)]
    expected, groups = [], []
    for _ in range(rng.integers(1, 4)):
        rows = int(rng.choice(LENGTHS))
        drawn = [drawn_chunk(dtype, rows, rng) for dtype in dtypes]
        groups.append([chunk for chunk, _ in drawn])
        expected.append(pl.DataFrame([series.alias(c.name) for c, (_, series) in zip(columns, drawn, strict=True)]))
    file = BytesIO()
    write_parquet(file, columns, groups, {"run": "night", "currency": "€"})
    return columns, expected, file.getvalue()


def drawn_chunk(dtype: pl.DataType, rows: int, rng: np.random.Generator) -> tuple[ColumnChunk, pl.Series]:
    """Return one column of a row group, encoded in one of the ways for its type, and its values."""
    if dtype == pl.Boolean:
        flags = rng.random(rows) < rng.random()
        return flags_chunk(flags), pl.Series(flags)
    if dtype == pl.Float32:
        values = rng.integers(0, 2**32, rows, dtype=np.uint32).view(np.float32)
        values = np.where(np.isnan(values), np.float32(-0.0), values)
        return values_chunk(values), pl.Series(values)
    if dtype == pl.String:
        return _coded(_distinct_texts(rng), rows, rng)
    size = int(rng.choice((1, 2, 3, 255, 256, 257, 5000, 66_000)))
    bits = INTEGERS[dtype]
    numbers = rng.integers(-(2 ** (bits - 1)), 2 ** (bits - 1), size, dtype=np.int64)
    distinct = np.unique(numbers if rng.random() < 0.5 else numbers % 100)
    if dtype == MONEY:
        return _coded(pl.Series(distinct), rows, rng, _money)
    return _coded(pl.Series(distinct).cast(dtype), rows, rng)


def _money(cents: pl.Series) -> pl.Series:
    return pl.Series([Decimal(number).scaleb(-2) for number in cents], dtype=MONEY)


def _distinct_texts(rng: np.random.Generator) -> pl.Series:
    texts = {*rng.choice(TEXTS, rng.integers(1, 9)), *(f"p{i}" for i in range(rng.integers(0, 300)))}
    return pl.Series(sorted(map(str, texts), key=str.encode))


def _coded(
    distinct: pl.Series, rows: int, rng: np.random.Generator, shown: Callable[[pl.Series], pl.Series] = lambda s: s
) -> tuple[ColumnChunk, pl.Series]:
    """Return codes of the distinct values, one by one, in runs or packed, and the values that they stand for."""
    is_sorted = bool(rng.random() < 0.5)
    values = distinct if is_sorted else distinct.sample(fraction=1, shuffle=True, seed=int(rng.integers(2**31)))
    dictionary = dictionary_of(values, is_sorted)
    codes = rng.integers(0, len(values), rows).astype(dictionary.code_type)
    how = rng.integers(0, 3)
    if how == 0:
        return codes_chunk(codes, dictionary), shown(values.gather(codes))
    if how == 1:
        length = int(rng.choice([length for length in range(1, rows + 1) if rows % length == 0]))
        runs = codes[: rows // length]
        return runs_chunk(runs, length, dictionary), shown(values.gather(np.repeat(runs, length)))
    bits, together = _width(len(values))
    packed = np.zeros((1, bits * -(-rows // 8)), np.uint8)
    code_of = np.arange(2**bits, dtype=np.uint32)
    pack_prices(codes.astype(np.int32).reshape(-1, 1), np.arange(rows), code_of, bits, together, packed)
    return packed_chunks(packed, bits, rows, dictionary)[0], shown(values.gather(codes))


def _by_arrow_rust(path: str) -> pl.DataFrame:
    """Return the rows as arrow-rs reads them, by way of Delta and DataFusion."""
    folder = Path(path).parent
    shutil.rmtree(folder / "_delta_log", ignore_errors=True)
    convert_to_deltalake(str(folder))
    query = QueryBuilder().register("written", DeltaTable(str(folder))).execute("select * from written")
    return pl.from_arrow(pa.table(query.read_all()))


READERS: dict[str, Callable[[str], pl.DataFrame]] = {
    "polars": pl.read_parquet,
    "duckdb": lambda path: duckdb.sql(f"select * from '{path}'").pl(),
    "arrow": lambda path: pl.from_arrow(pq.read_table(path)),
    "arrow-rs": _by_arrow_rust,
}
"""Four that share no code: Polars, DuckDB, Arrow's C++ and Arrow's Rust."""


def _difference(found: pl.DataFrame, expected: pl.DataFrame) -> str | None:
    """Return what differs between two tables, types and bits of floats included."""
    if found.schema != expected.schema:
        return f"schema {found.schema}, expected {expected.schema}"
    for name in expected.columns:
        here, there = found[name], expected[name]
        has_nulls = here.null_count() > 0
        if here.dtype == pl.Float32:
            here, there = (pl.Series(series.to_numpy().view(np.uint32)) for series in (here, there))
        if has_nulls or not here.equals(there):
            return f"values of {name}"
    return None


def _wrong_statistics(path: str, groups: list[pl.DataFrame], rng: np.random.Generator) -> str | None:
    """Return what is wrong with counts, bounds and metadata in the footer, or with what a filter finds by them."""
    file = pq.ParquetFile(path)
    found = [file.metadata.row_group(i) for i in range(file.num_row_groups)]
    if [group.num_rows for group in found] != [group.height for group in groups]:
        return "rows of the row groups"
    if file.metadata.metadata != {b"run": b"night", b"currency": "€".encode()}:
        return f"metadata {file.metadata.metadata}"
    for group, rows in zip(found, groups, strict=True):
        for i, name in enumerate(rows.columns):
            bounds = group.column(i).statistics
            if bounds is None:
                continue
            values = rows[name].to_list()
            is_wrong = bounds.has_min_max and not (
                _bytes(bounds.min) <= min(map(_bytes, values)) and max(map(_bytes, values)) <= _bytes(bounds.max)
            )
            if bounds.null_count != 0 or is_wrong:
                return f"bounds {bounds.min!r} to {bounds.max!r} of {name}"
    return _wrong_filter(path, pl.concat(groups), rng)


def _bytes(value: object) -> object:
    """Return a value as Parquet orders it: texts by their bytes."""
    return value.encode() if isinstance(value, str) else value


def _wrong_filter(path: str, rows: pl.DataFrame, rng: np.random.Generator) -> str | None:
    name, i = rows.columns[rng.integers(0, rows.width)], int(rng.integers(0, rows.height))
    if rows.schema[name] == pl.Float32:
        return None
    value = rows[name][i]
    expected = rows.filter(pl.col(name) == pl.lit(value, dtype=rows.schema[name])).height
    by_polars = pl.scan_parquet(path).filter(pl.col(name) == pl.lit(value, dtype=rows.schema[name])).collect().height
    by_duckdb = duckdb.execute(f"select count(*) from '{path}' where \"{name}\" = ?", [value]).fetchall()[0][0]
    return None if by_polars == by_duckdb == expected else f"{name} = {value!r}: {by_polars}, {by_duckdb}, {expected}"
