"""Doubts about prices come from the sales, from the held-out sales and from how little the log tells."""

from dataclasses import replace

import pytest

from gpu_pricer.versions.appraisal.doubts import doubts_of, doubts_of_loss
from gpu_pricer.versions.appraisal.outlook import Gain, Outlook
from gpu_pricer.versions.appraisal.recent_sales import RecentSales

WELL_KNOWN = Outlook(None, False, None, 0, categories=60, published=0, inelastic=0, untaught=0, borrowed=0)
LITTLE = replace(WELL_KNOWN, vague=31, untaught=0.3, borrowed=0.4)


def test_every_source_is_told_in_turn():
    found = doubts_of(LITTLE, {"doubts": ["of sales"]}, {"price_response": {"doubts": ["of held-out sales"]}})

    assert found[:2] == ["of sales", "of held-out sales"]
    assert [doubt.split(" of ")[0] for doubt in found[2:]] == ["in most", "30%", "40%"]


@pytest.mark.parametrize(
    ("values", "is_told"),
    [
        ({"transactions": 9, "transactions.price": 9}, True),
        ({"offers": 9, "transactions": 9, "transactions.list_price": 9}, True),
        ({"transactions": 9, "transactions.list_price": 9}, False),
        ({}, False),
    ],
)
def test_list_prices_are_asked_for_where_no_line_has_one(values, is_told):
    (doubt,) = doubts_of(replace(WELL_KNOWN, borrowed=0.4), {"values": values}, {})

    assert ("list prices on the lines of sales (column list_price) or a price test" in doubt) is is_told
    assert doubt.endswith("a price test would show their own (gpu-pricer pricetest)")


def test_baselines_that_predict_better_are_told_by_the_best_of_them():
    def block(loss):
        return {"log_loss": loss, "ours": {"log_loss": 0.2121}}

    metrics = {
        "baselines": {"trees": block(0.2110), "shrunken_logit": block(0.2098), "worse": block(0.3)},
        "better_rivals": ["trees", "shrunken_logit"],
    }

    (doubt,) = doubts_of(WELL_KNOWN, {}, metrics)

    assert doubt.startswith("shrunken_logit predicts held-out sales better than this demand model: log loss 0.2098 ag")
    assert doubts_of(WELL_KNOWN, {}, metrics | {"better_rivals": []}) == []


def limit(kind, required, today):
    return {"kind": kind, "required": required, "today": today}


LOSS = replace(WELL_KNOWN, gain=Gain(-30.0, -40.0, -20.0))
KEPT = {"keep_units[tea]": limit("at_least", 100.0, 100.0), "no_dearer[tea]": limit("at_most", 1.0, 1.0 + 1e-9)}


@pytest.mark.parametrize(
    ("constraints", "said"),
    [
        (
            KEPT | {"keep_units[ham]": limit("at_least", 100.0, 98.0)},
            "miss 1 of the 3 limits on the assortment, such as k",
        ),
        (
            KEPT | {"no_dearer[ham]": limit("at_most", 1.0, 1.02)},
            "miss 1 of the 3 limits on the assortment, such as no_",
        ),
        (KEPT, "today's: a rule for single prices demands it"),
        ({}, "today's: a rule for single prices demands it"),
    ],
)
def test_prices_that_earn_less_than_todays_say_why(constraints, said):
    (doubt,) = doubts_of_loss(LOSS, constraints)

    assert doubt.startswith("these prices are expected to earn less than today's: ")
    assert said in doubt


@pytest.mark.parametrize("outlook", [None, WELL_KNOWN, replace(LOSS, gain=Gain(-30.0, -61.0, 1.0))])
def test_a_loss_that_draws_do_not_agree_on_is_none(outlook):
    assert doubts_of_loss(outlook, KEPT) == []


@pytest.mark.parametrize("outlook", [None, WELL_KNOWN])
def test_without_doubts_nothing_is_told(outlook):
    assert doubts_of(outlook, {}, {}) == []


@pytest.mark.parametrize(
    ("expected", "said"),
    [(81.0, ""), (79.0, "expects 21% fewer at today's"), (119.0, ""), (121.0, "expects 21% more at today's")],
)
def test_units_far_from_those_sold_lately_are_said(expected, said):
    """Prices that rose by 60 % over the log, which demand did not answer: 34 % too few units, and held out none."""
    lines = doubts_of(None, {}, {}, expected, RecentSales(100.0, 1.0))

    assert len(lines) == bool(said)
    assert all(said in line and "these products sold 100 units per period, and" in line for line in lines)


@pytest.mark.parametrize(
    ("ratio", "expected", "said"),
    [
        (0.9, 0.9**3 * 100, ""),  # a tenth cheaper, and an elasticity of -3
        (0.9, 52.0, "sold 100 units per period at prices 10% below today's, and the demand model expects 48% fewer"),
        (0.9, 121.0, "sold 100 units per period at prices 10% below today's, and the demand model expects 21% more"),
        (1.1, 130.0, ""),
        (0.7, 5.0, "demand model expects 95% fewer"),
        (1.3, 215.0, ""),
        (1.1, 79.0, "sold 100 units per period at prices 10% above today's, and the demand model expects 21% fewer"),
    ],
)
def test_units_sold_at_other_prices_may_differ_as_far_as_an_elasticity_explains(ratio, expected, said):
    lines = doubts_of(None, {}, {}, expected, RecentSales(100.0, ratio))

    assert len(lines) == bool(said)
    assert all(said in line for line in lines)


def test_units_that_stock_rations_or_that_nobody_knows_are_compared_with_nothing():
    assert doubts_of(replace(WELL_KNOWN, is_rationed=True), {}, {}, 10.0, RecentSales(100.0, 1.0)) == []
    assert doubts_of(WELL_KNOWN, {}, {}, 10.0, None) == []
    assert doubts_of(WELL_KNOWN, {}, {}, 10.0, RecentSales(0.0, 1.0)) == []
