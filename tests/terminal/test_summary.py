"""The closing lines on limits, and on what prices by segment add: what stock cannot serve, what a bound leaves open."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

from gpu_pricer.terminal.summary import (
    _asked,
    _constraints,
    _moves,
    _old_sales,
    _personalisation,
    _spread_and_personalisation,
)
from gpu_pricer.versions.appraisal.outlook import Outlook
from gpu_pricer.versions.appraisal.uniform_prices import UniformProfit
from tests.markets import small_artefact

STOCK = {"names": ["stock"], "limited": 40, "binding": 7, "rationed_products": 3, "rationed_units": 1204.6}


@pytest.mark.parametrize(("products", "lines"), [(3, 1), (0, 0)])
def test_units_that_stock_cannot_serve_are_said(tmp_path, products, lines):
    content = {"constraints": {}, "stock": STOCK | {"rationed_products": products}}
    (tmp_path / "certificate.json").write_text(json.dumps(content))

    found = _constraints(tmp_path, "USD", "a week")

    said = "  limit stock: 3 of 40 products sell out; 1,205 units of demand stay unserved and are not counted above"
    assert found == [said] * lines


def limit(required, today, measure="units", kind="at_least", **told):
    return {"measure": measure, "kind": kind, "required": required, "today": today} | told


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ([limit(98.0, 100.0), limit(49.0, 50.0)], "units at least 98.0% of the level at today's prices"),
        ([limit(98.0, 100.0), limit(60.0, 50.0)], "units at least a set amount"),
        ([limit(10.0, -5.0, "profit")], "profit at least a set amount"),
        ([limit(1.0, 1.02, "price_index", "at_most", base=1.0, relative_to="anchor_prices")],
         "price index at most 100.0% of the level at anchor prices"),
        ([limit(0.22, 0.2, "margin_rate", relative_to=None)], "margin rate at least 22.0%"),
        ([limit(0.22, 0.2, "margin_rate"), limit(0.22, -0.1, "margin_rate")], "margin rate at least 22.0%"),
        ([limit(0.22, 0.2, "margin_rate"), limit(0.25, 0.2, "margin_rate")], "margin rate at least a set rate"),
        ([limit(0.19, 0.2, "margin_rate", base=0.2, relative_to="current_prices")],
         "margin rate at least 95.0% of the level at today's prices"),
    ],
)  # fmt: skip
def test_line_on_a_limit_says_what_it_asks_for(entries, said):
    assert _asked(entries) == said


@pytest.mark.parametrize(
    ("limit", "asked"),
    [
        ({"measure": "margin_rate", "required": 0.45, "relative_to": None}, "margin rate at least 45.0%"),
        ({"measure": "units", "required": 1200.0, "relative_to": None}, "units at least 1,200.00"),
        (
            {"measure": "price_index", "required": 0.35, "relative_to": None},
            "price index at least 100.0% of the level at today's prices",
        ),
        (
            {"measure": "units", "required": 0.35, "relative_to": "anchor_prices"},
            "units at least 100.0% of the level at anchor prices",
        ),
    ],
)
def test_limit_is_said_as_the_policy_states_it(tmp_path, limit, asked):
    entry = {"kind": "at_least", "base": 0.35, "today": 0.3, "violation": 0.0, "shadow_price": 0.0} | limit
    content = {"constraints": {"least": entry}, "stock": None, "dual_bound": 1.0, "objective": 1.0}
    (tmp_path / "certificate.json").write_text(json.dumps(content))

    assert _constraints(tmp_path, "USD", "a week") == [f"  limit least ({asked}): met; it costs nothing"]


@pytest.mark.parametrize(
    ("profit", "is_bound", "end"),
    [
        (110.0, False, " 100.00 EUR: prices by segment add 10.00"),
        (110.0, True, " at most 100.00 EUR: prices by segment add at least 10.00"),
        (99.5, True, " at most 100.00 EUR, so that it is open whether prices by segment add anything"),
    ],
)
def test_line_on_one_price_for_all_claims_no_more_than_the_bound_tells(profit, is_bound, end):
    said = _personalisation(profit, UniformProfit(100.0, is_bound), "EUR")

    assert said == f"  one price per product for all segments would earn{end}"


def test_gain_of_what_stock_serves_has_no_interval_of_all_that_is_asked_for():
    version = SimpleNamespace(tally=SimpleNamespace(profit_today=100.0))

    said = _spread_and_personalisation(
        version, Outlook(None, True, None, vague=0, categories=1, published=0, inelastic=0, untaught=0, borrowed=0)
    )

    assert said == ["  no interval of the gain: stock cannot serve all demand, and an interval would count all of it"]


@pytest.mark.parametrize(("day", "lines"), [("2026-01-11", 0), ("2026-12-01", 1)])
def test_old_sales_are_said_on_the_last_screen(day, lines):
    info = replace(small_artefact(1, segments=1, products=1, categories=1).info, pricing_period="2026-01-05")

    found = _old_sales(SimpleNamespace(day=day), info)

    assert len(found) == lines
    assert all("  the last sales are of 2026-01-04, 331 days before 2026-12-01" in line for line in found)
    assert _old_sales(SimpleNamespace(day=day), None) == []


@pytest.mark.parametrize("has_limits", [True, False])
def test_limits_on_the_assortment_are_named_beside_the_rules_for_single_prices(has_limits):
    moves = SimpleNamespace(raised=1, lowered=1, kept=2, held=3, share=lambda count: count / 4)
    tally = SimpleNamespace(products=4, rows=4, on_shelf=4)

    _, line = _moves(SimpleNamespace(tally=tally, moves=moves, segments=1, currency="EUR"), has_limits)

    assert "75% are limited by a rule for single prices (column binding)" in line
    assert line.endswith(", and limits on the assortment can move prices too") == has_limits
