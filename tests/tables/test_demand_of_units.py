"""The demand of units against choices and units per choice, multiplied as a shop sees them."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_pricer.tables.artefact.demand_of_units import (
    LARGEST_RATIO,
    demand_of_units,
    logit_of_units,
    most_units,
    with_nests,
    without_nests,
)
from tests.markets import demand_info, probabilities, small_artefact, with_dissimilarity

STEP = 1e-3
"""Relative move of a price, of which a derivative is taken: appeals are float32."""


def choices_of(seed, segments=1):
    return small_artefact(seed, segments, products=12, categories=4, form="dense")


def units(artefact, move):
    """Units [S, P] of a visit as the artefact's demand says."""
    return probabilities(artefact, move) * artefact.products["units_per_choice"].to_numpy()


def multiplied(choices, kappa, move):
    """Units [S, P] of a visit: the choices, and the units of each, which fall as a power of the price."""
    return units(choices, move) * (1 + move) ** -kappa


def responses(demand, products):
    """Derivatives [P, S, P] of the logs of what `demand` returns by the move of each product's price."""
    moves = STEP * np.eye(products)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.array([np.log(demand(move) / demand(-move)) / (2 * STEP) for move in moves])


def kappa_of(choices, seed):
    """Response [S, P] of the units per choice, the same in all segments."""
    b = choices.factors["sensitivity"]
    return np.broadcast_to(np.random.default_rng(seed).uniform(0.05, 3, b.shape[1]), b.shape).astype(np.float32)


nested = st.one_of(st.none(), st.lists(st.floats(0.1, 1.0), min_size=4, max_size=4))


@settings(deadline=None)
@given(st.integers(0, 10_000), nested)
def test_units_and_their_elasticities_are_exact_at_reference_prices(seed, dissimilarity):
    """Own and cross, in logits and in nests."""
    logit = choices_of(seed)
    kappa = kappa_of(logit, seed)
    categories = None
    if dissimilarity is not None:
        categories = with_dissimilarity(logit, {f"c{i}": g for i, g in enumerate(dissimilarity)}).categories
    choices = logit if categories is None else with_nests(logit, categories)

    found = demand_of_units(logit, categories, kappa, np.ones(1))

    still = np.zeros(12)
    np.testing.assert_allclose(units(found, still), units(choices, still), rtol=1e-4)
    there = units(choices, still)[0] > 0
    expected = responses(lambda move: multiplied(choices, kappa, move), 12)[there][:, 0, there]
    ours = responses(lambda move: units(found, move), 12)[there][:, 0, there]
    np.testing.assert_allclose(ours, expected, atol=2e-3)


def test_elasticities_are_exact_in_all_segments_whose_units_answer_alike():
    """κ is the same share of b in each."""
    choices = choices_of(3, segments=3)
    kappa = choices.factors["sensitivity"] * kappa_of(choices, 3) / 3

    found = demand_of_units(choices, None, kappa, np.array([0.5, 0.3, 0.2]))

    expected = responses(lambda move: multiplied(choices, kappa, move), 12)
    ours = responses(lambda move: units(found, move), 12)
    is_there = np.isfinite(expected)
    np.testing.assert_allclose(ours[is_there], expected[is_there], atol=2e-3)


@given(st.integers(0, 10_000))
def test_units_of_all_segments_stay_at_reference_prices(seed):
    choices = choices_of(seed, segments=3)

    found = demand_of_units(choices, None, kappa_of(choices, seed), np.array([0.5, 0.3, 0.2]))

    still = np.zeros(12)
    np.testing.assert_allclose(units(found, still), units(choices, still), rtol=1e-4)


def test_the_logit_without_the_most_units_misses_the_cross_elasticities():
    """The sum b + κ alone: what the ratio of most units is for."""
    choices = choices_of(5)
    kappa = kappa_of(choices, 5)
    alone = replace(choices, factors=choices.factors | {"sensitivity": choices.factors["sensitivity"] + kappa})

    there = units(choices, np.zeros(12))[0] > 0
    expected = responses(lambda move: multiplied(choices, kappa, move), 12)[there][:, 0, there]
    ours = responses(lambda move: units(alone, move), 12)[there][:, 0, there]

    assert np.abs(ours - expected).max() > 0.1


def test_means_over_segments_are_by_their_choices():
    choices = choices_of(1, segments=2)
    kappa, share = kappa_of(choices, 1), np.array([0.9, 0.1])
    kappa = kappa * np.array([[1.0], [3.0]], np.float32)

    found = demand_of_units(choices, None, kappa, share)

    b, mean = share @ choices.factors["sensitivity"], share @ kappa
    np.testing.assert_allclose(found.products["quantity_sensitivity"], mean, rtol=1e-6)
    before = choices.products["units_per_choice"].to_numpy()
    np.testing.assert_allclose(found.products["units_per_choice"], before * (b + mean) / b, rtol=1e-6)
    np.testing.assert_allclose(found.factors["sensitivity"], choices.factors["sensitivity"] + kappa, rtol=1e-6)


def test_units_that_do_not_answer_leave_the_choices_as_they_are():
    choices = with_dissimilarity(choices_of(2, segments=2), {"c1": 0.4})
    logit = without_nests(choices)

    found = demand_of_units(logit, choices.categories, np.zeros((2, 12), np.float32), np.array([0.5, 0.5]))

    for name, factor in choices.factors.items():
        np.testing.assert_allclose(found.factors[name], factor, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found.dissimilarity_of(pl.Series(["c0", "c1"])), [1.0, 0.4])
    assert found.products["units_per_choice"].equals(choices.products["units_per_choice"])


def test_product_that_comes_onto_the_shelf_sells_what_it_would_have_sold():
    """Its appeal is that of a product whose category is chosen from without it; fallbacks of categories likewise."""
    choices = choices_of(4)
    kappa, one, is_first = kappa_of(choices, 4), np.ones(1), pl.int_range(pl.len()) == 0
    absent, fallback = (
        replace(
            choices, products=choices.products.with_columns(pl.when(~is_first).then(name).otherwise(left).alias(name))
        )
        for name, left in (("availability", pl.lit(0.0)), ("product_id", pl.lit(None)))
    )

    found, as_fallback = (demand_of_units(kept, None, kappa, one) for kept in (absent, fallback))

    available = absent.products["availability"].to_numpy()
    rest = (choices.products["category_id"] == "c0").to_numpy() & (available > 0)
    odds = (available * np.exp(choices.factors["appeal"][0].astype(np.float64)))[rest].sum()
    taken = units(found, np.zeros(12))[0, rest] / found.products["units_per_choice"].to_numpy()[rest]
    ratio = most_units(choices.factors["sensitivity"][0], kappa[0])[0]
    expected = np.exp(choices.factors["appeal"][0, 0]) / (1 + odds) / ratio / (1 - taken.sum())
    assert np.exp(found.factors["appeal"][0, 0]) == pytest.approx(expected, rel=1e-4)
    np.testing.assert_allclose(as_fallback.factors["appeal"], found.factors["appeal"], rtol=1e-5)


def test_without_an_outside_option_only_the_sensitivities_change():
    choices = replace(choices_of(6), info=demand_info("dense", outside_option=False))
    kappa = kappa_of(choices, 6)

    found = logit_of_units(choices, kappa, most_units(choices.factors["sensitivity"][0], kappa[0]))

    np.testing.assert_array_equal(found.factors["appeal"], choices.factors["appeal"])
    np.testing.assert_array_equal(found.factors["sensitivity"], choices.factors["sensitivity"] + kappa)


def test_choices_that_hardly_answer_prices_have_a_finite_number_of_units():
    ratio = most_units(np.array([0.0, 1e-30, 1.0, 0.0]), np.array([0.5, 0.5, 0.0, 0.0]))

    np.testing.assert_allclose(ratio, [LARGEST_RATIO, LARGEST_RATIO, 1.0, 1.0])


@given(st.integers(0, 10_000), st.lists(st.floats(0.1, 1.0), min_size=4, max_size=4))
def test_a_logit_comes_back_from_its_nests(seed, dissimilarity):
    logit = choices_of(seed, segments=2)
    categories = with_dissimilarity(logit, {f"c{i}": g for i, g in enumerate(dissimilarity)}).categories

    found = without_nests(with_nests(logit, categories))

    np.testing.assert_allclose(found.factors["appeal"], logit.factors["appeal"], rtol=1e-3, atol=1e-4)
    assert found.categories is None


def test_nests_of_categories_that_an_artefact_lacks_do_not_matter():
    logit = choices_of(7)
    categories = with_dissimilarity(logit, {"c1": 0.5, "c3": 0.4}).categories
    rows = np.flatnonzero((logit.products["category_id"] != "c3").to_numpy())
    part = replace(
        logit, factors={name: factor[:, rows] for name, factor in logit.factors.items()}, products=logit.products[rows]
    )

    found, whole = with_nests(part, categories), with_nests(logit, categories)

    np.testing.assert_array_equal(found.factors["appeal"], whole.factors["appeal"][:, rows])
