"""What more of a measure costs: every point against every price, and the laws of a frontier."""

from functools import cache
from itertools import product

import numpy as np
import pytest

from gpu_pricer.constraints.constrained_problem import ConstrainedProblem, MarketData
from gpu_pricer.constraints.frontier import Frontier, frontier_table, row_at_today, trace_points
from gpu_pricer.constraints.linear_constraints import objective_weights
from gpu_pricer.errors import InputError
from gpu_pricer.policy.constraint import Constraint
from gpu_pricer.policy.objective import Objective
from gpu_pricer.pricing.problem.pricing_problem import pricing_problem
from tests.constraints.markets import AROUND_TODAY, QUARTERS, department_market
from tests.constraints.oracle import sums_at
from tests.markets import PROFIT, a_policy

REVENUE = Objective(profit=0.0, revenue=1.0)
TRADES = [
    ("units", PROFIT),
    ("revenue", PROFIT),
    ("margin_rate", PROFIT),
    ("profit", REVENUE),
    ("margin_rate", REVENUE),
]
TODAY = "current_prices"
SMALL = department_market(4, 3, 1)


def traced(market, measure, objective, constraints=None, points=9, largest=1.0):
    """Return the prices along a frontier, and its table without today's row."""
    artefact, catalog = market
    problem = pricing_problem(artefact, catalog, a_policy(AROUND_TODAY, QUARTERS))
    constrained = ConstrainedProblem(problem, constraints or {}, MarketData(catalog, artefact.segments, "USD"), "cpu")
    found = list(trace_points(constrained, objective_weights(objective), Frontier(measure, points, largest)))
    return [prices for prices, _ in found], frontier_table([row for _, row in found])


@cache
def every_price(are_costs_today=False):
    """Return units, revenue and profit [n, 3] at every combination of rungs of the small market.

    are_costs_today: today's prices take the place of the costs.
    """
    artefact, catalog = SMALL
    problem = pricing_problem(artefact, catalog, a_policy(AROUND_TODAY, QUARTERS))
    catalog = catalog.with_columns(cost=catalog["price"]) if are_costs_today else catalog
    bounds = zip(problem.limits.low, problem.limits.high, strict=True)
    rungs = [[c for c in range(a, b + 1) if c % 100 in (25, 49, 75, 99)] for a, b in bounds]
    return np.array([sums_at(artefact, catalog, np.array(price)[:, None] / 100) for price in product(*rungs)])


@pytest.mark.parametrize(("measure", "objective"), TRADES)
def test_no_price_of_a_small_market_reaches_more_of_both(measure, objective):
    units, revenue, profit = every_price().T
    of_all = {"units": units, "revenue": revenue, "profit": profit, "margin_rate": profit / revenue}
    earned = objective.profit * profit + objective.revenue * revenue

    _, table = traced(SMALL, measure, objective)

    assert table[measure].n_unique() > 1
    for row in table.iter_rows(named=True):
        is_no_less = of_all[measure] >= row[measure] * (1 - 1e-9)
        assert row["objective"] == pytest.approx(earned[is_no_less].max(), rel=1e-9)


def test_no_price_of_a_small_market_has_a_lower_index_and_earns_more_than_the_gap():
    _, revenue, profit = every_price().T
    _, _, surcharge = every_price(are_costs_today=True).T
    index = revenue / (revenue - surcharge)

    _, table = traced(SMALL, "price_index", PROFIT)

    assert table["price_index"].n_unique() > 2
    assert table["gap"].max() < 0.02
    for row in table.iter_rows(named=True):
        best = profit[index <= row["price_index"] * (1 + 1e-9)].max()
        assert row["objective"] == pytest.approx(profit[np.abs(index - row["price_index"]).argmin()], rel=1e-9)
        assert best * (1 - row["gap"] - 1e-9) <= row["objective"] <= best * (1 + 1e-9)


@pytest.mark.parametrize("objective", [PROFIT, REVENUE])
def test_a_lower_index_costs_the_objective_and_the_multiplier_is_the_slope(objective):
    _, table = traced(department_market(1, 2000, 5), "price_index", objective)

    multiplier = table["multiplier"].to_numpy()
    lost, saved = -np.diff(table["objective"].to_numpy()), -np.diff(table["price_index"].to_numpy())
    assert multiplier[0] == 0
    assert (np.diff(multiplier) > 0).all()
    assert (lost > 0).all()
    assert (saved > 0).all()
    assert (lost / saved >= multiplier[:-1] * (1 - 1e-3)).all()
    assert (lost / saved <= multiplier[1:] * (1 + 1e-3)).all()
    assert table["gap"].max() < 1e-3


@pytest.mark.parametrize(("measure", "objective"), TRADES)
def test_objective_falls_measure_rises_and_the_multiplier_is_the_slope(measure, objective):
    _, table = traced(department_market(1, 2000, 5), measure, objective)

    multiplier = table["multiplier"].to_numpy()
    lost, gained = -np.diff(table["objective"].to_numpy()), np.diff(table[measure].to_numpy())
    assert multiplier[0] == 0
    assert (np.diff(multiplier) > 0).all()
    assert (lost > 0).all()
    assert (gained > 0).all()
    slope = lost / gained
    assert (slope >= multiplier[:-1] * (1 - 1e-9)).all()
    assert (slope <= multiplier[1:] * (1 + 1e-9)).all()
    assert (table["gap"] >= 0).all()
    assert table["gap"].max() < 1e-9


@pytest.mark.parametrize("measure", ["units", "margin_rate"])
def test_a_floor_at_a_point_has_its_objective_and_its_multiplier(measure):
    market = department_market(1, 2000, 5)
    artefact, catalog = market
    _, table = traced(market, measure, PROFIT)
    row = table.row(5, named=True)
    problem = pricing_problem(artefact, catalog, a_policy(AROUND_TODAY, QUARTERS))
    floor = {"floor": Constraint(measure, at_least=row[measure] * (1 - 1e-6))}

    constrained = ConstrainedProblem(problem, floor, MarketData(catalog, artefact.segments, "USD"), "cpu")
    found = constrained.solve(objective_weights(PROFIT))

    assert found.solution.objective == pytest.approx(row["objective"], rel=1e-5)
    entry = found.certificate.summary["constraints"]["floor"]
    assert entry["shadow_price"] == pytest.approx(row["multiplier"], rel=0.02)


def test_constraints_of_the_policy_are_kept_along_the_frontier():
    constraints = {
        "rate": Constraint("margin_rate", at_least=1.1, relative_to=TODAY, where="department = 'drinks'"),
        "stock": Constraint("units", at_most="stock", per="product_id"),
    }

    market = department_market(1, 600, 3)

    points, table = traced(market, "units", PROFIT, constraints, points=3)
    _, unconstrained = traced(market, "units", PROFIT, points=3)

    weighted = unconstrained["objective"] + unconstrained["multiplier"] * unconstrained["units"]
    for prices in points:
        entry = prices.certificate.summary["constraints"]["rate"]
        assert prices.certificate.status == "met"
        assert entry["achieved"] >= entry["required"] * (1 - 1e-12)
    assert (table["objective"] + table["multiplier"] * table["units"] < weighted).all()
    assert (table["objective"].diff().drop_nulls() < 0).all()
    assert (table["units"].diff().drop_nulls() > 0).all()
    assert table["gap"].max() < 2e-3


def test_todays_row_is_what_todays_prices_come_to():
    artefact, catalog = department_market(1, 200, 3)
    problem = pricing_problem(artefact, catalog, a_policy(AROUND_TODAY, QUARTERS))
    price = np.repeat(catalog.sort("category_id", "product_id")["price"].to_numpy()[:, None], 3, axis=1)

    constrained = ConstrainedProblem(problem, {}, MarketData(catalog, artefact.segments, "USD"), "cpu")
    row = row_at_today(constrained, objective_weights(PROFIT))

    units, revenue, profit = sums_at(artefact, catalog, price)
    assert (row["units"], row["revenue"], row["profit"]) == pytest.approx((units, revenue, profit), rel=1e-9)
    assert (row["multiplier"], row["gap"], row["share_changed"]) == (None, None, 0.0)


@pytest.mark.parametrize(("measure", "objective"), [("profit", PROFIT), ("revenue", REVENUE)])
def test_the_objective_is_not_traded_for_itself(measure, objective):
    with pytest.raises(InputError, match=f"another measure than the policy's objective, found {measure} for both"):
        traced(department_market(1, 40, 2), measure, objective)


def test_a_margin_rate_below_nothing_is_no_start():
    artefact, catalog = department_market(1, 40, 2)
    dear = catalog.with_columns(cost=2 * catalog["price"])

    with pytest.raises(InputError, match=r"frontier=margin_rate needs a margin_rate above 0 at today's"):
        traced((artefact, dear), "margin_rate", PROFIT)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            ("joy", 5, 1.0),
            "frontier.measure must be one of units, revenue, profit, margin_rate, price_index or null, found 'joy'",
        ),
        (("units", 1, 1.0), "frontier.points must be a whole number of at least 2, found 1"),
        (("units", 5, 0), "frontier.largest must be a number above 0, found 0"),
    ],
)
def test_frontiers_without_sense_are_refused_in_one_line(settings, message):
    with pytest.raises(ValueError, match=r"^frontier") as error:
        Frontier(*settings)

    assert str(error.value) == message
