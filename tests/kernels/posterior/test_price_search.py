"""Prices under draws of the sensitivity: against brute force and a continuous optimiser, and the laws they obey."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from scipy.optimize import minimize

from kernels import (
    DenseDemand,
    Draws,
    Ladders,
    PricingInputs,
    Shelf,
    choice_probabilities,
    expected_cells,
    expected_choices,
    expected_outcomes,
    expected_totals,
    price_cells,
    take_segments,
)
from kernels.posterior import pricing as posterior_pricing
from tests.kernels import oracle
from tests.kernels.markets import (
    LADDERS,
    category_of,
    factor_demand,
    nested,
    positive,
    random_inputs,
    with_an_end_off_the_ladder,
    with_gaps,
)

SIZES = [3, 1, 2, 4]
SEGMENTS = 3
LOCAL = 1e-3
"""Share of a category's gross margin that the local search may miss on these markets; it mostly misses nothing."""


def random_draws(seed, categories, segments, spread, count=9):
    deviation = np.random.default_rng(seed).normal(0, spread, (categories, segments, count))
    return Draws(np.exp(deviation), np.arange(categories))


def market(seed, kind="endings", has_outside_option=True, spread=0.5, change=None):
    """Return a demand of SEGMENTS for categories of SIZES, its inputs, its draws and the best cells without draws."""
    inputs = random_inputs(seed, SIZES, kind, has_outside_option)
    if change is not None:
        inputs = change(inputs, seed)
    demand = factor_demand(seed, SEGMENTS, inputs.shelf.product_count)
    return demand, inputs, random_draws(seed, len(SIZES), SEGMENTS, spread), price_cells(demand, inputs)


def wide_market(seed, spread, change=None):
    """Return the same with bounds far apart for all prices."""
    demand, inputs, draws, _ = market(seed, spread=spread, change=change)
    inputs = replace(inputs, low=np.full_like(inputs.low, 129), high=np.full_like(inputs.high, 899))
    return demand, inputs, draws, price_cells(demand, inputs)


def expected_profit(price, category, factor):
    """Return the oracle's mean profit over draws at prices [n]."""
    draws = [category | {"sensitivity": category["sensitivity"] * one} for one in factor]
    return np.mean([oracle.profit(price, draw) for draw in draws])


def with_nests(inputs, seed):
    """Return the inputs with the dissimilarities 0.2, 0.6 and 1, a different one in each category from seed to seed."""
    return nested(inputs, *np.roll([0.2, 0.6, 1.0, 0.2], seed))


def with_gaps_and_nests(inputs, seed):
    """Return the inputs with both."""
    return with_nests(with_gaps(inputs, seed), seed)


def places():
    """Return all pairs of a category and a segment."""
    return product(range(len(SIZES)), range(SEGMENTS))


@pytest.mark.parametrize("has_outside_option", [True, False])
@pytest.mark.parametrize("kind", LADDERS)
@pytest.mark.parametrize("change", [None, with_an_end_off_the_ladder, with_gaps, with_nests, with_gaps_and_nests])
def test_hardly_any_combination_of_rungs_earns_more(kind, has_outside_option, change):
    missed, regret = [], []
    for seed in range(3):
        demand, inputs, draws, start = market(seed, kind, has_outside_option, 0.5, change)
        found = expected_cells(demand, inputs, draws, start)
        period, endings = int(inputs.ladders.period[0]), inputs.ladders.endings.tolist()
        for g, s in places():
            category, rows = category_of(demand, inputs, g, s)
            rungs = [
                oracle.rungs_between(low, high, period, endings) if is_on_shelf else [low]
                for low, high, is_on_shelf in zip(
                    inputs.low[rows], inputs.high[rows], category["on_shelf"], strict=True
                )
            ]
            if inputs.gap is not None:
                pairs = zip(rungs, inputs.gap[rows], strict=True)
                rungs = [oracle.outside(prices, *gap) if len(prices) > 1 else prices for prices, gap in pairs]
            every = list(product(*rungs))
            if len(every) > 300:
                continue
            best = max(expected_profit(np.array(price, float), category, draws.factor[g, s]) for price in every)
            ours = expected_profit(found.price[rows, s].astype(float), category, draws.factor[g, s])
            scale = abs(best) + np.abs(category["weight"] * (category["unit_cost"] - inputs.high[rows])).max()
            regret.append((best - ours) / scale)
            missed.append(best - ours > 1e-9 * scale)

    assert np.mean(missed) < 0.05
    assert max(regret) < LOCAL


@pytest.mark.parametrize("change", [None, with_nests])
@pytest.mark.parametrize("spread", [0.5, 1.0])
@pytest.mark.parametrize("seed", range(3))
def test_expected_profit_never_falls_below_that_of_the_plain_prices(seed, spread, change):
    demand, inputs, draws, start = wide_market(seed, spread, change)

    found = expected_cells(demand, inputs, draws, start)

    assert (found.price != start.price).any()
    for g, s in places():
        category, rows = category_of(demand, inputs, g, s)
        plain, ours = (
            expected_profit(cells.price[rows, s].astype(float), category, draws.factor[g, s])
            for cells in (start, found)
        )
        gross = np.abs(category["weight"] * (category["unit_cost"] - inputs.high[rows])).max()
        assert ours >= plain - 1e-12 * gross
        assert found.category_value[g, s] == pytest.approx(ours, abs=1e-6 * gross)


@pytest.mark.parametrize("has_outside_option", [True, False])
@pytest.mark.parametrize("kind", LADDERS)
def test_draws_without_spread_leave_every_price_and_bound(kind, has_outside_option):
    for seed in range(3):
        demand, inputs, draws, start = market(seed, kind, has_outside_option, spread=0.0)

        found = expected_cells(demand, inputs, draws, start)

        assert np.array_equal(found.price, start.price)
        assert np.array_equal(found.binding_side, start.binding_side)
        assert found.probability == pytest.approx(start.probability, abs=1e-5)


@pytest.mark.parametrize("kind", LADDERS)
def test_draws_without_spread_leave_every_price_of_a_nest(kind):
    # A bound may differ: several R have the same best rungs, and the search without draws takes any of them.
    for seed in range(3):
        demand, inputs, draws, start = market(seed, kind, spread=0.0, change=with_nests)

        found = expected_cells(demand, inputs, draws, start)

        assert np.array_equal(found.price, start.price)
        assert found.probability == pytest.approx(start.probability, abs=1e-5)


@pytest.mark.parametrize("dissimilarity", [0.2, 0.6, 1.0])
def test_continuous_prices_are_those_of_a_general_optimiser(dissimilarity):
    demand, inputs, draws, _ = market(4, change=lambda inputs, _: nested(inputs, dissimilarity))
    inputs = positive(replace(inputs, low=inputs.low * 0 + 1, high=inputs.high * 0 + 2000, ladders=Ladders.of((0, []))))
    found = expected_cells(demand, inputs, draws, price_cells(demand, inputs))

    for g, s in places():
        category, rows = category_of(demand, inputs, g, s)
        ours = found.price[rows, s].astype(float)
        best = minimize(
            lambda price, c=category, f=draws.factor[g, s]: -expected_profit(price, c, f),
            ours + 5.0,
            method="L-BFGS-B",
            bounds=[(1, 2000)] * len(ours),
            options={"ftol": 1e-15, "gtol": 1e-10},
        )

        assert expected_profit(ours, category, draws.factor[g, s]) == pytest.approx(-best.fun, rel=1e-7)


@pytest.mark.parametrize("dissimilarity", [0.2, 0.6, 1.0])
def test_product_off_the_shelf_is_priced_as_the_first_to_find_it_would_pay(dissimilarity):
    demand, inputs, draws, _ = market(5)
    inputs = nested(positive(inputs), dissimilarity)
    hidden = replace(inputs, shelf=replace(inputs.shelf, on_shelf=np.arange(10) != 1))
    found = expected_cells(demand, hidden, draws, price_cells(demand, hidden))

    s, rungs = 1, oracle.rungs_between(inputs.low[1], inputs.high[1], 100, [29, 49, 79, 99])
    category, rows = category_of(demand, hidden, 0, s)
    rare = category | {"appeal": category["appeal"] - 25.0 * (np.arange(3) == 1), "on_shelf": np.ones(3, bool)}
    others = found.price[rows, s].astype(float)
    gains = [expected_profit(np.where(np.arange(3) == 1, rung, others), rare, draws.factor[0, s]) for rung in rungs]

    assert found.price[1, s] == rungs[int(np.argmax(gains))]
    assert (found.probability[1] == 0).all()


def test_a_dissimilarity_of_1_changes_no_bit():
    demand, inputs, draws, start = wide_market(6, spread=0.5)

    plain, ones = (expected_cells(demand, given, draws, start) for given in (inputs, nested(inputs, 1.0)))

    for name in ("price", "probability", "binding_side", "category_value"):
        assert np.array_equal(getattr(plain, name), getattr(ones, name))


@pytest.mark.parametrize("change", [None, with_nests])
@pytest.mark.parametrize("cut", [1, 3])
def test_results_are_the_same_bits_for_any_tiling(cut, change):
    demand, inputs, draws, start = market(6, change=change)
    whole = expected_cells(demand, inputs, draws, start)

    segments = np.arange(SEGMENTS)[:cut]
    part = expected_cells(
        take_segments(demand, segments),
        inputs,
        Draws(draws.factor[:, :cut], draws.row),
        replace(
            start, **{n: getattr(start, n)[:, :cut] for n in ("price", "probability", "binding_side", "category_value")}
        ),
    )

    for name in ("price", "probability", "binding_side", "category_value"):
        assert np.array_equal(getattr(part, name), getattr(whole, name)[:, :cut])


@pytest.mark.parametrize("threads", [2, 5, 100])
def test_results_are_the_same_bits_for_any_number_of_workers(monkeypatch, threads):
    demand, inputs, draws, start = wide_market(6, spread=0.5)
    alone = expected_cells(demand, inputs, draws, start)

    monkeypatch.setattr(posterior_pricing, "get_num_threads", lambda: threads)
    shared = expected_cells(demand, inputs, replace(draws, row=np.array([0, -1, 2, 3])), start)
    whole = expected_cells(demand, inputs, draws, start)

    for name in ("price", "probability", "binding_side", "category_value"):
        assert np.array_equal(getattr(whole, name), getattr(alone, name))
    assert np.array_equal(shared.price[[0, 1, 2, 4, 5]], alone.price[[0, 1, 2, 4, 5]])


def test_prices_stay_in_bounds_and_fixed_ones_stay_themselves():
    demand, inputs, draws, start = wide_market(7, spread=1.0)
    is_fixed = np.zeros(start.price.shape, bool)
    is_fixed[::2, 1] = True

    found = expected_cells(demand, inputs, draws, start, is_fixed)

    assert ((found.price >= inputs.low[:, None]) & (found.price <= inputs.high[:, None])).all()
    assert inputs.ladders.has_rung(inputs.ladder, found.price[:, 0]).all()
    for name in ("price", "binding_side"):
        assert np.array_equal(getattr(found, name)[is_fixed], getattr(start, name)[is_fixed])


def test_category_without_draws_is_left_alone():
    demand, inputs, draws, start = wide_market(8, spread=1.0)

    found = expected_cells(demand, inputs, replace(draws, row=np.array([0, -1, -1, -1])), start)

    rows = slice(3, None)
    assert (found.price[:3] != start.price[:3]).any()
    assert np.array_equal(found.price[rows], start.price[rows])
    assert found.probability[rows] == pytest.approx(start.probability[rows], abs=1e-6)


def test_means_and_quantiles_are_those_of_the_draws():
    demand, inputs, draws, start = market(9)
    shelf, price = inputs.shelf, start.price.astype(float)
    found = expected_outcomes(
        demand,
        inputs,
        draws,
        start.price,
        "means",
        "probability_interval",
        "elasticity_interval",
        "drawn_response",
    )

    for g, s in places():
        category, rows = category_of(demand, inputs, g, s)
        shares, elasticities = [], []
        for factor in draws.factor[g, s]:
            b = category["sensitivity"] * factor
            utility = category["appeal"] - b * (price[rows, s] / category["reference_price"] - 1)
            shares.append(oracle.choice(utility, category["on_shelf"], True))
            elasticities.append(-b * price[rows, s] / category["reference_price"] * (1 - shares[-1]))
        shares, elasticities = np.array(shares), np.array(elasticities)
        assert found.probability[rows, s] == pytest.approx(shares.mean(axis=0), rel=1e-6)
        assert found.probability_interval[:, rows, s] == pytest.approx(
            np.quantile(shares, [0.05, 0.95], axis=0), rel=1e-6
        )
        ends = np.quantile(elasticities, [0.05, 0.95], axis=0)
        assert found.elasticity_interval[:, rows, s] == pytest.approx(ends, rel=1e-5)
        assert found.drawn_choices[:, g, s] == pytest.approx(shares.sum(axis=1), rel=1e-6)
        assert found.drawn_response[:, g, s] == pytest.approx((shares * elasticities).sum(axis=1), rel=1e-5)
    visits = np.array([1.0, 2.0, 0.5])
    chosen = expected_choices(demand, shelf, draws, start.price)
    totals = expected_totals(demand, shelf, draws, start.price, visits)
    assert np.array_equal(chosen, found.probability)
    assert totals.chosen[:, 0] == pytest.approx(chosen @ visits)
    assert totals.revenue[:, 0] == pytest.approx((chosen * price) @ visits)


@pytest.mark.parametrize(("dissimilarity", "cents"), [(0.2, 2.0), (0.6, 0.1), (1.0, 0.1)])
def test_parts_add_up_to_an_interior_price(dissimilarity, cents):
    # The lower gamma, the slower all prices of a nest climb together, and the further from the peak a short step is.
    demand, inputs, draws, _ = market(10, change=lambda inputs, _: nested(inputs, dissimilarity))
    inputs = positive(replace(inputs, low=inputs.low * 0 + 1, high=inputs.high * 0 + 4000, ladders=Ladders.of((0, []))))
    found = expected_cells(demand, inputs, draws, price_cells(demand, inputs))

    parts = expected_outcomes(demand, inputs, draws, found.price, "price_parts")

    assert (parts.markup > 0).all()
    assert inputs.unit_cost[:, None] + parts.markup + parts.opportunity == pytest.approx(found.price, abs=cents)


@pytest.mark.parametrize(("has_outside_option", "dissimilarity"), [(True, 1.0), (True, 0.2), (False, 1.0)])
@pytest.mark.parametrize(
    ("appeal", "sensitivity", "spread"),
    [(-2000, 2, 1), (2000, 2, 1), (1e5, 1e5, 1), (0, 1e-9, 1), (0, 1e6, 3), (-3, 40, 6)],
)
def test_extreme_demand_gives_numbers(appeal, sensitivity, spread, has_outside_option, dissimilarity):
    inputs = nested(random_inputs(11, SIZES, "cents", has_outside_option), dissimilarity)
    shape = (SEGMENTS, sum(SIZES))
    demand = DenseDemand(
        *(np.full(shape, value, np.float32) for value in (appeal, sensitivity)), *np.zeros((2, shape[1]), np.float32)
    )
    demand = replace(demand, appeal=demand.appeal * np.linspace(0.9, 1, shape[1], dtype=np.float32))
    start = price_cells(demand, inputs)

    found = expected_cells(demand, inputs, random_draws(11, len(SIZES), SEGMENTS, spread), start)
    seen = expected_outcomes(
        demand,
        inputs,
        random_draws(11, len(SIZES), SEGMENTS, spread),
        found.price,
        "probability_interval",
        "elasticity_interval",
        "price_parts",
    )

    assert np.isfinite(found.probability).all()
    assert np.isfinite(found.category_value).all()
    assert ((found.price >= inputs.low[:, None]) & (found.price <= inputs.high[:, None])).all()
    assert np.isfinite(seen.probability_interval).all()
    assert np.isfinite(seen.elasticity_interval).all()
    assert not np.isnan(seen.markup).any()


def test_empty_shelf_and_no_categories_are_no_trouble():
    demand, inputs, draws, _ = market(12, has_outside_option=False)
    empty = replace(inputs, shelf=replace(inputs.shelf, on_shelf=np.zeros(10, bool)))
    found = expected_cells(demand, empty, draws, price_cells(demand, empty))
    assert (found.category_value == 0).all()
    assert (found.probability == 0).all()

    nothing = np.zeros((0, SEGMENTS), np.float32).T
    zero = np.zeros(0, np.float32)
    shelf = Shelf(np.zeros(1, np.int64), zero, np.zeros(0, bool), True)
    none = PricingInputs(shelf, zero, zero, zero, zero, np.zeros(0, np.int32), inputs.ladders)
    bare = DenseDemand(nothing, nothing, zero, zero)
    found = expected_cells(bare, none, Draws(draws.factor[:0], np.zeros(0, int)), price_cells(bare, none))
    assert found.price.shape == (0, SEGMENTS)


def test_one_draw_of_one_is_the_plain_choice_model():
    demand, inputs, _, start = market(13)

    mean = expected_choices(demand, inputs.shelf, Draws(np.ones((4, SEGMENTS, 1)), np.arange(4)), start.price)

    assert mean == pytest.approx(choice_probabilities(demand, inputs.shelf, start.price), abs=1e-6)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"factor": np.zeros((4, SEGMENTS, 2))}, "Draws.factor must be positive"),
        ({"factor": np.ones((4, SEGMENTS, 0))}, "Draws.factor must hold at least one draw"),
        ({"factor": np.ones((4, SEGMENTS, 2), np.float32)}, "Draws.factor must be float64"),
        ({"factor": np.full((4, SEGMENTS, 2), np.nan)}, "Draws.factor must be finite"),
        ({"row": np.array([0, 1, 2, 4])}, r"Draws.row must lie in \[-1, 4\)"),
        ({"row": np.arange(3)}, "Draws must be of the shelf's 4 categories; found 3"),
        ({"factor": np.ones((4, 2, 2))}, "Draws must be of the demand's 3 segments; found 2"),
    ],
)
def test_draws_that_do_not_fit_are_refused(changes, message):
    demand, inputs, draws, start = market(14)

    with pytest.raises(ValueError, match=message):
        expected_cells(demand, inputs, replace(draws, **changes), start)


def test_families_are_refused():
    demand, inputs, draws, start = market(15)
    family = np.full(10, -1, np.int32)
    family[3] = 0

    with pytest.raises(ValueError, match="expected profit is not maximised over price families"):
        expected_cells(demand, replace(inputs, family=family), draws, start)


def test_unknown_group_of_outcomes_is_refused():
    demand, inputs, draws, start = market(16)

    with pytest.raises(ValueError, match=r"groups of outcomes must be among means, .*; found means, medians"):
        expected_outcomes(demand, inputs, draws, start.price, "means", "medians")
