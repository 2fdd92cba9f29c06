"""Conditions in SQL: which ones decide each row by its own columns."""

import polars as pl
import pytest

from gpu_pricer.policy.conditions import evaluate_condition, require_condition

PRODUCTS = pl.DataFrame({"department": ["food", "pets", None], "price": [1.0, 2.0, 3.0], "code": [10, 20, 30]})


@pytest.mark.parametrize(
    "condition",
    [
        "price > TOTAL(price) / 4",
        "ARRAY_LENGTH(ARRAY_AGG(price)) > 1",
        "STRING_AGG(department, ',') = 'food'",
        "listagg (department) = 'food'",
        "GROUP_CONCAT(department) = 'food'",
        "price > VAR(price)",
        "price > VARIANCE(price)",
        "price > STDDEV_SAMP(price)",
        "price > COVAR_POP(price, code)",
        "price > QUANTILE_CONT(price, 0.5)",
        "CUME_DIST() OVER (ORDER BY price) > 0.5",
    ],
)
def test_a_condition_over_many_rows_is_refused(condition):
    with pytest.raises(ValueError, match=r"where must decide each row by its own columns, found '.*\('? ?.*many rows"):
        require_condition("where", condition)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("CAST(department AS VARCHAR(20)) = 'food'", [True, False, False]),
        ("CAST(code AS VARCHAR(5)) = '20'", [False, True, False]),
        ("department = 'SUM('", [False, False, False]),
        ("department IN ('pets') OR price > 2", [False, True, True]),
    ],
)
def test_a_condition_on_the_columns_of_a_row_is_taken(condition, expected):
    require_condition("where", condition)

    assert evaluate_condition("where", condition, PRODUCTS).to_list() == expected
    for row in range(PRODUCTS.height):
        assert evaluate_condition("where", condition, PRODUCTS[row : row + 1]).to_list() == expected[row : row + 1]
