"""The log-log baseline: it finds a constant elasticity, and confounding misleads it."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from gpu_pricer.evaluation.profit.rungs import Rungs
from gpu_pricer.evaluation.truth.log_log import fit_elasticities, price_alone
from tests.evaluation.markets import small_source, weekly_log, with_confounding

TRUE = {1: -1.2, 2: -3.4}


@pytest.fixture
def exact() -> tuple[pl.DataFrame, pl.DataFrame]:
    price = np.linspace(1.0, 2.0, 20)
    rows = pl.concat(
        pl.DataFrame(
            {
                "period": np.arange(20),
                "category_id": "C",
                "product_id": product,
                "price": price,
                "quantity": 50 * product * price**slope,
            }
        )
        for product, slope in TRUE.items()
    )
    return rows.drop("quantity"), rows.select("period", "product_id", "quantity")


def test_constant_elasticity_is_recovered_from_noiseless_units(exact):
    found = fit_elasticities(*exact, "product")

    assert found["elasticity"].to_list() == pytest.approx(list(TRUE.values()), abs=1e-8)


def test_pooled_elasticity_lies_between_those_of_its_products(exact):
    found = fit_elasticities(*exact, "category")["elasticity"]

    assert found[0] == found[1]
    assert TRUE[2] < found[0] < TRUE[1]


def test_weeks_without_a_sale_count_as_zero_units(exact):
    shelf, choices = exact
    sold = choices.filter(pl.col("period") < 10)

    steeper = fit_elasticities(shelf, sold, "product")["elasticity"]

    assert all(found < true for found, true in zip(steeper, TRUE.values(), strict=True))


def test_a_price_that_never_moved_has_no_elasticity(exact):
    shelf, choices = exact
    still = shelf.with_columns(price=pl.when(pl.col("product_id") == 1).then(1.5).otherwise("price"))

    assert fit_elasticities(still, choices, "product")["elasticity"].to_list() == [None, pytest.approx(-3.4)]


def test_price_alone_is_the_best_rung_or_todays_where_nothing_is_known():
    rungs = Rungs(np.array([90.0, 100.0, 110.0, 90.0, 150.0, 200.0]), np.array([0, 3, 6]), np.arange(2))
    cost, today = np.array([50.0, 50.0]), np.array([100.0, 95.0])

    price = price_alone(np.array([-2.0, np.nan]), cost, today, rungs)

    assert price.tolist() == [100.0, 95.0]  # the constant-elasticity mark-up is c·e/(e + 1) = 100


def test_confounding_makes_demand_look_less_elastic_than_it_is():
    source = replace(small_source(), weeks=52)
    slopes = {
        strength: fit_elasticities(*weekly_log(with_confounding(source, strength).draw()), "category")
        for strength in (0.0, 0.3)
    }

    assert slopes[0.3]["elasticity"].mean() > slopes[0.0]["elasticity"].mean() + 0.5
