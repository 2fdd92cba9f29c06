"""Prices under constraints: their sums, the dual bound, and which limits are relaxed where not all can be met."""

from dataclasses import replace
from itertools import product
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from gpu_pricer.constraints.certificate import certificate_of
from gpu_pricer.constraints.constrained_problem import ConstrainedProblem, MarketData, solve_constrained
from gpu_pricer.constraints.linear_constraints import SUMS, linear_constraints_of
from gpu_pricer.constraints.subproblems import LagrangianSubproblems
from gpu_pricer.constraints.warm_start import read_start
from gpu_pricer.errors import InputError
from gpu_pricer.policy.constraint import Constraint
from gpu_pricer.policy.objective import Objective
from gpu_pricer.pricing.problem.pricing_problem import pricing_problem
from gpu_pricer.pricing.tiles.lagrangian import price_under_lagrangian
from tests.constraints.markets import AROUND_TODAY, QUARTERS, department_market
from tests.constraints.oracle import sums_at
from tests.markets import PROFIT, a_policy

TODAY = "current_prices"
CONSTRAINTS = {
    "more units": Constraint("units", at_least=1.02, relative_to=TODAY),
    "fewer units": Constraint("units", at_most=0.85, relative_to=TODAY),
    "more revenue": Constraint("revenue", at_least=1.01, relative_to=TODAY),
    "less revenue": Constraint("revenue", at_most=0.93, relative_to=TODAY),
    "a margin rate": Constraint("margin_rate", at_least=1.16, relative_to=TODAY, where="department = 'drinks'"),
    "a lower margin rate": Constraint("margin_rate", at_most=1.03, relative_to=TODAY, where="department = 'drinks'"),
    "a department's profit": Constraint("profit", at_most=1.02, relative_to=TODAY, where="department = 'pets'"),
    "a lower price index": Constraint("price_index", at_most=0.97),
    "a department's price index": Constraint("price_index", at_most=1.0, where="department = 'drinks'"),
    "a segment's units": Constraint("units", at_least=1.1, relative_to=TODAY, where="segment_id = 's001'"),
    "units of some for some": Constraint(
        "units", at_least=1.06, relative_to=TODAY, where="segment_id > 's003' and price > 5"
    ),
}


def a_market(seed=1, products=3000, segments=8, overrides=None, rules=AROUND_TODAY):
    """Return a market with its problem, and the tables that conditions read."""
    artefact, catalog = department_market(seed, products, segments)
    problem = pricing_problem(artefact, catalog, a_policy(rules, QUARTERS, overrides=overrides))
    sorted_catalog, people = catalog.sort("category_id", "product_id"), artefact.segments.sort("segment_id")
    return SimpleNamespace(
        artefact=artefact, catalog=catalog, problem=problem, products=sorted_catalog, segments=people
    )


def solve(market, constraints, start=None, objective=PROFIT):
    """Return the constrained prices of a market."""
    data = MarketData(market.products, market.segments, "USD")
    return solve_constrained(market.problem, objective, constraints, data, "cpu", start)


def prices_of(market, found) -> np.ndarray:
    """Return constrained prices in currency, [P, S]."""
    everything = (0, len(market.problem.products.category_start) - 1)
    within = found.lagrangian.ranges_within_ratio(market.problem, everything, "cpu")
    return price_under_lagrangian(market.problem, found.lagrangian, everything, within, "cpu").price / 100


def unconstrained_prices(market) -> np.ndarray:
    """Return the prices without constraints, [P, S]."""
    loose = solve(market, {"loose": Constraint("units", at_least=0.0)})
    return prices_of(market, loose)


MARKET = a_market()
UNCONSTRAINED = unconstrained_prices(MARKET)


def measures(market, price, constraint):
    """Return the constraint's measure at the prices and at today's, by an independent computation."""
    where = constraint.where or "1 = 1"
    covers = np.column_stack([
        market.products.with_columns(segment_id=pl.lit(segment)).select(pl.sql_expr(where)).to_series().to_numpy()
        for segment in market.segments["segment_id"]
    ])  # fmt: skip
    today = np.repeat(market.products["price"].to_numpy()[:, None], market.segments.height, axis=1)
    return [_measure(constraint, market, at, covers) for at in (price, today)]


def _measure(constraint, market, price, covers):
    """Return the measure; the same units at today's prices come from the profit at costs of these."""
    units, revenue, profit = sums_at(market.artefact, market.catalog, price, covers)
    for_today = market.catalog.with_columns(cost=pl.col("price"))
    at_today = revenue - sums_at(market.artefact, for_today, price, covers)[2]
    of_all = {"units": units, "revenue": revenue, "profit": profit, "margin_rate": profit / revenue}
    return (of_all | {"price_index": revenue / at_today})[constraint.measure]


@pytest.mark.parametrize("name", CONSTRAINTS)
def test_every_kind_of_limit_binds_is_met_and_costs_what_the_certificate_says(name):
    constraint = CONSTRAINTS[name]

    found = solve(MARKET, {name: constraint})

    summary, price = found.certificate.summary, prices_of(MARKET, found)
    entry = summary["constraints"][name]
    reached, today = measures(MARKET, price, constraint)
    limit = constraint.limit * (today if constraint.relative_to else 1.0)
    unconstrained = measures(MARKET, UNCONSTRAINED, constraint)[0]
    is_floor = constraint.at_least is not None
    assert (unconstrained < limit) == is_floor, "the limit must bind"
    assert (reached >= limit * (1 - 1e-12)) if is_floor else (reached <= limit * (1 + 1e-12))
    assert reached == pytest.approx(entry["achieved"], rel=1e-9)
    assert entry["required"] == pytest.approx(limit, rel=1e-9)
    assert entry["binding"]
    assert entry["violation"] == 0
    assert summary["status"] == "met"
    assert summary["objective"] == pytest.approx(sums_at(MARKET.artefact, MARKET.catalog, price)[2], rel=1e-9)
    assert summary["objective"] <= summary["dual_bound"]
    assert summary["gap"] < (2e-3 if constraint.measure == "profit" else 1e-4)  # profit then weighs almost nothing
    assert summary["objective"] < sums_at(MARKET.artefact, MARKET.catalog, UNCONSTRAINED)[2]


def test_a_shadow_price_is_what_a_looser_limit_adds():
    limits = (1.02, 1.015)
    tight, loose = (
        solve(MARKET, {"units": Constraint("units", at_least=limit, relative_to=TODAY)}).certificate.summary
        for limit in limits
    )

    required = [found["constraints"]["units"]["required"] for found in (tight, loose)]
    gain = (loose["objective"] - tight["objective"]) / (required[0] - required[1])

    prices = [found["constraints"]["units"]["shadow_price"] for found in (tight, loose)]
    assert prices[1] < gain < prices[0]


def test_a_limit_that_does_not_bind_changes_no_price():
    found = solve(MARKET, {"units": Constraint("units", at_least=0.5, relative_to=TODAY)})

    assert (prices_of(MARKET, found) == UNCONSTRAINED).all()
    assert found.certificate.summary["constraints"]["units"]["shadow_price"] == 0
    assert found.certificate.summary["gap"] < 1e-9


def test_two_floors_bind_together():
    both = {
        "units": Constraint("units", at_least=1.0, relative_to=TODAY),
        "revenue": Constraint("revenue", at_least=1.01, relative_to=TODAY),
    }

    found = solve(MARKET, both)

    for name, constraint in both.items():
        reached, today = measures(MARKET, prices_of(MARKET, found), constraint)
        assert reached >= constraint.limit * today * (1 - 1e-12)
        assert found.certificate.summary["constraints"][name]["binding"]
    assert found.certificate.summary["gap"] < 1e-4


def test_growth_takes_the_revenue_that_a_profit_floor_leaves():
    constraints = {"profit": Constraint("profit", at_least=1.0, relative_to=TODAY)}
    growth = Objective(profit=0.0, revenue=1.0)

    found = solve(MARKET, constraints, objective=growth).certificate.summary

    entry = found["constraints"]["profit"]
    assert entry["binding"]
    assert entry["achieved"] >= entry["required"] == pytest.approx(entry["today"])
    assert found["gap"] < 1e-4


def test_bound_holds_against_every_price_beside_overrides_of_single_segments(tmp_path):
    by_hand = {"product_id": ["p0000001", "p0000002"], "segment_id": ["s000", "s001"], "price": [5.55, 1.11]}
    pl.DataFrame(by_hand).write_parquet(tmp_path / "by_hand.parquet")
    market = a_market(seed=4, products=3, segments=2, overrides=str(tmp_path / "by_hand.parquet"))
    sums = [every_sum(market, segment, fixed) for segment, fixed in ((0, {1: 555}), (1, {2: 111}))]
    pairs = (sums[0][:, None] + sums[1][None]).reshape(-1, 3)
    limit = np.quantile(pairs[:, 0], 0.8)

    found = solve(market, {"units": Constraint("units", at_least=float(limit))})

    summary, price = found.certificate.summary, prices_of(market, found)
    best = pairs[pairs[:, 0] >= limit, 2].max()
    assert (price[1, 0], price[2, 1]) == (5.55, 1.11)
    assert summary["objective"] == pytest.approx(sums_at(market.artefact, market.catalog, price)[2], rel=1e-9)
    assert summary["objective"] <= best * (1 + 1e-9)
    assert best <= summary["dual_bound"] * (1 + 1e-9)
    assert summary["constraints"]["units"]["achieved"] >= limit


def every_sum(market, segment, fixed) -> np.ndarray:
    """Return units, revenue and profit [n, 3] of a segment at every combination of rungs; fixed: prices in cents."""
    low, high = market.problem.limits.low, market.problem.limits.high
    rungs = [[c for c in range(a, b + 1) if c % 100 in (25, 49, 75, 99)] for a, b in zip(low, high, strict=True)]
    rungs = [[fixed[p]] if p in fixed else row for p, row in enumerate(rungs)]
    covers = np.arange(market.segments.height) == segment
    return np.array(
        [sums_at(market.artefact, market.catalog, np.array(price)[:, None] / 100, covers) for price in product(*rungs)]
    )


def test_stock_is_kept_beside_overrides_of_single_segments(tmp_path):
    scarce = MARKET.products.filter(pl.col("stock").is_not_null()).head(40)
    by_hand = scarce.select("product_id", pl.lit("s001").alias("segment_id"), price=pl.col("price").round(2))
    by_hand.write_parquet(tmp_path / "by_hand.parquet")
    market = a_market(overrides=str(tmp_path / "by_hand.parquet"))

    found = solve(market, {"stock": Constraint("units", at_most="stock", per="product_id")})

    stock, price = found.certificate.product_limits.table, prices_of(market, found)
    is_set = market.products["product_id"].is_in(by_hand["product_id"].implode()).to_numpy()
    assert (price[is_set, 1] == market.products["price"].to_numpy()[is_set]).all()
    assert (stock["units"] - stock["rationed"] <= stock["limit"] * (1 + 1e-9)).all()
    assert found.certificate.status == "met"
    assert 0 <= found.certificate.summary["gap"] < 1e-3  # the bound lets stock serve only the segments that pay more


def test_a_set_that_cannot_be_met_is_relaxed_from_the_least_important_up():
    constraints = {
        "rate": Constraint("margin_rate", at_least=1.3, relative_to=TODAY, priority=2),
        "volume": Constraint("units", at_least=1.1, relative_to=TODAY, priority=1),
    }

    summary = solve(MARKET, constraints).certificate.summary

    assert summary["status"] == "relaxed"
    assert summary["constraints"]["rate"]["relaxed"]
    assert summary["constraints"]["rate"]["violation"] > 0
    assert not summary["constraints"]["volume"]["relaxed"]
    assert summary["constraints"]["volume"]["violation"] == 0
    assert summary["objective"] <= summary["dual_bound"]


def test_a_limit_that_holds_although_the_search_eased_it_is_met():
    constraints = {"volume": Constraint("units", at_least=1.0, relative_to=TODAY)}
    data = MarketData(MARKET.products, MARKET.segments, "USD")
    problem = ConstrainedProblem(MARKET.problem, constraints, data, "cpu")
    eased = replace(solve(MARKET, constraints).solution, is_relaxed=np.ones(1, bool))

    summary = problem.certified(eased).certificate.summary

    assert summary["constraints"]["volume"]["violation"] == 0
    assert not summary["constraints"]["volume"]["relaxed"]
    assert summary["status"] == "met"


@pytest.mark.parametrize(("lacking", "status"), [(1e-10, "met"), (1.0, "missed")])
def test_what_a_certificate_lists_as_missing_is_what_its_status_says(lacking, status):
    constraints = {"profit": Constraint("profit", at_least=0.0)}
    today = np.array([[100.0, 1000.0, 600.0, 1000.0, 0.0, 1000.0]])
    linear = linear_constraints_of(constraints, today)
    sums = np.array([[100.0, 600.0, 600.0 + lacking, 1000.0, 0.0, 1000.0]])
    solution = SimpleNamespace(
        sums=SimpleNamespace(covered=sums[None]),
        linear_constraints=linear, achieved=linear.achieved(sums[None]).sum(axis=0),
        start=SimpleNamespace(multiplier=np.zeros(1)), is_relaxed=np.zeros(1, bool),
        objective=0.0, bound=0.0, gap=0.0, passes=1,
    )  # fmt: skip

    found = certificate_of(solution, constraints, today, today, None, "USD", includes_vat=False)

    assert found.status == status
    assert bool(found.shortfalls()) == (status == "missed")


def test_equally_important_limits_give_way_by_the_same_share():
    constraints = {
        "revenue": Constraint("revenue", at_least=1.3, relative_to=TODAY),
        "rate": Constraint("margin_rate", at_least=1.3, relative_to=TODAY),
    }

    found = solve(MARKET, constraints)

    linear, revenue = found.solution.linear_constraints, found.certificate.summary["constraints"]["revenue"]
    required = np.array([revenue["required"], 0.0])  # a rate is met where revenue · (1 − rate) − cost is not below 0
    eased = (required - linear.required) / linear.scale
    assert found.certificate.status == "relaxed"
    assert found.solution.is_relaxed.all()
    assert eased[0] == pytest.approx(eased[1])
    assert eased[0] > 0.02


def test_stock_is_kept_up_to_what_the_highest_price_must_ration():
    found = solve(MARKET, {"stock": Constraint("units", at_most="stock", per="product_id")})

    stock, price = found.certificate.product_limits.table, prices_of(MARKET, found)
    is_dearest = (price == MARKET.problem.limits.high[:, None] / 100).all(axis=1)
    by_id = stock.join(MARKET.products.select("product_id", is_dearest=pl.Series(is_dearest)), on="product_id")
    assert stock.height == MARKET.products["stock"].count()
    assert (stock["units"] - stock["rationed"] <= stock["limit"] * (1 + 1e-9)).all()
    assert by_id.filter(pl.col("rationed") > 0)["is_dearest"].all()
    assert 0 < stock.filter(pl.col("shadow_price") > 0).height < stock.height
    summary = found.certificate.summary
    assert summary["status"] == "met"
    assert 0 <= summary["gap"] < 1e-4
    assert summary["objective"] < sums_at(MARKET.artefact, MARKET.catalog, UNCONSTRAINED)[2]
    margin = MARKET.problem.limits.high / 100 - MARKET.problem.products.cost
    unserved = stock.join(MARKET.products.select("product_id", margin=pl.Series(margin)), on="product_id")
    lost = (unserved["rationed"] * unserved["margin"]).sum()
    sold = sums_at(MARKET.artefact, MARKET.catalog, price)[2] - lost
    assert lost > 0
    assert summary["objective"] == pytest.approx(sold, rel=1e-9)


def test_a_price_index_is_kept_beside_stock_and_families():
    artefact, catalog = department_market(1, 600, 4)
    catalog = catalog.with_columns(family_id=pl.col("category_id") + (pl.int_range(pl.len()) % 7).cast(pl.String))
    rules = a_policy(replace(AROUND_TODAY, family_column="family_id"), QUARTERS)
    products = catalog.sort("category_id", "product_id")
    market = SimpleNamespace(
        artefact=artefact, catalog=catalog, problem=pricing_problem(artefact, catalog, rules),
        products=products, segments=artefact.segments,
    )  # fmt: skip
    index = Constraint("price_index", at_most=0.975)
    stock = Constraint("units", at_most="stock", per="product_id")

    found = solve(market, {"index": index, "stock": stock})

    price, table = prices_of(market, found), found.certificate.product_limits.table
    assert measures(market, prices_of(market, solve(market, {"stock": stock})), index)[0] > 0.975
    assert measures(market, price, index)[0] <= 0.975 * (1 + 1e-12)
    assert (table["units"] - table["rationed"] <= table["limit"] * (1 + 1e-9)).all()
    is_shared = market.problem.limits.family >= 0
    shared = pl.DataFrame({"family": products["family_id"], "price": price[:, 0]}).filter(is_shared)
    assert shared.height > shared["family"].n_unique() == shared.unique().height
    assert found.certificate.status == "met"
    assert 0 <= found.certificate.summary["gap"] < 1e-3


def test_a_start_from_the_last_certificate_saves_passes(tmp_path):
    constraints = {"units": CONSTRAINTS["more units"], "stock": Constraint("units", at_most="stock", per="product_id")}
    first = solve(MARKET, constraints)
    first.certificate.write(tmp_path)

    again = solve(MARKET, constraints, read_start(tmp_path, ["units"], MARKET.products["product_id"]))

    assert again.certificate.summary["passes"] < first.certificate.summary["passes"]
    found, expected = (at.certificate.summary["objective"] for at in (again, first))
    assert expected * (1 - 1e-5) <= found <= expected * (1 + 1e-4)


@pytest.mark.parametrize("content", ["", "{}", '{"start": {"multiplier": 3}}'])
def test_a_start_from_something_else_is_refused(tmp_path, content):
    (tmp_path / "certificate.json").write_text(content)

    with pytest.raises(InputError, match=r"paths\.warm_start must be the record of a version scored under constraints"):
        read_start(tmp_path, ["units"], MARKET.products["product_id"])


@pytest.mark.parametrize(
    ("constraint", "message"),
    [
        (Constraint("units", at_most="shelf", per="product_id"), "at_most must be a column of numbers in the catalog"),
        (Constraint("units", at_most="department", per="product_id"), "found String for 'department'"),
        (Constraint("units", at_most="cost", per="product_id", where="tier = 3"), "columns of the catalog or of the"),
    ],
)
def test_limits_per_product_that_do_not_fit_are_refused(constraint, message):
    with pytest.raises(InputError, match=message):
        solve(MARKET, {"stock": constraint})


def test_sums_do_not_depend_on_how_the_market_is_cut(monkeypatch):
    whole = solve(MARKET, {"units": CONSTRAINTS["more units"]})
    monkeypatch.setattr("gpu_pricer.constraints.subproblems.CELLS_AT_ONCE", 500)

    cut = solve(MARKET, {"units": CONSTRAINTS["more units"]})

    assert cut.lagrangian.multiplier == pytest.approx(whole.lagrangian.multiplier, rel=1e-6)
    assert len(LagrangianSubproblems(MARKET.problem, cut.lagrangian.slices, "cpu")._tiles) > 10


@pytest.mark.parametrize("measure", ["margin_rate", "price_index"])
@pytest.mark.parametrize("relative_to", [TODAY, None])
def test_a_ratio_of_a_slice_without_sales_is_refused(measure, relative_to):
    rate = Constraint(measure, at_least=0.2, relative_to=relative_to)

    with pytest.raises(
        InputError, match=r"constraints.rate must be (of a slice with sales|relative to something above)"
    ):
        linear_constraints_of({"rate": rate}, np.zeros((1, len(SUMS))))
