"""Limits that count few prices: what the search finds beside today's prices, which meet limits relative to them."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from gpu_pricer.constraints.certificate import MISSED, Certificate
from gpu_pricer.constraints.certificate_file import read_certificate
from gpu_pricer.constraints.constrained_problem import ConstrainedProblem, MarketData, solve_constrained
from gpu_pricer.constraints.linear_constraints import objective_weights
from gpu_pricer.constraints.solution import EXACT
from gpu_pricer.errors import Refused
from gpu_pricer.policy.constraint import CURRENT_PRICES, Constraint
from gpu_pricer.pricing.problem.pricing_problem import pricing_problem
from gpu_pricer.tables.artefact import DemandArtefact
from gpu_pricer.versions.constrained_prices import PreparedConstraints, solve_constraints
from tests.markets import NO_RULES, PROFIT, a_policy, demand_info

RULES = replace(NO_RULES, max_decrease=0.1, max_increase=0.1)


def few_products(seed: int, products: int, categories: int) -> tuple[DemandArtefact, pl.DataFrame]:
    """Return demand of one segment, and a catalog whose products are dealt to the categories."""
    rng = np.random.default_rng(seed)
    price = np.round(rng.uniform(2, 9, products), 1) + 0.09
    names = {
        "product_id": [f"p{i}" for i in range(products)],
        "category_id": [f"c{i % categories}" for i in range(products)],
    }
    ones = np.ones(products)
    seen = {"reference_price": price, "min_price": 0.5 * price, "max_price": 2 * price, "availability": ones}
    artefact = DemandArtefact(
        info=demand_info("dense"),
        factors={
            "appeal": rng.normal(-0.3, 0.6, (1, products)).astype(np.float32),
            "sensitivity": rng.uniform(1.5, 4, (1, products)).astype(np.float32),
        },
        segments=pl.DataFrame({"segment_id": ["s0"], "visits": [500.0]}),
        products=pl.DataFrame(names | seen | {"choices_per_purchase": ones, "units_per_choice": ones}),
    )
    cost = np.round(price * rng.uniform(0.4, 0.8, products), 2)
    return artefact, pl.DataFrame(names | {"price": price, "cost": cost, "availability": ones})


def limits_of(catalog: pl.DataFrame) -> dict[str, Constraint]:
    """Return limits of each category: no fewer units and no dearer basket than at today's prices."""
    return {
        f"{name} of {category}": Constraint(
            measure, **limit, relative_to=CURRENT_PRICES, where=f"category_id = '{category}'"
        )
        for category in catalog["category_id"].unique(maintain_order=True)
        for name, measure, limit in (("units", "units", {"at_least": 1.0}), ("index", "price_index", {"at_most": 1.0}))
    }


def constrained_of(market: tuple[DemandArtefact, pl.DataFrame]) -> ConstrainedProblem:
    """Return the pricing problem of a market under limits_of its catalog."""
    artefact, catalog = market
    data = MarketData(catalog, artefact.segments, "USD")
    return ConstrainedProblem(pricing_problem(artefact, catalog, a_policy(RULES)), limits_of(catalog), data, "cpu")


@pytest.mark.parametrize("seed", range(6))
def test_a_department_of_one_product_earns_no_less_than_today_where_that_meets_its_limits(seed):
    solution = constrained_of(few_products(seed, 2, 2)).solve(objective_weights(PROFIT)).solution

    today = float(solution.sales_today.total.sum(axis=0) @ objective_weights(PROFIT))
    assert solution.objective >= today * (1 - 1e-9)
    assert (solution.linear_constraints.violation(solution.achieved) <= EXACT).all()
    assert solution.objective <= solution.bound


def test_a_run_says_that_todays_prices_are_better_where_the_search_finds_none_that_are(tmp_path, caplog):
    prepared = PreparedConstraints(constrained_of(few_products(13, 3, 1)), a_policy(RULES), None)

    solve_constraints(prepared, tmp_path)

    assert "today's prices meet every limit and count " in caplog.text


def test_a_certificate_is_written_where_stock_leaves_nothing_to_earn(tmp_path):
    artefact, catalog = few_products(0, 1, 1)
    problem = pricing_problem(artefact, catalog, a_policy(RULES))
    limits = {"stock": Constraint("units", at_most="stock", per="product_id")}
    data = MarketData(catalog.with_columns(stock=0.0), artefact.segments, "USD")

    solve_constrained(problem, PROFIT, limits, data, "cpu").certificate.write(tmp_path)

    certificate = read_certificate(tmp_path)
    assert (certificate["objective"], certificate["gap"]) == (0.0, None)


def test_limits_that_the_search_misses_are_not_said_to_need_relaxing(tmp_path, monkeypatch):
    prepared = PreparedConstraints(constrained_of(few_products(0, 2, 2)), a_policy(RULES), None)
    monkeypatch.setattr(Certificate, "status", MISSED)

    with pytest.raises(Refused, match="found that the search of prices misses them") as refused:
        solve_constraints(prepared, tmp_path)
    assert "on_infeasible" not in str(refused.value)
