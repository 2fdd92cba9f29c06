"""A table's hash is that of its whole CSV, however many parts it is fed in."""

import hashlib

import polars as pl
import pytest

from gpu_pricer.tables import hashing


@pytest.mark.parametrize("height", [0, 1, 6, 7])
def test_parts_make_the_whole(monkeypatch, height):
    table = pl.DataFrame({"id": ["a,b", "ä", 'c"d', None, "e\nf", "", "g"], "price": [0.1, 2.0, None, 1e9, 3, 4, 5]})
    table, digest = table.head(height), hashlib.sha256()
    monkeypatch.setattr(hashing, "ROWS", 3)

    hashing.add_rows(digest, table)

    assert digest.hexdigest() == hashlib.sha256(table.write_csv().encode()).hexdigest()


def test_order_of_rows_is_that_of_the_named_column(monkeypatch):
    table, digest = pl.DataFrame({"id": ["b", "a", "d", "c"], "price": [1.0, 2.0, 3.0, 4.0]}), hashlib.sha256()
    monkeypatch.setattr(hashing, "ROWS", 3)

    hashing.add_rows(digest, table, by="id")

    assert digest.hexdigest() == hashlib.sha256(table.sort("id").write_csv().encode()).hexdigest()
