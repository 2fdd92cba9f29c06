"""Columns as attributes: what is taken as it is, what becomes an array, what is refused."""

from datetime import date, datetime, time, timedelta

import polars as pl
import pytest

from gpu_pricer.errors import InputError
from gpu_pricer.tables.attributes import has_order, like_attributes, with_attributes


def attribute(values, dtype=None):
    table = pl.DataFrame({"product_id": range(len(values)), "a": pl.Series(values, dtype=dtype)})
    return with_attributes(table, ["a"], "shop/products.parquet")["a"]


@pytest.mark.parametrize(
    "values",
    [["tea", None], [1, 2], [True, False], [1.5, None], [date(2024, 1, 1), None], [time(12), None],
     [timedelta(days=1), None], [None, None]],
)  # fmt: skip
def test_words_numbers_and_dates_stay_as_they_are(values):
    expected = pl.Series("a", values)

    assert attribute(values).equals(expected, check_dtypes=True)


def test_lists_of_one_length_become_arrays():
    found = attribute([[1.0, 2.0], None, [3.0, None]])

    assert found.dtype == pl.Array(pl.Float64, 2)
    assert found.to_list() == [[1.0, 2.0], None, [3.0, None]]


@pytest.mark.parametrize("dtype", [pl.Array(pl.Float32, 2), pl.Array(pl.Array(pl.Int8, 1), 2)])
def test_arrays_of_numbers_stay_as_they_are(dtype):
    assert attribute([None], dtype).dtype == dtype


def test_a_column_of_lists_without_a_list_is_missing():
    found = attribute([None, None], pl.List(pl.Float64))

    assert (found.dtype, found.null_count()) == (pl.String, 2)


RAGGED = "give every row as many numbers, write a column for each value, or leave it out"
FIELDS = "write its fields as columns of their own, or leave it out"


@pytest.mark.parametrize(
    ("values", "dtype", "found", "remedy"),
    [
        ([[1.0], [1.0, 2.0, 3.0]], None, "lists of 1 to 3", RAGGED),
        ([[], []], pl.List(pl.Float64), "lists of 0", RAGGED),
        ([["red", "green"]], None, "List(String)", RAGGED),
        ([[[1.0]]], pl.List(pl.List(pl.Float64)), "List(List(Float64))", RAGGED),
        ([["red"]], pl.Array(pl.String, 1), "Array(String, shape=(1,))", "leave it out"),
        ([{"size": 1}], None, "Struct({'size': Int64})", FIELDS),
        ([b"jpeg"], None, "Binary", "leave it out"),
    ],
)
def test_what_no_encoder_takes_is_refused_by_name(values, dtype, found, remedy):
    with pytest.raises(InputError) as refusal:
        attribute(values, dtype)

    assert str(refusal.value) == (
        "shop/products.parquet: the attribute a must be text, a number, a date or a list of numbers of one length, "
        f"found {found}: {remedy}"
    )


def like(expected, values, dtype=None):
    known = pl.DataFrame({"a": pl.Series([None], dtype=expected)})
    return like_attributes(known, pl.DataFrame({"a": pl.Series(values, dtype=dtype)}), ["a", "b"], "new.parquet")["a"]


@pytest.mark.parametrize(
    ("expected", "values", "dtype", "found"),
    [
        (pl.String, [1, None], None, ["1", None]),
        (pl.Int64, ["1", "one"], None, [1, None]),
        (pl.Float64, [1, 2], pl.Int32, [1.0, 2.0]),
        (pl.Date, [datetime(2024, 1, 1, 12)], None, [date(2024, 1, 1)]),
        (pl.Array(pl.Float32, 2), [[1, 2], None], None, [[1.0, 2.0], None]),
        (pl.Array(pl.Float32, 2), [None], pl.List(pl.Float64), [None]),
        (pl.Boolean, [None, None], None, [None, None]),
    ],
)
def test_attributes_come_in_the_types_that_were_trained_on(expected, values, dtype, found):
    column = like(expected, values, dtype)

    assert column.dtype == expected
    assert column.to_list() == found


@pytest.mark.parametrize(
    ("expected", "values", "found"),
    [
        (pl.Float64, ["1.5"], "String"),
        (pl.Boolean, ["true"], "String"),
        (pl.String, [1.5], "Float64"),
        (pl.Float64, [date(2024, 1, 1)], "Date"),
        (pl.Array(pl.Float64, 2), [[1.0, 2.0, 3.0]], r"Array(Float64, shape=(3,))"),
        (pl.Array(pl.Float64, 2), [1.0], "Float64"),
    ],
)
def test_attribute_of_another_kind_than_in_training_is_refused_by_name(expected, values, found):
    with pytest.raises(InputError) as refusal:
        like(expected, values)

    expected = "Array(Float64, shape=(2,))" if isinstance(expected, pl.Array) else expected()
    assert str(refusal.value) == (
        f"new.parquet: the attribute a must be {expected} as in the tables trained on, found {found}: "
        "convert the column"
    )


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [(pl.Int64(), True), (pl.UInt8(), True), (pl.Float32(), True), (pl.Decimal(10, 2), True), (pl.Date(), True),
     (pl.String(), False), (pl.Boolean(), False), (pl.Array(pl.Float64, 2), False), (pl.List(pl.Int64), False)],
)  # fmt: skip
def test_numbers_and_dates_have_an_order(dtype, expected):
    assert has_order(dtype) is expected
