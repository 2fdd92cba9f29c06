"""Settings of the bounds that are refused, and the columns that the others need."""

from dataclasses import replace

import pytest

from tests.markets import NO_RULES, USUAL


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"max_decrease": "0.3"}, "bounds.max_decrease must be a number of at least -100 and at most 1, found '0.3'"),
        ({"max_decrease": 1.5}, "bounds.max_decrease must be a number of at least -100 and at most 1, found 1.5"),
        (
            {"max_increase": float("nan")},
            "bounds.max_increase must be a number of at least -1 and at most 100, found nan",
        ),
        ({"max_increase": True}, "bounds.max_increase must be a number of at least -1 and at most 100, found True"),
        ({"max_increase": 0.1234567}, "bounds.max_increase must have at most six decimals, found 0.1234567"),
        (
            {"min_margin_rate": 1.0},
            "bounds.min_margin_rate must be a number of at least -100 and at most 0.99, found 1.0",
        ),
        ({"within_support": 1}, "bounds.within_support must be true or false, found 1"),
        ({"below_list_price": None}, "bounds.below_list_price must be true or false, found None"),
        (
            {"max_increase_amount": 0.005},
            "bounds.max_increase_amount must be whole cents, found 0.005",
        ),
        (
            {"max_decrease_amount": -1},
            "bounds.max_decrease_amount must be a number of at least 0 and below 167772, found -1",
        ),
        ({"competitor_of": "dearest"}, "bounds.competitor_of must be cheapest or mean, found 'dearest'"),
        ({"competitor_columns": []}, "bounds.competitor_columns must be a list of at least one column, found []"),
        ({"floor_column": 3}, "bounds.floor_column must name columns of the catalog, found 3"),
        ({"frozen": True}, "bounds.frozen must be a condition in SQL, found True"),
        (
            {"min_days_between_changes": 0},
            "bounds.min_days_between_changes must be a whole number of at least 1, found 0",
        ),
        ({"min_change": 1.1}, "bounds.min_change must be a number of at least 0 and at most 1, found 1.1"),
        (
            {"min_change": 0.02, "family_column": "line"},
            "bounds.min_change cannot be kept beside bounds.family_column: set one of them to null",
        ),
        ({"max_changes": 1.5}, "bounds.max_changes must be a whole number of at least 0, found 1.5"),
        (
            {"max_segment_ratio": 0.9},
            "bounds.max_segment_ratio must be a number of at least 1 and at most 100, found 0.9",
        ),
        (
            {"anchor": {"column": "list_price", "days": 3, "max_increase": 0.1}},
            "bounds.anchor must have a column or days, and not both, found column 'list_price' and days 3",
        ),
        (
            {"anchor": {"max_increase": 0.1}},
            "bounds.anchor must have a column or days, and not both, found column None and days None",
        ),
        (
            {"anchor": {"days": 0, "max_increase": 0.1}},
            "bounds.anchor.days must be a whole number of at least 1, found 0",
        ),
        ({"anchor": {"days": 400, "max_increase": 0.1}}, "bounds.anchor.days must be at most 366, found 400"),
        ({"anchor": {"days": 28}}, "bounds.anchor must have max_decrease, max_increase or both, found neither"),
        (
            {"anchor": {"column": "a", "max_increase": -0.1}},
            "bounds.anchor.max_increase must be a number of at least 0 and at most 100, found -0.1",
        ),
        (
            {"anchor": "list_price"},
            "bounds.anchor must be null or a mapping of column, days, max_decrease, max_increase, found 'list_price'",
        ),
        (
            {"anchor": {"column": "a", "cap": 0.1}},
            "bounds.anchor must be null or a mapping of column, days, max_decrease, max_increase, "
            "found {'column': 'a', 'cap': 0.1}",
        ),
        (
            {"max_below_competitor": -0.2, "max_above_competitor": 0.1},
            "bounds.max_above_competitor must not lie below -bounds.max_below_competitor, found 0.1 and -0.2",
        ),
        (
            {"pack_sizes": {"line": "a"}},
            "bounds.pack_sizes must be null or a mapping of line and size, found {'line': 'a'}",
        ),
        (
            {"pack_sizes": {"line": "a", "size": 3}},
            "bounds.pack_sizes.size must name a column of the catalog, found 3",
        ),
        (
            {"max_decrease": -0.2, "max_increase": 0.1},
            "bounds.max_increase must not lie below -bounds.max_decrease, found 0.1 and -0.2",
        ),
    ],
)
def test_bad_bounds_are_refused_in_one_line(rules, message):
    with pytest.raises(ValueError, match=r"^bounds\.") as error:
        replace(NO_RULES, **rules)

    assert str(error.value) == message


def test_condition_that_is_no_sql_is_refused():
    with pytest.raises(ValueError, match=r"^bounds\.frozen must be a condition in SQL, found 'brand =': "):
        replace(NO_RULES, frozen="brand =")


def test_bounds_name_the_columns_that_they_need():
    every = replace(
        USUAL,
        below_list_price=True,
        max_above_competitor=0.1,
        competitor_columns=["theirs", "others"],
        floor_column="least",
        ceiling_column="most",
        family_column="line",
        pack_sizes={"line": "good", "size": "content"},
        frozen="brand = 'own' and stock > 3",
        anchor={"column": "regular", "max_increase": 0.1},
    )

    assert USUAL.columns == NO_RULES.columns == []
    assert replace(NO_RULES, anchor={"days": 28, "max_increase": 0.1}).columns == ["anchor_price"]
    assert replace(NO_RULES, min_days_between_changes=7).columns == ["days_since_change"]
    assert every.columns == [
        *("brand", "content", "good", "least", "line", "list_price"),
        *("most", "others", "regular", "stock", "theirs"),
    ]
