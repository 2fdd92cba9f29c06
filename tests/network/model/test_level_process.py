"""How levels move: the process against its own definitions, and what is learned of it."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import nbinom

from gpu_pricer.network.model.level_process import NEW_FOR, WARM_UP, LevelProcess, PeriodSales
from gpu_pricer.network.training.local_levels import learn_process

PROCESS = LevelProcess(discount=0.9, prior=2.0, reversion=3.0, scatter=0.1)
NOTHING = (np.array([], int), np.array([]), np.array([]))


def told(process, history):
    """The expected level of one product and its relative variance, from (expected, bought) of periods or None."""
    recent, ever = [0.0, 0.0], [0.0, 0.0]
    for period in [*history, None]:
        long_run = (process.prior + ever[0]) / (process.prior + ever[1])
        rate = process.reversion / long_run + recent[1]
        level = (process.reversion + recent[0]) / rate
        share = process.reversion / long_run / rate  # of the long-run level in the present one
        variance = 1 / (process.reversion + recent[0]) + share**2 / (process.prior + ever[0])
        recent = [process.discount * value for value in recent]
        if period is not None:
            weight = 1 / (1 + process.scatter * level * period[0])
            recent = [recent[0] + weight * period[1], recent[1] + weight * period[0]]
            ever = [ever[0] + period[1], ever[1] + period[0]]
    return level, variance


def drawn(process, products, periods, seed, factor=1.0):
    """Purchases as the process draws them: in every period negative binomial, given those before."""
    rng = np.random.default_rng(seed)
    seen = rng.random((periods, products)) < 0.8
    expected, bought = rng.uniform(0.1, 3.0, (periods, products)), np.zeros((periods, products))
    for period in range(periods):
        past = [(np.flatnonzero(seen[t]), expected[t, seen[t]], bought[t, seen[t]]) for t in range(period)]
        *_, known = process.known(PeriodSales(past, products))
        mean = rng.gamma(1 / (known.variance + process.scatter), known.variance + process.scatter)
        bought[period] = rng.poisson(known.level * mean * expected[period])
    rows = (
        (np.flatnonzero(on), due[on] / factor, sold[on]) for on, due, sold in zip(seen, expected, bought, strict=True)
    )
    return PeriodSales(list(rows), products)


def history_of(purchases, product):
    """The periods of one product, as `told` reads them."""
    for seen, expected, bought in purchases.periods:
        place = np.flatnonzero(seen == product)
        yield (expected[place[0]], bought[place[0]]) if len(place) else None


def test_levels_and_variances_are_those_of_a_product_by_itself():
    purchases = drawn(PROCESS, products=4, periods=6, seed=1)

    for period, known in enumerate(PROCESS.known(purchases)):
        for product in range(4):
            level, variance = told(PROCESS, list(history_of(purchases, product))[:period])
            assert known.level[product] == pytest.approx(level)
            assert known.variance[product] == pytest.approx(variance)


def test_a_new_product_sells_what_its_attributes_say():
    first, *_ = PROCESS.known(PeriodSales([NOTHING], 1))

    assert first.level[0] == 1.0
    assert first.variance[0] == pytest.approx(1 / 3 + 1 / 2)  # of the present level around the long run, and of this


def test_a_product_that_is_not_on_the_shelf_returns_to_its_long_run_level():
    process = LevelProcess(discount=0.9, prior=2.0, reversion=3.0, scatter=0.0)
    usual, high = ((np.array([0]), np.array([5.0]), np.array([sold])) for sold in (10.0, 40.0))

    *_, after = process.levels(PeriodSales([usual] * 20 + [high] * 3, 1))
    *_, returned = process.levels(PeriodSales([usual] * 20 + [high] * 3 + [NOTHING] * 90, 1))

    assert after[0] > 3
    assert returned[0] == pytest.approx((2 + 20 * 10 + 3 * 40) / (2 + 23 * 5), rel=0.01)


@given(st.floats(0.1, 200.0), st.floats(0.0, 1.0))
def test_more_scatter_moves_levels_less(sold, scatter):
    sales = PeriodSales([(np.array([0]), np.array([5.0]), np.array([sold]))], 1)
    certain, scattered = (LevelProcess(0.9, 2.0, 3.0, of) for of in (0.0, scatter))

    *_, moved = certain.levels(sales)
    *_, less = scattered.levels(sales)

    assert abs(math.log(less[0])) <= abs(math.log(moved[0])) + 1e-12


@given(st.floats(0.1, 1.0), st.floats(0.1, 20.0), st.floats(0.1, 20.0), st.floats(0.0, 1.0), st.integers(0, 1000))
def test_the_evidence_is_that_of_negative_binomial_purchases(discount, prior, reversion, scatter, seed):
    process, other = LevelProcess(discount, prior, reversion, scatter), LevelProcess(0.8, 1.0, 1.0, 0.2)
    purchases = drawn(PROCESS, products=5, periods=10, seed=seed)

    def log_probability(process):
        known, total = list(process.known(purchases)), 0.0
        for period in range(int(WARM_UP * 10), 10):
            product, due, bought = purchases.periods[period]
            shape = 1 / (known[period].variance[product] + process.scatter)
            mean = known[period].level[product] * due
            total += nbinom.logpmf(bought, shape, shape / (shape + mean)).sum()
        return total

    difference = process.log_evidence(purchases) - other.log_evidence(purchases)
    assert difference == pytest.approx(log_probability(process) - log_probability(other), abs=1e-6)


@pytest.mark.parametrize("process", [PROCESS, LevelProcess(0.6, 0.6, 8.0, 0.3)])
def test_the_process_that_drew_the_purchases_is_found(process):
    purchases = drawn(process, products=3000, periods=40, seed=3, factor=1.4)

    found, usual, _ = learn_process(purchases, (0.0, 0.0))

    true, learned = purchases.expecting(1.4), purchases.expecting(np.exp(usual))
    assert found.log_evidence(learned) > process.log_evidence(true) - 0.5  # what ends the search
    assert found.discount == pytest.approx(process.discount, abs=0.03)
    assert found.scatter == pytest.approx(process.scatter, rel=0.1)
    *_, expected = process.levels(true)
    *_, level = found.levels(learned)
    error = np.log(level * np.exp(usual)) - np.log(expected * 1.4)
    assert np.sqrt((error**2).mean()) < 0.02


def test_new_products_are_those_in_their_first_periods_after_the_warm_up():
    def period(*rows):
        return tuple(np.array(column) for column in zip(*rows, strict=True))

    early, late = period((0, 1.0, 3.0), (1, 1.0, 5.0)), period((0, 1.0, 9.0), (2, 2.0, 7.0))
    last = period((2, 2.0, 70.0), (3, 4.0, 1.0))
    purchases = PeriodSales([early, early, *[late] * NEW_FOR, last], products=4)
    assert int(WARM_UP * 6) == 1

    assert purchases.of_new_products() == (7.0 * NEW_FOR + 1.0, 2.0 * NEW_FOR + 4.0)


def test_what_new_products_sell_is_learned_apart():
    purchases = drawn(PROCESS, products=3000, periods=40, seed=3)
    rng = np.random.default_rng(4)
    entering = 0.4  # of what attributes say
    new = [
        (3000 + 5 * t + np.arange(5), np.full(5, 8.0), rng.poisson(8.0 * entering, 5).astype(float)) for t in range(40)
    ]
    columns = (tuple(map(np.concatenate, zip(*both, strict=True))) for both in zip(purchases.periods, new, strict=True))

    every = PeriodSales(list(columns), 3200)
    _, usual, first = learn_process(every, every.of_new_products())

    assert np.exp(first) == pytest.approx(entering, rel=0.15)
    assert np.exp(usual) > 1.5 * entering


def test_some_products_keep_their_own_purchases():
    purchases = drawn(PROCESS, products=50, periods=3, seed=5)

    some = purchases.some(20)

    def totals(purchases):
        total = np.zeros((purchases.products, 2))
        for product, expected, bought in purchases.periods:
            np.add.at(total, product, np.column_stack([expected, bought]))
        return {tuple(row) for row in total.round(9)}

    assert some.products == 20
    assert len(totals(some)) == 20
    assert totals(some) <= totals(purchases)
    assert purchases.some(50) is purchases
