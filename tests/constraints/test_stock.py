"""Limits of stock beside other limits: what stock can serve, against every price of small markets and in few passes."""

from dataclasses import replace
from functools import cache
from itertools import product
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from gpu_pricer.constraints.constrained_problem import ConstrainedProblem, MarketData
from gpu_pricer.constraints.linear_constraints import PROFIT as PROFIT_OF_SUMS
from gpu_pricer.policy.constraint import Constraint
from gpu_pricer.policy.ladder import Ladder
from gpu_pricer.pricing.problem.pricing_problem import pricing_problem
from tests.constraints.markets import AROUND_TODAY, QUARTERS, department_market
from tests.constraints.oracle import units_at
from tests.markets import a_policy

TODAY = "current_prices"
STOCK = {"stock": Constraint("units", at_most="stock", per="product_id")}
BALANCED = {
    "keep_units": Constraint("units", at_least=1.0, relative_to=TODAY, each="department"),
    "no_dearer": Constraint("price_index", at_most=1.0, each="department"),
}
FLOORS = {
    "none": {},
    "units": {"units": Constraint("units", at_least=1.0, relative_to=TODAY)},
    "index": {"index": Constraint("price_index", at_most=1.0)},
    "both": {
        "units": Constraint("units", at_least=0.98, relative_to=TODAY),
        "index": Constraint("price_index", at_most=1.02),
    },
    "units of a segment": {"units": Constraint("units", at_least=1.0, relative_to=TODAY, where="segment_id = 's000'")},
    "few units": {"units": Constraint("units", at_most=0.9, relative_to=TODAY)},
}
NEARBY = replace(AROUND_TODAY, max_decrease=0.15)
EVERY_DIME = Ladder(endings=[0.09, 0.25, 0.39, 0.49, 0.59, 0.75, 0.89, 0.99], prices=None)
TENS = Ladder(
    endings=[round(0.05 * k - 0.01, 2) if k % 2 == 0 else round(0.05 * k, 2) for k in range(1, 21)], prices=None
)
FEW = 5
"""Outcomes that meet the limits, of thousands, that the search may miss in a market of one category."""
LARGEST_GAP, LARGEST_LOSS = 0.12, 0.08
"""Of one category of two products, whose prices no mixture of blocks can approach finely."""
WITHIN_TEN = replace(AROUND_TODAY, max_decrease=0.10, max_increase=0.10)


def limited(seed, products, segments, rules, ladder, share, cost=1.0):
    """Return a market whose stock is a share [P] of the units at today's prices; cost: a factor of all costs."""
    artefact, catalog = department_market(seed, products, segments)
    catalog = catalog.sort("category_id", "product_id").with_columns(pl.col("cost") * cost)
    problem = pricing_problem(artefact, catalog, a_policy(rules, ladder))
    data = MarketData(catalog, artefact.segments, "USD")
    today = ConstrainedProblem(problem, {"loose": Constraint("units", at_least=0.0)}, data, "cpu").sales_today.units
    catalog = catalog.with_columns(stock=pl.Series(today * share))
    data = MarketData(catalog, artefact.segments, "USD")
    return SimpleNamespace(artefact=artefact, catalog=catalog, problem=problem, data=data, today=today)


def solve(market, constraints):
    constrained = ConstrainedProblem(market.problem, constraints, market.data, "cpu")
    return constrained, constrained.solve(PROFIT_OF_SUMS)


@cache
def every_price(seed, cost):
    """Return a market of two products and two segments with prices and units [n, 2, 2] of all combinations."""
    market = limited(seed, 2, 2, NEARBY, EVERY_DIME, np.ones(2), cost)
    limits = market.problem.limits
    bounds = zip(limits.low, limits.high, strict=True)
    endings = {9, 25, 39, 49, 59, 75, 89, 99}
    rungs = [[c for c in range(low, high + 1) if c % 100 in endings] for low, high in bounds]
    price = np.array(list(product(*rungs))) / 100
    first, second = (a.ravel() for a in np.indices((len(price), len(price))))
    units = [units_at(market.artefact, market.catalog, segment, price) for segment in (0, 1)]
    prices = np.stack([price[first], price[second]], axis=2)
    return market, prices, np.stack([units[0][first], units[1][second]], axis=2)


def served(units, stock):
    """Return units [n, P, S] that stock [P] serves, the same share of each segment's."""
    asked = units.sum(axis=2)
    return units * np.minimum(1.0, stock / np.maximum(asked, 1e-300))[:, :, None]


def spare(constraint, sold, prices, sold_today, today):
    """Return by how much each of n outcomes meets a limit, in its unit."""
    covers = np.array([1.0, 0.0]) if constraint.where else np.ones(2)
    units = (sold * covers).sum((1, 2))
    if constraint.measure == "units":
        limit = constraint.limit * (sold_today * covers).sum()
        return units - limit if constraint.at_least is not None else limit - units
    revenue, base = ((sold * price).sum((1, 2)) for price in (prices, today[:, None]))
    return constraint.limit * base - revenue


@pytest.mark.parametrize("name", FLOORS)
@pytest.mark.parametrize(("share", "cost"), [((0.95, 0.9), 1.0), ((0.5, 1.4), 1.0), ((0.8, 0.97), 1.7)])
@pytest.mark.parametrize("seed", [5, 6])
def test_best_of_every_price_lies_between_what_stock_can_serve_and_the_bound(seed, share, cost, name):
    market, prices, units = every_price(seed, cost)
    stock = market.today * np.array(share)
    market = SimpleNamespace(**vars(market))
    market.data = MarketData(market.catalog.with_columns(stock=pl.Series(stock)), market.artefact.segments, "USD")
    today, unit_cost = (market.catalog[column].to_numpy() for column in ("price", "cost"))
    sold = served(units, stock)
    same = np.repeat(today[:, None], 2, axis=1)
    asked_today = [units_at(market.artefact, market.catalog, s, same.T[s : s + 1])[0] for s in (0, 1)]
    sold_today = served(np.stack(asked_today, axis=1)[None], stock)[0]
    meets = [spare(c, sold, prices, sold_today, today) >= 0 for c in FLOORS[name].values()]
    best = (sold * (prices - unit_cost[:, None])).sum((1, 2))[np.logical_and.reduce([np.ones(len(sold), bool), *meets])]

    summary = solve(market, FLOORS[name] | STOCK)[1].certificate.summary

    assert summary["objective"] <= summary["dual_bound"]
    assert summary["status"] == "met" or len(best) < FEW
    if summary["status"] == "met":
        assert summary["objective"] <= best.max() + 1e-9 * abs(best.max())
        assert best.max() <= summary["dual_bound"] + 1e-9 * abs(best.max())
    if cost == 1 and name != "few units":
        assert summary["gap"] < LARGEST_GAP
        assert summary["objective"] > best.max() * (1 - LARGEST_LOSS)


def test_limits_relative_to_today_count_what_stock_serves_today():
    market = limited(1, 40, 2, WITHIN_TEN, QUARTERS, np.full(40, 0.5))
    floor = {"units": Constraint("units", at_least=1.0, relative_to=TODAY)}

    found = solve(market, floor | STOCK)[1]

    entry = found.certificate.summary["constraints"]["units"]
    assert entry["today"] == pytest.approx(0.5 * market.today.sum(), rel=1e-9)
    assert entry["achieved"] == pytest.approx(entry["today"], rel=1e-9)
    assert found.certificate.status == "met"


def test_a_product_that_sells_out_at_every_price_takes_its_highest_one_and_earns_its_stock():
    market = limited(1, 40, 2, WITHIN_TEN, QUARTERS, np.full(40, 0.5))

    constrained, found = solve(market, STOCK)

    high = market.problem.limits.high / 100
    price = constrained.subproblems.best_prices(found.lagrangian, (0, market.problem.category_count)) / 100
    earned = (0.5 * market.today * (high - market.problem.products.cost)).sum()
    assert (price == high[:, None]).all()
    assert found.certificate.summary["objective"] == pytest.approx(earned, rel=1e-9)
    assert found.certificate.summary["gap"] < 1e-9


def test_floors_of_units_cut_no_price_of_a_product_that_sells_out_anyway():
    share = np.where(np.arange(200) % 4, 3.0, 0.4)
    floor = {"units": Constraint("units", at_least=1.03, relative_to=TODAY)}
    market = limited(3, 200, 3, WITHIN_TEN, QUARTERS, share)

    constrained, found = solve(market, floor | STOCK)

    price = constrained.subproblems.best_prices(found.lagrangian, (0, market.problem.category_count))
    is_scarce = share < 1
    assert found.certificate.status == "met"
    assert found.certificate.summary["constraints"]["units"]["binding"]
    assert (price[is_scarce] == market.problem.limits.high[is_scarce, None]).all()
    assert (price[~is_scarce] < market.problem.limits.high[~is_scarce, None]).any()


@pytest.mark.parametrize("least", [0.8, 0.9])
def test_stock_about_as_large_as_demand_takes_few_passes_more_beside_balanced(least):
    share = np.random.default_rng(8).uniform(least, 1.05, 400)
    market = limited(1, 400, 6, WITHIN_TEN, TENS, share)
    without = solve(market, BALANCED)[1].certificate.summary

    constrained, found = solve(market, BALANCED | STOCK)

    summary, table = found.certificate.summary, found.certificate.product_limits.table
    today = float(constrained.today @ PROFIT_OF_SUMS)
    assert summary["status"] == "met"
    assert summary["passes"] <= 3 * without["passes"]
    assert summary["gap"] < 0.01
    assert summary["objective"] > 0.999 * today
    assert (table["units"] - table["rationed"] <= table["limit"] * (1 + 1e-9)).all()
