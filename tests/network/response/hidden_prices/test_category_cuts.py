"""What other products of a category tell about a hidden cut: against the linear prediction, and the truth of a log."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_pricer.network.response.grid.controls import EndogeneityConfig, with_known_prices
from gpu_pricer.network.response.hidden_prices.category_cuts import cuts_of_others

SALE = -0.25


def rows_of(cut, category):
    """Rows of cuts [P, W], of which those that are not a number do not show, of products in categories [P]."""
    product, period = np.indices(cut.shape)
    return pl.DataFrame(
        {
            "product_id": product.ravel(),
            "category_id": category[product.ravel()].astype(str),
            "period": pl.Series([date(2024, 1, 1) + timedelta(weeks=int(w)) for w in period.ravel()]),
            "cut": pl.Series(cut.ravel(), nan_to_null=True),
        }
    )


def linear_prediction(beyond, category, common, own):
    """The expected common part [P, W] given the others' cuts, by the covariance of normal variables."""
    expected = np.zeros(beyond.shape)
    for j, w in np.ndindex(*beyond.shape):
        others = [k for k in range(len(beyond)) if k != j and category[k] == category[j] and not np.isnan(beyond[k, w])]
        covariance = common * np.ones((len(others), len(others))) + own * np.eye(len(others))
        expected[j, w] = common * np.ones(len(others)) @ np.linalg.solve(covariance, beyond[others, w])
    return expected


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**16), st.integers(1, 3), st.integers(2, 6), st.integers(1, 6))
def test_others_tell_the_best_linear_prediction(seed, categories, products, periods):
    rng = np.random.default_rng(seed)
    category = rng.integers(0, categories, products)
    sale = np.where(rng.random((categories, periods)) < 0.3, SALE, 0.0)[category]
    cut = np.where(rng.random(sale.shape) < 0.7, sale + rng.normal(0, 0.05, sale.shape), np.nan)
    shows = ~np.isnan(cut)
    usual = np.where(shows, cut, 0).sum(axis=1) / shows.sum(axis=1).clip(min=1)
    beyond = cut - usual[:, None]
    pairs = [
        beyond[j, w] * beyond[k, w]
        for w in range(periods)
        for j in range(products)
        for k in range(products)
        if j != k and category[j] == category[k] and shows[j, w] and shows[k, w]
    ]
    common = max(np.mean(pairs), 0.0) if pairs else 0.0
    own = max((beyond[shows] ** 2).sum() / max(shows.sum(), 1) - common, 1e-12)

    told = cuts_of_others(rows_of(cut, category)).to_numpy().reshape(cut.shape)

    np.testing.assert_allclose(told, linear_prediction(beyond, category, common, own), atol=1e-6)


def test_nothing_is_told_of_the_only_product_of_a_category():
    cut = np.random.default_rng(1).choice([0.0, SALE], (5, 20))

    assert not cuts_of_others(rows_of(cut, np.arange(5))).to_numpy().any()


def log_with_sales(rng, categories=20, products=15, periods=60):
    """Rows whose prices show from two purchases on, of a log in which whole categories are on sale and products have
    cuts of their own, and by row the true cut and whether the category is on sale.
    """
    category = np.repeat(np.arange(categories), products)
    is_sale = (rng.random((categories, periods)) < 0.1)[category]
    own = np.where(rng.random(is_sale.shape) < 0.05, -0.35, 0.0)
    cut = np.minimum(own, np.where(is_sale, SALE, 0.0))
    level = rng.normal(0.0, 0.5, (len(category), 1))
    bought = rng.poisson(np.exp(level - 3.0 * own - 2.0 * (cut - own))).astype(float)
    base = np.exp(rng.normal(1, 1, (len(category), 1))) * np.ones(periods)
    is_seen = bought >= 2
    price, listed = (np.where(is_seen, values, np.nan).ravel() for values in (base * np.exp(cut), base))
    rows = rows_of(cut, category).drop("cut")
    rows = rows.with_columns(
        price=pl.Series(price, nan_to_null=True),
        list_price=pl.Series(listed, nan_to_null=True),
        price_age=pl.Series((~is_seen).ravel().astype(np.int64)),
        is_listed=True,
        bought=bought.ravel(),
    )
    return rows, cut.ravel(), is_sale.ravel()


@pytest.mark.parametrize("seed", range(3))
def test_hidden_prices_of_a_category_on_sale_are_mostly_cut(seed):
    """Drawn without knowing of the sale, one in twenty would have the true cut."""
    rows, cut, is_sale = log_with_sales(np.random.default_rng(seed))

    known = with_known_prices(rows, [], EndogeneityConfig(None, True, 4))

    drawn = np.log(known["price"] / known["list_price"]).to_numpy()
    hidden = (rows["price_age"].to_numpy() > 0) & ~np.isnan(drawn)  # a product that never sold has no price
    is_right = np.abs(drawn - cut) < 0.05
    assert is_right[hidden & is_sale].mean() > 0.65
    assert is_right[hidden & ~is_sale].mean() > 0.93
    assert drawn[hidden & is_sale].mean() == pytest.approx(SALE, abs=0.06)
    assert drawn[hidden & ~is_sale].mean() == pytest.approx(cut[hidden & ~is_sale].mean(), abs=0.01)
