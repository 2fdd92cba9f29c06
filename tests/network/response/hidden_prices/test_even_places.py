"""Uniform numbers that are evenly spread, the same in every run, and stay when periods are added."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from scipy.stats import kstest

from gpu_pricer.network.response.hidden_prices.even_places import even_places

WEEKS = [date(2024, 1, 1) + timedelta(weeks=week) for week in range(30)]


def periods(rng, products=200, share=0.5):
    """Some weeks of products, five in a category, with 0 or 1 purchases."""
    product, week = np.nonzero(rng.random((products, len(WEEKS))) < share)
    return pl.DataFrame(
        {
            "product_id": product,
            "category_id": pl.Series(product // 5).cast(pl.String),
            "period": pl.Series([WEEKS[number] for number in week]),
            "kind": rng.integers(2, size=len(week)).astype(float),
        }
    )


def test_numbers_are_uniform_and_those_of_two_draws_have_nothing_in_common():
    rows = periods(np.random.default_rng(0))

    one, other = (even_places(rows, number) for number in (0, 1))

    assert kstest(one, "uniform").pvalue > 0.01
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.05


@pytest.mark.parametrize(
    ("products_of_category", "share"), [(50, 0.3), (1, 0.5)], ids=["products of a category", "categories"]
)
def test_first_places_of_one_period_each_are_evenly_spread(products_of_category, share):
    """Of a few hundred products with one period, as many in each category, and in all, are below a limit."""
    product = np.arange(400)
    rows = pl.DataFrame({"product_id": product, "category_id": product // products_of_category, "period": WEEKS[0]})
    rows = rows.with_columns(kind=0.0).with_columns(place=even_places(rows.with_columns(kind=0.0), 3))

    below = rows.group_by("category_id").agg(count=(pl.col("place") < share).sum())["count"]

    assert np.abs(below - share * products_of_category).max() <= 1
    assert abs(below.sum() - share * 400) <= 1


@pytest.mark.parametrize("kind", [0.0, 1.0])
@pytest.mark.parametrize("among", ["product_id", "category_id"])
def test_alike_periods_are_evenly_spread(among, kind):
    """As many numbers lie below any limit as their share says, up to one for a product; in a category up to two."""
    rows = periods(np.random.default_rng(1))
    rows = rows.with_columns(place=even_places(rows, 0)).filter(kind=kind)

    for limit in (0.03, 0.3, 0.8):
        share = (pl.col("place") < limit) - limit
        counts = rows.group_by(among).agg(excess=share.sum().abs())["excess"]
        assert counts.max() < (1 if among == "product_id" else 2.5)


def test_numbers_are_the_same_for_any_order_and_width_of_the_identifiers():
    rows = periods(np.random.default_rng(2))
    rows = rows.with_columns(place=even_places(rows, 0))
    shuffled = rows.sample(fraction=1.0, shuffle=True, seed=0)

    for dtype in (pl.Int64, pl.UInt32, pl.String):
        np.testing.assert_array_equal(
            even_places(shuffled.with_columns(pl.col("product_id").cast(dtype)), 0), shuffled["place"]
        )


def test_another_release_has_the_same_numbers():
    rows = pl.DataFrame({"product_id": ["A", "A", "B"], "category_id": "C", "period": WEEKS[:3], "kind": [0, 0, 1]})

    np.testing.assert_allclose(even_places(rows, 0), [0.9016142462, 0.4016142462, 0.4860546406])


def test_numbers_hardly_move_when_a_week_is_added():
    rows = periods(np.random.default_rng(3))
    rows = rows.with_columns(after=even_places(rows, 0)).filter(pl.col("period") < WEEKS[-1])

    before, after = even_places(rows, 0), rows["after"].to_numpy()

    assert np.mean((before < 0.1) == (after < 0.1)) > 0.99
    assert np.median(np.abs(after - before)) < 0.05
