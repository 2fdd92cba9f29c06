"""The scalar formulas, one by one."""

import math

import numpy as np
import pytest

from kernels import formulas


def test_exponential_keeps_its_stated_float32_error():
    x = np.concatenate([np.linspace(-87, 44, 20_001), np.linspace(-1e-3, 1e-3, 101)]).astype(np.float32)

    error = np.abs([formulas.exponential(value) / math.exp(value) - 1 for value in x])

    assert error.max() < 4e-7
    assert error[np.abs(x) < 20].max() < 2e-7
    assert formulas.exponential(np.float32(0)) == 1
    assert isinstance(formulas.exponential(np.float32(1)), float)


def test_rough_exponential_is_within_its_stated_error():
    x = np.linspace(-87, 44, 20_001).astype(np.float32)

    error = [formulas.rough_exponential(value) / math.exp(value) - 1 for value in x]

    assert np.abs(error).max() < 2e-3
    assert 0 < formulas.rough_exponential(np.float32(-1e30)) < formulas.rough_exponential(np.float32(1e30)) < 3.4e38


def test_exponential_is_exact_in_float64():
    assert formulas.exponential(-3.7) == math.exp(-3.7)
    assert formulas.exponential.py_func(-3.7) == math.exp(-3.7)


@pytest.mark.parametrize("real", [np.float32, np.float64])
@pytest.mark.parametrize("x", [-1e30, -800.0, 800.0, 1e30])
def test_exponential_is_above_0_and_can_be_added_up(x, real):
    assert 0 < formulas.exponential(real(x)) < np.finfo(real).max / 1e18


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


@pytest.mark.parametrize("spacing", [0.0, 1.0, 10.0, 99.9, 100.1, 1000.0])
@pytest.mark.parametrize("real", [np.float32, float])
def test_the_markup_makes_a_rung_and_the_next_equally_good(spacing, real):
    slope, cost = 0.01, 60.0

    markup = formulas.markup(real(slope), real(spacing))

    def value(price):
        return (price - cost) * math.exp(-slope * (price - cost))

    step = spacing or 1e-6
    slack = 1e-4 if spacing == 0 else (1e-6 if real is np.float32 else 1e-12)
    assert value(cost + markup) == pytest.approx(value(cost + markup + step), rel=slack)
    assert formulas.markup.py_func(slope, spacing) == pytest.approx(markup, rel=1e-6)


def test_both_forms_of_the_markup_agree_where_they_meet():
    slope = np.float32(0.01)

    gentle, steep = (formulas.markup(slope, np.float32(spacing)) for spacing in (99.99, 100.01))

    assert formulas.gentle_markup(slope, np.float32(99.99)) == gentle
    assert gentle == pytest.approx(steep, rel=2e-4)
    assert formulas.gentle_markup(slope, np.float32(100.01)) == pytest.approx(steep, rel=1e-6)


def test_utility_is_the_appeal_at_the_reference_price():
    slope = formulas.slope_of(3.0, 1 / 300.0)
    utility_at_zero = formulas.appeal_at_zero(-0.5, slope, 300.0)

    assert formulas.utility_at(300.0, utility_at_zero, slope) == pytest.approx(-0.5)
    assert formulas.utility_at(360.0, utility_at_zero, slope) == pytest.approx(-0.5 - 3.0 * (360 / 300 - 1))


@pytest.mark.parametrize("sensitivity", [-5.0, 0.0])
def test_a_slope_is_always_positive(sensitivity):
    assert formulas.slope_of(np.float32(sensitivity), np.float32(300)) > 0
