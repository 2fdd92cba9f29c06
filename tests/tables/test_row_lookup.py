"""Where ids lie in another table, and whether they are unique."""

import polars as pl
import pytest

from gpu_pricer.tables import row_lookup
from gpu_pricer.tables.row_lookup import is_unique, rows_of


@pytest.mark.parametrize("dtype", [pl.String, pl.Int64])
def test_rows_are_those_of_the_same_id_over_all_parts(monkeypatch, dtype):
    monkeypatch.setattr(row_lookup, "IDS_AT_ONCE", 2)
    ids = pl.Series([None, 3, 1, None, 7, 5]).cast(dtype)
    wanted = pl.Series([7, 4, None, 1, 1, 5, 3]).cast(dtype)

    assert rows_of(wanted, ids).tolist() == [4, -1, -1, 2, 2, 5, 1]
    assert rows_of(wanted.clear(), ids).tolist() == []
    assert rows_of(wanted, ids.clear()).tolist() == [-1] * 7


@pytest.mark.parametrize(
    "values", [[1, 2, 3], [1, None, 2], [1, None, None], [1, 1, 2], [1, 1, None, None], [None], []]
)
def test_unique_values_are_those_that_polars_finds(values):
    table = pl.DataFrame({"id": pl.Series(values, dtype=pl.Int64)})

    found = table.select(is_unique("id")).to_series()

    assert found.to_list() == table["id"].is_unique().to_list()
