"""Our Parquet files hold what was put in, as three readers that share no line with our writer read them."""

from io import BytesIO

import duckdb
import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest

from gpu_pricer.pricing.layouts.row_encoding import pack_prices
from gpu_pricer.tables.parquet.file import Column, write_parquet
from gpu_pricer.tables.parquet.pages import codes_chunk, dictionary_of, packed_chunks, runs_chunk, values_chunk
from gpu_pricer.tables.parquet.thrift import i32, listing, varint

MONEY = pl.Decimal(12, 2)


def read_by_all(tmp_path, columns, groups, metadata=None):
    """The rows, once Polars, DuckDB and Arrow agree on them."""
    path = tmp_path / "file.parquet"
    with path.open("wb") as file:
        write_parquet(file, columns, groups, metadata or {})
    by_polars = pl.read_parquet(path)
    assert duckdb.sql(f"select * from '{path}'").pl().equals(by_polars)
    assert pl.from_arrow(pq.read_table(path)).equals(by_polars)
    return by_polars


def coded(values):
    """A chunk of values, by way of their dictionary."""
    distinct, codes = np.unique(values, return_inverse=True)
    dictionary = dictionary_of(distinct, is_sorted=True)
    return codes_chunk(codes.astype(dictionary.code_type), dictionary)


@pytest.mark.parametrize("rows", [1, 7, 8, 1001])
@pytest.mark.parametrize("distinct", [1, 2, 256, 257, 70_000])
def test_codes_come_out_as_their_values(tmp_path, distinct, rows):
    cents = np.random.default_rng(0).integers(1, distinct + 1, rows) * 7

    table = read_by_all(tmp_path, [Column("price", MONEY)], [[coded(cents)]])

    assert table.schema == {"price": MONEY}
    assert (table["price"].cast(pl.Float64) * 100).round().to_list() == cents.tolist()


def test_more_than_65536_distinct_values_come_out(tmp_path):
    cents = np.random.default_rng(0).permutation(70_000)

    table = read_by_all(tmp_path, [Column("price", pl.Int64())], [[coded(cents)]])

    assert table["price"].to_list() == cents.tolist()


@pytest.mark.parametrize("length", [1, 3, 63, 64, 300, 20_000])
def test_runs_repeat_their_values(tmp_path, length):
    texts = pl.Series(["a", "", "äöü", "x" * 300])
    dictionary = dictionary_of(texts, is_sorted=False)
    codes = np.array([2, 0, 3, 1, 2], np.uint8)

    table = read_by_all(tmp_path, [Column("id", pl.String())], [[runs_chunk(codes, length, dictionary)]])

    assert table["id"].to_list() == [texts[int(code)] for code in codes for _ in range(length)]


@pytest.mark.parametrize("bits", [1, 3, 7, 8, 10, 16, 20, 24])
def test_packed_codes_come_out_segment_by_segment(tmp_path, bits):
    rng = np.random.default_rng(bits)
    rows, segments, together = 21, 5, 8 if bits <= 8 else 4 if bits <= 16 else 2
    price, order = rng.integers(0, 2**bits, (rows, segments), dtype=np.int32), rng.permutation(rows)
    price[0] = 2**bits - 1
    packed = np.zeros((segments, bits * 3), np.uint8)

    pack_prices(price, order, np.arange(2**bits, dtype=np.uint32), bits, together, packed)
    dictionary = dictionary_of(np.arange(2**bits), is_sorted=True)
    columns = [Column(f"s{s}", pl.Int64()) for s in range(segments)]
    table = read_by_all(tmp_path, columns, [packed_chunks(packed, bits, rows, dictionary)])

    assert (table.to_numpy() == price[order]).all()


def test_numbers_come_out_bit_for_bit(tmp_path):
    values = np.array([0.1, -0.0, 3e38, 1e-45], np.float32)

    table = read_by_all(tmp_path, [Column("profit", pl.Float32())], [[values_chunk(values)]])

    assert (table["profit"].to_numpy().view(np.uint32) == values.view(np.uint32)).all()


@pytest.mark.parametrize("dtype", [pl.Int8, pl.Int16, pl.Int32, pl.Int64])
def test_whole_numbers_keep_their_type(tmp_path, dtype):
    ids = pl.Series([-5, 0, 7], dtype=dtype)
    chunk = codes_chunk(np.array([2, 0, 1], np.uint8), dictionary_of(ids, is_sorted=True))

    table = read_by_all(tmp_path, [Column("id", dtype())], [[chunk]])

    assert table["id"].equals(pl.Series([7, -5, 0], dtype=dtype))


def test_row_groups_say_what_they_hold(tmp_path):
    groups = [[coded(np.array(cents))] for cents in ([5, 3, 9], [20, 11])]
    columns = [Column("price", MONEY)]

    table = read_by_all(tmp_path, columns, groups, {"currency": "€", "run": "night"})

    file = pq.ParquetFile(tmp_path / "file.parquet")
    found = [file.metadata.row_group(i).column(0).statistics for i in range(file.num_row_groups)]
    assert [(float(s.min), float(s.max), s.null_count) for s in found] == [(0.03, 0.09, 0), (0.11, 0.20, 0)]
    assert file.metadata.metadata == {b"currency": "€".encode(), b"run": b"night"}
    assert table.height == 5
    sizes = [file.metadata.row_group(i).total_byte_size for i in range(2)]
    assert all(size > 0 for size in sizes)


def test_file_may_have_hundreds_of_columns(tmp_path):
    columns = [Column(f"c{i}", pl.Int64()) for i in range(300)]

    table = read_by_all(tmp_path, columns, [[coded(np.array([i, i + 1])) for i in range(300)]])

    assert table.row(1) == tuple(range(1, 301))


def test_filter_by_a_text_finds_its_rows(tmp_path):
    groups = [
        [runs_chunk(np.arange(2, dtype=np.uint8), 4, dictionary_of(pl.Series(ids), is_sorted=True))]
        for ids in (["a", "b"], ["c", "dd"])
    ]
    file = BytesIO()
    write_parquet(file, [Column("id", pl.String())], groups, {})

    found = pl.scan_parquet(file.getvalue()).filter(pl.col("id") == "dd").collect()

    assert found["id"].to_list() == ["dd"] * 4


def test_numbers_follow_thrift():
    assert varint(0) == b"\x00"
    assert varint(300) == b"\xac\x02"
    assert [i32(n)[1] for n in (0, -1, 1, -2, 2147483647)] == [b"\0", b"\1", b"\2", b"\3", b"\xfe\xff\xff\xff\x0f"]
    assert listing([i32(1)] * 15)[1][:2] == b"\xf5\x0f"
