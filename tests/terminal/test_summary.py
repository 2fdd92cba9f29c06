"""The closing lines on limits, and on what prices by segment add: what stock cannot serve, what a bound leaves open."""

import json
from types import SimpleNamespace

import pytest

from gpu_pricer.terminal.summary import _constraints, _personalisation, _spread_and_personalisation
from gpu_pricer.versions.outlook import Outlook
from gpu_pricer.versions.uniform_prices import UniformProfit

STOCK = {"names": ["stock"], "limited": 40, "binding": 7, "rationed_products": 3, "rationed_units": 1204.6}


@pytest.mark.parametrize(("products", "lines"), [(3, 1), (0, 0)])
def test_units_that_stock_cannot_serve_are_said(tmp_path, products, lines):
    content = {"constraints": {}, "stock": STOCK | {"rationed_products": products}}
    (tmp_path / "certificate.json").write_text(json.dumps(content))

    found = _constraints(tmp_path, "USD")

    said = "  limit stock: 3 of 40 products sell out, and 1,205 units asked for do not count above"
    assert found == [said] * lines


@pytest.mark.parametrize(
    ("profit", "is_bound", "end"),
    [
        (110.0, False, " 100.00 EUR: prices by segment add 10.00"),
        (110.0, True, " at most 100.00 EUR: prices by segment add at least 10.00"),
        (99.5, True, " at most 100.00 EUR, which leaves open whether prices by segment add anything"),
    ],
)
def test_line_on_one_price_for_all_claims_no_more_than_the_bound_tells(profit, is_bound, end):
    said = _personalisation(profit, UniformProfit(100.0, is_bound), "EUR")

    assert said == f"  one price per product for all segments would earn{end}"


def test_gain_of_what_stock_serves_has_no_interval_of_all_that_is_asked_for():
    version = SimpleNamespace(tally=SimpleNamespace(profit_today=100.0))

    said = _spread_and_personalisation(version, Outlook(None, True, None, vague=0, categories=1, published=0))

    assert said == [
        "  no interval of the gain: stock cannot serve all that is asked for, and an interval would count all of it"
    ]
