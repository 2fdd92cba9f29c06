"""Constraints on categories whose dissimilarity is below 1: their sums, and the bound against every combination."""

from itertools import product

import numpy as np
import pytest

from gpu_pricer.constraints.constrained_problem import MarketData, solve_constrained
from gpu_pricer.policy.constraint import Constraint
from gpu_pricer.pricing.problem.pricing_problem import pricing_problem
from gpu_pricer.pricing.tiles.lagrangian import price_under_lagrangian
from tests.constraints.markets import AROUND_TODAY, QUARTERS, department_market
from tests.markets import PROFIT, a_policy, with_dissimilarity
from tests.pricing.logit import dense_demand

LIMITS = {
    "units": Constraint("units", at_least=1.05, relative_to="current_prices"),
    "revenue": Constraint("revenue", at_most=0.95, relative_to="current_prices"),
    "price_index": Constraint("price_index", at_most=0.98),
}


def a_nested_market(seed, products, segments, category_size):
    """Return an artefact with categories of mixed dissimilarities, and its catalog."""
    artefact, catalog = department_market(seed, products, segments, category_size)
    categories = artefact.products["category_id"].unique().sort()
    mixed = {name: (0.15, 0.5, 1.0, 0.8)[i % 4] for i, name in enumerate(categories)}
    return with_dissimilarity(artefact, mixed), catalog


def sold_at(artefact, catalog, category, segment, price):
    """Return the choices [..., n] of a visit of the segment at prices [..., n] of a category, sorted by product."""
    rows = artefact.products.with_row_index("row").filter(category_id=category).sort("product_id")
    row, demand = rows["row"].to_numpy(), dense_demand(artefact)
    relative = price / rows["reference_price"].to_numpy() - 1
    weight = np.exp(demand.appeal[segment, row] - demand.sensitivity[segment, row] * relative)
    total = weight.sum(-1, keepdims=True)
    dissimilarity = artefact.categories.filter(category_id=category)["dissimilarity"].item()
    bought = total**dissimilarity / (1 + total**dissimilarity)
    return weight / total * bought * rows["units_per_choice"].to_numpy()


def solved(artefact, catalog, constraint):
    """Return the certificate's summary, and the prices [P, S] in currency by category, then product."""
    problem = pricing_problem(artefact, catalog, a_policy(AROUND_TODAY, QUARTERS))
    people = artefact.segments.sort("segment_id")
    data = MarketData(catalog.sort("category_id", "product_id"), people, "USD")
    found = solve_constrained(problem, PROFIT, {"limit": constraint}, data, "cpu", None)
    everything = (0, problem.category_count)
    price = price_under_lagrangian(problem, found.lagrangian, everything, None, "cpu").price / 100
    return found.certificate.summary, price


@pytest.mark.parametrize("name", LIMITS)
def test_limits_are_met_and_the_certificate_says_what_prices_earn(name):
    artefact, catalog = a_nested_market(4, products=240, segments=3, category_size=6)
    catalog = catalog.sort("category_id", "product_id")

    summary, price = solved(artefact, catalog, LIMITS[name])

    today, cost = (catalog[column].to_numpy()[:, None] for column in ("price", "cost"))
    order = artefact.segments.with_row_index("row").sort("segment_id")

    def units_at(prices):
        """Return the units [P, S] of a period at prices [P, S]."""
        columns = []
        for s, (row, visits) in enumerate(order.select("row", "visits").iter_rows()):
            parts = [
                sold_at(artefact, catalog, category, row, prices[i : i + 6, s])
                for i, category in zip(range(0, 240, 6), catalog["category_id"].unique().sort(), strict=True)
            ]
            columns.append(visits * np.concatenate(parts))
        return np.column_stack(columns)

    now, then = units_at(price), units_at(np.repeat(today, 3, axis=1))
    reached = {
        "units": now.sum() / then.sum(),
        "revenue": (now * price).sum() / (then * today).sum(),
        "price_index": (now * price).sum() / (now * today).sum(),
    }[name]
    limit = LIMITS[name]
    assert reached >= limit.limit * (1 - 1e-9) if limit.at_least else reached <= limit.limit * (1 + 1e-9)
    assert summary["objective"] == pytest.approx((now * (price - cost)).sum(), rel=1e-9)
    assert summary["objective"] <= summary["dual_bound"] <= 1.003 * summary["objective"]


@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize("seed", [1, 2])
def test_no_combination_within_the_limit_earns_more_than_the_bound(name, seed):
    artefact, catalog = a_nested_market(seed, products=6, segments=1, category_size=3)
    catalog, constraint = catalog.sort("category_id", "product_id"), LIMITS[name]
    visits = artefact.segments["visits"].item()

    summary, _ = solved(artefact, catalog, constraint)

    sums = []
    for category, rows in catalog.group_by("category_id", maintain_order=True):
        every = np.array(list(product(*(legal_prices(*cell) for cell in rows.select("price", "cost").iter_rows()))))
        units = visits * sold_at(artefact, catalog, category[0], 0, every)
        today, cost = rows["price"].to_numpy(), rows["cost"].to_numpy()
        at_today = visits * sold_at(artefact, catalog, category[0], 0, today)
        sums.append([(units * values).sum(1) for values in (1, every, today, every - cost)])
        sums[-1] += [at_today.sum(), (at_today * today).sum()]
    units, revenue, base, profit = (sums[0][k][:, None] + sums[1][k] for k in range(4))
    then = [sums[0][k] + sums[1][k] for k in (4, 5)]
    reached = {"units": units / then[0], "revenue": revenue / then[1], "price_index": revenue / base}[name]
    is_within = reached >= constraint.limit if constraint.at_least else reached <= constraint.limit
    assert is_within.any()
    assert profit[is_within].max() <= summary["dual_bound"] * (1 + 1e-9)


def legal_prices(today, cost):
    """Return the prices in currency that AROUND_TODAY leaves on QUARTERS."""
    cents = np.arange(1, 10_000)
    is_rung = np.isin(cents % 100, (25, 49, 75, 99)) & (cents / 100 >= cost / 0.98 - 1e-9)
    return cents[is_rung & (cents / 100 >= 0.7 * today - 1e-9) & (cents / 100 <= 1.15 * today + 1e-9)] / 100
