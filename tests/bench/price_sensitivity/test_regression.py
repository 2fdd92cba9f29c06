"""The regression finds the elasticity that made a log, with week effects and promotions that go with prices."""

import json
from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from tests.bench.elasticity.implied import Response
from tests.bench.price_sensitivity.regression import Elasticity, expected_elasticities, regression_elasticities
from tests.bench.price_sensitivity.runs import LAST_TRAINED, truncate

ELASTICITY = {"milk": -2.4, "snacks": -0.2}
WEEKS = [LAST_TRAINED + timedelta(weeks=week) for week in range(-30, 10)]


@pytest.fixture(scope="module")
def log():
    """A log of two categories whose buyers answer prices by ELASTICITY, displays and the season."""
    rng = np.random.default_rng(4)
    users, shelf, choices = np.arange(800), [], []
    visits = pl.DataFrame(
        [(int(user), week) for week in WEEKS for user in users[rng.random(len(users)) < 0.6]],
        schema={"user_id": pl.Int64, "period": pl.Date}, orient="row",
    )  # fmt: skip
    came = {week: rows["user_id"].to_numpy() for (week,), rows in visits.group_by("period")}
    for category, elasticity in ELASTICITY.items():
        season = rng.normal(0, 0.4, len(WEEKS))
        for number in range(6):
            level = rng.normal(-4.0, 0.3)
            for week, effect in zip(WEEKS, season, strict=True):
                display, price = rng.integers(2), np.exp(rng.normal(0, 0.15) - 0.1 * effect)
                price = float(price * (0.85 if display else 1))
                rate = np.exp(level + effect + 0.4 * display + elasticity * np.log(price))
                product = f"{category} {number}"
                shelf.append((week, category, product, price, float(display), 0.0))
                here = came[week]
                choices += [(int(user), week, product) for user in here[rng.random(len(here)) < rate]]
    names = ["period", "category_id", "product_id", "price", "display", "mailer"]
    return {
        "shelf": pl.DataFrame(shelf, schema=names, orient="row"),
        "choices": pl.DataFrame(choices, schema=["user_id", "period", "product_id"], orient="row").with_columns(
            quantity=1.0
        ),
        "visits": visits,
    }


def test_the_true_elasticities_lie_inside_their_intervals(log):
    found = regression_elasticities(**log)

    assert {*found} == {*ELASTICITY}
    assert all(found[category].holds(true) for category, true in ELASTICITY.items()), found
    assert all(0.1 < interval.high - interval.low < 0.8 for interval in found.values())


def test_expected_units_have_the_elasticities_of_the_response_that_expects_them(log):
    """Utilities that fall with the log of the price, of products that few visits choose."""
    names = log["shelf"].select("product_id", "category_id").unique(maintain_order=True)
    products = names.with_columns(reference_price=1.0, ratio=1.0, quantity_share=0.0, dissimilarity=1.0)
    slope = -products["category_id"].replace_strict(ELASTICITY, return_dtype=pl.Float64).to_numpy()[None]
    shelf = log["shelf"].select("product_id", "period", "price")
    response = Response(products[:-1], np.full((1, len(names) - 1), -15.0), slope[:, :-1], np.ones(1), 1.0, shelf)

    found = expected_elasticities(response, **log)

    assert found == pytest.approx(ELASTICITY, abs=1e-3)


def test_an_interval_holds_its_ends_and_nothing_beyond():
    interval = Elasticity(-1.0, -1.5, -0.5)

    assert [interval.holds(value) for value in (-1.6, -1.5, -1.0, -0.4)] == [False, True, True, False]


def test_truncated_tables_end_with_the_last_trained_week(log, tmp_path):
    tables = tmp_path / "data"
    tables.mkdir()
    for name, rows in log.items():
        rows.with_columns(list_price=1.0).write_parquet(tables / f"{name}.parquet")
    products = log["shelf"].select("product_id").unique().with_columns(price=99.0, list_price=99.0)
    products.write_parquet(tables / "products.parquet")
    (tables / "summary.json").write_text(json.dumps({"split": {"validation_periods": 5, "test_periods": 7}}))

    truncate(tables, tmp_path / "until")

    for name in log:
        assert pl.read_parquet(tmp_path / "until" / f"{name}.parquet")["period"].max() == LAST_TRAINED
    last = log["shelf"].filter(period=LAST_TRAINED).select("product_id", "price").sort("product_id")
    assert pl.read_parquet(tmp_path / "until" / "products.parquet").sort("product_id").select(last.columns).equals(last)
    summary = json.loads((tmp_path / "until" / "summary.json").read_text())
    assert summary["split"] == {"validation_periods": 5, "test_periods": 0}
