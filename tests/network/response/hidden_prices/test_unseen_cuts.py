"""Cuts in periods that do not show them: by Bayes' rule, against the truth of drawn logs, and what they are for."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import poisson

from gpu_pricer.network.response.hidden_prices.cut_pools import CutPools
from gpu_pricer.network.response.hidden_prices.cut_response import (
    EFFECT_SPREAD,
    PRIOR_SLOPE,
    PRIOR_SPREAD,
    TILT_SPREAD,
    CutResponse,
    seen_cuts,
)
from gpu_pricer.network.response.hidden_prices.mean_cuts import MeanCuts
from gpu_pricer.network.response.hidden_prices.seen_cuts import SeenCuts
from gpu_pricer.network.response.hidden_prices.unseen_cuts import LEAST_DONORS, _strata, cut_donors

SLOPE = -3.0
DEPTH = -0.3


def a_log(rng, products=1000, periods=60, least=2, share=0.15, rate=None, depth=(DEPTH,), slope=SLOPE):
    """A log whose prices show from `least` purchases on: product, purchases, true cuts and what the log shows."""
    rate = np.exp(rng.normal(-0.5, 0.8, products)) if rate is None else rate
    products = len(rate)
    cut = np.where(rng.random((products, periods)) < share, rng.choice(depth, (products, periods)), 0.0)
    bought = rng.poisson(rate[:, None] * np.exp(slope * cut)).astype(float)
    product = np.repeat(np.arange(products), periods)
    shown = np.where(bought >= least, cut, np.nan)
    return product, bought.ravel(), cut.ravel(), shown.ravel()


def periods_of(product, bought, cut, shop=0):
    """The rows that cut_donors takes, with four products in a category, and week after week of each.

    shop: another number gives other draws.
    """
    rows = pl.DataFrame(
        {"product_id": product + 10_000 * shop, "bought": bought, "cut": pl.Series(cut, nan_to_null=True)}
    )
    week = pl.int_range(pl.len()).over("product_id")
    return rows.with_columns(
        told=0.0,
        category_id=(pl.col("product_id") // 4).cast(pl.String),
        period=pl.date(2024, 1, 1) + pl.duration(weeks=week),
    )


def donors(product, bought, cut):
    return cut_donors(periods_of(product, bought, cut))


def pools_of(cuts):
    """The pools of products of which four are in a category."""
    return CutPools(cuts, MeanCuts(cuts, np.arange(len(cuts.level)) // 4).own_share)


def known_cuts(product, cut, level, unseen, hidden):
    """Cuts whose rates are the true ones, where nothing else moves purchases."""
    none = np.zeros((len(cut), 0))
    usual = np.ones(len(level))
    return SeenCuts(product, cut, none, level, SLOPE * usual, none[0], unseen, usual, hidden)


@pytest.fixture
def known_frequency(monkeypatch):
    """Draws whose mean cut is the true one."""
    monkeypatch.setattr(MeanCuts, "unknown", lambda means: (0.0, 0.0))


def one_category(product):
    return np.zeros(product.max() + 1, np.int64)


def seen_alone(product, bought, shown):
    """The cuts of a log in which nothing else moves purchases."""
    return seen_cuts(product, one_category(product), bought, shown, np.zeros((len(product), 0)))


def completed(product, bought, shown):
    return shown[donors(product, bought, shown)[0]]


def poisson_slope(product, bought, cut):
    """The slope of log purchases on two values of the cut with an effect of each product, which concentrates out."""
    slope, products = 0.0, product.max() + 1
    total = np.bincount(product, bought, products)
    for _ in range(50):
        rate = np.exp(slope * cut)
        rate *= (total / np.bincount(product, rate, products))[product]
        centre = np.bincount(product, rate * cut, products) / np.maximum(total, 1e-12)
        apart = cut - centre[product]
        slope += ((bought - rate) @ apart) / (rate @ apart**2)
    return slope


@pytest.mark.parametrize("move", [0.0, 1.0])
@pytest.mark.parametrize("purchases", [0, 1])
@pytest.mark.parametrize("own_share", [0.0, 1.0])
def test_draws_follow_bayes_rule(purchases, move, own_share):
    """Other causes raise the purchases of the periods without a price by `move`, in logs."""
    level, hidden, cut = -0.5, np.array([1.0, 0.4]), np.tile([0.0, DEPTH, 0.0, 0.0], 500)
    cuts = known_cuts(np.zeros(2000, np.int64), cut, np.array([level]), np.array([50]), hidden)
    rates = np.exp(level + SLOPE * cuts.cut)
    weight = poisson.pmf(purchases, rates * np.exp(move)) / (1 - hidden @ poisson.pmf(np.arange(2)[:, None], rates))

    places = np.random.default_rng(1).random((1, 40_000))

    [drawn] = CutPools(cuts, np.full(1, own_share)).draw(
        np.zeros(40_000, np.int64), np.full(40_000, purchases), np.full(40_000, move), places
    )

    assert (cut[drawn] < 0).mean() == pytest.approx(weight[cut < 0].sum() / weight.sum(), abs=0.01)


def test_mean_of_few_cuts_is_that_of_the_truth():
    """Of 4,000 products that show some ten prices each; with plain weights, 8 % more cuts would be found."""
    product, _, _, shown = a_log(np.random.default_rng(16), rate=np.full(4000, 0.6))
    is_seen, unseen = ~np.isnan(shown), np.bincount(product, np.isnan(shown))
    cuts = known_cuts(product[is_seen], shown[is_seen], np.log(np.full(4000, 0.6)), unseen, np.array([1.0, 1.0]))

    mean = cuts.sums(cuts.weight * cuts.cut) / cuts.sums(cuts.weight)

    assert mean.mean() == pytest.approx(0.15 * DEPTH, rel=0.02)
    plain = cuts.sums(cuts.cut / cuts.chance_shown) / cuts.sums(1 / cuts.chance_shown)
    assert plain.mean() / (0.15 * DEPTH) == pytest.approx(1.08, abs=0.02)


@pytest.mark.parametrize("least", [1, 2])
def test_hidden_periods_have_as_many_cuts_as_in_truth(least):
    product, bought, cut, shown = a_log(np.random.default_rng(2), least=least)

    found = completed(product, bought, shown)

    for purchases in range(least):
        hidden = bought == purchases
        assert found[hidden].mean() == pytest.approx(cut[hidden].mean(), rel=0.15)
    assert np.nanmean(shown) < 1.3 * cut.mean()  # of the prices that show, a third more are cuts


@pytest.mark.parametrize(("periods", "spread"), [(25, 0.0), (60, 0.7)])
def test_products_that_show_few_prices_have_as_many_cuts_as_in_truth(periods, spread):
    """Alike ones, whose cuts are drawn from all, and ones cut more and less often, which draw their own too."""
    rng = np.random.default_rng(17)
    share = (0.15 * np.exp(spread * rng.normal(size=(8000, 1)))).clip(max=0.7)
    product, bought, cut, shown = a_log(rng, rate=np.full(8000, 0.6), periods=periods, share=share)
    hidden = np.isnan(shown)

    assert completed(product, bought, shown)[hidden].mean() == pytest.approx(cut[hidden].mean(), rel=0.05)


def test_slope_and_levels_are_those_of_the_truth():
    product, bought, _, shown = a_log(np.random.default_rng(3))

    cuts = seen_alone(product, bought, shown)

    assert cuts.slopes.mean() == pytest.approx(SLOPE, abs=0.15)
    assert cuts.hidden.tolist() == [1.0, 1.0]
    mean = np.bincount(product, bought) / 60
    often = mean > 1  # whose level is that of the purchases less what 15 % of cuts add
    assert np.exp(cuts.level[often]).sum() == pytest.approx(mean[often].sum() / (0.85 + 0.15 * np.exp(0.9)), rel=0.03)


@pytest.mark.parametrize("seed", range(3))
def test_what_else_moves_purchases_is_no_response_to_cuts(seed):
    """A display, which mostly goes with a cut, and a regular price that moves."""
    rng = np.random.default_rng(seed)
    product, _, cut, _ = a_log(rng)
    display = rng.random(len(cut)) < np.where(cut < 0, 0.6, 0.05)
    regular = rng.normal(0, 0.1, len(cut))
    level = rng.normal(-0.5, 0.8, 1000)
    bought = rng.poisson(np.exp(level[product] + SLOPE * (cut + regular) + 0.7 * display)).astype(float)
    shown, causes = np.where(bought >= 2, cut, np.nan), np.stack([display, regular], axis=1).astype(float)
    usual = causes.reshape(1000, 60, 2).mean(axis=1)
    causes -= usual[product]
    spread = causes.std(axis=0)

    cuts, without = (
        seen_cuts(product, one_category(product), bought, shown, causes / spread),
        seen_alone(product, bought, shown),
    )

    assert cuts.slopes.mean() == pytest.approx(SLOPE, abs=0.2)
    assert cuts.effects / spread == pytest.approx([0.7, SLOPE], abs=0.3)
    assert without.slopes.mean() < SLOPE - 0.5
    often = np.bincount(product, bought) > 60
    expected = (level + usual @ [0.7, SLOPE])[often]
    assert (cuts.level[often] - expected).mean() == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize("told", [True, False])
def test_periods_draw_from_those_of_which_context_tells_as_much(told):
    """In a log in which a display mostly goes with a cut; if context told nothing, all would get the same cuts."""
    rng = np.random.default_rng(19)
    product, _, cut, _ = a_log(rng)
    display = (rng.random(len(cut)) < np.where(cut < 0, 0.6, 0.05)).astype(float)
    rate = np.exp(rng.normal(-0.5, 0.8, 1000))[product] * np.exp(SLOPE * cut + 0.7 * display)
    bought = rng.poisson(rate).astype(float)
    shown = np.where(bought >= 2, cut, np.nan)
    rows = periods_of(product, bought, shown).with_columns(display=display)

    donor, _ = cut_donors(rows.with_columns(told=DEPTH * display / 2 * told), ("display",))

    hidden = np.isnan(shown)
    for shows in (0, 1):
        some = hidden & (display == shows)
        ratio = shown[donor][some].mean() / cut[some].mean()
        assert ratio == pytest.approx(1.0, abs=0.12) if told else abs(ratio - 1) > 0.3


def test_a_class_that_appears_renumbers_no_other():
    """Deeper cuts than ever before, seen often enough, and one seen too rarely, which joins the nearest."""
    told = np.repeat([0.0, -0.1, 0.06, -0.2], LEAST_DONORS)
    before, often = told[: 3 * LEAST_DONORS], np.ones(4 * LEAST_DONORS, bool)
    rarely = np.arange(4 * LEAST_DONORS) <= 3 * LEAST_DONORS

    numbers = _strata(before, often[: len(before)])

    assert len(set(numbers)) == 3
    assert numbers.min() >= 0
    np.testing.assert_array_equal(_strata(told, often)[: len(before)], numbers)
    assert _strata(told, often)[-1] not in numbers
    np.testing.assert_array_equal(_strata(told, rarely)[len(before) :], numbers[LEAST_DONORS])


def test_popular_products_may_respond_less():
    rng = np.random.default_rng(18)
    product, _, cut, _ = a_log(rng, products=2000)
    is_popular = product % 2 == 0
    rate = np.where(is_popular, 3.0, 0.5) * np.exp(np.where(is_popular, -2.0, -3.0) * cut)
    bought = rng.poisson(rate).astype(float)
    shown = np.where(bought >= 2, cut, np.nan)

    slopes = seen_alone(product, bought, shown).slopes[product]
    found = completed(product, bought, shown)

    for some, slope in ((is_popular, -2.0), (~is_popular, -3.0)):
        assert slopes[some].mean() == pytest.approx(slope, abs=0.25)
        assert poisson_slope(product[some] // 2, bought[some], found[some]) == pytest.approx(slope, abs=0.25)


def test_a_step_is_newton_s_on_the_penalised_likelihood_given_that_prices_show():
    """By differences of the likelihood, in which the levels of products move too."""
    rng, products = np.random.default_rng(20), 12
    product, bought, _, shown = a_log(
        rng, rate=rng.uniform(0.5, 2, products), periods=30, share=0.4, depth=(-0.1, -0.3)
    )
    is_seen, category = ~np.isnan(shown), np.arange(products) // 4
    causes, level = rng.normal(size=(is_seen.sum(), 1)), rng.normal(0, 0.3, products)
    hidden, number = np.array([1.0, 0.7]), np.arange(2)[:, None]
    response = CutResponse(-2.0, 0.1, np.array([0.3, -0.2, 0.1]), np.array([0.2]), 0.4, level, category)
    unseen, seen = np.bincount(product[~is_seen], minlength=products), product[is_seen]
    cuts = SeenCuts(
        seen, shown[is_seen], causes, level, response.slopes, response.effects, unseen, np.ones(products), hidden
    )
    now = np.concatenate([[-2.0, 0.1], response.effects, response.apart, level])
    spreads = np.array([PRIOR_SPREAD, TILT_SPREAD, EFFECT_SPREAD, *[0.4] * 3])
    centre = np.array([PRIOR_SLOPE, 0, 0, 0, 0, 0])

    def penalised(at):
        slope = at[0] + at[1] * level + at[3:6][category]
        rate = np.exp(at[6:][seen] + slope[seen] * cuts.cut + causes[:, 0] * at[2])
        shows = np.log(1 - hidden @ poisson.pmf(number, rate))
        fits = poisson.logpmf(bought[is_seen], rate) - shows
        return fits.sum() - 0.5 * (((at[:6] - centre) / spreads) ** 2).sum()

    size, unit = 1e-3, np.eye(len(now))
    gradient = np.array([penalised(now + size * e) - penalised(now - size * e) for e in unit]) / (2 * size)
    curvature = np.array(
        [
            [
                sum(i * j * penalised(now + size * (i * e + j * f)) for i in (1, -1) for j in (1, -1)) / (4 * size**2)
                for f in unit
            ]
            for e in unit
        ]
    )
    expected, covariance = np.linalg.solve(-curvature, gradient)[:6], np.linalg.inv(-curvature)[3:6, 3:6]

    step, spread = response.step(cuts, bought[is_seen])

    assert step == pytest.approx(expected, rel=1e-3, abs=1e-4)
    known = 3 - np.trace(covariance) / 0.4**2
    assert spread**2 == pytest.approx(((response.apart + expected[3:]) ** 2).sum() / known, rel=5e-3)


@pytest.mark.parametrize("seed", range(2))
def test_categories_may_respond_unlike_each_other(seed):
    """Half of them hardly, half strongly; drawn by a slope of all, the former would seem twice as elastic."""
    rng = np.random.default_rng(seed)
    slope = np.where(np.arange(1200) < 600, -1.0, -4.0)
    product, bought, _, shown = a_log(rng, rate=np.full(1200, 0.7), slope=slope[:, None])
    rows = periods_of(product, bought, shown)

    found, alike = (
        shown[cut_donors(rows.with_columns(category_id=category))[0]] for category in (pl.col("product_id") // 60, 0)
    )

    def slope_of(true, cut):
        some = slope[product] == true
        return poisson_slope(product[some] % 600, bought[some], cut[some])

    assert slope_of(-1.0, found) == pytest.approx(-1.0, abs=0.25)
    assert slope_of(-4.0, found) == pytest.approx(-4.0, abs=0.25)
    assert slope_of(-1.0, alike) < -1.7


@pytest.mark.parametrize("depth", [(-0.7,), (-0.1, -0.3, -0.7)])
@pytest.mark.parametrize("slope", [-1.0, -3.0, -5.0])
def test_slope_is_found_for_cuts_of_every_depth(depth, slope, caplog):
    log = a_log(np.random.default_rng(8), products=400, depth=depth, slope=slope)
    product, bought, cut, shown = log
    hidden = np.isnan(shown)

    assert seen_alone(product, bought, shown).slopes.mean() == pytest.approx(slope, abs=0.25)
    assert caplog.messages == []
    assert completed(product, bought, shown)[hidden].mean() == pytest.approx(cut[hidden].mean(), abs=0.012)


@pytest.mark.parametrize("seed", range(4))
def test_slope_stays_near_published_ones_where_only_cuts_show(seed):
    """Products that sell hardly ever at the regular price: nearly all periods that show a price have a cut."""
    rng = np.random.default_rng(seed)
    product, bought, _, shown = a_log(rng, rate=np.full(100, 0.05), slope=-6.0, depth=(-0.5,))

    cuts = seen_alone(product, bought, shown)

    assert (cuts.cut < 0).mean() > 0.95
    assert -8 < cuts.slopes.mean() < -2


def test_draws_are_in_the_order_of_the_cuts():
    """The product's own from the deepest up, then all products' back down; half of these always have a cut, so that
    both count.
    """
    rng = np.random.default_rng(14)
    product, bought, _, _ = a_log(rng, products=20)
    shown = np.where(bought >= 2, np.where(product % 2 == 0, DEPTH, 0.0), np.nan)
    shown += rng.normal(0, 0.1, len(shown))
    pools, is_seen = pools_of(seen_alone(product, bought, shown)), ~np.isnan(shown)

    own = pools.own_share[0]
    places = np.linspace(0, 1, 400, endpoint=False)
    [drawn] = shown[is_seen][pools.draw(np.zeros(400, np.int64), *np.zeros((2, 400)), places[None])]

    assert 0.1 < own < 0.9
    for some, direction in ((drawn[places < own], 1), (drawn[places >= own], -1)):
        assert (direction * np.diff(some) >= 0).all()
        assert len(np.unique(some)) > 3
    [[first, last]] = shown[is_seen][pools.draw(np.zeros(2, np.int64), *np.zeros((2, 2)), np.array([[own, 1 - 1e-12]]))]
    assert (first, last) == (np.nanmax(shown), np.nanmin(shown))


def test_periods_keep_their_draws_when_a_week_is_added():
    product, bought, _, shown = a_log(np.random.default_rng(12))
    rows, is_old = periods_of(product, bought, shown), np.arange(len(shown)) % 60 < 59

    before = shown[is_old][cut_donors(rows.filter(is_old))[0]]
    after = shown[cut_donors(rows)[0]][is_old]

    hidden = np.isnan(shown[is_old])
    assert (before[hidden] == after[hidden]).mean() > 0.98


def test_a_share_of_own_cuts_that_moves_changes_hardly_any_draw():
    """Both kinds of cuts end at the regular price where they meet; only places next to the deepest draw anew."""
    rng = np.random.default_rng(12)
    product, bought, _, shown = a_log(rng, share=rng.uniform(0, 0.5, (1000, 1)))
    cuts, places = seen_alone(product, bought, shown), np.linspace(0, 1, 1000, endpoint=False)
    pools = pools_of(cuts)
    other = replace(pools, own_share=pools.own_share + 0.05)

    both = np.abs(pools.own_share - 0.5).argmin()
    before, after = (
        shown[~np.isnan(shown)][each.draw(np.full(1000, both), *np.zeros((2, 1000)), places[None])[0]]
        for each in (pools, other)
    )

    is_own = places < pools.own_share[both]
    assert 0.1 < is_own.mean() < 0.9
    cut = (before[is_own] < 0).mean() + (before[~is_own] < 0).mean()
    assert (before != after).mean() == pytest.approx(0.05 * cut, abs=0.005)


def test_a_price_that_was_given_away_changes_little():
    product, bought, cut, shown = a_log(np.random.default_rng(9))
    shown[np.flatnonzero(~np.isnan(shown))[10]] = np.log(0.001)
    hidden = np.isnan(shown)

    found = completed(product, bought, shown)

    assert found[hidden].mean() == pytest.approx(cut[hidden].mean(), rel=0.3)
    assert len(np.unique(donors(product, bought, shown)[0][hidden])) > 1000


def test_response_to_prices_is_the_true_one_only_with_drawn_cuts():
    product, bought, cut, shown = a_log(np.random.default_rng(4))
    hidden = np.isnan(shown)
    of_mean = np.where(hidden, np.nanmean(shown), shown)

    assert poisson_slope(product, bought, cut) == pytest.approx(SLOPE, abs=0.1)
    assert poisson_slope(product, bought, completed(product, bought, shown)) == pytest.approx(SLOPE, abs=0.2)
    assert poisson_slope(product, bought, np.where(hidden, 0.0, shown)) < SLOPE - 0.4
    assert poisson_slope(product, bought, of_mean) > SLOPE + 0.4


def observed_information(bought, shown, share, level, step=1e-3):
    """The information on the slope in what a log shows of a product, level partialled out, by finite differences."""

    def log_likelihood(move):
        at, slope = level + move[0], SLOPE + move[1]
        usual, cheap = (poisson.logpmf(bought, np.exp(at + slope * cut)) for cut in (0.0, DEPTH))
        mixed = np.logaddexp(np.log(1 - share) + usual, np.log(share) + cheap)
        return np.where(np.isnan(shown), mixed, np.where(shown == 0, usual, cheap)).sum()

    steps = step * np.eye(2)
    hessian = [
        [
            sum(a * b * log_likelihood(a * one + b * other) for a in (1, -1) for b in (1, -1)) / (4 * step**2)
            for other in steps
        ]
        for one in steps
    ]
    return -(hessian[1][1] - hessian[0][1] ** 2 / hessian[0][0])


@pytest.mark.parametrize(("rate", "least"), [(0.4, 1), (0.4, 2), (1.5, 2)])
def test_real_information_is_that_of_what_the_log_shows(known_frequency, rate, least):
    """Of one product with so many periods that evenly spread draws add hardly any noise."""
    product, bought, _, shown = a_log(np.random.default_rng(7), rate=np.array([rate]), periods=40_000, least=least)
    donor, found = donors(product, bought, shown)
    cut = shown[donor]
    expected = rate * np.exp(SLOPE * cut)
    complete = expected @ (cut - expected @ cut / expected.sum()) ** 2
    observed = observed_information(bought, shown, 0.15, np.log(rate))

    assert observed < 0.9 * complete
    assert (found == found[0]).all()
    assert found[0] == pytest.approx(observed / complete, rel=0.15)


@pytest.mark.parametrize(("periods", "share"), [(10, 0.8), (80, 0.07)])
def test_real_information_counts_what_is_missing_and_the_noise_that_even_places_leave(known_frequency, periods, share):
    """Both by 40 draws for alike products; share: of the noise of independent draws, less where periods are many."""
    product, bought, _, shown = a_log(np.random.default_rng(15), rate=np.full(300, 0.6), periods=periods)
    cuts = seen_alone(product, bought, shown)
    drawn = [cut_donors(periods_of(product, bought, shown, shop)) for shop in range(40)]
    cut = np.array([shown[donor] for donor, _ in drawn])
    rate = np.exp(cuts.level[product] + cuts.slopes[product] * cut)
    centre = (np.bincount(product, rate[0] * cut[0]) / np.bincount(product, rate[0]))[product]
    scores = (cut - centre) * (bought - rate) * np.isnan(shown)
    totals = [np.bincount(product, each) for each in rate * (cut - centre) ** 2]
    total = np.mean(totals, axis=0)
    missing = np.bincount(product, scores.var(0, ddof=1))
    noise = np.var([np.bincount(product, score) for score in scores], axis=0, ddof=1)
    counts = (missing < 0.8 * total) & (total > 0.1)

    expected = total[counts] / (total / (total - missing) + noise / total)[counts]

    assert counts.sum() > 100
    assert noise.sum() / missing.sum() == pytest.approx(share, abs=0.05)
    found = np.mean([share_of[::periods] * each for (_, share_of), each in zip(drawn, totals, strict=True)], axis=0)
    assert found[counts].mean() == pytest.approx(expected.mean(), rel=0.03)


@pytest.mark.parametrize(("spread", "products"), [(0.35, 12), (0.35, 30), (0.0, 12)])
def test_slopes_of_categories_miss_the_truth_as_their_real_information_says(spread, products):
    """Over categories whose cuts are more or less frequent; where all are alike, the draws at the common slope help."""
    errors, variances, categories = [], [], 30
    for seed in range(4):
        rng = np.random.default_rng(seed)
        share = np.repeat(0.15 * np.exp(spread * rng.normal(size=categories)), products)[:, None]
        product, bought, _, shown = a_log(rng, share=share, rate=np.full(categories * products, 0.6))
        category = product // products
        rows = periods_of(product, bought, shown).with_columns(category_id=pl.Series(category))
        donor, information = cut_donors(rows)
        cut, shape = shown[donor], (categories, products * 60)
        for some, sold, real in zip(*(each.reshape(shape) for each in (cut, bought, information)), strict=True):
            errors.append(poisson_slope(np.repeat(np.arange(products), 60), sold, some) - SLOPE)
            rate = np.exp(SLOPE * some) * sold.mean() / np.exp(SLOPE * some).mean()
            variances.append(1 / (real * rate @ (some - rate @ some / rate.sum()) ** 2))

    inside = np.abs(errors) < 1.645 * np.sqrt(variances)
    assert 0.85 < inside.mean() < (0.97 if spread else 1.01)


def test_evenly_spread_draws_add_less_noise_than_independent_ones():
    """To the slope in products with few periods, of which four are in a category; other identifiers draw anew."""
    rng = np.random.default_rng(13)
    product, bought, _, shown = a_log(rng, rate=np.full(40, 0.6), periods=40)
    cuts, hidden, seen = seen_alone(product, bought, shown), np.isnan(shown), shown[~np.isnan(shown)]
    even, independent = [], []
    for number in range(12):
        donor, _ = cut_donors(periods_of(product, bought, shown, number))
        even.append(poisson_slope(product, bought, shown[donor]))
        drawn = np.where(hidden, 0.0, shown)
        drawn[hidden] = seen[
            pools_of(cuts).draw(product[hidden], bought[hidden], np.zeros(hidden.sum()), rng.random((1, hidden.sum())))[
                0
            ]
        ]
        independent.append(poisson_slope(product, bought, drawn))

    assert np.mean(even) == pytest.approx(np.mean(independent), abs=0.1)
    assert np.std(even) < 0.7 * np.std(independent)


def test_products_that_are_seen_rarely_draw_from_all_where_cuts_are_alike():
    product, bought, cut, shown = a_log(np.random.default_rng(5))
    rare = np.bincount(product, ~np.isnan(shown)) < 5

    share = pools_of(seen_alone(product, bought, shown)).own_share

    assert share[rare].max() < 0.3
    assert completed(product, bought, shown)[rare[product]].mean() == pytest.approx(cut[rare[product]].mean(), rel=0.3)


def test_a_product_with_a_lasting_cut_draws_its_own():
    rng = np.random.default_rng(6)
    product, cut = np.repeat(np.arange(1000), 60), np.repeat(np.where(np.arange(1000) % 2 == 0, DEPTH, 0.0), 60)
    bought = rng.poisson(np.exp(rng.normal(-0.5, 0.8, 1000))[product] * np.exp(SLOPE * cut)).astype(float)
    shown = np.where(bought >= 2, cut, np.nan)

    found = completed(product, bought, shown)

    often = np.bincount(product, bought >= 2)[product] > 20
    assert (found[often] == cut[often]).mean() > 0.95


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(1, 8), st.floats(0, 1))
def test_every_period_has_a_cut_that_shows(seed, products, periods, share):
    rng = np.random.default_rng(seed)
    product = np.repeat(np.arange(products), periods)
    bought = rng.poisson(rng.choice([0.01, 1, 30, 1e4]), len(product)).astype(float)
    cut = np.where(rng.random(len(product)) < share, rng.normal(-0.1, 0.2, len(product)), np.nan)

    donor, information = donors(product, bought, cut)

    is_seen = ~np.isnan(cut)
    np.testing.assert_array_equal(donor[is_seen], np.flatnonzero(is_seen))
    assert not is_seen.any() or not np.isnan(cut[donor]).any()
    np.testing.assert_array_equal(donor, donors(product, bought, cut)[0])
    assert information.shape == bought.shape
    assert ((information > 0) & (information <= 1)).all()
