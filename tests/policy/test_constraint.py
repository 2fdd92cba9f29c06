"""Constraints without sense are refused."""

import pytest

from gpu_pricer.policy.constraint import Constraint


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"measure": "joy", "at_least": 1.0},
            "measure must be one of units, revenue, profit, margin_rate, price_index, found 'joy'",
        ),
        ({"measure": "units"}, "one of at_least and at_most must be set, found None and None"),
        ({"measure": "units", "at_least": 1.0, "at_most": 2.0}, "one of at_least and at_most must be set, found 1.0"),
        ({"measure": "units", "at_least": "many"}, "at_least must be a number of at least 0, found 'many'"),
        ({"measure": "units", "at_most": -1.0}, "at_most must be a number of at least 0, found -1.0"),
        ({"measure": "margin_rate", "at_least": 1.0}, "at_least must be a number below 1, found 1.0"),
        ({"measure": "price_index", "at_most": 0}, "at_most must be a number above 0, found 0"),
        (
            {"measure": "units", "at_least": 1.0, "relative_to": "then"},
            "relative_to must be current_prices, anchor_prices or null",
        ),
        (
            {"measure": "units", "at_least": 1.0, "where": "price >"},
            "where must be a condition in SQL, found 'price >'",
        ),
        (
            {"measure": "units", "at_least": 1.0, "priority": 0},
            "priority must be a whole number of at least 1, found 0",
        ),
        ({"measure": "units", "at_least": 1.0, "each": ""}, "each must name a column of the catalog, found ''"),
        (
            {"measure": "units", "at_most": "stock", "per": "product_id", "each": "department"},
            "each cannot be set beside per",
        ),
        (
            {"measure": "units", "at_least": 1.0, "each": "department", "if_absent": "guess"},
            "if_absent must be refuse or everything, found 'guess'",
        ),
        ({"measure": "units", "at_most": "stock"}, "at_most must be a number of at least 0, found 'stock'"),
        ({"measure": "units", "at_most": 3.0, "per": "product_id"}, "a limit per product must be measure: units"),
        ({"measure": "units", "at_most": "stock", "per": "segment_id"}, "per must be product_id or null"),
    ],
)
def test_constraints_without_sense_are_refused_in_one_line(settings, message):
    with pytest.raises(ValueError, match=r"^[a-z]") as error:
        Constraint(**settings)

    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)
