"""Every kind of constraint, binding, against every price of a small market."""

from functools import cache
from itertools import product

import numpy as np
import polars as pl
import pytest

from gpu_pricer.constraints.constrained_problem import MarketData, solve_constrained
from gpu_pricer.policy.constraint import MEASURES, Constraint
from gpu_pricer.policy.objective import Objective
from gpu_pricer.pricing.problem.pricing_problem import pricing_problem
from tests.constraints.markets import AROUND_TODAY, QUARTERS, department_market
from tests.constraints.oracle import units_at
from tests.markets import PROFIT, a_policy

REVENUE = Objective(profit=0.0, revenue=1.0)
ARTEFACT, CATALOG = department_market(5, 3, 2)
COST, TODAY = (CATALOG.sort("product_id")[name].to_numpy() for name in ("cost", "price"))
PROBLEM = pricing_problem(ARTEFACT, CATALOG, a_policy(AROUND_TODAY, QUARTERS))
MARKET = MarketData(CATALOG, ARTEFACT.segments, "USD")
EVERYTHING = np.ones((3, 2))
SECOND = ("product_id = 'p0000001'", np.array([[0, 0], [1, 1], [0, 0]]))
SOME = ("segment_id = 's000'", np.array([[1, 0]] * 3))
SOME_TO_SOME = ("segment_id = 's001' and price > 2.5", np.array([[0, 1], [0, 0], [0, 1]]))
HOW_FAR = 0.3
"""Share of the way from a measure's unconstrained value to its extreme at which the limit lies."""


@cache
def every_price() -> tuple[np.ndarray, np.ndarray]:
    """Return prices and units [n, P, S] of every combination of rungs for every segment."""
    bounds = zip(PROBLEM.limits.low, PROBLEM.limits.high, strict=True)
    rungs = [[c for c in range(low, high + 1) if c % 100 in (25, 49, 75, 99)] for low, high in bounds]
    price = np.array(list(product(*rungs))) / 100
    first, second = (a.ravel() for a in np.indices((len(price), len(price))))
    units = [units_at(ARTEFACT, CATALOG, segment, price) for segment in (0, 1)]
    return (
        np.stack([price[first], price[second]], axis=2),
        np.stack([units[0][first], units[1][second]], axis=2),
    )


@cache
def sums(cells: bytes = EVERYTHING.tobytes()) -> tuple[np.ndarray, ...]:
    """Return units, revenue, cost and the units' value at today's prices, [n] each, of some cells everywhere."""
    price, units = every_price()
    units = units * np.frombuffer(cells).reshape(3, 2)
    money_of_unit = (price, COST[:, None], TODAY[:, None])
    return units.sum((1, 2)), *((units * of_unit).sum((1, 2)) for of_unit in money_of_unit)


def measure_values(measure, cells):
    units, revenue, cost, at_today = sums(np.asarray(cells, float).tobytes())
    return {
        "units": units,
        "revenue": revenue,
        "profit": revenue - cost,
        "margin_rate": 1 - cost / revenue,
        "price_index": revenue / at_today,
    }[measure]


def coefficient(constraint):
    """Return the constraint's weights of units, revenue, cost and units at today's prices, and its right-hand side."""
    limit = constraint.limit
    counts = {
        "units": (1, 0, 0, 0),
        "revenue": (0, 1, 0, 0),
        "profit": (0, 1, -1, 0),
        "margin_rate": (0, 1 - limit, -1, 0),
        "price_index": (0, 1, 0, -limit),
    }
    sign = 1 if constraint.at_least is not None else -1
    needed = 0.0 if constraint.measure in ("margin_rate", "price_index") else limit
    return sign * np.array(counts[constraint.measure]), sign * needed


def earned_by(objective):
    _, revenue, cost, _ = sums()
    return objective.profit * (revenue - cost) + objective.revenue * revenue


def binding_constraint(objective, measure, kind, where, cells):
    """Return a constraint that binds, with its slice; None where none binds."""
    values = measure_values(measure, cells)
    unconstrained = values[earned_by(objective).argmax()]
    way = (values.max() if kind == "at_least" else values.min()) - unconstrained
    if abs(way) < 1e-6 * unconstrained:
        return None
    return Constraint(measure, where=where, **{kind: unconstrained + HOW_FAR * way}), cells


def cases():
    """Yield objectives with constraints and their slices."""
    slices = {"all": (None, EVERYTHING), "a product": SECOND, "a segment": SOME, "some to some": SOME_TO_SOME}
    for of, objective, names in (("profit", PROFIT, slices), ("revenue", REVENUE, ["all"])):
        for measure, kind, name in product(MEASURES, ("at_least", "at_most"), names):
            found = binding_constraint(objective, measure, kind, *slices[name])
            if found is not None:
                yield pytest.param(objective, {"a": found}, id=f"{of}, {measure} {kind} of {name}")
    two = {
        "a": binding_constraint(PROFIT, "units", "at_least", None, EVERYTHING),
        "b": binding_constraint(PROFIT, "margin_rate", "at_least", *SECOND),
    }
    yield pytest.param(PROFIT, two, id="two floors")


@pytest.mark.parametrize(("objective", "constraints"), [*cases()])
def test_best_of_every_price_lies_between_objective_and_bound(objective, constraints):
    earned, slices = earned_by(objective), {name: cells for name, (_, cells) in constraints.items()}
    constraints = {name: constraint for name, (constraint, _) in constraints.items()}

    found = solve_constrained(PROBLEM, objective, constraints, MARKET, "cpu")

    summary, is_feasible, lagrangian = found.certificate.summary, np.ones(len(earned), bool), earned.copy()
    for i, constraint in constraints.items():
        counts, needed = coefficient(constraint)
        spare = counts @ np.array(sums(np.asarray(slices[i], float).tobytes())) - needed
        is_feasible &= spare >= -1e-9 * abs(needed)
        lagrangian += summary["start"]["multiplier"][i] * spare
        assert summary["constraints"][i]["violation"] == 0
    best = earned[is_feasible].max()
    assert summary["status"] == "met"
    assert best < earned.max()
    assert summary["objective"] <= best * (1 + 1e-9)
    assert best <= summary["dual_bound"] * (1 + 1e-9)
    assert summary["dual_bound"] == pytest.approx(lagrangian.max(), rel=1e-6)


def test_best_of_every_price_within_the_stock_lies_between_objective_and_bound():
    limit = np.array([np.nan, 23.0, 38.0])
    shelf = CATALOG.sort("product_id").with_columns(stock=pl.Series(limit, nan_to_null=True))
    stock = {"stock": Constraint("units", at_most="stock", per="product_id")}

    found = solve_constrained(PROBLEM, PROFIT, stock, MarketData(shelf, ARTEFACT.segments, "USD"), "cpu")

    summary, table, earned = found.certificate.summary, found.certificate.product_limits.table, earned_by(PROFIT)
    _, units = every_price()
    sold, scarce = units.sum(axis=2)[:, 1:], table["shadow_price"].to_numpy()
    best = earned[(sold <= limit[1:]).all(axis=1)].max()
    assert (scarce > 0).all()
    assert summary["status"] == "met"
    assert summary["objective"] <= best * (1 + 1e-9) < earned.max()
    assert best <= summary["dual_bound"] * (1 + 1e-9)
    assert summary["dual_bound"] == pytest.approx((earned - (sold - limit[1:]) @ scarce).max(), rel=1e-6)
