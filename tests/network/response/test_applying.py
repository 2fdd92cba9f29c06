"""The fitted price response in a demand artefact."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch
from scipy.sparse import csr_array

from gpu_pricer.errors import InputError
from gpu_pricer.network.model.price_bend import bent
from gpu_pricer.network.response.applying import (
    ResponseConfig,
    _size_of_others,
    recent_context,
    with_response,
    with_units_of,
    without_controls,
)
from gpu_pricer.network.response.fitting.attribute_effects import AttributeEffects
from gpu_pricer.network.response.fitting.fit import FitConfig, fit_response
from gpu_pricer.network.response.grid.controls import EndogeneityConfig
from gpu_pricer.network.response.posterior import draw_deviations
from gpu_pricer.network.response.quantities import Quantities
from gpu_pricer.tables.artefact.demand_of_units import most_units
from tests.markets import probabilities, small_artefact
from tests.network.response.drawn import Recipe, draw_market

CONFIG = ResponseConfig(
    endogeneity=EndogeneityConfig(None, planned_promotions=True, folds=4),
    fit=FitConfig(passes=60, tolerance=0.01, prior_elasticity=None),
    nested=False,
    carry_periods=3,
    draws=20,
)
ROWS = [0, 4, 1, 5, 9, 2]  # of c0, of c1 and of c2; c3 teaches nothing
TODAY = np.ones(12)  # prices over the reference prices
UNTAUGHT = {8: 0, 6: 2, 10: 2}  # row: number of its category


@pytest.fixture(scope="module")
def artefact():
    return small_artefact(0, segments=2, products=12, categories=4, form="dense")


@pytest.fixture(scope="module")
def fit():
    market = draw_market(0, Recipe(sizes=(2, 3, 1)))
    return fit_response(replace(market.grid, row=torch.tensor(ROWS)), market.counts, CONFIG.fit)


@pytest.fixture(scope="module")
def applied(artefact, fit):
    return with_response(artefact, fit, None, CONFIG, 0, TODAY)


def test_products_that_taught_have_the_sensitivity_of_the_fit(applied, fit):
    np.testing.assert_allclose(applied.factors["sensitivity"][:, ROWS], fit.sensitivity, rtol=1e-6)


def with_quantities(fit, units=1.5, response=(0.4, 0.8)):
    """Return the response of units that a segment's choice takes in a log of these choices, on the same grid."""
    choices = fit.counts.bought
    taken = units * choices * torch.exp(-torch.tensor(response)[:, None] * fit.grid.move[:, None])
    return fit_response(fit.grid, Quantities(taken, choices), CONFIG.fit)


@pytest.fixture(scope="module")
def quantities(fit):
    return with_quantities(fit)


@pytest.fixture(scope="module")
def of_units(artefact, fit, quantities):
    return with_response(artefact, fit, quantities, CONFIG, 0, TODAY)


def test_sensitivity_of_units_is_that_of_choices_and_of_the_units_per_choice(of_units, applied, quantities):
    """Of every segment and product, taught or not."""
    more = of_units.factors["sensitivity"] - applied.factors["sensitivity"]

    choices = quantities.counts.choices.sum((0, 2)).numpy()

    assert (more > 0).all()
    np.testing.assert_allclose(more[:, ROWS], quantities.sensitivity, rtol=1e-4)
    assert more[1, ROWS].mean() > 1.5 * more[0, ROWS].mean()
    mean = np.average(more, axis=0, weights=choices)
    np.testing.assert_allclose(of_units.products["quantity_sensitivity"], mean, rtol=1e-4)


def test_units_at_the_reference_price_are_those_of_the_choices(of_units, applied):
    """Of those that taught each choice takes 1.5, of the others what their categories take."""
    before = applied.products["units_per_choice"].to_numpy(writable=True)
    before[ROWS] = 1.5

    choices, units = (probabilities(artefact, np.zeros(12)) for artefact in (applied, of_units))

    expected = before * choices
    np.testing.assert_allclose(of_units.products["units_per_choice"].to_numpy() * units, expected, rtol=0.03)


def test_draws_of_units_are_around_the_sum_and_know_of_both(of_units, applied, fit, quantities):
    """Linearised, the variance of log(b + κ) is that of b's and κ's shares."""
    total = of_units.factors["sensitivity"][:, ROWS].mean(1) / applied.factors["sensitivity"][:, ROWS].mean(1)
    many = replace(CONFIG, draws=2000)
    both, alone = (
        with_response(applied, fit, given, many, 0, TODAY).posterior.filter(pl.col("category_id") == "c1")
        for given in (quantities, None)
    )
    spread = [
        table.group_by("segment_id").agg(pl.col("log_deviation").std()).sort("segment_id") for table in (both, alone)
    ]

    assert abs(both["log_deviation"].mean()) < 0.05
    assert (spread[0]["log_deviation"] > 0.9 * spread[1]["log_deviation"] / total.max()).all()


def test_stand_ins_know_of_the_units_too(fit, quantities):
    """What κ adds is independent of b, so that the log of both varies less than that of b."""
    left = [torch.zeros(count) for count in (1, 0, 2)]

    both, alone = (draw_deviations(fit, left, 400, 0, given).others for given in (quantities, None))

    assert np.exp(both).mean(axis=(0, 2)) == pytest.approx(1)
    assert (both.std(axis=(0, 2)) < 0.98 * alone.std(axis=(0, 2))).all()


def test_categories_that_taught_nothing_have_so_many_known_products_on_average(artefact):
    names = artefact.products.filter(pl.col("product_id").is_not_null())["category_id"]
    taught = names.unique().sort()[:1].to_list()

    others = names.filter(names != taught[0])
    assert _size_of_others(artefact.products, taught) == len(others) / others.n_unique()
    assert _size_of_others(artefact.products, names.unique().to_list()) == 0


def test_without_quantities_the_artefact_is_that_of_the_choices_bit_for_bit(applied, artefact, fit):
    left = [torch.zeros(count) for count in (1, 0, 2)]  # of UNTAUGHT
    drawn = draw_deviations(fit, left, CONFIG.draws, seed=0)

    assert applied.products.equals(artefact.products)
    np.testing.assert_array_equal(applied.factors["sensitivity"][:, ROWS], fit.sensitivity.float())
    own = applied.posterior.filter(pl.col("category_id").is_not_null())
    np.testing.assert_array_equal(own["log_deviation"].to_numpy(), drawn.taught.ravel().astype(np.float32))


def test_members_take_the_units_of_their_segments(artefact, applied, of_units, quantities):
    products = [2, 8, 3]
    members = replace(
        artefact,
        factors={name: factor[:, products] for name, factor in artefact.factors.items()},
        products=artefact.products[products],
    )

    found = with_units_of(of_units, members, 0.0, quantities, np.array([1, 0]), TODAY)

    added = (of_units.factors["sensitivity"] - applied.factors["sensitivity"])[::-1, products]
    np.testing.assert_allclose(found.factors["sensitivity"] - members.factors["sensitivity"], added, rtol=1e-5)
    for name in ("quantity_sensitivity", "units_per_choice"):
        assert found.products[name].equals(of_units.products[name][products])
    assert with_units_of(artefact, members, 0.0, None, np.array([1, 0]), TODAY).fingerprint() == members.fingerprint()


@pytest.mark.parametrize("bend", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("has_quantities", [False, True])
def test_artefact_is_the_tangent_of_its_response_at_today_s_prices(bend, has_quantities):
    """Expected units of one segment, and how they answer each price, by central differences."""
    today = np.random.default_rng(0).uniform(0.8, 1.3, 12)
    artefact = small_artefact(0, segments=1, products=12, categories=4, form="dense")
    market = draw_market(0, Recipe(sizes=(2, 3, 1), segments=1))
    fit = fit_response(replace(market.grid, row=torch.tensor(ROWS)), market.counts, CONFIG.fit)
    curve = replace(fit, grid=replace(fit.grid, bend=bend))
    quantities = with_quantities(fit, response=(0.6,)) if has_quantities else None

    found = with_response(artefact, curve, quantities, CONFIG, 0, today)

    choices, answer = with_response(artefact, fit, None, CONFIG, 0, TODAY), np.zeros(12)
    level = choices.products["units_per_choice"].to_numpy()
    if quantities is not None:
        at_reference = with_response(artefact, fit, quantities, CONFIG, 0, TODAY).products
        answer = at_reference["quantity_sensitivity"].to_numpy()
        ratio = most_units(choices.factors["sensitivity"][0], answer)
        level = at_reference["units_per_choice"].to_numpy() / ratio

    def expected(ratio):
        """Choices by the bent response, times the units of each."""
        return probabilities(choices, bent(torch.tensor(ratio - 1), bend).numpy())[0] * level * ratio**-answer

    def ours(ratio):
        return probabilities(found, ratio - 1)[0] * found.products["units_per_choice"].to_numpy()

    there = expected(today) > 0
    np.testing.assert_allclose(ours(today)[there], expected(today)[there], rtol=1e-3)
    for step in 1e-3 * np.eye(12):
        slopes = [(np.log(of(today + step)[there]) - np.log(of(today - step)[there])) / 2e-3 for of in (ours, expected)]
        np.testing.assert_allclose(*slopes, atol=5e-3)


def test_products_that_taught_have_the_appeal_forecast_for_the_next_period(applied, fit):
    expected = fit.next_appeal(recent_context(fit.grid, CONFIG.carry_periods))

    np.testing.assert_allclose(applied.factors["appeal"][:, ROWS], expected, rtol=1e-5)


def test_controls_of_the_priced_period_are_common_and_those_of_ages_known(fit):
    rng = np.random.default_rng(5)
    on_shelf = fit.grid.on_shelf
    controls = torch.from_numpy(rng.normal(1.0, 1.0, (*on_shelf.shape, 3))) * on_shelf[:, :, None]
    ages = torch.from_numpy(rng.normal(size=(len(on_shelf), 2)))
    grid = replace(fit.grid, context=torch.cat([fit.grid.context, controls], dim=2), controls=3, next_ages=ages)

    found = recent_context(grid, 3)

    recent = on_shelf[:, -3:].sum(1)
    own = (controls[:, -3:, 0].sum(1) / recent)[recent > 0]
    torch.testing.assert_close(found[:, -3], own.mean().expand(len(found)))
    torch.testing.assert_close(found[:, -2:], ages)


def test_products_that_taught_nothing_have_their_categorys_sensitivity(applied, fit):
    expected = fit.category_sensitivity().numpy()

    for row, category in UNTAUGHT.items():
        np.testing.assert_allclose(applied.factors["sensitivity"][:, row], expected[:, category], rtol=1e-6)


def test_products_that_taught_nothing_answer_prices_as_their_attributes_say(artefact, fit):
    brand = csr_array((np.arange(11)[:, None] % 2).astype(float))  # the artefact's last row is a category's fallback
    effects = AttributeEffects(brand, np.zeros(11, np.int64), np.ones(11), np.array([0.8]), 0.3)

    found = with_response(artefact, replace(fit, attributes=effects), None, CONFIG, 0, TODAY).factors["sensitivity"]

    plain, told = with_response(artefact, fit, None, CONFIG, 0, TODAY).factors["sensitivity"], np.ones(12)
    told[:11] = np.exp(0.8 * (np.arange(11) % 2 - 5 / 11))
    told[ROWS] = 1  # the fit's own sensitivities hold what attributes say
    np.testing.assert_allclose(found, plain * told, rtol=1e-6)


def test_category_that_taught_nothing_has_the_sensitivity_expected_of_any_product(applied, fit):
    """As of a product drawn from the model: E exp(β), β's variance that of products and of categories."""
    beta = fit.layout.log_sensitivity
    variance = (fit.widths.product + fit.widths.category).diagonal()[beta]
    expected = np.exp((fit.state.mu[beta] + 0.5 * variance).numpy())

    for row in (3, 7, 11):
        np.testing.assert_allclose(applied.factors["sensitivity"][:, row], expected, rtol=1e-6)


def test_products_that_taught_nothing_keep_their_appeal(applied, artefact):
    untaught = [row for row in range(12) if row not in ROWS]

    np.testing.assert_array_equal(applied.factors["appeal"][:, untaught], artefact.factors["appeal"][:, untaught])


def test_artefact_given_stays_as_it_was(artefact, fit):
    before = {name: factor.copy() for name, factor in artefact.factors.items()}

    with_response(artefact, fit, None, CONFIG, 0, TODAY)

    for name, factor in artefact.factors.items():
        np.testing.assert_array_equal(factor, before[name])


def test_factors_stay_float32(applied):
    assert {factor.dtype for factor in applied.factors.values()} == {np.dtype(np.float32)}


def test_posterior_has_every_draw_for_every_segment_and_category_that_taught(applied, artefact):
    posterior = applied.posterior
    segments = artefact.segments["segment_id"].to_list()

    own = posterior.filter(pl.col("category_id").is_not_null())
    found = sorted(own.select("segment_id", "category_id", "draw").rows())

    assert found == sorted((s, g, d) for s in segments for g in ("c0", "c1", "c2") for d in range(CONFIG.draws))
    assert posterior["log_deviation"].is_finite().all()


def test_same_seed_gives_the_same_artefact(artefact, fit, applied):
    assert with_response(artefact, fit, None, CONFIG, 0, TODAY).fingerprint() == applied.fingerprint()
    assert with_response(artefact, fit, None, CONFIG, 1, TODAY).fingerprint() != applied.fingerprint()


def test_without_draws_there_is_no_posterior(artefact, fit):
    assert with_response(artefact, fit, None, replace(CONFIG, draws=0), 0, TODAY).posterior is None


def test_factors_are_refused(fit):
    factors = small_artefact(0, segments=2, products=12, categories=4, form="factors")

    with pytest.raises(InputError, match=r"must be dense.* found 'factors': set train\.export\.form=dense") as error:
        with_response(factors, fit, None, CONFIG, 0, TODAY)

    assert "\n" not in str(error.value)


def with_control(market, seed=0):
    """A grid whose last context column is a control."""
    control = torch.from_numpy(np.random.default_rng(seed).normal(0, 0.2, market.grid.move.shape))
    context = torch.cat([market.grid.context, (control * market.grid.on_shelf)[:, :, None]], dim=2)
    return replace(market.grid, context=context, controls=1)


def test_recent_context_is_the_mean_of_the_last_periods_on_the_shelf_and_of_controls_that_of_all_products():
    grid = with_control(draw_market(1, Recipe(on_shelf=0.6)))
    periods, last = grid.columns.periods, 3

    found = recent_context(grid, last)

    means = {}
    for j in range(len(grid.row)):
        offered = [w for w in range(periods - last, periods) if grid.on_shelf[j, w]]
        if offered:
            means[j] = grid.context[j, offered].mean(0)
        expected = float(means[j][0]) if offered else 0.0
        assert found[j, 0].item() == pytest.approx(expected)
    of_all = np.mean([float(mean[1]) for mean in means.values()])
    assert found[:, 1].tolist() == pytest.approx([of_all] * len(grid.row))


def test_without_products_on_the_shelf_lately_controls_are_0():
    grid = with_control(draw_market(1))
    grid = replace(grid, on_shelf=torch.zeros_like(grid.on_shelf), context=torch.zeros_like(grid.context))

    assert not recent_context(grid, 3).any()


@pytest.mark.parametrize("seed", [4, 5, 6])
def test_purchases_expected_at_inflated_prices_are_those_of_late(seed):
    """All regular prices rise by 40 % and nobody buys less; with controls of 0, a sixth to .44 of them were missing."""
    market = draw_market(seed, Recipe(periods=30, visits=20000, shock=0.02, on_shelf=1.0, move=0.1))
    drift = torch.linspace(-0.2, 0.2, 30, dtype=torch.float64).expand_as(market.grid.move)
    context = torch.cat([market.grid.context, drift[:, :, None]], dim=2)
    grid = replace(market.grid, move=market.grid.move + drift, context=context, controls=1)
    fit = fit_response(grid, market.counts, CONFIG.fit)

    today = fit.next_appeal(recent_context(grid, 3)) - torch.as_tensor(fit.sensitivity) * 0.2

    weight, lately = today.exp(), slice(-6, None)
    nothing = torch.ones(2, grid.categories, dtype=torch.float64)
    expected = weight / nothing.index_add(1, grid.category, weight)[:, grid.category]
    bought, visits = (total[:, :, lately].sum(2).T for total in (market.counts.bought, market.counts.visits))
    assert float(expected.sum()) == pytest.approx(float((bought / visits[:, grid.category]).sum()), rel=0.15)


def test_without_controls_prices_are_taken_as_they_are():
    market = draw_market(2)
    controlled = fit_response(with_control(market), market.counts, CONFIG.fit)
    plain = fit_response(market.grid, market.counts, CONFIG.fit)

    found = without_controls(controlled, CONFIG.fit)

    assert found.grid.controls == 0
    assert torch.equal(found.sensitivity, plain.sensitivity)
    assert not torch.equal(controlled.sensitivity, plain.sensitivity)


def test_without_controls_one_column_of_zeros_stands_for_no_context():
    market = draw_market(3)
    grid = replace(market.grid, controls=1)

    found = without_controls(fit_response(grid, market.counts, CONFIG.fit), CONFIG.fit)

    assert found.grid.context.shape == grid.context.shape
    assert not found.grid.context.any()


@pytest.mark.parametrize(("name", "value"), [("carry_periods", 0), ("draws", -1)])
def test_settings_out_of_range_are_refused(name, value):
    with pytest.raises(ValueError, match=rf"response\.{name} must be"):
        replace(CONFIG, **{name: value})
