"""The rivals of the demand model on the same rows: who is better is told, a sample is fair, what is missing is said."""

import logging
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from gpu_pricer.evaluation.baselines import trees
from gpu_pricer.evaluation.baselines.judging import baseline_blocks
from gpu_pricer.evaluation.baselines.sample import Sample
from gpu_pricer.evaluation.baselines.shrunken_logit import ShrunkenLogit
from gpu_pricer.evaluation.baselines.trees import BoostedTrees
from gpu_pricer.evaluation.baselines.verdict import better_rivals, verdict_lines
from gpu_pricer.evaluation.held_out import (
    Bootstrap,
    HeldOut,
    Log,
    describe_offers,
    offers_of,
    reference_prices,
)
from gpu_pricer.evaluation.held_out.offers import OCCASION

USERS, PRODUCTS = 200, 8
WEEKS = [date(2025, 1, 6) + timedelta(weeks=i) for i in range(12)]
RIVALS = {
    "shrunken_logit": ShrunkenLogit(10.0, (2.0, float("inf"))),
    "lightgbm_monotone": BoostedTrees(True, False, True, rounds=30, leaves=7, rate=0.1, min_rows=20),
}


def creatures_of_habit(has_outside_option: bool) -> Log:
    """Everybody comes every week and buys mostly a product of his own or, with an outside option, often nothing."""
    rng = np.random.default_rng(0)
    user, week = (axis.ravel() for axis in np.meshgrid(np.arange(USERS), np.arange(len(WEEKS)), indexing="ij"))
    is_own = rng.random(len(user)) < 0.8
    product = np.where(is_own, user % PRODUCTS, rng.integers(0, PRODUCTS, len(user)))
    is_bought = np.ones(len(user), bool) if not has_outside_option else rng.random(len(user)) < 0.5
    period = pl.Series(WEEKS).gather(week)
    choices = pl.DataFrame({"user_id": user, "period": period, "product_id": product, "is_bought": is_bought})
    shelf = pl.DataFrame({"period": WEEKS}).join(pl.DataFrame({"product_id": np.arange(PRODUCTS)}), how="cross")
    price = pl.Series(rng.choice([1.0, 1.2], shelf.height))
    return Log(
        shelf.with_columns(
            category_id=pl.lit("c"), price=price, list_price=price, display=0.0, mailer=0.0, price_age=0
        ),
        choices.select(
            "user_id", "period", product_id=pl.when("is_bought").then("product_id"), category_id=pl.lit("c"),
            outside_rate=pl.lit(1.0),
        ),
        choices.select("user_id", "period"),
    )  # fmt: skip


def judged(log: Log, probability: pl.Series, offers: pl.DataFrame) -> HeldOut:
    return HeldOut(offers.with_columns(probability=probability), log, Bootstrap(50, 0.9), 0.5, seed=0)


@pytest.fixture(scope="module")
def log() -> Log:
    return creatures_of_habit(has_outside_option=True)


@pytest.fixture(scope="module")
def noise(log) -> HeldOut:
    """A demand model that knows nothing, on the last three weeks."""
    offers = offers_of(log, WEEKS[9:])
    return judged(log, pl.Series(np.random.default_rng(1).uniform(0.01, 0.2, offers.height)), offers)


def test_rivals_beat_a_model_that_knows_nothing_and_the_user_is_told(noise):
    blocks, probabilities = baseline_blocks(noise, RIVALS, WEEKS[:9], None)

    assert better_rivals(blocks) == ["shrunken_logit", "lightgbm_monotone"]
    assert set(probabilities) == set(RIVALS)
    block = blocks["shrunken_logit"]
    assert block["ours"]["log_loss"] == noise.blocks()["test"]["log_loss"] > 1.3 * block["log_loss"]
    low, high = block["ours_minus_theirs"]["log_loss"]
    assert verdict_lines(blocks, 0.9)[0] == (
        f"shrunken_logit predicts better than this demand model: log loss {block['log_loss']:.4f} against "
        f"{block['ours']['log_loss']:.4f} (difference {block['ours']['log_loss'] - block['log_loss']:.4f}, "
        f"90% interval {low:.4f} to {high:.4f}); do not trust prices made from this model before you know why"
    )


def test_no_rival_beats_a_model_that_knows_all(log, noise):
    bought = noise.offers["bought"].cast(pl.Float64)

    blocks, _ = baseline_blocks(judged(log, 0.9 * bought + 0.05, noise.offers), RIVALS, WEEKS[:9], None)

    assert better_rivals(blocks) == []
    assert all("predicts worse than this demand model" in line for line in verdict_lines(blocks, 0.9))


def test_rivals_as_good_as_the_model_are_called_neither_better_nor_worse():
    block = {"log_loss": 0.05, "ours": {"log_loss": 0.051}, "ours_minus_theirs": {"log_loss": [-0.001, 0.003]}}

    [line] = verdict_lines({"rival": block}, 0.9)

    assert better_rivals({"rival": block}) == []
    assert line == (
        "rival predicts about as well as this demand model: log loss 0.0500 against 0.0510 "
        "(difference 0.0010, 90% interval -0.0010 to 0.0030)"
    )


def test_trees_without_their_library_are_left_out_and_the_log_says_how_to_install_it(noise, monkeypatch, caplog):
    def missing(name):
        raise ModuleNotFoundError(f"No module named {name!r}")

    monkeypatch.setattr(trees, "import_module", missing)
    optional = BoostedTrees(True, False, True, rounds=31, leaves=7, rate=0.1, min_rows=20)
    with caplog.at_level(logging.INFO):
        blocks, _ = baseline_blocks(noise, RIVALS | {"lightgbm_monotone": optional}, WEEKS[:9], None)

    assert list(blocks) == ["shrunken_logit"]
    [said] = [line for line in caplog.messages if "left out" in line]
    assert said.startswith("baseline lightgbm_monotone is left out: ")
    assert 'pip install -e ".[baselines]"' in said


def test_where_everybody_buys_the_probabilities_of_an_occasion_sum_to_one():
    log = creatures_of_habit(has_outside_option=False)
    offers = offers_of(log, WEEKS[9:])
    held_out = judged(log, pl.repeat(1 / PRODUCTS, offers.height, eager=True), offers)

    blocks, probabilities = baseline_blocks(held_out, RIVALS, WEEKS[:9], None)

    for probability in probabilities.values():
        sums = offers.with_columns(p=pl.Series(probability)).group_by("user_id", "period").agg(pl.col("p").sum())
        assert sums["p"].to_numpy() == pytest.approx(np.ones(sums.height), abs=1e-4)
    assert better_rivals(blocks) == ["shrunken_logit", "lightgbm_monotone"]


SAMPLE = Sample(training_offers=1_500, held_out_offers=1_000, users=150, zeros_per_purchase=2)


def test_sample_weighs_its_purchases_and_its_zeros_as_those_of_its_users(log):
    every, drawn = offers_of(log, WEEKS[:9]), SAMPLE.training(log, WEEKS[:9])

    same_users = every.join(drawn.select("user_id").unique(), on="user_id", how="semi")
    assert drawn.height == pytest.approx(1_500, rel=0.1)
    assert drawn["user_id"].n_unique() == 150
    assert (~drawn["bought"]).sum() == pytest.approx(2 * drawn["bought"].sum(), rel=0.15)
    by_category = ["category_id", "bought"]
    ours, theirs = (
        rows.group_by(by_category).agg(pl.col("weight").sum()).sort(by_category)["weight"].to_numpy()
        for rows in (drawn, same_users)
    )
    assert ours == pytest.approx(theirs, rel=0.1)
    assert (
        drawn.drop("weight", "sampled_odds").unique().join(every, on=[*OCCASION, "product_id"], how="anti").is_empty()
    )
    assert SAMPLE.training(log, WEEKS[:9]).equals(drawn)


def test_sample_says_how_much_it_raised_the_odds_of_a_purchase(log):
    drawn = SAMPLE.training(log, WEEKS[:9])

    for (_,), rows in drawn.group_by("category_id"):
        zeros, purchases = rows.filter(~pl.col("bought")), rows.filter("bought")
        assert rows["sampled_odds"].n_unique() == 1
        assert zeros["weight"].to_numpy() / purchases["weight"][0] == pytest.approx(rows["sampled_odds"][0])


def test_rare_and_heavy_zeros_count_in_every_category():
    # Both categories are bought at one of 100 visits; of b the log has one visit without purchase, which stands for 99.
    week, other = WEEKS[0], WEEKS[1]
    shelf = pl.DataFrame({"period": [week, week], "category_id": ["a", "b"], "product_id": ["a1", "b1"]})
    visits = pl.DataFrame({"user_id": [f"u{i:03}" for i in range(100)], "period": week})
    bought = pl.DataFrame({"user_id": ["u000", "u001"], "category_id": ["a", "b"], "product_id": ["a1", "b1"]})
    nothing = pl.concat(
        [visits.select("user_id", category_id=pl.lit("a")), visits[[7]].select("user_id", category_id=pl.lit("b"))]
    )
    nothing = nothing.join(bought, on=["user_id", "category_id"], how="anti")
    rate = pl.when(pl.col("category_id") == "b").then(1 / 99).otherwise(1.0)
    choices = pl.concat(
        [bought.with_columns(outside_rate=pl.lit(1.0)), nothing.with_columns(outside_rate=rate)], how="diagonal"
    ).with_columns(period=week)
    log = Log(shelf, choices, visits)

    drawn = replace(SAMPLE, training_offers=20, users=100, zeros_per_purchase=9).training(log, [week, other])

    for (_,), rows in drawn.group_by("category_id"):
        assert np.average(rows["bought"], weights=rows["weight"]) == pytest.approx(0.01, rel=0.02)


def test_trees_of_a_sample_expect_what_is_bought(log):
    every, drawn = offers_of(log, WEEKS[:9]), SAMPLE.training(log, WEEKS[:9])
    reference = reference_prices(log.shelf, WEEKS[:9])
    training, offers = (describe_offers(rows, log, reference) for rows in (drawn, every))

    predicted = RIVALS["lightgbm_monotone"].fit(training, log)(offers)

    assert predicted.sum() == pytest.approx(every["bought"].sum(), rel=0.1)


def test_where_everybody_buys_a_sample_has_whole_occasions():
    log = creatures_of_habit(has_outside_option=False)

    drawn = SAMPLE.training(log, WEEKS[:9])

    whole = offers_of(log, WEEKS[:9]).join(drawn.select(OCCASION).unique(), on=OCCASION, how="semi")
    assert drawn.height == whole.height <= 1_500
    assert drawn.height > 1_300
    assert (drawn["weight"] == 1).all()


def test_a_log_below_the_limit_is_used_whole(log, noise):
    sample = replace(SAMPLE, training_offers=1_000_000, held_out_offers=1_000_000)

    assert sample.training(log, WEEKS[:9]).equals(offers_of(log, WEEKS[:9]))
    assert sample.held_out(noise.offers) is noise.offers


def test_rivals_of_a_sample_are_judged_beside_the_model_on_the_same_users(noise):
    blocks, probabilities = baseline_blocks(noise, RIVALS, WEEKS[:9], SAMPLE)

    rows = blocks["shrunken_logit"]["rows"]
    assert rows == pytest.approx(1_000, rel=0.1)
    assert rows % PRODUCTS == 0
    assert blocks["shrunken_logit"]["ours"]["log_loss"] == pytest.approx(noise.blocks()["test"]["log_loss"], rel=0.2)
    assert probabilities == {}
    assert "shrunken_logit" in better_rivals(blocks)


def test_without_purchases_in_training_there_is_no_rival(log, noise, caplog):
    with caplog.at_level(logging.INFO):
        assert baseline_blocks(noise, RIVALS, [], None) == ({}, {})

    assert "no purchase in the periods of the training: no baselines" in caplog.messages
