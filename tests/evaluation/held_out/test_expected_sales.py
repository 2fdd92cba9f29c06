"""Scores by sums over all occasions, where the offers are a sample: those of the demand model and those of rivals."""

from datetime import date

import numpy as np
import polars as pl
import pytest

from gpu_pricer.evaluation.held_out import Bootstrap, HeldOut, Log
from gpu_pricer.evaluation.held_out.expected_sales import estimated_sums
from gpu_pricer.evaluation.held_out.scores import evaluate_held_out

DAY = date(2025, 1, 6)
USERS, PRODUCTS, RATE = 400, 300, 0.1


def deviance(counts, means):
    """2·mean(y ln(y/μ) − (y − μ))."""
    inner = np.where(counts > 0, counts * np.log(np.maximum(counts, 1) / means), 0) - (counts - means)
    return 2 * inner.mean()


@pytest.fixture(scope="module")
def market():
    """The true probabilities [users, products], what was bought, and the offers in a sample of a tenth of the zeros."""
    rng = np.random.default_rng(0)
    probability = np.exp(rng.normal(-5.5, 1.5, (USERS, PRODUCTS))).clip(max=0.9)
    bought = rng.random(probability.shape) < probability
    kept = bought | (rng.random(probability.shape) < RATE)
    user, product = np.nonzero(kept)
    offers = pl.DataFrame({
        "period": pl.Series([DAY]).new_from_index(0, len(user)), "user_id": user, "product_id": product,
        "segment_id": user % 2, "category_id": "c", "bought": bought[kept],
        "weight": np.where(bought[kept], 1.0, 1 / RATE), "probability": probability[kept],
        "expected_units": 2 * probability[kept], "artefact_probability": probability.mean(0)[product],
        "artefact_expected_units": 2 * probability.mean(0)[product],
    })  # fmt: skip
    return probability, bought, offers


@pytest.fixture(scope="module")
def held_out(market):
    probability, bought, offers = market
    segment, product = (index.ravel() for index in np.indices((2, PRODUCTS)))
    own = np.stack([probability[s::2].sum(0) for s in range(2)])
    flat = np.stack([probability.mean(0) * (USERS / 2)] * 2)
    sums = pl.DataFrame({
        "period": pl.Series([DAY]).new_from_index(0, 2 * PRODUCTS), "segment_id": segment, "product_id": product,
        "probability": own.ravel(), "expected_units": 2 * own.ravel(),
        "artefact_probability": flat.ravel(), "artefact_expected_units": 2 * flat.ravel(),
    })  # fmt: skip
    shelf = pl.DataFrame({
        "period": [date(2024, 12, 30)] * PRODUCTS + [DAY] * PRODUCTS, "product_id": [*range(PRODUCTS)] * 2,
        "price": 1.0, "price_age": 0,
    })  # fmt: skip
    user, item = np.nonzero(bought)
    choices = pl.DataFrame({"user_id": user, "product_id": item, "quantity": 3.0}).with_columns(period=pl.lit(DAY))
    return HeldOut(offers, Log(shelf, choices, choices), Bootstrap(50, 0.9), 0.5, 0, sums)


def test_deviances_of_network_and_artefact_are_those_of_sums_over_every_user(market, held_out):
    probability, bought, _ = market
    blocks = held_out.blocks()

    for name, each in (("test", probability), ("artefact", np.tile(probability.mean(0), (USERS, 1)))):
        block = blocks[name]
        assert block["poisson_deviance"]["all"] == pytest.approx(deviance(bought.sum(0), each.sum(0)))
        assert block["units_poisson_deviance"]["all"] == pytest.approx(deviance(3 * bought.sum(0), 2 * each.sum(0)))
        parts = [deviance(bought[s::2].sum(0), each[s::2].sum(0)) for s in range(2)]
        assert block["poisson_deviance_by_segment"]["all"] == pytest.approx(np.mean(parts))
        assert block["predicted_over_actual"] == pytest.approx(each.sum() / bought.sum())
        assert block["by_price_age"]["1"]["predicted_over_actual"] == pytest.approx(each.sum() / bought.sum())
        for score, point in (("poisson_deviance.all", block["poisson_deviance"]["all"]),
                             ("predicted_over_actual", block["predicted_over_actual"])):  # fmt: skip
            low, high = block["intervals"][score]
            assert low < point < high


def test_sample_alone_raises_the_deviance(market, held_out):
    probability, bought, offers = market

    sampled = evaluate_held_out(offers.drop("expected_units"), held_out._moves)["poisson_deviance"]["all"]

    assert sampled > deviance(bought.sum(0), probability.sum(0)) + 0.1


@pytest.mark.parametrize("difference", [0.0, 0.1, 0.3])
def test_rivals_like_the_network_lose_most_of_the_noise(market, held_out, difference):
    probability, bought, offers = market
    factor = np.exp(np.random.default_rng(1).normal(0, difference, probability.shape))
    theirs = (probability * factor).clip(max=0.9)
    said = pl.Series(theirs[offers["user_id"].to_numpy(), offers["product_id"].to_numpy()])

    found = held_out.scores(said, None, None)

    exact = deviance(bought.sum(0), theirs.sum(0))
    sample = offers.drop("expected_units").with_columns(probability=said)
    sampled = evaluate_held_out(sample, held_out._moves)["poisson_deviance"]["all"]
    assert found["poisson_deviance"]["all"] - exact < (0.01 + difference) * (sampled - exact)
    assert "poisson_deviance_by_segment" not in found


def test_rivals_that_do_not_tell_users_apart_keep_their_sums(market, held_out):
    _, _, offers = market
    both = offers.with_columns(known_probability="probability", probability=pl.lit(0.01)).drop("expected_units")
    known = held_out.sums.group_by("period", "product_id").agg(pl.col("probability").sum())

    found = estimated_sums(both, known).sort("product_id")

    own = both.group_by("product_id").agg(probability=pl.col("weight").sum() * 0.01).sort("product_id")
    np.testing.assert_allclose(found["probability"], own["probability"], rtol=1e-9)


def test_some_of_the_offers_are_judged_by_themselves(held_out):
    some = held_out.offers.filter(pl.col("user_id") < 50)

    found = held_out.part(some)

    assert found.sums is None
    assert held_out.part(held_out.offers).sums is held_out.sums
