"""Bounds in exact cents, one rule at a time and against each other."""

import itertools
from fractions import Fraction
from math import ceil, floor

import numpy as np
import pytest

from gpu_pricer.policy.bounds import Bounds
from gpu_pricer.policy.price_range import ABSENT, Facts, price_range
from gpu_pricer.pricing.problem.pricing_problem import pricing_problem
from gpu_pricer.tables.price_table import BINDINGS
from tests.markets import NO_RULES, USUAL, a_policy, one_product


def bounds(**rules):
    return Bounds(**{**vars(NO_RULES), **rules})


def facts(today, cost, lowest_seen, highest_seen, **amounts):
    """Facts of products, whose optional amounts are absent unless given."""
    optional = {
        name: np.full(len(today), ABSENT)
        for name in ("list_price", "competitor", "anchor", "lowest", "highest", "pack_floor", "pack_ceiling")
    }
    optional |= {name: np.zeros(len(today), np.bool_) for name in ("is_cost_assumed", "is_resting")}
    return Facts(today, cost, lowest_seen, highest_seen, **(optional | amounts))


def interval(rules, today=1000, cost=500, seen=(1, 100_000), is_cost_assumed=False, is_resting=False, **cents):
    """(low, high) in cents and the rule names behind them, for one product."""
    given = (np.array([v]) for v in (today, 10**4 * cost, 10**4 * seen[0], 10**4 * seen[1]))
    amounts = {name: np.array([10**4 * v]) for name, v in cents.items()}
    flags = {"is_cost_assumed": np.array([is_cost_assumed]), "is_resting": np.array([is_resting])}
    found = price_range(rules, facts(*given, **amounts, **flags))
    names = [BINDINGS[int(rule[0])] for rule in (found.low_rule, found.high_rule, found.broken)]
    return int(found.low[0]), int(found.high[0]), *names


def test_no_rule_allows_every_price():
    assert interval(NO_RULES) == (1, 2**24 - 1, "price_limit", "price_limit", "none")


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


@pytest.mark.parametrize("cents", [9_000_000, 12_000_000, 2**24 - 1])
def test_increase_beyond_the_largest_price_ends_there(cents):
    """Price × rate in millionths would not fit into 64 bits."""
    low, high, *_ = interval(bounds(max_increase=100.0), today=cents, seen=(1, cents))

    assert (low, high) == (1, 2**24 - 1)


@pytest.mark.parametrize("rate", [0.15, 0.07, 0.1, 0.29, 0.333333])
def test_bounds_are_exact_where_floats_are_not(rate):
    today = np.arange(1, 2000)

    found = price_range(
        bounds(max_decrease=rate, max_increase=rate, min_margin_rate=rate), facts(today, today * 10**4, today, today)
    )

    for cents, low, high in zip(today.tolist(), found.low, found.high, strict=True):
        exact = Fraction(str(rate))
        assert low == max(ceil(cents * (1 - exact)), ceil(cents / (1 - exact)), 1)
        assert high == floor(cents * (1 + exact)) or high == 2**24 - 1


def test_floors_round_up_and_ceilings_down_inside_a_cent():
    found = price_range(bounds(within_support=True), facts(*(np.array([v]) for v in (500, 1, 4_000_001, 5_999_999))))

    assert (found.low[0], found.high[0]) == (401, 599)


@pytest.mark.parametrize(
    ("rules", "cents", "expected"),
    [
        ({"max_decrease_amount": 2.5}, {}, (750, 2**24 - 1, "max_decrease_amount", "price_limit", "none")),
        ({"max_increase_amount": 0.01}, {}, (1, 1001, "price_limit", "max_increase_amount", "none")),
        ({"below_list_price": True}, {"list_price": 900}, (1, 900, "price_limit", "list_price", "none")),
        ({"ceiling_column": "x"}, {"highest": 900}, (1, 900, "price_limit", "ceiling", "none")),
        ({"floor_column": "x"}, {"lowest": 900}, (900, 2**24 - 1, "floor", "price_limit", "none")),
        (
            {"pack_sizes": {"line": "x", "size": "y"}},
            {"pack_floor": 900, "pack_ceiling": 1200},
            (900, 1200, "pack_sizes", "pack_sizes", "none"),
        ),
        (
            {"anchor": {"column": "x", "max_decrease": 0.3, "max_increase": 0.15}},
            {"anchor": 1111},
            (778, 1277, "anchor_max_decrease", "anchor_max_increase", "none"),
        ),
        (
            {"anchor": {"column": "x", "max_increase": 0.15}},
            {"anchor": 1111},
            (1, 1277, "price_limit", "anchor_max_increase", "none"),
        ),
        (
            {"max_below_competitor": 0.1, "max_above_competitor": 0.05},
            {"competitor": 1111},
            (1000, 1166, "max_below_competitor", "max_above_competitor", "none"),
        ),
        (
            {"max_below_competitor": -0.01},
            {"competitor": 1000},
            (1010, 2**24 - 1, "max_below_competitor", "price_limit", "none"),
        ),
    ],
)
def test_each_rule_of_a_column_sets_its_end(rules, cents, expected):
    assert interval(bounds(**rules), **cents) == expected


@pytest.mark.parametrize(
    "rules",
    [
        {"below_list_price": True},
        {"floor_column": "x"},
        {"ceiling_column": "x"},
        {"max_below_competitor": 0.1, "max_above_competitor": 0.1},
        {"anchor": {"days": 28, "max_decrease": 0.1, "max_increase": 0.1}},
        {"pack_sizes": {"line": "x", "size": "y"}},
    ],
)
def test_rule_says_nothing_where_its_column_is_null(rules):
    assert interval(bounds(**rules)) == interval(NO_RULES)


@pytest.mark.parametrize("cents", [9_000_000, 2**24 - 1])
def test_anchor_whose_largest_rise_lies_beyond_the_largest_price_ends_there(cents):
    """Anchor × rate in millionths would not fit into 64 bits."""
    rises = bounds(anchor={"column": "x", "max_increase": 100.0})

    assert interval(rises, anchor=cents) == interval(NO_RULES)


@pytest.mark.parametrize(
    ("rules", "given", "expected"),
    [
        ({"max_increase": 0.1, "floor_column": "x"}, {"lowest": 1100}, (1100, 1100, "floor", "max_increase", "none")),
        ({"max_decrease": 0.1, "ceiling_column": "x"}, {"highest": 900}, (900, 900, "max_decrease", "ceiling", "none")),
        ({"max_increase": 0.1, "floor_column": "x"}, {"lowest": 1101}, (1101, 2**24 - 1, "floor", "price_limit",
         "max_increase")),
        ({"max_decrease": 0.1, "ceiling_column": "x"}, {"highest": 899}, (1, 899, "price_limit", "ceiling",
         "max_decrease")),
    ],
)  # fmt: skip
def test_rules_that_meet_in_one_price_are_both_kept(rules, given, expected):
    assert interval(bounds(**rules), **given) == expected


@pytest.mark.parametrize(
    ("loser", "winner", "given", "price", "broken"),
    [
        ({"within_support": True}, {"max_below_competitor": 0.0}, {"seen": (1, 900), "competitor": 1200}, 1200,
         "within_support"),
        ({"max_above_competitor": 0.1}, {"max_decrease": 0.1}, {"competitor": 500}, 900, "max_above_competitor"),
        ({"anchor": {"column": "x", "max_increase": 0.1}}, {"max_decrease": 0.1}, {"anchor": 500}, 900,
         "anchor_max_increase"),
        ({"max_below_competitor": 0.0}, {"anchor": {"column": "x", "max_increase": 0.1}},
         {"competitor": 1500, "anchor": 1000}, 1100, "max_below_competitor"),
        ({"anchor": {"column": "x", "max_increase": 0.1}}, {"pack_sizes": {"line": "x", "size": "y"}},
         {"anchor": 500, "pack_floor": 800}, 800, "anchor_max_increase"),
        ({"pack_sizes": {"line": "x", "size": "y"}}, {"max_decrease": -0.2}, {"pack_ceiling": 1100}, 1200,
         "pack_sizes"),
        ({"max_decrease": -0.2}, {"max_increase_amount": 1.0}, {}, 1100, "max_decrease"),
        ({"max_increase_amount": 1.0}, {"min_margin_rate": 0.5}, {"cost": 900}, 1800, "max_increase_amount"),
        ({"min_margin_rate": 0.5}, {"below_list_price": True}, {"cost": 900, "list_price": 1200}, 1200,
         "min_margin_rate"),
        ({"max_decrease": 0.1}, {"ceiling_column": "x"}, {"highest": 800}, 800, "max_decrease"),
        ({"ceiling_column": "x"}, {"floor_column": "x"}, {"highest": 800, "lowest": 850}, 850, "ceiling"),
    ],
)  # fmt: skip
def test_later_rule_wins_and_the_price_is_the_nearest_to_the_loser(loser, winner, given, price, broken):
    found = interval(bounds(**loser, **winner), **given)

    assert price in found[:2]
    assert found[4] == broken


@pytest.mark.parametrize(
    ("others", "given", "expected"),
    [
        ({}, {}, (1000, "min_days_between_changes")),
        ({"max_increase": 0.15, "within_support": True}, {"seen": (1500, 2000)}, (1000, "min_days_between_changes")),
        ({"min_margin_rate": 0.5}, {"cost": 900}, (1800, "min_margin_rate")),
        ({"below_list_price": True}, {"list_price": 800}, (800, "list_price")),
    ],
)
def test_resting_price_moves_only_where_a_stronger_rule_demands_it(others, given, expected):
    rules = bounds(min_days_between_changes=7, **others)

    low, high, low_rule, high_rule, _ = interval(rules, is_resting=True, **given)

    assert expected in ((low, low_rule), (high, high_rule))
    assert interval(rules, is_resting=False, **given) != (low, high, low_rule, high_rule, _)


def test_largest_move_overrules_the_support():
    rules = bounds(max_decrease=0.3, max_increase=0.15, within_support=True)

    assert interval(rules, seen=(1500, 2000))[2:] == ("max_decrease", "max_increase", "within_support")
    assert interval(rules, seen=(1500, 2000))[:2] == (700, 1150)


def test_minimum_margin_overrules_the_largest_move():
    rules = bounds(max_increase=0.15, min_margin_rate=0.5)

    low, _, *names = interval(rules, cost=900)

    assert low == 1800
    assert names == ["min_margin_rate", "price_limit", "max_increase"]


@pytest.mark.parametrize("limit", [{"max_increase": 0.15}, {"max_increase_amount": 1.5}])
def test_assumed_cost_forbids_cuts_and_forces_no_rise(limit):
    rules = bounds(**limit, min_margin_rate=0.5)

    found = interval(rules, cost=900, is_cost_assumed=True)

    assert found == (1000, 1150, "min_margin_rate", next(iter(limit)), "none")


def test_assumed_cost_still_overrules_the_support():
    rules = bounds(max_increase=0.15, min_margin_rate=0.5, within_support=True)

    assert interval(rules, cost=540, seen=(700, 900), is_cost_assumed=True) == (
        1000, 1150, "min_margin_rate", "max_increase", "within_support"
    )  # fmt: skip


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
    rules = USUAL
    artefact, catalog = one_product(10.0, cost, reference=(seen[0] + seen[1]) / 2, support=seen)

    problem = pricing_problem(artefact, catalog, a_policy(rules, ladder=None))

    assert (problem.limits.low[0], problem.limits.high[0]) == (round(100 * price), round(100 * price))
    assert {BINDINGS[rule[0]] for rule in problem.limits.rules} == {binding}


def test_range_agrees_with_a_search_over_every_price():
    rules = USUAL
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
