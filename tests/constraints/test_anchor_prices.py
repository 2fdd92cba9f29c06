"""Limits relative to the anchor's prices, which are today's where there is no anchor."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from gpu_pricer.constraints.constrained_problem import MarketData, solve_constrained
from gpu_pricer.policy.constraint import ANCHOR_PRICES, CURRENT_PRICES, Constraint
from gpu_pricer.pricing.problem.pricing_problem import pricing_problem
from gpu_pricer.pricing.tiles.lagrangian import price_under_lagrangian
from tests.constraints.markets import AROUND_TODAY, QUARTERS, department_market
from tests.constraints.oracle import sums_at
from tests.markets import PROFIT, a_policy

ARTEFACT, CATALOG = department_market(2, 400, 3)
ANCHORED = replace(AROUND_TODAY, anchor={"column": "anchor_price", "max_increase": 0.3, "max_decrease": 0.4})
SHIFT = np.random.default_rng(7).choice([0.92, 1.0, 1.1], CATALOG.height)
MOVED = CATALOG.with_columns(anchor_price=(pl.col("price") * pl.Series(SHIFT)).round(2))
LIMITS = {
    "units": Constraint("units", at_least=1.03, relative_to=ANCHOR_PRICES),
    "units of drinks": Constraint("units", at_least=1.02, relative_to=ANCHOR_PRICES, where="department = 'drinks'"),
    "revenue": Constraint("revenue", at_least=1.0, relative_to=ANCHOR_PRICES),
    "margin rate": Constraint("margin_rate", at_least=1.12, relative_to=ANCHOR_PRICES, where="department = 'pets'"),
    "price index": Constraint("price_index", at_most=0.98, relative_to=ANCHOR_PRICES),
    "price index of drinks": Constraint(
        "price_index", at_most=1.0, relative_to=ANCHOR_PRICES, where="department = 'drinks'"
    ),
}


def solved(catalog, constraints, rules=ANCHORED):
    """The certificate under constraints, and the prices in currency [P, S], sorted by category and product."""
    problem = pricing_problem(ARTEFACT, catalog, a_policy(rules, QUARTERS))
    data = MarketData(catalog, ARTEFACT.segments, "USD")
    found = solve_constrained(problem, PROFIT, constraints, data, "cpu")
    everything = (0, len(problem.products.category_start) - 1)
    cells = price_under_lagrangian(problem, found.lagrangian, everything, None, "cpu")
    return found.certificate.summary, cells.price / 100


def one_price(catalog, column):
    """A column of the sorted catalog for all segments, [P, S]."""
    values = catalog.sort("category_id", "product_id")[column].to_numpy()
    return np.repeat(values[:, None], ARTEFACT.segments.height, axis=1)


def measured(catalog, constraint, price, anchor):
    """The measure at prices [P, S], computed independently; anchor [P, S]: prices that an index compares with."""
    department = (constraint.where or "").removeprefix("department = ").strip("'")
    own = (pl.col("department") == department) if department else pl.lit(True)
    rows = catalog.sort("category_id", "product_id").select(own.alias("own"), "product_id")
    covers = np.broadcast_to(rows["own"].to_numpy()[:, None], price.shape)
    units, revenue, profit = sums_at(ARTEFACT, catalog, price, covers)
    of_anchor = catalog.join(
        rows.select("product_id", at_anchor=pl.Series(anchor[:, 0])), on="product_id", maintain_order="left"
    ).with_columns(cost="at_anchor")
    for_anchor = revenue - sums_at(ARTEFACT, of_anchor, price, covers)[2]
    values = {"units": units, "revenue": revenue, "margin_rate": profit / revenue, "price_index": revenue / for_anchor}
    return values[constraint.measure]


@pytest.mark.parametrize("name", LIMITS)
def test_limit_is_a_share_of_the_measure_at_the_anchors_prices(name):
    constraint, anchor = LIMITS[name], one_price(MOVED, "anchor_price")

    certificate, price = solved(MOVED, {name: constraint})

    entry = certificate["constraints"][name]
    base = measured(MOVED, constraint, anchor, anchor)
    assert entry["base"] == pytest.approx(base, rel=1e-9)
    assert entry["required"] == pytest.approx(constraint.limit * base, rel=1e-9)
    assert entry["achieved"] == pytest.approx(measured(MOVED, constraint, price, anchor), rel=1e-9)
    assert entry["today"] == pytest.approx(measured(MOVED, constraint, one_price(MOVED, "price"), anchor), rel=1e-9)
    assert entry["binding"]
    assert certificate["status"] == "met"
    assert certificate["gap"] < 1e-3
    assert certificate["objective"] <= certificate["dual_bound"]


@pytest.mark.parametrize("name", LIMITS)
def test_anchor_of_todays_prices_asks_for_what_todays_prices_do(name):
    constraints = [{name: replace(LIMITS[name], relative_to=prices)} for prices in (ANCHOR_PRICES, CURRENT_PRICES)]
    same = CATALOG.with_columns(anchor_price="price")

    (of_anchor, price), (of_today, expected) = (solved(same, limits) for limits in constraints)

    np.testing.assert_array_equal(price, expected)
    assert of_anchor["objective"] == of_today["objective"]


def test_product_without_an_anchor_counts_at_todays_price():
    constraint = LIMITS["price index"]
    some = MOVED.with_columns(
        anchor_price=pl.when(pl.col("department") == "drinks").then(None).otherwise("anchor_price")
    )
    filled = one_price(some.with_columns(pl.coalesce("anchor_price", "price").alias("filled")), "filled")

    certificate, price = solved(some, {"index": constraint})

    found = certificate["constraints"]["index"]["achieved"]
    assert found == pytest.approx(measured(some, constraint, price, filled), rel=1e-9)


def test_policy_without_an_anchor_compares_with_todays_prices():
    certificate, _ = solved(CATALOG, {"units": LIMITS["units"]}, AROUND_TODAY)

    entry = certificate["constraints"]["units"]
    assert entry["base"] == entry["today"] > 0
