"""Limits on the assortment where prices include VAT of unlike rates: money after VAT, and the index that people see."""

import numpy as np
import polars as pl
import pytest

from gpu_pricer.constraints.constrained_problem import ConstrainedProblem, MarketData
from gpu_pricer.constraints.frontier import Frontier, row_at_today, trace_points
from gpu_pricer.constraints.lagrangian_record import (
    LAGRANGIAN,
    RecordedLagrangian,
    read_multipliers,
    write_lagrangian,
)
from gpu_pricer.constraints.linear_constraints import objective_weights
from gpu_pricer.explain.limit_effects import added_costs, limit_effects
from gpu_pricer.policy.constraint import Constraint
from gpu_pricer.pricing.problem.pricing_problem import pricing_problem
from gpu_pricer.pricing.tiles.lagrangian import price_under_lagrangian
from tests.constraints.markets import AROUND_TODAY, QUARTERS, department_market
from tests.constraints.oracle import sums_at
from tests.markets import PROFIT, a_policy

TODAY = "current_prices"
ARTEFACT, PLAIN = department_market(5, 400, 4)
CATALOG = PLAIN.with_columns(vat_rate=pl.Series(np.resize([0.19, 0.07, 0.0], PLAIN.height)))
LIMITS = {
    "revenue": Constraint("revenue", at_least=1.09, relative_to=TODAY),
    "profit": Constraint("profit", at_most=1.02, relative_to=TODAY, where="vat_rate > 0.1"),
    "margin_rate": Constraint("margin_rate", at_least=1.1, relative_to=TODAY, where="department = 'drinks'"),
    "price_index": Constraint("price_index", at_most=0.97),
}


def problem_of_market():
    return pricing_problem(ARTEFACT, CATALOG, a_policy(AROUND_TODAY, QUARTERS))


def constrained(constraints):
    market = MarketData(CATALOG, ARTEFACT.segments, "EUR")
    return ConstrainedProblem(problem_of_market(), constraints, market, "cpu")


def prices_of(problem, lagrangian):
    return price_under_lagrangian(problem, lagrangian, (0, problem.category_count), None, "cpu").price / 100


def measured(measure, price, covers):
    """The measure at prices, from the artefact and the catalog alone."""
    units, revenue, profit = sums_at(ARTEFACT, CATALOG, price, covers)
    paid = sums_at(ARTEFACT, PLAIN, price, covers)[1]
    at_today = paid - sums_at(ARTEFACT, PLAIN.with_columns(cost=pl.col("price")), price, covers)[2]
    of_all = {"units": units, "revenue": revenue, "profit": profit, "margin_rate": profit / revenue}
    return (of_all | {"price_index": paid / at_today})[measure]


@pytest.mark.parametrize("name", LIMITS)
def test_every_limit_on_money_is_after_vat_and_the_index_is_of_the_prices_that_people_see(name):
    constraint = LIMITS[name]
    limited = constrained({name: constraint})

    found = limited.solve(objective_weights(PROFIT))

    price = prices_of(problem_of_market(), found.lagrangian)
    where = CATALOG.sort("category_id", "product_id").select(pl.sql_expr(constraint.where or "1 = 1")).to_series()
    covers = np.repeat(where.to_numpy()[:, None], ARTEFACT.segments.height, axis=1)
    summary = found.certificate.summary
    entry = summary["constraints"][name]
    reached = measured(constraint.measure, price, covers)
    assert reached == pytest.approx(entry["achieved"], rel=1e-9)
    assert (reached >= entry["required"] * (1 - 1e-9)) == (constraint.at_least is not None)
    assert entry["binding"]
    assert summary["status"] == "met"
    assert summary["includes_vat"]
    assert summary["objective"] == pytest.approx(sums_at(ARTEFACT, CATALOG, price)[2], rel=1e-9)
    assert summary["objective"] <= summary["dual_bound"]
    assert summary["gap"] < 5e-3


def test_the_frontier_states_profit_and_revenue_after_vat():
    limited = constrained({})
    today = np.repeat(PLAIN["price"].to_numpy()[:, None], ARTEFACT.segments.height, axis=1)

    rows = [row for _, row in trace_points(limited, objective_weights(PROFIT), Frontier("revenue", 2, 0.5))]
    now = row_at_today(limited, objective_weights(PROFIT))

    _, revenue, profit = sums_at(ARTEFACT, CATALOG, today)
    assert (now["revenue"], now["profit"]) == pytest.approx((revenue, profit), rel=1e-9)
    assert now["margin_rate"] == pytest.approx(profit / revenue, rel=1e-9)
    assert now["price_index"] == 1.0
    assert rows[0]["profit"] > rows[1]["profit"]
    assert rows[0]["revenue"] < rows[1]["revenue"]


def test_an_explained_limit_on_revenue_pays_for_what_is_left_of_a_price_after_vat():
    limits = {"revenue": Constraint("revenue", at_least=1.1, relative_to=TODAY, where="department = 'drinks'")}
    limited = constrained(limits)
    problem, found = problem_of_market(), limited.solve(objective_weights(PROFIT))
    drinks = CATALOG.sort("category_id", "product_id")["department"].to_numpy() == "drinks"
    product = int(np.flatnonzero(drinks & (problem.products.net_share < 1))[0])

    [effect] = limit_effects(found.lagrangian, limits, problem, (product, 0), 9.99)

    kept = 9.99 * problem.products.net_share[product]
    assert effect.per_unit == pytest.approx(effect.multiplier * kept, rel=1e-12)
    added = added_costs(found.lagrangian, [*limits], problem, (product, 0))
    _, effective = found.lagrangian.product_weights(problem, 0, slice(product, product + 1))
    after_vat = effective[0] / 100 * problem.products.net_share[product]
    assert added.cost + added.limits["revenue"] == pytest.approx(after_vat, rel=1e-9)
    assert (added.objective, added.stock) == pytest.approx((0, 0), abs=1e-12)


def test_multipliers_that_were_recorded_before_prices_could_include_vat_are_read(tmp_path):
    limited = constrained({"revenue": LIMITS["revenue"]})
    weights = limited.solve(objective_weights(PROFIT)).lagrangian
    product_id = problem_of_market().products.product_id
    write_lagrangian(RecordedLagrangian(weights, {"revenue": LIMITS["revenue"]}), product_id, tmp_path)
    assert (read_multipliers(tmp_path).coefficient == weights.coefficient).all()

    path = tmp_path / LAGRANGIAN
    path.write_text(path.read_text().replace("[[0.0, 1.0, 0.0, 0.0, -1.0, 0.0]]", "[[0.0, 1.0, 0.0, 0.0]]"))

    assert read_multipliers(tmp_path).coefficient.tolist() == [[0.0, 1.0, 0.0, 0.0, 0.0, 0.0]]
