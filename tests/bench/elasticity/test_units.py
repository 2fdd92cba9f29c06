"""Deviance of held-out units: the trees learn how many units, and every model is judged on the same cells."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from gpu_pricer.evaluation.baselines.trees import BoostedTrees
from gpu_pricer.evaluation.held_out import Bootstrap, HeldOut, Log, offers_of
from tests.bench.elasticity.units import TREES, deviances, rich_trees

pytest.importorskip("lightgbm", reason="LightGBM is not installed: the extra `baselines`")
USERS, WEEKS = 120, 12
DAYS = [date(2025, 1, 6) + timedelta(weeks=week) for week in range(WEEKS)]


@pytest.fixture(scope="module")
def sales():
    """Half of the users buy at the usual price, one unit; when the price is halved they take four."""
    rng = np.random.default_rng(0)
    user, week = (index.ravel() for index in np.indices((USERS, WEEKS)))
    price = np.where(np.arange(WEEKS) % 3 == 0, 1.0, 2.0)
    is_bought = rng.random(len(user)) < 0.5
    choices = pl.DataFrame({
        "user_id": user, "period": pl.Series(DAYS).gather(week), "category_id": "c",
        "product_id": pl.Series(np.where(is_bought, 1, 0)).replace(0, None),
        "quantity": np.where(is_bought, np.where(price[week] < 2, 4.0, 1.0), 0.0), "outside_rate": 1.0,
    })  # fmt: skip
    shelf = pl.DataFrame({
        "period": DAYS, "category_id": "c", "product_id": 1, "price": price, "list_price": 2.0, "display": 0.0,
        "mailer": 0.0,
    }, schema_overrides={"product_id": pl.Int64})  # fmt: skip
    return Log(shelf, choices, choices.select("user_id", "period"))


def held_out_of(sales, network, artefact):
    offers = offers_of(sales, DAYS[9:])
    said = offers.with_columns(
        probability=pl.lit(0.5), expected_units=pl.lit(network), artefact_expected_units=pl.lit(artefact)
    )
    return HeldOut(said, sales, Bootstrap(1, 0.9), 1.0, 0)


def test_trees_expect_more_units_at_a_lower_price_and_beat_a_model_that_does_not(sales):
    trees = BoostedTrees(True, True, False, rounds=60, leaves=4, rate=0.2, min_rows=20)

    found = deviances(held_out_of(sales, 1.0, 5.0), offers_of(sales, DAYS[:9]), trees)

    assert set(found) == {"network", "artefact", TREES}
    assert found[TREES]["moved_15pct"] < 0.2 * found["network"]["moved_15pct"]
    assert found[TREES]["all"] < found["network"]["all"] < found["artefact"]["all"]


def test_deviance_is_that_of_the_units_per_product_week(sales):
    held_out = held_out_of(sales, 0.7, 0.7)

    found = deviances(held_out, offers_of(sales, DAYS[:9]), BoostedTrees(True, True, False, 1, 2, 0.1, 1))["network"]

    bought = sales.choices.filter(pl.col("period").is_in(DAYS[9:])).group_by("period").agg(pl.col("quantity").sum())
    y, mean = bought["quantity"].to_numpy(), 0.7 * USERS
    assert found["all"] == pytest.approx(np.mean(2 * (y * np.log(y / mean) - (y - mean))))


def test_trees_are_those_that_know_what_the_network_knows():
    trees = rich_trees()

    assert trees.network_past
    assert trees.monotone
