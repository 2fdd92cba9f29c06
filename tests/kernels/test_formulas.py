"""The scalar formulas, one by one."""

import math

import numpy as np
import pytest

from kernels import formulas


def test_exponential_keeps_its_stated_float32_error():
    x = np.concatenate([np.linspace(-87, 88, 20_001), np.linspace(-1e-3, 1e-3, 101)]).astype(np.float32)

    error = [formulas.exponential(value) / math.exp(value) - 1 for value in x]

    assert np.abs(error).max() < 2e-7
    assert isinstance(formulas.exponential(np.float32(1)), float)


def test_exponential_is_exact_in_float64():
    assert formulas.exponential(-3.7) == math.exp(-3.7)
    assert formulas.exponential.py_func(-3.7) == math.exp(-3.7)


@pytest.mark.parametrize("x", [-1e30, -88.0, 89.0, 1e30])
def test_exponential_stays_finite(x):
    assert 0 < formulas.exponential(np.float32(x)) < 3.4e38


def test_log_one_plus_keeps_its_stated_float32_error():
    y = np.concatenate([np.linspace(1e-6, 1, 10_001), np.logspace(-37, 0, 100)]).astype(np.float32)

    error = [formulas.log_one_plus(value) / math.log1p(value) - 1 for value in y]

    assert np.abs(error).max() < 3e-7


@pytest.mark.parametrize("real", [np.float32, np.float64])
@pytest.mark.parametrize("x", [-80.0, -3.0, 0.0, 0.5, 20.0, 1e4])
def test_softplus_is_stable(x, real):
    rounding = float(4 * np.finfo(real).eps)

    assert formulas.softplus(real(x)) == pytest.approx(np.logaddexp(0, x), rel=rounding)


@pytest.mark.parametrize(
    ("price", "below", "above"),
    [(29.0, 29, 29), (28.5, -71, 29), (30.0, 29, 129), (16777115.0, 16777029, 16777129)],
)
def test_rungs_bracket_the_price(price, below, above):
    price, period, ending = np.float32(price), np.float32(100), np.float32(29)

    assert formulas.rung_below(price, period, ending) == below
    assert formulas.rung_above(price, period, ending) == above


@pytest.mark.parametrize("cents", [1, 4_999, 99_999, 1_234_567, 2**23 + 1, 2**24 - 1])
def test_every_whole_cent_is_its_own_rung(cents):
    price, one, zero = np.float32(cents), np.float32(1), np.float32(0)

    assert formulas.rung_below(price, one, zero) == formulas.rung_above(price, one, zero) == cents


def test_a_tie_goes_to_the_lower_price():
    assert formulas.better_price(100.0, 200.0, 0.01, 50.0, 0.0, 0.0) == 100.0


def test_better_price_weighs_margin_against_demand():
    def value(x):
        return (x - 60 - 20) * math.exp(-0.01 * x)

    for lower, upper in [(149.0, 179.0), (179.0, 199.0), (99.0, 129.0)]:
        expected = max(lower, upper, key=value)
        assert formulas.better_price(lower, upper, 0.01, 60.0, 1.0, 20.0) == expected


def test_the_unclipped_price_is_stationary():
    slope, cost, weight, worth = 0.01, 60.0, 1.5, 40.0
    price = formulas.unclipped_price(slope, cost, weight, worth)

    def value(x):
        return (weight * (x - cost) - worth) * math.exp(-slope * x)

    assert value(price + 1e-3) - value(price - 1e-3) == pytest.approx(0, abs=1e-9)


def test_utility_is_the_appeal_at_the_reference_price():
    slope = formulas.slope_of(3.0, 300.0)

    assert formulas.utility_at(300.0, -0.5, slope, 300.0) == -0.5
    assert formulas.utility_at(360.0, -0.5, slope, 300.0) == pytest.approx(-0.5 - 3.0 * (360 / 300 - 1))


@pytest.mark.parametrize("sensitivity", [-5.0, 0.0])
def test_a_slope_is_always_positive(sensitivity):
    assert formulas.slope_of(np.float32(sensitivity), np.float32(300)) > 0
