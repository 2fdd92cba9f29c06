"""Regressions of sparse categories: what separates sales from zeros identifies nothing, and stops nobody else."""

import numpy as np
import pytest

from gpu_pricer.evaluation.demand.category_regression import Cells, poisson_fit

PRICE, DISPLAY, MAILER = range(3)


def cells_of(rows: list[tuple]) -> tuple[Cells, np.ndarray]:
    """Return the cells of rows of category, product, period, log price, display, mailer, units; and the units."""
    category, product, period, *covariates, units = (np.array(column) for column in zip(*rows, strict=True))
    keys = ([*zip(category, of, strict=True)] for of in (product, period))
    numbers = (np.unique(np.array(key), axis=0, return_inverse=True)[1] for key in keys)
    offset = np.zeros(len(units))
    names = np.unique(category, return_inverse=True)[1]
    return Cells(np.column_stack(covariates), offset, *numbers, names), units.astype(float)


def drawn(seed: int) -> list[tuple]:
    """Draw sparse categories of an elasticity of −2, without products and periods that sold nothing."""
    rng, rows = np.random.default_rng(seed), []
    for category in range(12):
        shape = rng.integers(2, 6), rng.integers(2, 14)
        promoted = rng.random(shape) < 0.2
        price = rng.normal(size=(shape[0], 1)) - rng.choice([0.05, 0.3]) * promoted + rng.normal(0, 0.02, shape)
        rate = rng.choice([0.1, 0.5, 2.0]) * np.exp(-2 * price + 0.5 * rng.normal(size=shape))
        units = rng.poisson(rate)
        kept = (units.sum(1) > 0)[:, None] & (units.sum(0) > 0)
        for product, period in np.argwhere(kept):
            cell = product, period
            rows.append((category, *cell, price[cell], promoted[cell], 0.0, units[cell]))
    return rows


@pytest.mark.parametrize("seed", range(40))
def test_no_sparse_category_stops_the_others_and_those_identified_sell_what_is_expected(seed):
    cells, units = cells_of(drawn(seed))

    fit = poisson_fit(cells, units)

    known = fit.identified[:, PRICE]
    assert np.isfinite(fit.expected).all()
    assert cells.sums(fit.expected)[known] == pytest.approx(cells.sums(units)[known], rel=1e-3)
    assert np.abs(cells.sums((units - fit.expected)[:, None] * fit.away)[known, PRICE]).max(initial=0) < 1e-3


def test_sales_that_effects_separate_from_zeros_identify_nothing():
    """Six cells, of which one is a zero that a display tells apart."""
    rows = [
        (0, 0, 0, 2.84, 0, 0, 2), (0, 0, 2, 2.72, 1, 0, 2), (0, 0, 3, 2.82, 0, 0, 0),
        (0, 1, 1, 2.62, 1, 1, 2), (0, 1, 2, 2.76, 0, 0, 3), (0, 1, 3, 2.76, 0, 0, 2),
    ]  # fmt: skip

    fit = poisson_fit(*cells_of(rows))

    assert np.isfinite(fit.expected).all()
    assert not fit.identified.any()


def test_a_category_is_as_it_is_alone():
    rows = drawn(3)
    whole = poisson_fit(*cells_of(rows))

    for category in range(12):
        alone = poisson_fit(*cells_of([row for row in rows if row[0] == category]))
        if alone.identified[0, PRICE]:
            assert whole.identified[category, PRICE]
            assert whole.coefficient[category, PRICE] == pytest.approx(alone.coefficient[0, PRICE], abs=1e-3)
