"""The household bootstrap: replicates have the scores of a log in which users are resampled with all their rows."""

from datetime import date

import numpy as np
import polars as pl
import pytest

from gpu_pricer.evaluation.held_out.bootstrap import Bootstrap, bootstrap_scores, replicated_scores
from gpu_pricer.evaluation.held_out.scores import evaluate_held_out

USERS = 30
TIMES = np.vstack([np.ones(USERS), np.arange(USERS) % 3]).astype(float)


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


def test_a_replicate_counts_a_user_as_often_as_it_was_drawn(offers, moves):
    replicates = replicated_scores(offers, moves, TIMES)

    times = offers["user_id"].rank("dense").cast(pl.Int64) - 1
    twice = pl.concat([offers.filter(times % 3 > 0), offers.filter(times % 3 > 1)])
    expected = scores_of(evaluate_held_out(twice, moves))
    found = {name: value[1] for name, value in replicates.items()}
    assert found.pop("ece") == pytest.approx(expected.pop("ece"), abs=0.01)  # a bin may end inside a doubled row
    assert found == pytest.approx(expected)


def test_more_users_make_narrower_intervals(offers, moves):
    bootstrap = Bootstrap(replicates=300, level=0.9)
    many = pl.concat([offers.with_columns(pl.col("user_id") + 100 * copy) for copy in range(16)])

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
