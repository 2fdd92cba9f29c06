"""How levels move: the model of Harvey & Fernandes (1989) against its own definitions, and what is learned of it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import nbinom

from gpu_pricer.network.model.level_process import WARM_UP, LevelProcess, PeriodSales
from gpu_pricer.network.training.local_levels import learn_process

PROCESS = LevelProcess(discount=0.9, prior=2.0)


def drawn(process, products, periods, seed, factor=1.0):
    """Purchases as the process draws them: in every period negative binomial, given those before."""
    rng, shape, rate, found = np.random.default_rng(seed), process.prior, process.prior, []
    for _ in range(periods):
        expected = rng.uniform(0.1, 3.0, products)
        bought = rng.poisson(rng.gamma(shape, 1 / rate, products) * expected).astype(float)
        seen = np.flatnonzero(rng.random(products) < 0.8)
        found.append((seen, expected[seen] / factor, bought[seen]))
        old_shape, old_rate = shape - process.prior, rate - process.prior
        shape, rate = process.discount * old_shape * np.ones(products), process.discount * old_rate * np.ones(products)
        shape[seen] += bought[seen]
        rate[seen] += expected[seen]
        shape, rate = shape + process.prior, rate + process.prior
    return PeriodSales(found, products)


def test_levels_are_weighted_sums_of_what_was_bought_over_what_was_expected():
    purchases = drawn(PROCESS, products=4, periods=6, seed=1)

    for period, level in enumerate(PROCESS.levels(purchases)):
        for product in range(4):
            bought = due = PROCESS.prior
            for earlier, (seen, expected, sold) in enumerate(purchases.periods[:period]):
                weight = PROCESS.discount ** (period - 1 - earlier)
                bought += weight * sold[seen == product].sum()
                due += weight * expected[seen == product].sum()
            assert level[product] == pytest.approx(bought / due)


def test_a_product_that_is_not_on_the_shelf_returns_to_its_attributes():
    sold = (np.array([0]), np.array([5.0]), np.array([20.0]))
    gone = (np.array([], int), np.array([]), np.array([]))

    *_, level = PROCESS.levels(PeriodSales([sold] + 80 * [gone], 1))
    first, after, *_ = PROCESS.levels(PeriodSales([sold], 1))

    assert first[0] == 1.0
    assert after[0] == pytest.approx(22 / 7)
    assert level[0] == pytest.approx(1.0, abs=0.01)


@given(st.floats(0.5, 1.0), st.floats(0.1, 20.0), st.integers(0, 1000))
def test_the_evidence_is_that_of_negative_binomial_purchases(discount, prior, seed):
    process, other = LevelProcess(discount, prior), LevelProcess(0.8, 1.0)
    purchases = drawn(PROCESS, products=5, periods=10, seed=seed)

    def log_probability(process):
        known, total = list(process.known(purchases)), 0.0
        for period in range(int(WARM_UP * 10), 10):
            product, expected, bought = purchases.periods[period]
            shape, rate = known[period][0][product], known[period][1][product]
            total += nbinom.logpmf(bought, shape, rate / (rate + expected)).sum()
        return total

    difference = process.log_evidence(purchases) - other.log_evidence(purchases)
    assert difference == pytest.approx(log_probability(process) - log_probability(other), abs=1e-6)


@pytest.mark.parametrize("process", [PROCESS, LevelProcess(0.98, 0.6)])
def test_the_process_that_drew_the_purchases_is_found(process):
    purchases = drawn(process, products=3000, periods=40, seed=3, factor=1.4)

    found, new = learn_process(purchases)

    assert found.discount == pytest.approx(process.discount, abs=0.03)
    assert found.prior == pytest.approx(process.prior, rel=0.2)
    assert np.exp(new) == pytest.approx(1.4, rel=0.1)


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
