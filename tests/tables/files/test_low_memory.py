"""Hashes of tables, where ids lie in another table, and whether they are unique: as if done at once."""

import hashlib
from itertools import pairwise

import polars as pl
import pytest

from gpu_pricer.tables.files import low_memory
from gpu_pricer.tables.files.low_memory import add_rows, are_unique, is_unique, repeated_ids, rows_of


@pytest.mark.parametrize("dtype", [pl.String, pl.Int64])
def test_rows_are_those_of_the_same_id_over_all_parts(monkeypatch, dtype):
    monkeypatch.setattr(low_memory, "ROWS_AT_ONCE", 2)
    ids = pl.Series([None, 3, 1, None, 7, 5]).cast(dtype)
    requested = pl.Series([7, 4, None, 1, 1, 5, 3]).cast(dtype)

    assert rows_of(requested, ids).tolist() == [4, -1, -1, 2, 2, 5, 1]
    assert rows_of(requested.clear(), ids).tolist() == []
    assert rows_of(requested, ids.clear()).tolist() == [-1] * 7


@pytest.mark.parametrize("left_out", [[], [0], [3], [4, 5], [8, 9], [1, 2, 6]])
@pytest.mark.parametrize("put_in", [{}, {0: 77}, {4: None}, {5: 77, 8: 78}, {10: 3}])
def test_rows_of_ids_in_the_same_order_are_those_of_the_same_id(monkeypatch, left_out, put_in):
    monkeypatch.setattr(low_memory, "ROWS_AT_ONCE", 2)
    ids = [5, 9, 3, 7, 1, 8, 2, 6, 4, 0]
    requested = [number for place, number in enumerate(ids) if place not in left_out]
    for place, number in put_in.items():
        requested.insert(place, number)

    found = rows_of(pl.Series(requested, dtype=pl.Int64), pl.Series(ids))

    assert found.tolist() == [ids.index(number) if number in ids else -1 for number in requested]


@pytest.mark.parametrize(
    "values", [[1, 2, 3], [1, None, 2], [1, None, None], [1, 1, 2], [1, 1, None, None], [None], []]
)
def test_unique_values_are_those_that_polars_finds(values):
    table = pl.DataFrame({"id": pl.Series(values, dtype=pl.Int64)})

    found = table.select(is_unique("id")).to_series()

    assert found.to_list() == table["id"].is_unique().to_list()


@pytest.mark.parametrize(
    "pairs",
    [
        [("a", 1), ("a", 2), ("b", 1)],
        [("a", 1), ("a", 1), ("b", 1)],
        [("b", 1), ("a", 1), ("b", 1)],
        [("b", 2), ("b", 1), ("a", 2), ("a", 1)],
        [("a", 2), ("a", 1), ("b", 1), ("b", 2)],
        [("a", 1), ("a", 1), ("b", 1), ("b", 1)],
        [("a", 1), ("b", 1), ("a", 1), ("b", 1)],
        [("a", 1), ("a", 2), ("b", 1), ("b", 3)],
        [("b", 1), ("a", 2), ("a", 1)],
        [("a", None), ("a", 1), (None, 1), (None, 1)],
        [("a", 1)],
        [],
    ],
)
def test_unique_pairs_are_those_that_polars_finds(pairs):
    table = pl.DataFrame(pairs, schema={"id": pl.String, "number": pl.Int64}, orient="row")

    found = table.select(are_unique("id", "number")).to_series()

    assert found.to_list() == table.select(pl.struct("id", "number").is_unique()).to_series().to_list()


@pytest.mark.parametrize("sizes", [[12], [1, 11], [2, 3, 7], [5, 1, 1, 5], [6, 6]])
@pytest.mark.parametrize("swapped", [None, 0, 5, 6, 11])
def test_chunks_change_no_grid(sizes, swapped):
    """Four values × three ids, cut anywhere, of which one id may be another."""
    ids = ["a", "b", "c"] * 4
    ids = ids if swapped is None else [*ids[:swapped], "d", *ids[swapped + 1 :]]
    ends = [sum(sizes[:n]) for n in range(len(sizes) + 1)]
    chunks = [pl.Series("id", ids[a:b]) for a, b in pairwise(ends)]
    runs = pl.Series([1] * 3 + [3] * 3 + [2] * 3 + [4] * 3).rle()

    found = repeated_ids(runs, pl.concat(chunks, rechunk=False))

    if swapped is None:
        assert [part.to_list() for part in found] == [[1, 3, 2, 4], ["a", "b", "c"]]
    else:
        assert found is None


@pytest.mark.parametrize("height", [0, 1, 6, 7])
def test_hash_in_parts_is_that_of_the_whole_csv(monkeypatch, height):
    table = pl.DataFrame({"id": ["a,b", "ä", 'c"d', None, "e\nf", "", "g"], "price": [0.1, 2.0, None, 1e9, 3, 4, 5]})
    table, digest = table.head(height), hashlib.sha256()
    monkeypatch.setattr(low_memory, "ROWS_AT_ONCE", 3)

    add_rows(digest, table)

    assert digest.hexdigest() == hashlib.sha256(table.write_csv().encode()).hexdigest()


def test_order_of_rows_is_that_of_the_named_column(monkeypatch):
    table, digest = pl.DataFrame({"id": ["b", "a", "d", "c"], "price": [1.0, 2.0, 3.0, 4.0]}), hashlib.sha256()
    monkeypatch.setattr(low_memory, "ROWS_AT_ONCE", 3)

    add_rows(digest, table, by="id")

    assert digest.hexdigest() == hashlib.sha256(table.sort("id").write_csv().encode()).hexdigest()
