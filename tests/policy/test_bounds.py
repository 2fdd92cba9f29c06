"""Bounds in exact cents, one rule at a time and against each other."""

import itertools
from fractions import Fraction
from math import ceil, floor

import numpy as np
import pytest

from gpu_pricer.policy.bounds import Bounds, price_range
from gpu_pricer.policy.problem import pricing_problem
from gpu_pricer.tables.price_table import BINDINGS
from tests.markets import FREE, a_policy, one_product


def bounds(**rules):
    return Bounds(**{**vars(FREE), **rules})


def interval(rules, today=1000, cost=500, seen=(1, 100_000)):
    """(low, high) in cents and the rule names behind them, for one product."""
    found = price_range(rules, *(np.array([v]) for v in (today, 10**4 * cost, 10**4 * seen[0], 10**4 * seen[1])))
    names = [BINDINGS[int(rule[0])] for rule in (found.low_rule, found.high_rule, found.broken)]
    return int(found.low[0]), int(found.high[0]), *names


def test_no_rule_allows_every_price():
    assert interval(FREE) == (1, 2**24 - 1, "price_limit", "price_limit", "none")


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ({"max_decrease": 0.25}, (750, 2**24 - 1, "max_decrease", "price_limit", "none")),
        ({"max_increase": 0.25}, (1, 1250, "price_limit", "max_increase", "none")),
        ({"max_decrease": -0.1, "max_increase": 0.2}, (1100, 1200, "max_decrease", "max_increase", "none")),
        ({"min_margin_rate": 0.2}, (625, 2**24 - 1, "min_margin_rate", "price_limit", "none")),
        ({"within_support": True}, (1, 100_000, "price_limit", "within_support", "none")),
    ],
)
def test_each_rule_sets_its_end(rules, expected):
    assert interval(bounds(**rules)) == expected


@pytest.mark.parametrize("rate", [0.15, 0.07, 0.1, 0.29, 0.333333])
def test_bounds_are_exact_where_floats_are_not(rate):
    today = np.arange(1, 2000)

    found = price_range(
        bounds(max_decrease=rate, max_increase=rate, min_margin_rate=rate), today, today * 10**4, today, today
    )

    for cents, low, high in zip(today.tolist(), found.low, found.high, strict=True):
        exact = Fraction(str(rate))
        assert low == max(ceil(cents * (1 - exact)), ceil(cents / (1 - exact)), 1)
        assert high == floor(cents * (1 + exact)) or high == 2**24 - 1


def test_floors_round_up_and_ceilings_down_inside_a_cent():
    found = price_range(bounds(within_support=True), *(np.array([v]) for v in (500, 1, 4_000_001, 5_999_999)))

    assert (found.low[0], found.high[0]) == (401, 599)


def test_largest_move_overrules_the_support():
    rules = bounds(max_decrease=0.3, max_increase=0.15, within_support=True)

    assert interval(rules, seen=(1500, 2000))[2:] == ("max_decrease", "max_increase", "within_support")
    assert interval(rules, seen=(1500, 2000))[:2] == (700, 1150)


def test_minimum_margin_overrules_the_largest_move():
    rules = bounds(max_increase=0.15, min_margin_rate=0.5)

    low, _, *names = interval(rules, cost=900)

    assert low == 1800
    assert names == ["min_margin_rate", "price_limit", "max_increase"]


@pytest.mark.parametrize(
    ("seen", "cost", "price", "binding"),
    [
        ((15.0, 20.0), 5.0, 11.5, "within_support_broken"),  # nearest to a support above
        ((2.0, 6.0), 5.0, 7.0, "within_support_broken"),  # nearest to a support below
        ((8.0, 12.0), 12.0, 12.64, "max_increase_broken"),  # cost / (1 - .05), nearest to the increase
        ((15.0, 20.0), 12.0, 12.64, "max_increase_broken"),  # the most important loser is named
    ],
)
def test_overruled_rule_is_named_and_the_price_is_nearest_to_it(seen, cost, price, binding):
    rules = Bounds(max_decrease=0.3, max_increase=0.15, min_margin_rate=0.05, within_support=True)
    artefact, catalog = one_product(10.0, cost, reference=(seen[0] + seen[1]) / 2, support=seen)

    problem = pricing_problem(artefact, catalog, a_policy(rules, ladder=None))

    assert (problem.low[0], problem.high[0]) == (round(100 * price), round(100 * price))
    assert {BINDINGS[code] for code in problem.binding[0]} == {binding}


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
        (
            {"max_decrease": -0.2, "max_increase": 0.1},
            "bounds.max_increase must not lie below -bounds.max_decrease, found 0.1 and -0.2",
        ),
    ],
)
def test_bad_bounds_are_refused_in_one_line(rules, message):
    with pytest.raises(ValueError, match=r"^bounds\.") as error:
        bounds(**rules)

    assert str(error.value) == message


def test_range_agrees_with_a_search_over_every_price():
    rules = Bounds(max_decrease=0.3, max_increase=0.15, min_margin_rate=0.05, within_support=True)
    for today, cost, least, width in itertools.product((3, 40, 99), (0, 30, 95), (1, 50), (0, 60)):
        allowed = [
            [x for x in range(1, 300) if least <= x <= least + width],
            [x for x in range(1, 300) if 70 * today <= 100 * x <= 115 * today],
            [x for x in range(1, 300) if 100 * (x - cost) >= 5 * x],
        ]
        common = set(allowed[0]) & set(allowed[1]) & set(allowed[2])

        low, high, *_, broken = interval(rules, today, cost, (least, least + width))

        if broken == "none" and low <= high:
            assert (low, high) == (min(common), max(common))
        else:
            assert not common
