"""Tables as users bring them by mistake: a sound table with something else in a column, a row, a name or a file."""

import contextlib
import random
import shutil
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

TEXTS = (
    "",
    " ",
    "x",
    "\0",
    "é",
    "e\u0301",
    "日本",
    "😀" * 50,
    "\u202eabc",
    "a\nb",
    "../up",
    "null",
    "NaN",
    "1",
    "-0",
    "x" * 9000,
)
NUMBERS = (0, -1, 1, 0.5, 1e-320, 1e300, -1e300, float("inf"), float("-inf"), float("nan"), 2**31, 2**53, 99999999.99)
INTEGERS = (0, -1, 1, 2**31, 2**62, -(2**63), 2**63 - 1)
DAYS = (date(1, 1, 1), date(1970, 1, 1), date(1969, 12, 31), date(2024, 2, 29), date(9999, 12, 31), date(2262, 4, 12))
NAMES = (
    "", " ", "price ", "PRICE", "período", "日付", "😀", "period", "probability", "category_id", "segment_id", "weight",
    "product_id_right", "len", "index", "literal", "count", "a.b", "a/b", "a\nb", "`x`", "x" * 3000, "*", "^.*$",
    "segment", "occasion", "row", "price_s0", "today_price", "copies", "day", "line", "lines", "given", "attribute:age",
    "__index_level_0__", "moved", "draw", "visits", "share", "quantile", "reference_price", "cost_source",
)  # fmt: skip
SAME_VALUES = (
    (pl.String, pl.Categorical),
    (pl.Int64, pl.Int32),
    (pl.Int64, pl.UInt8),
    (pl.Float64, pl.Decimal(20, 6)),
    (pl.Date, pl.Datetime("us")),
    (pl.Date, pl.Datetime("ns")),
    (pl.Date, pl.Datetime("ms")),
)
"""Types, and others that can say the same."""


def drawn_column(rng: random.Random, rows: int) -> pl.Series:
    """Return a column of that many rows, of any type."""
    value = rng.choice(
        (
            lambda: rng.choice(TEXTS),
            lambda: rng.choice(NUMBERS),
            lambda: rng.choice(INTEGERS),
            lambda: rng.choice(DAYS),
            lambda: rng.random() < 0.5,
            lambda: None,
            lambda: datetime(2024, 1, rng.randint(1, 28), rng.randint(0, 23)),
            lambda: time(rng.randint(0, 23)),
            lambda: timedelta(days=rng.randint(-9, 9)),
            lambda: Decimal(rng.randint(-999, 999)) / 100,
            lambda: [1.0, 2.0],
            lambda: ["a"],
            lambda: {"a": rng.randint(0, 3), "b": "x"},
            lambda: [{"a": [1]}],
            lambda: b"\xff\x00",
        )
    )
    has_nulls = rng.random() < 0.3
    values = [None if has_nulls and rng.random() < 0.3 else value() for _ in range(rows)]
    return pl.Series("drawn", values, strict=False)


def changed(table: pl.DataFrame, rng: random.Random) -> pl.DataFrame:
    """Return the table with one thing changed; what Polars cannot do is drawn again."""
    while True:
        with contextlib.suppress(pl.exceptions.PolarsError):
            return _changed(table, rng)


def _changed(table: pl.DataFrame, rng: random.Random) -> pl.DataFrame:
    column = rng.choice(table.columns)
    changes = (
        lambda: table.drop(column),
        lambda: table.rename({column: rng.choice(NAMES)}),
        lambda: table.with_columns(drawn_column(rng, table.height).alias(column)),
        lambda: table.with_columns(drawn_column(rng, table.height).alias(rng.choice(NAMES))),
        lambda: _some(table, column, rng, drawn_column(rng, table.height)),
        lambda: _some(table, column, rng, pl.Series([None] * table.height)),
        lambda: table.with_columns(pl.lit(None).alias(column)),
        lambda: table.with_columns(pl.col(column).first().alias(column)),
        lambda: table.with_columns(pl.col(column).cast(rng.choice(DTYPES), strict=False)),
        lambda: table.with_columns(rng.choice((pl.concat_list, pl.struct))(column).alias(column)),
        lambda: pl.concat([table, table.head(rng.randint(1, 3))]),
        lambda: table.clear(),
        lambda: table.head(1),
        lambda: table.select(column),
        lambda: table.sample(fraction=1, shuffle=True, seed=rng.randrange(99)),
    )
    return rng.choice(changes)()


DTYPES = (
    pl.Int8, pl.UInt64, pl.Int128, pl.Float32, pl.String, pl.Boolean, pl.Binary, pl.Date, pl.Datetime("ns"), pl.Time,
    pl.Duration("us"), pl.Decimal(38, 2), pl.Datetime("us", "Asia/Tokyo"),
)  # fmt: skip


def _some(table: pl.DataFrame, column: str, rng: random.Random, values: pl.Series) -> pl.DataFrame:
    """Return the table with some of a column's values replaced, as far as its type allows."""
    dtype, is_chosen = table.schema[column], [rng.random() < 0.2 for _ in range(table.height)]
    others = values.cast(dtype, strict=False) if not values.dtype.is_nested() and not dtype.is_nested() else values
    others = others if others.dtype == dtype else pl.Series([None] * table.height, dtype=dtype)
    chosen = pl.Series(is_chosen, dtype=pl.Boolean)
    return table.with_columns(pl.when(chosen).then(others).otherwise(pl.col(column)).alias(column))


def as_equal(table: pl.DataFrame, rng: random.Random) -> pl.DataFrame:
    """Return a table that says the same, with some columns in other types."""
    for name in table.columns:
        own = table.schema[name]
        other = rng.choice([own, *(other for dtype, other in SAME_VALUES if dtype == own)])
        cast = table[name].cast(other, strict=False)
        if cast.cast(own).equals(table[name]):
            table = table.with_columns(cast)
    return table


def write_equal(table: pl.DataFrame, path: Path, rng: random.Random) -> None:
    """Write the table as a file, a folder of files, a folder of folders or a Delta table."""
    form = rng.randrange(4)
    half = table.height // 2
    if form == 0 or table.width == 0:
        table.write_parquet(path)
    elif form == 3:
        table.with_columns(pl.col(pl.Categorical).cast(pl.String)).write_delta(path)  # deltalake 1.6 panics otherwise
    else:
        path.mkdir()
        below = path / "a=1" if form == 2 else path
        below.mkdir(exist_ok=True)
        table.head(half).write_parquet(path / "one.parquet")
        table[half:].write_parquet(below / "two.parquet")


def write_broken(table: pl.DataFrame, path: Path, rng: random.Random) -> None:
    """Write something that is no table, or not quite that one, at `path`."""
    table.write_parquet(path)
    content = bytearray(path.read_bytes())
    form = rng.randrange(11)
    if form == 0:
        path.write_bytes(content[: rng.randrange(len(content))])
    elif form == 1:
        for _ in range(rng.randint(1, 8)):
            content[rng.randrange(len(content))] = rng.randrange(256)
        path.write_bytes(content)
    elif form == 2:
        path.write_text("user_id,product_id\n1,2\n")
    elif form == 3:
        pq.write_table(pa.table([pa.array([1]), pa.array([2])], names=["user_id", "user_id"]), path)
    elif form == 4:
        _write_uncommon(table, path, rng)
    else:
        path.unlink()
        path.mkdir()
        table.write_parquet(path / "one.parquet")
        second = path / "two.parquet"
        if form == 5:
            changed(table, rng).write_parquet(second)
        elif form == 6:
            second.write_bytes(b"")
        elif form == 7:
            second.mkdir()
        elif form == 8:
            (path / "one.parquet").rename(path / "one.csv")
        elif form == 9:
            second.symlink_to("nowhere")
        else:
            shutil.copy(path / "one.parquet", path / "_unfinished.parquet")


def _write_uncommon(table: pl.DataFrame, path: Path, rng: random.Random) -> None:
    """Write the table with one column in a type that Arrow knows and Polars may not."""
    rows = table.height
    column = rng.choice(
        (
            pa.array([Decimal("1.25")] * rows, pa.decimal256(60, 2)),
            pa.array([[("a", 1)]] * rows, pa.map_(pa.string(), pa.int64())),
            pa.array([b"abcd"] * rows, pa.binary(4)),
            pa.array([1.5] * rows, pa.float16()),
            pa.array([1] * rows).dictionary_encode(),
            pa.nulls(rows),
            pa.array([[[1]]] * rows),
            pa.array([datetime(2024, 1, 1)] * rows, pa.timestamp("ns", "Europe/Berlin")),
            pa.array([12345] * rows, pa.duration("s")),
            pa.array(["x"] * rows, pa.string_view()),
        )
    )
    given = table.to_arrow()
    place = rng.randrange(given.num_columns)
    pq.write_table(given.set_column(place, given.column_names[place], column), path)
