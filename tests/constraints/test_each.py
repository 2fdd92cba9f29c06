"""One constraint for each value of a column: against every price, in a frontier, in rule costs, and where it fails."""

from dataclasses import replace
from itertools import product

import numpy as np
import polars as pl
import pytest

from gpu_pricer.constraints.constrained_problem import ConstrainedProblem, MarketData, solve_constrained
from gpu_pricer.constraints.frontier import Frontier, trace_points
from gpu_pricer.constraints.linear_constraints import objective_weights
from gpu_pricer.constraints.rule_costs import rule_costs
from gpu_pricer.errors import InputError
from gpu_pricer.policy.constraint import Constraint
from gpu_pricer.pricing.problem.pricing_problem import pricing_problem
from gpu_pricer.pricing.tiling import Tiling
from tests.constraints.markets import AROUND_TODAY, QUARTERS, department_market
from tests.constraints.oracle import sums_at
from tests.markets import PROFIT, a_policy

TODAY = "current_prices"
UNITS = Constraint("units", at_least=1.0, relative_to=TODAY, each="department")
INDEX = Constraint("price_index", at_most=1.0, each="department")
ARTEFACT, CATALOG = department_market(5, 4, 1, category_size=2)
RULES = a_policy(AROUND_TODAY, QUARTERS)


def constrained(constraints, catalog=CATALOG):
    problem = pricing_problem(ARTEFACT, catalog, RULES)
    return ConstrainedProblem(problem, constraints, MarketData(catalog, ARTEFACT.segments, "USD"), "cpu")


def solved(constraints, catalog=CATALOG):
    return constrained(constraints, catalog).solve(objective_weights(PROFIT)).certificate.summary


def best_of(department):
    """Return the most profit of a department without fewer units or dearer units than today, over all rungs."""
    catalog = CATALOG.sort("category_id", "product_id")
    today, problem = catalog["price"].to_numpy(), pricing_problem(ARTEFACT, CATALOG, RULES)
    covers = (catalog["department"] == department).to_numpy()
    at_today_cost = CATALOG.with_columns(cost=pl.col("price"))
    before, best, unconstrained = sums_at(ARTEFACT, CATALOG, today[:, None], covers[:, None]), -np.inf, -np.inf
    rungs = [
        [c / 100 for c in range(low, high + 1) if c % 100 in (25, 49, 75, 99)] if covered else [now]
        for low, high, covered, now in zip(problem.limits.low, problem.limits.high, covers, today, strict=True)
    ]
    for price in product(*rungs):
        at = np.array(price)[:, None]
        units, _, profit = sums_at(ARTEFACT, CATALOG, at, covers[:, None])
        dearer = sums_at(ARTEFACT, at_today_cost, at, covers[:, None])[2]
        unconstrained = max(unconstrained, profit)
        if units >= before[0] * (1 - 1e-12) and dearer <= 1e-9:
            best = max(best, profit)
    return best, unconstrained


def test_best_of_every_price_of_two_departments_lies_between_objective_and_bound():
    found = solved({"units": UNITS, "index": INDEX})

    best, unconstrained = np.sum([best_of(department) for department in ("grocery", "drinks")], axis=0)
    assert best < unconstrained, "the limits must bind"
    assert list(found["constraints"]) == ["units[drinks]", "units[grocery]", "index[drinks]", "index[grocery]"]
    assert found["status"] == "met"
    assert all(entry["violation"] == 0 for entry in found["constraints"].values())
    assert found["objective"] <= best * (1 + 1e-9)
    assert best <= found["dual_bound"] * (1 + 1e-9)


def test_a_value_is_a_constraint_of_its_own_condition_and_keeps_the_common_one():
    catalog = CATALOG.with_columns(department=pl.Series(["O'Brien", "O'Brien", "rest", "rest"]))
    some = Constraint("units", at_least=1.0, relative_to=TODAY, each="department", where="product_id > 'p0000000'")

    found = solved({"units": some}, catalog)["constraints"]

    one = solved({"units": Constraint("units", at_least=1.0, relative_to=TODAY, where="product_id = 'p0000001'")})
    assert list(found) == ["units[O'Brien]", "units[rest]"]
    assert found["units[O'Brien]"]["today"] == pytest.approx(one["constraints"]["units"]["today"])


@pytest.mark.parametrize("dtype", [pl.Int64, pl.Categorical, pl.Boolean])
def test_values_may_be_numbers_categories_and_flags(dtype):
    catalog = CATALOG.with_columns(aisle=pl.Series([0, 0, 1, 1], dtype=pl.Int64))
    catalog = catalog.with_columns(pl.col("aisle").cast(pl.String if dtype == pl.Categorical else dtype).cast(dtype))
    whole = solved({"units": UNITS})["constraints"]

    found = solved({"units": Constraint("units", at_least=1.0, relative_to=TODAY, each="aisle")}, catalog)

    today = [entry["today"] for entry in found["constraints"].values()]
    assert sorted(today) == pytest.approx(sorted(entry["today"] for entry in whole.values()))


def test_null_values_and_values_off_the_shelf_form_no_constraint_and_are_said_so(caplog):
    catalog = CATALOG.with_columns(
        department=pl.Series([None, "grocery", "drinks", "drinks"]), availability=pl.Series([1.0, 1.0, 0.0, 0.0])
    )

    found = solved({"units": UNITS}, catalog)

    assert list(found["constraints"]) == ["units[grocery]"]
    assert "constraints.units: 1 products have no department, and none of its limits applies to them" in caplog.text
    assert "constraints.units: no product of drinks is on the shelf, so that there is no limit for it" in caplog.text


@pytest.mark.parametrize(
    ("column", "lack"),
    [
        (None, "the catalog has no column department"),
        (pl.Series([1.5, 2.5, 1.5, 2.5]), "the catalog's column department holds Float64 and no names"),
        (pl.Series([[1], [2], [1], [2]]), "the catalog's column department holds List(Int64) and no names"),
        (pl.Series([None] * 4, dtype=pl.String), "the catalog's column department is null everywhere"),
        (pl.Series([None] * 4), "the catalog's column department is null everywhere"),
    ],
)
def test_a_column_that_names_nothing_is_refused_or_said_aloud(caplog, column, lack):
    catalog = CATALOG.drop("department") if column is None else CATALOG.with_columns(department=column)
    everything = Constraint("price_index", at_most=1.0)
    lenient = Constraint("price_index", at_most=1.0, each="department", if_absent="everything")

    with pytest.raises(InputError) as error:
        solved({"index": INDEX}, catalog)
    found = solved({"index": lenient}, catalog)

    assert str(error.value) == (
        "constraints.index.each must be a column of text, whole numbers or true and false, found that "
        f"{lack}: mend the name, add or convert the column, or set if_absent to everything"
    )
    said = [record.getMessage() for record in caplog.records]
    assert said.count(f"constraints.index: {lack}, one limit applies to the whole assortment") == 1
    assert found["constraints"] == solved({"index": everything}, catalog)["constraints"]


def test_a_column_without_values_on_the_shelf_is_refused():
    catalog = CATALOG.with_columns(
        department=pl.Series(["grocery", None, None, None]), availability=pl.Series([0.0, 1.0, 1.0, 1.0])
    )

    with pytest.raises(InputError, match=r"must have a value for at least one product on the shelf, found none of"):
        solved({"index": INDEX}, catalog)


def test_too_many_values_are_refused():
    artefact, catalog = department_market(1, 300, 1)
    problem, market = pricing_problem(artefact, catalog, RULES), MarketData(catalog, artefact.segments, "USD")
    each = Constraint("price_index", at_most=1.0, each="product_id")

    with pytest.raises(InputError, match=r"index.each must have at most 200 values, found 300 of 'product_id'"):
        solve_constrained(problem, PROFIT, {"index": each}, market, "cpu")


def test_a_frontier_keeps_to_each_of_the_constraints():
    artefact, catalog = department_market(1, 600, 3)
    problem, market = pricing_problem(artefact, catalog, RULES), MarketData(catalog, artefact.segments, "USD")
    problem = ConstrainedProblem(problem, {"index": INDEX}, market, "cpu")

    points = [prices for prices, _ in trace_points(problem, objective_weights(PROFIT), Frontier("units", 3, 1.0))]

    for found in points:
        entries = found.certificate.summary["constraints"].values()
        assert len(entries) == 5
        assert all(entry["achieved"] <= 1 + 1e-12 for entry in entries)


def test_leaving_one_out_leaves_out_all_of_its_values():
    entry = {"measure": "price_index", "at_most": 1.0, "each": "department"}

    found = rule_costs(
        ARTEFACT, CATALOG, a_policy(AROUND_TODAY, QUARTERS, constraints={"index": entry}),
        Tiling("long", 60, 2, None, 1), "cpu",
    )  # fmt: skip
    plain = rule_costs(ARTEFACT, CATALOG, RULES, Tiling("long", 60, 2, None, 1), "cpu")

    cost = found["costs"]["constraints.index"]
    assert cost["cost"] > 0
    assert cost["objective_without"] == pytest.approx(plain["objective"], rel=1e-6)


def test_limits_on_fixed_prices_have_no_shadow_price_whatever_the_kernel_rounds():
    artefact, catalog = department_market(2, 30, 3, category_size=1)
    rules = a_policy(replace(AROUND_TODAY, frozen="price > 0"), QUARTERS)
    problem, market = pricing_problem(artefact, catalog, rules), MarketData(catalog, artefact.segments, "USD")
    each = Constraint("units", at_least=1.0, relative_to=TODAY, each="product_id")

    found = solve_constrained(problem, PROFIT, {"units": each}, market, "cpu").certificate.summary

    assert found["status"] == "met"
    assert len(found["constraints"]) == 30
    assert [name for name, entry in found["constraints"].items() if entry["binding"] or entry["shadow_price"]] == []
    assert found["gap"] == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("first", ["units", "units[drinks]"])
def test_name_of_a_value_that_another_constraint_has_is_refused(first):
    both = {"units": UNITS, "units[drinks]": Constraint("units", at_least=1.0)}
    constraints = {first: both.pop(first), **both}

    with pytest.raises(
        InputError, match=r"constraints\.units\.each must .* found units\[drinks\] twice: rename one of"
    ):
        constrained(constraints)
