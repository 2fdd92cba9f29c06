"""Profit after VAT as the evaluation and the outlook count it."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from gpu_pricer.evaluation.profit import TrueMarket
from gpu_pricer.pricing.drawn_outcomes import UnitValue, drawn_intervals, drawn_profit, profit_of
from gpu_pricer.pricing.problem.posterior_draws import posterior_draws
from gpu_pricer.pricing.problem.pricing_problem import pricing_problem
from tests.markets import NO_RULES, a_policy, catalog_of, small_artefact, with_posterior

ARTEFACT = with_posterior(small_artefact(14, segments=3, products=8, categories=2), 0.0)
PLAIN = catalog_of(ARTEFACT).sort("product_id")
CATALOG = PLAIN.with_columns(vat_rate=pl.Series(np.resize([0.19, 0.07, 0.0], PLAIN.height)))


def problem_of_market(catalog=CATALOG):
    return pricing_problem(ARTEFACT, catalog, a_policy(NO_RULES, None))


def test_profit_under_a_truth_and_under_draws_without_spread_is_that_of_the_units_after_vat():
    problem = problem_of_market()
    today = problem.products.today[:, None].astype(np.int64)
    chosen = problem.totals(problem.demand_in_double(), 0, problem.category_count, today.astype(float)).chosen[:, 0]
    rate = problem.products.product_id.to_frame().join(CATALOG, on="product_id", maintain_order="left")["vat_rate"]
    units = chosen * problem.products.units_per_choice
    earned = today[:, 0] / 100 / (1 + rate.to_numpy()) - problem.products.cost

    under_truth = TrueMarket.of(problem).profit(today.astype(float)) * problem.segments.visits.sum() / 1000
    draws = posterior_draws(ARTEFACT, pl.Series(["c0", "c1"]))
    drawn = drawn_profit(problem, draws, today, profit_of(problem))

    assert under_truth == pytest.approx(units @ earned, rel=1e-9)
    assert drawn == pytest.approx(np.full(len(drawn), units @ earned), rel=1e-5)


def test_intervals_of_units_and_price_index_are_those_without_vat():
    artefact = with_posterior(ARTEFACT, 0.3)
    found = []
    for catalog in (CATALOG, PLAIN):
        problem = problem_of_market(catalog)
        price = np.round(1.1 * np.repeat(problem.products.today[:, None], 3, axis=1)).astype(np.int64)
        found.append(drawn_intervals(problem, posterior_draws(artefact, pl.Series(["c0", "c1"])), price))

    assert found[0] == found[1]


def test_units_are_valued_by_their_number():
    problem = problem_of_market()
    whole = np.ones(len(problem.products.cost))
    draws = posterior_draws(replace(ARTEFACT), pl.Series(["c0", "c1"]))
    today = problem.products.today[:, None].astype(np.int64)

    free, one = (drawn_profit(problem, draws, today, UnitValue(whole, cost)) for cost in (0 * whole, whole))

    totals = problem.totals(problem.demand_in_double(), 0, problem.category_count, today.astype(float))
    assert free - one == pytest.approx(np.full(20, totals.chosen[:, 0] @ problem.products.units_per_choice), rel=1e-4)
