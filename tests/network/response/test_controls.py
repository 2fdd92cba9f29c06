"""The first stage: what is left of prices, and prices that nobody saw."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from gpu_pricer.errors import InputError
from gpu_pricer.network.segment_response.endogeneity import EndogeneityConfig, first_stage, with_known_prices

BY_COST = EndogeneityConfig(["cost"], planned_promotions=False, folds=4)


def shelf(rng, noise, weeks=24, products=12):
    """Log prices of product, category x week and cost effects, and noise [weeks, products]."""
    category = np.arange(products) // 4
    log_cost = rng.normal(0, 0.2, (weeks, products))
    week, product = np.indices((weeks, products))
    effects = rng.normal(0, 0.3, products) + rng.normal(0, 0.3, (weeks, 3))[:, category]
    price = np.exp(effects + 0.7 * log_cost + noise)
    return pl.DataFrame(
        {
            "product_id": product.ravel(),
            "category_id": category[product.ravel()].astype(str),
            "period": pl.Series([date(2024, 1, 1) + timedelta(weeks=int(w)) for w in week.ravel()]),
            "price": price.ravel(),
            "list_price": 2 * price.ravel(),
            "price_age": np.zeros(price.size, np.int64),
            "cost": np.exp(log_cost).ravel(),
        }
    )


def test_nothing_is_left_of_prices_that_effects_and_instruments_explain():
    rows = shelf(np.random.default_rng(0), 0.0)

    np.testing.assert_allclose(first_stage(rows, [], BY_COST), 0, atol=1e-6)


def test_what_is_left_is_the_least_squares_residual_with_dummies():
    rng = np.random.default_rng(1)
    rows = shelf(rng, rng.normal(0, 0.1, (24, 12)))
    dummies = rows.select("product_id", pl.concat_str("category_id", "period").alias("set")).to_dummies(
        ["product_id", "set"]
    )
    design = np.column_stack([rows["cost"].log(), dummies.to_numpy()])
    price = rows["price"].log().to_numpy()
    expected = price - design @ np.linalg.lstsq(design, price, rcond=None)[0]

    found = first_stage(rows, [], BY_COST)

    # Slopes come from the other folds, so they differ a little.
    np.testing.assert_allclose(found, expected, atol=0.03)
    assert np.corrcoef(found, expected)[0, 1] > 0.99


def test_planned_promotions_leave_only_the_list_price_to_be_explained():
    rng = np.random.default_rng(2)
    rows = shelf(rng, rng.normal(0, 0.1, (24, 12)))
    cut = rows.with_columns(price=pl.col("price") * pl.Series(rng.uniform(0.6, 1, rows.height)))
    planned = EndogeneityConfig(["cost"], planned_promotions=True, folds=4)

    np.testing.assert_allclose(first_stage(cut, [], planned), first_stage(rows, [], BY_COST), atol=1e-9)


def test_without_instruments_nothing_is_a_surprise():
    rows = shelf(np.random.default_rng(3), 0.1)

    assert not first_stage(rows, [], EndogeneityConfig(None, True, 4)).any()


def test_a_price_nobody_saw_follows_its_cost_between_those_seen():
    rows = shelf(np.random.default_rng(4), 0.0)
    rows = rows.with_columns(
        price_age=pl.when((pl.col("product_id") == 5) & (pl.col("period") == date(2024, 1, 22))).then(1).otherwise(0)
    )
    product = rows.filter(pl.col("product_id") == 5).with_columns(
        left=pl.col("price").log() - 0.7 * pl.col("cost").log()
    )
    expected = np.exp((product["left"][2] + product["left"][4]) / 2) * product["cost"][3] ** 0.7

    known = with_known_prices(rows, [], BY_COST).filter(pl.col("product_id") == 5)

    assert known["price"][3] == pytest.approx(expected, rel=1e-6)
    assert known["price"][2] == pytest.approx(product["price"][2])


@pytest.mark.parametrize(
    ("column", "message"),
    [("diesel", "none called diesel: add them to it"), ("loss", "the instrument loss must be above 0.* found -1")],
)
def test_an_instrument_that_cannot_be_one_is_refused(column, message):
    rows = shelf(np.random.default_rng(5), 0.0).with_columns(loss=pl.lit(-1.0))

    with pytest.raises(InputError, match=message):
        with_known_prices(rows, [], EndogeneityConfig([column], True, 4))


def test_no_instruments_are_written_null():
    with pytest.raises(InputError, match="must name columns, found none"):
        EndogeneityConfig([], True, 4)
