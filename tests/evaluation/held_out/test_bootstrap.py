"""The pigeonhole bootstrap: replicates have the scores of a log in which whole users and whole cells are resampled."""

from datetime import date

import numpy as np
import polars as pl
import pytest

from gpu_pricer.evaluation.held_out.bootstrap import (
    Bootstrap,
    Resample,
    bootstrap_calibration,
    bootstrap_scores,
    replicated_scores,
)
from gpu_pricer.evaluation.held_out.scores import CELL, evaluate_held_out

USERS = 30
CELLS = 10
TIMES = Resample(*(np.vstack([np.ones(n), np.arange(n) % 3]).astype(float) for n in (USERS, CELLS)))


@pytest.fixture
def offers() -> pl.DataFrame:
    rng = np.random.default_rng(3)
    probability = rng.uniform(0.01, 0.6, 600).round(3)  # with ties
    return pl.DataFrame(
        {
            "period": [date(2025, 1, 6)] * 300 + [date(2025, 1, 13)] * 300,
            "user_id": rng.permutation(600) % USERS,
            "product_id": rng.integers(0, 5, 600),
            "probability": probability,
            "bought": rng.random(600) < probability,
            "weight": rng.choice([1.0, 4.0], 600),
        }
    )


@pytest.fixture
def moves(offers) -> pl.DataFrame:
    return offers.select("period", "product_id").unique().with_columns(move=pl.col("product_id") * 0.04)


def scores_of(block: dict) -> dict[str, float]:
    deviances = {f"poisson_deviance.{name}": value for name, value in block["poisson_deviance"].items()}
    return {name: block[name] for name in ("log_loss", "auc", "ece", "predicted_over_actual")} | deviances


def test_a_replicate_with_every_user_once_has_the_scores_of_the_offers(offers, moves):
    replicates = replicated_scores(offers, moves, TIMES)

    expected = scores_of(evaluate_held_out(offers, moves))
    assert {name: value[0] for name, value in replicates.items()} == pytest.approx(expected)


def test_a_replicate_counts_an_offer_as_often_as_its_user_and_its_cell_were_drawn(offers, moves):
    replicates = replicated_scores(offers, moves, TIMES)

    user, cell = (offers.select(pl.struct(names).rank("dense") - 1).to_series() for names in (["user_id"], CELL))
    copies = pl.concat(  # a cell that was drawn twice is two cells
        offers.filter(user % 3 > i, cell % 3 > k).with_columns(pl.col("period").dt.offset_by(f"{k}y"))
        for i in range(2) for k in range(2)
    )  # fmt: skip
    all_moves = pl.concat(moves.with_columns(pl.col("period").dt.offset_by(f"{k}y")) for k in range(2))
    expected = scores_of(evaluate_held_out(copies, all_moves))
    found = {name: value[1] for name, value in replicates.items()}
    assert found.pop("ece") == pytest.approx(expected.pop("ece"), abs=0.02)  # a bin may end inside a doubled row
    assert found == pytest.approx(expected)


def test_a_purchase_called_impossible_has_an_infinite_loss_where_it_was_drawn(offers, moves):
    row = offers["bought"].arg_max()
    surprise = pl.int_range(offers.height) == row
    surprised = offers.with_columns(probability=pl.when(surprise).then(0.0).otherwise("probability"))
    user = (offers["user_id"].rank("dense") - 1)[row]
    without, with_it = np.ones((2, USERS))
    without[user] = 0
    times = Resample(np.stack([without, with_it]), np.ones((2, CELLS)))

    loss = replicated_scores(surprised, moves, times)["log_loss"]

    assert loss[0] == pytest.approx(replicated_scores(offers, moves, times)["log_loss"][0])
    assert loss[1] == np.inf


def drawn_log(shock, seed):
    """Offers of 60 users and 40 products in three weeks, whose buyers have a shock in common; predicted on average."""
    rng = np.random.default_rng(seed)
    week, product, user = (index.ravel() for index in np.indices((3, 40, 60)))
    factor = np.exp(rng.normal(0, shock, (3, 40)) - shock**2 / 2)
    return pl.DataFrame({
        "period": np.datetime64("2025-01-06") + 7 * week, "user_id": user, "product_id": product,
        "probability": 0.1, "bought": rng.random(len(week)) < 0.1 * factor[week, product], "weight": 1.0,
    })  # fmt: skip


def covering(logs, interval):
    """Share of the logs whose interval holds what is predicted over what is bought on average, 1."""
    found = [interval(log)["predicted_over_actual"] for log in logs]
    return np.mean([low < 1 < high for low, high in found])


def test_intervals_cover_what_shocks_of_products_and_weeks_do_and_users_alone_do_not():
    bootstrap = Bootstrap(replicates=200, level=0.9)
    logs = [drawn_log(0.6, seed) for seed in range(60)]

    def of_users(log):
        moves = log.select(CELL).unique().with_columns(move=pl.lit(0.0))
        users = bootstrap.multiplicities(60, 0)
        return bootstrap.intervals(replicated_scores(log, moves, Resample(users, np.ones((200, 120)))))

    def of_both(log):
        moves = log.select(CELL).unique().with_columns(move=pl.lit(0.0))
        return bootstrap.intervals(bootstrap_scores(log, moves, bootstrap, 0))

    assert covering(logs, of_both) >= 0.85
    assert covering(logs, of_users) < 0.7


def test_a_score_of_cells_that_a_resample_may_miss_has_an_interval(offers):
    one_moved = offers.select(CELL).unique().sort(CELL).with_columns(move=pl.Series([0.5] + [0.0] * (CELLS - 1)))

    intervals = Bootstrap(100, 0.9).intervals(bootstrap_scores(offers, one_moved, Bootstrap(100, 0.9), 0))

    score = evaluate_held_out(offers, one_moved)["poisson_deviance"]["moved_15pct"]
    assert intervals["poisson_deviance.moved_15pct"][0] < score < intervals["poisson_deviance.moved_15pct"][1]


def test_calibration_of_a_group_of_all_offers_is_that_of_the_scores(offers, moves):
    bootstrap = Bootstrap(50, 0.9)

    found = bootstrap_calibration(offers, pl.Series(["all"] * offers.height), bootstrap, 0)

    expected = bootstrap_scores(offers, moves, bootstrap, 0)["predicted_over_actual"]
    np.testing.assert_allclose(found["all"], expected)


def test_calibration_of_a_group_moves_with_its_own_offers_only(offers):
    """Offers of other cells change nothing but how often a user is drawn, and none are of a group that is null."""
    group = offers.select(pl.when(pl.col("product_id") < 2).then(pl.lit("low"))).to_series()
    others = offers.with_columns(bought=pl.when(group.is_null()).then(pl.lit(True)).otherwise("bought"))

    found, same = (bootstrap_calibration(rows, group, Bootstrap(50, 0.9), 0) for rows in (offers, others))

    assert found.keys() == {"low"}
    np.testing.assert_array_equal(found["low"], same["low"])
    part = offers.filter(group == "low")
    predicted, bought = ((part[name] * part["weight"]).sum() for name in ("probability", "bought"))
    assert found["low"].mean() == pytest.approx(predicted / bought)


def test_resamples_in_which_nothing_of_a_group_was_bought_have_no_calibration(offers):
    first = offers["bought"].arg_max()
    only = offers.with_columns(bought=pl.int_range(offers.height) == first)

    found = bootstrap_calibration(only, pl.Series(["all"] * only.height), Bootstrap(50, 0.9), 0)

    assert 0 < np.isnan(found["all"]).sum() < 50


def test_resamples_without_purchases_have_no_predicted_over_actual(offers, moves):
    first = offers["bought"].arg_max()
    only = offers.with_columns(bought=pl.int_range(offers.height) == first)

    found = bootstrap_scores(only, moves, Bootstrap(50, 0.9), 0)["predicted_over_actual"]

    assert 0 < np.isnan(found).sum() < 50


def test_more_users_and_products_make_narrower_intervals(offers):
    bootstrap = Bootstrap(replicates=300, level=0.9)
    many = pl.concat([
        offers.with_columns(pl.col("user_id") + 100 * copy, pl.col("product_id") + 100 * copy) for copy in range(16)
    ])  # fmt: skip
    moves = many.select(CELL).unique().with_columns(move=pl.lit(0.0))

    few, narrow = (bootstrap.intervals(bootstrap_scores(rows, moves, bootstrap, 0))["auc"] for rows in (offers, many))

    assert few[0] < evaluate_held_out(offers, moves)["auc"] < few[1]
    assert (narrow[1] - narrow[0]) / (few[1] - few[0]) == pytest.approx(1 / 4, rel=0.25)


def test_every_replicate_draws_as_many_users_as_there_are():
    times = Bootstrap(replicates=50, level=0.9).multiplicities(40, seed=1)

    assert (times.sum(axis=1) == 40).all()
    assert times.std() == pytest.approx(1.0, abs=0.1)


def test_a_bootstrap_without_replicates_is_refused():
    with pytest.raises(ValueError, match=r"bootstrap\.replicates must be a whole number of at least 1, found 0"):
        Bootstrap(replicates=0, level=0.9)


def test_intervals_contain_every_score_though_resampling_adds_noise(offers, moves):
    bootstrap = Bootstrap(replicates=100, level=0.9)

    intervals = bootstrap.intervals(bootstrap_scores(offers, moves, bootstrap, seed=0))

    for name, score in scores_of(evaluate_held_out(offers, moves)).items():
        assert intervals[name][0] < score < intervals[name][1], name
