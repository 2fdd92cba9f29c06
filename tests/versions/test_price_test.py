"""Price tests: which prices they set, what they cost, and that they teach a response that the log did not know."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from scipy.optimize import minimize

from gpu_pricer.errors import InputError
from gpu_pricer.policy.ladder import Ladder
from gpu_pricer.pricing import match_products, pricing_problem
from gpu_pricer.pricing.problem.pricing_problem import PricingProblem
from gpu_pricer.versions.price_test import (
    PriceTest,
    _steps,
    chosen_products,
    expected_outcome,
    planned_test,
    relative_error,
)
from kernels import choice_probabilities, own_elasticities, utility_lines
from tests.markets import NINES, USUAL, a_policy, catalog_of, probabilities, small_artefact, with_posterior

ARTEFACT = small_artefact(5, segments=2, products=24, categories=4)
CATALOG = catalog_of(ARTEFACT)
WIDE = replace(USUAL, max_increase=0.2, max_decrease=0.2, within_support=False)
TEST = PriceTest(periods=9, size=0.1, where=None)


def problem_of(bounds=WIDE, ladder: Ladder | None = None, catalog: pl.DataFrame = CATALOG) -> PricingProblem:
    return pricing_problem(ARTEFACT, catalog, a_policy(bounds, ladder))


def everything(problem):
    return np.ones(len(problem.products.today), np.bool_)


def test_nine_periods_hold_every_pair_of_steps():
    """Steps of half the size add up to −2 to 2, as often as two throws of a die with the sides −1, 0 and 1."""
    problem = problem_of()

    planned = planned_test(problem, [Ladder(None, None)], everything(problem), replace(TEST, periods=9), seed=1)

    assert planned.rows.tolist() == list(range(24))
    assert planned.fixed == 0
    steps = np.round((planned.price / problem.products.today - 1) / (TEST.size / 2)).astype(int)
    assert (np.sort(steps, axis=0) == np.array([-2, -1, -1, 0, 0, 0, 1, 1, 2])[:, None]).all()
    order = {tuple(column) for column in steps.T}
    assert len(order) > 20


@pytest.mark.parametrize("periods", [6, 7, 8, 20])
def test_steps_of_products_and_of_their_category_do_not_go_together(periods):
    of_category, own = _steps(periods, np.array([300, 1, 200]), np.random.default_rng(0))

    assert (of_category[:, :300] == of_category[:, :1]).all()
    for step in (-1, 0, 1):
        assert abs((of_category == step).sum(axis=0) - periods / 3).max() < 1
        times = [((of_category == step) & (own == other)).sum(axis=0) for other in (-1, 0, 1)]
        assert (np.ptp(times, axis=0) <= 1).all()
    assert (own + of_category != (own + of_category)[0]).any(axis=0).all()


def test_prices_keep_to_rungs_and_limits():
    problem = problem_of(replace(WIDE, max_increase=0.04, max_decrease=0.04), NINES)

    planned = planned_test(problem, [NINES], everything(problem), TEST, seed=2)

    low, high = problem.limits.low[planned.rows], problem.limits.high[planned.rows]
    assert ((low <= planned.price) & (planned.price <= high)).all()
    today = problem.products.today[planned.rows]
    on_rung = (planned.price == NINES.at_or_below(planned.price)) | (planned.price == today)
    assert on_rung.all()
    assert planned.fixed == 24 - len(planned.rows) > 0


def test_small_moves_that_the_policy_forbids_are_not_made():
    problem = problem_of(replace(WIDE, min_change=0.07))

    planned = planned_test(problem, [Ladder(None, None)], everything(problem), TEST, seed=3)

    moves = np.abs(planned.price / problem.products.today[planned.rows] - 1)
    assert ((moves == 0) | (moves > 0.069)).all()
    assert (moves == 0).any()


def test_members_of_a_family_have_one_price():
    catalog = CATALOG.with_columns(price=4.0, cost=2.4, line=pl.col("category_id") + "-line")
    problem = problem_of(replace(WIDE, family_column="line"), NINES, catalog)

    planned = planned_test(problem, [NINES], everything(problem), TEST, seed=4)

    family = problem.limits.family[planned.rows]
    assert len(np.unique(family[family >= 0])) == 4
    for number in np.unique(family[family >= 0]):
        of_family = planned.price[:, family == number]
        assert (of_family == of_family[:, :1]).all()


def test_plan_is_the_same_for_the_same_seed_alone():
    problem = problem_of()

    plans = [planned_test(problem, [Ladder(None, None)], everything(problem), TEST, seed).price for seed in (1, 1, 2)]

    assert (plans[0] == plans[1]).all()
    assert (plans[0] != plans[2]).any()


def test_categories_that_the_log_does_not_identify_are_chosen():
    vague = with_posterior(replace(ARTEFACT), 2.0, draws=40)
    told = with_posterior(replace(ARTEFACT), 0.05, draws=40)
    problem, matched = problem_of(), match_products(CATALOG, ARTEFACT)

    found = [chosen_products(problem, matched, CATALOG, artefact, TEST) for artefact in (vague, told)]

    assert found[0].sum() > 0.6 * problem.products.is_on_shelf.sum()
    assert not found[1].any()
    assert not (found[0] & ~problem.products.is_on_shelf).any()


def test_categories_that_took_their_response_from_others_are_chosen():
    told = with_posterior(replace(ARTEFACT), 0.05, draws=40)
    names = told.products["category_id"].unique().sort()
    from_log = pl.when(pl.col("category_id") == names[1]).then(0.2).otherwise(0.9)
    borrowed = replace(
        told, categories=pl.DataFrame({"category_id": names}).with_columns(sensitivity_from_log=from_log)
    )
    problem, matched = problem_of(), match_products(CATALOG, ARTEFACT)

    found = chosen_products(problem, matched, CATALOG, borrowed, TEST)

    expected = (matched.products["category_id"] == names[1]).to_numpy() & problem.products.is_on_shelf
    assert found.any()
    assert (found == expected).all()


def test_where_chooses_products_and_is_needed_without_draws():
    problem, matched = problem_of(), match_products(CATALOG, ARTEFACT)
    catalog = CATALOG.with_columns(brand=pl.when(pl.col("category_id") == "c2").then(pl.lit("own")))
    of_one = PriceTest(6, 0.1, "brand = 'own'")

    is_chosen = chosen_products(problem, matched, catalog, ARTEFACT, of_one)

    expected = (matched.products["category_id"] == "c2").to_numpy() & problem.products.is_on_shelf
    assert of_one.columns == ["brand"]
    assert (is_chosen == expected).all()
    with pytest.raises(InputError, match=r"pricetest\.where must choose products where the demand has no posterior"):
        chosen_products(problem, matched, CATALOG, ARTEFACT, TEST)


def test_cost_is_that_of_the_demand_written_out():
    artefact = small_artefact(5, segments=2, products=24, categories=4, form="dense")
    problem = pricing_problem(artefact, CATALOG, a_policy(WIDE, None))
    planned = planned_test(problem, [Ladder(None, None)], everything(problem), TEST, seed=5)

    found = expected_outcome(problem, planned)

    order = CATALOG.sort("product_id")
    position = order["product_id"].search_sorted(problem.products.product_id).to_numpy()
    visits = artefact.segments["visits"].to_numpy()
    known = artefact.products.sort("product_id")

    def profit(cents):
        price = np.empty(24)
        price[position] = cents / 100
        chosen = probabilities(artefact, price / known["reference_price"].to_numpy() - 1)
        margin = (price - order["cost"].to_numpy()) * known["units_per_choice"].to_numpy()
        return float(visits @ chosen @ margin)

    assert found.error.shape == (4,)
    assert found.error[1] == relative_error(problem, 1, 2, planned.price[:, problem.product_slice(1, 2)])[0]
    assert found.profit_today == pytest.approx(profit(problem.products.today), rel=1e-5)
    assert found.profit == pytest.approx(np.mean([profit(price) for price in planned.price]), rel=1e-5)


def test_error_is_the_curvature_of_a_poisson_regression():
    """One category of rare purchases: minus the log likelihood of one common elasticity, differentiated twice."""
    problem = problem_of()
    rows, rng = problem.product_slice(1, 2), np.random.default_rng(0)
    today = problem.products.today[rows]
    price = np.round(today * np.exp(rng.normal(0, 0.05, (6, len(today))))).astype(np.int32)

    found = relative_error(problem, 1, 2, price)[0]

    demand, shelf = problem.demand.tile(rows.start, rows.stop), problem.shelf(1, 2)
    chosen = choice_probabilities(demand, shelf, today[:, None].astype(np.float64)).astype(np.float64)
    slope = utility_lines(demand, shelf)[1]
    elasticity = own_elasticities(chosen, today[:, None], slope, shelf)
    units = chosen * problem.segments.visits * problem.products.units_per_choice[rows, None]
    moves = np.log(price) - np.log(price).mean(axis=0)

    def minus_log_likelihood(factor):
        mean = units * np.exp(factor * elasticity * moves[:, :, None])
        return float((mean - units * (1 + elasticity * moves[:, :, None]) * np.log(mean)).sum())

    step = 1e-3
    curve = sum(k * minus_log_likelihood(1 + d * step) for k, d in ((1, -1), (-2, 0), (1, 1))) / step**2
    best = minimize(lambda x: minus_log_likelihood(x[0]), [1.0]).x[0]
    assert best == pytest.approx(1, abs=0.1)
    assert found == pytest.approx(1 / np.sqrt(curve), rel=0.05)


@pytest.mark.parametrize(("settings", "message"), [
    ((2, 0.1, None), "pricetest.periods must be"), ((8, 0.0, None), "pricetest.size must be"),
    ((8, 0.6, None), "pricetest.size must be"), ((8, 0.1, "SUM(price) > 3"), "pricetest.where must decide each row"),
])  # fmt: skip
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        PriceTest(*settings)
