"""The response that segments show, on a small market whose truth is known and whose prices answer hidden demand."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from gpu_pricer.errors import InputError
from gpu_pricer.network.segment_response.correction import ResponseConfig, learn_responses
from gpu_pricer.network.segment_response.endogeneity import EndogeneityConfig
from gpu_pricer.network.segment_response.fit import FitConfig
from tests.evaluation.markets import small_source, weekly_log

CONFIG = ResponseConfig(
    endogeneity=EndogeneityConfig(["cost"], planned_promotions=True, folds=4),
    fit=FitConfig(steps=40, tolerance=0.005, spread=0.3, level_spread=5.0),
    min_price_coverage=0.0,
    carry_periods=4,
    draws=200,
)


@pytest.fixture(scope="module")
def market():
    source = small_source()
    source = replace(
        source,
        weeks=40,
        people=replace(source.people, users=600),
        manager=replace(source.manager, confounding=0.4, cost_spread=0.1),
    )
    drawn = source.draw()
    users = drawn.truth.user_segments.select("user_id", "segment_id")
    flat = np.full_like(drawn.truth.factors["sensitivity"], 2.0)
    artefact = replace(
        drawn.truth, user_segments=users, factors={"appeal": drawn.truth.factors["appeal"], "sensitivity": flat}
    )
    return drawn, artefact, *weekly_log(drawn)


@pytest.fixture(scope="module")
def responses(market):
    _, artefact, shelf, choices = market
    return learn_responses(artefact, with_list_prices(market, shelf), choices, CONFIG, seed=0)


def with_list_prices(market, shelf):
    week, product = np.nonzero(market[0].history.on_shelf[:-1])
    return shelf.with_columns(list_price=pl.Series(market[0].history.list_price[week, product] / 100))


def log_error(artefact, drawn):
    return np.log(artefact.factors["sensitivity"] / drawn.truth.factors["sensitivity"])


def test_correction_undoes_most_of_what_hidden_demand_did(market, responses):
    naive, corrected = log_error(responses.naive, market[0]), log_error(responses.corrected, market[0])

    assert naive.mean() < -0.3
    assert abs(corrected.mean()) < 0.15
    assert np.sqrt((corrected**2).mean()) < 0.5 * np.sqrt((naive**2).mean())


def test_segments_differ_as_the_truth_does(market, responses):
    found = np.log(responses.corrected.factors["sensitivity"]).mean(axis=1)
    truth = np.log(market[0].truth.factors["sensitivity"]).mean(axis=1)

    np.testing.assert_allclose(found - found.mean(), truth - truth.mean(), atol=0.15)


def test_posterior_is_about_as_wide_as_the_errors(market, responses):
    posterior = responses.corrected.posterior
    spread = posterior.group_by("segment_id", "category_id").agg(pl.col("log_deviation").std())
    category = market[1].products["category_id"].to_numpy()
    error = log_error(responses.corrected, market[0])
    means = np.stack([error[:, category == name].mean(axis=1) for name in np.unique(category)])

    assert posterior["log_deviation"].is_finite().all()
    assert 0.3 < np.sqrt((means**2).mean()) / spread["log_deviation"].mean() < 2.0


def test_products_that_taught_nothing_leave_their_category_more_open(market, responses):
    """Half of the products of one category are never seen on the shelf, the others as before."""
    _, artefact, shelf, choices = market
    first = artefact.products["category_id"][0]
    absent = artefact.products.filter(pl.col("category_id") == first)["product_id"].gather_every(2).to_list()
    seen = with_list_prices(market, shelf).filter(~pl.col("product_id").is_in(absent))

    found = learn_responses(
        artefact, seen, choices.filter(~pl.col("product_id").is_in(absent).fill_null(False)), CONFIG, seed=0
    ).corrected

    spreads = [
        part.posterior.group_by("category_id").agg(pl.col("log_deviation").std().alias(name))
        for name, part in (("wide", found), ("narrow", responses.corrected))
    ]
    ratio = spreads[0].join(spreads[1], on="category_id").with_columns(ratio=pl.col("wide") / pl.col("narrow"))
    of_first = ratio.filter(pl.col("category_id") == first)["ratio"].item()
    assert of_first > 1.2
    assert of_first > 1.1 * ratio.filter(pl.col("category_id") != first)["ratio"].max()


def test_same_seed_gives_the_same_posterior(market, responses):
    _, artefact, shelf, choices = market
    again = learn_responses(artefact, with_list_prices(market, shelf), choices, CONFIG, seed=0)

    assert again.corrected.fingerprint() == responses.corrected.fingerprint()


def test_without_instruments_there_is_one_response_and_it_is_the_naive_one(market, responses):
    _, artefact, shelf, choices = market
    config = replace(CONFIG, endogeneity=EndogeneityConfig(None, True, 4), draws=0)

    found = learn_responses(artefact, with_list_prices(market, shelf), choices, config, seed=0)

    assert found.naive is None
    assert found.corrected.posterior is None
    np.testing.assert_allclose(
        found.corrected.factors["sensitivity"], responses.naive.factors["sensitivity"], rtol=1e-5
    )


def test_factors_are_refused(market):
    _, artefact, shelf, choices = market
    info = replace(artefact.info, form="factors")
    names = ("segment_appeal", "product_appeal", "segment_sensitivity", "product_sensitivity")
    sizes = (artefact.segments.height, artefact.products.height) * 2
    factors = {name: np.ones((size, 1), np.float32) for name, size in zip(names, sizes, strict=True)}

    with pytest.raises(InputError, match=r"form must be dense for train\.response, found 'factors'"):
        learn_responses(replace(artefact, info=info, factors=factors), shelf, choices, CONFIG, seed=0)


def test_a_market_without_an_outside_option_is_refused(market):
    _, artefact, shelf, choices = market
    forced = replace(artefact, info=replace(artefact.info, outside_option=False))

    with pytest.raises(InputError, match=r"found a demand with no outside option: set train\.response=null"):
        learn_responses(forced, shelf, choices, CONFIG, seed=0)
