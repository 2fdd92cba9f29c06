"""Our predictions are read choice by choice, and differences have intervals."""

from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from tests.bench.panels.comparison import worst_ratio
from tests.bench.panels.loading import load_panel
from tests.bench.panels.ours import read_probabilities
from tests.bench.panels.panel import FIRST_DAY, TEST
from tests.bench.panels.scores import difference_interval, losses, scores


@pytest.fixture(scope="module")
def cracker():
    return load_panel("cracker")


def held_out(panel):
    """The test offers as `train` writes them, each with a probability of its own."""
    test = panel.offers().filter(pl.col("occasion_id").is_in(np.flatnonzero(panel.stage == TEST).tolist()))
    return test.select("user_id", "product_id", period="time", probability=pl.int_range(1, pl.len() + 1) / pl.len())


def test_predictions_are_read_in_the_order_of_the_test_and_sum_to_one(cracker, tmp_path):
    offers = held_out(cracker)
    offers.sample(fraction=1, shuffle=True, seed=0).write_parquet(tmp_path / "held_out.parquet")

    found = read_probabilities(tmp_path / "held_out.parquet", cracker)

    expected = offers["probability"].to_numpy().reshape(-1, len(cracker.products))
    np.testing.assert_allclose(found, expected / expected.sum(axis=1, keepdims=True))


def test_a_missing_prediction_is_told(cracker, tmp_path):
    held_out(cracker)[1:].write_parquet(tmp_path / "held_out.parquet")

    with pytest.raises(ValueError, match=r"every test offer of cracker, 1 lack one$"):
        read_probabilities(tmp_path / "held_out.parquet", cracker)


def test_the_period_of_a_prediction_is_the_day_of_its_offer(cracker):
    first = int(np.argmin(cracker.period))

    offers = cracker.offers().filter(pl.col("occasion_id") == first)

    assert offers["time"].unique().to_list() == [FIRST_DAY + timedelta(days=int(cracker.period[first]))]
    assert offers.filter(pl.col("quantity") > 0)["product_id"].to_list() == [cracker.products[cracker.chosen[first]]]


def test_even_odds_lose_the_log_of_the_number_of_products(cracker):
    even = np.full(((cracker.stage == TEST).sum(), 4), 0.25)

    found = scores(cracker, even)

    assert found["log_loss"] == pytest.approx(np.log(4))
    assert set(found["predicted_over_actual"]) == set(cracker.products)


def test_the_interval_of_a_difference_holds_its_mean(cracker):
    rng = np.random.default_rng(0)
    test = int((cracker.stage == TEST).sum())
    ours, theirs = (losses(cracker, rng.dirichlet(np.ones(4), test)) for _ in range(2))

    low, high = difference_interval(cracker, ours - theirs)

    assert low < (ours - theirs).mean() < high
    assert difference_interval(cracker, ours - ours) == [0, 0]


def test_the_worst_panel_decides():
    assert worst_ratio({"tuna": {"ratio": 0.9}, "yogurt": {"ratio": 1.1}}) == 1.1
