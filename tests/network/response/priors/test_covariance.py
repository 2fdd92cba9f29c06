"""Covariances of segments' coefficients, learned from coefficients that are known, or known up to noise."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_pricer.network.response.model import Layout
from gpu_pricer.network.response.priors.autoregression import RELAXED
from gpu_pricer.network.response.priors.covariance import (
    MOST_CORRELATED,
    MOST_SPREAD,
    CompoundSymmetry,
    CovarianceMoments,
)
from gpu_pricer.network.response.priors.widths import start_widths
from tests.network.response.drawn import a_covariance

few = settings(max_examples=50, deadline=None)
layouts = st.builds(Layout, segments=st.integers(1, 4), contexts=st.integers(1, 3))


def drawn(seed, layout, count):
    """Random coefficients of `count` products, [count, D]."""
    return torch.from_numpy(np.random.default_rng(seed).normal(0, 0.5, (count, layout.width)))


def with_moments(covariance, count, seed=0):
    """Coefficients [count, D] whose second moments are the covariance."""
    values = np.random.default_rng(seed).normal(size=(count, len(covariance)))
    root = np.linalg.cholesky(values.T @ values / count)
    return torch.from_numpy(values @ np.linalg.inv(root).T @ np.linalg.cholesky(covariance.numpy()).T)


def learned(coefficients, before, layout):
    """The covariance that coefficients teach of which the log leaves nothing open."""
    moments = CovarianceMoments.none(before, layout)
    moments.add_means(coefficients)
    moments.add_left(torch.zeros(len(coefficients), layout.width, layout.width, dtype=torch.float64))
    return moments.learned()


def learned_from_noisy(seen, noise, before, layout):
    """The covariance that coefficients teach that are seen [n, D] with noise of variance [D]."""
    moments = CovarianceMoments.none(before, layout)
    gain = before @ torch.linalg.inv(before + torch.diag(noise))
    moments.add_means(seen @ gain.T)
    moments.add_left((before - gain @ before).expand(len(seen), -1, -1))
    return moments.learned()


def spread_apart(covariance, layout):
    """The standard deviation of the segments' differences in log sensitivity."""
    both = slice(0, 2 * layout.segments)
    return float(CompoundSymmetry.of(covariance[both, both]).apart[1, 1]) ** 0.5


def some_covariance(layout, seed=0):
    """A covariance whose effects are independent of all else."""
    values = drawn(seed, layout, 20)
    covariance = values.T @ values / 20
    covariance[layout.effect] = covariance[:, layout.effect] = 0.0
    covariance[layout.effect, layout.effect] = 0.3 * torch.eye(layout.contexts, dtype=torch.float64)
    return covariance


@few
@given(st.integers(0, 1000), layouts, st.integers(1, 30))
def test_learned_covariance_is_positive_definite(seed, layout, count):
    before = start_widths(layout).product

    for _ in range(3):
        before = learned(drawn(seed, layout, count), before, layout)

        assert torch.equal(before, before.T)
        assert torch.linalg.eigvalsh(before)[0] > 0


@few
@given(st.integers(0, 1000), layouts, st.integers(1, 30))
def test_effects_of_context_are_independent_of_each_other_and_of_the_rest(seed, layout, count):
    found = learned(drawn(seed, layout, count), start_widths(layout).product, layout)

    effects = found[layout.effect]
    assert torch.equal(effects[:, layout.effect], torch.diag(found.diagonal()[layout.effect]))
    assert not effects[:, : layout.effect.start].any()


@few
@given(st.integers(0, 1000), layouts)
def test_compound_symmetry_keeps_what_segments_share_and_how_they_differ(seed, layout):
    both = 2 * layout.segments
    matrix = some_covariance(layout, seed)[:both, :both]

    root = CompoundSymmetry.of(matrix).root()

    found, shared = root @ root.T, np.kron(np.eye(2), np.ones((layout.segments, 1)))
    np.testing.assert_allclose(shared.T @ found.numpy() @ shared, shared.T @ matrix.numpy() @ shared, atol=1e-10)
    for rows, columns in ((0, 0), (0, 1), (1, 1)):
        blocks = [m.view(2, layout.segments, 2, layout.segments)[rows, :, columns] for m in (found, matrix)]
        np.testing.assert_allclose(blocks[0].trace(), blocks[1].trace(), atol=1e-10)
        assert float(blocks[0].diagonal().std(correction=0)) < 1e-10


def test_many_products_teach_their_own_covariance():
    layout = Layout(3, 1)
    expected = some_covariance(layout)
    coefficients, found = with_moments(expected, 20_000), start_widths(layout).product

    for _ in range(60):
        found = learned(coefficients, found, layout)

    np.testing.assert_allclose(found, expected, atol=2e-3)


def test_one_product_teaches_one_variance_for_all_segments():
    layout = Layout(3, 1)

    coefficients, found = drawn(0, layout, 1), start_widths(layout).product

    for _ in range(20):
        found = learned(coefficients, found, layout)

    both = found[:6, :6]
    root = CompoundSymmetry.of(both).root()
    np.testing.assert_allclose(both, root @ root.T, atol=1e-9)


@few
@given(st.integers(0, 1000), st.integers(1, 4), st.floats(0, 1))
def test_log_has_settled_the_share_of_the_prior_that_it_leaves_not_open(seed, segments, share):
    layout, rng = Layout(segments, 2), np.random.default_rng(seed)
    alike = CompoundSymmetry(a_covariance(rng, 2, 0.5), a_covariance(rng, 2, 0.1), segments).root()
    before = torch.block_diag(alike @ alike.T, torch.eye(2, dtype=torch.float64))
    moments = CovarianceMoments.none(before, layout)

    moments.add_left((1 - share) * before.expand(5, -1, -1))

    np.testing.assert_allclose(moments.told_common, np.full(2, 5 * share**2), atol=1e-9)
    np.testing.assert_allclose(moments.told_apart, np.full(2, 5 * (segments - 1) * share**2), atol=1e-9)
    np.testing.assert_allclose(moments.told_effect, np.full(2, 5 * share**2), atol=1e-9)


def test_segments_that_are_alike_are_not_told_apart_by_noise():
    """The differences of 36 segments, which are none, are seen with much noise for 140 products."""
    layout = Layout(36, 1)
    rng = np.random.default_rng(0)
    noise = torch.cat([torch.full((36,), 0.1), torch.full((36,), 1.0), torch.tensor([0.01])]).double()
    alike = np.concatenate([np.repeat(rng.normal(0, [1.0, 0.5], (140, 2)), 36, axis=1), np.zeros((140, 1))], axis=1)
    seen, found = torch.from_numpy(alike + rng.normal(size=alike.shape) * np.sqrt(noise.numpy())), None

    for _ in range(40):
        found = learned_from_noisy(seen, noise, start_widths(layout).product if found is None else found, layout)

    gain = found @ torch.linalg.inv(found + torch.diag(noise))
    beta = (seen @ gain.T)[:, layout.log_sensitivity]
    assert float((beta - beta.mean(1, keepdim=True)).square().mean().sqrt()) < 0.03
    assert spread_apart(found, layout) < 0.15
    assert float(beta.mean(1).std()) == pytest.approx(0.5, rel=0.15)


@pytest.mark.parametrize("noise", [0.3, 1.0])
def test_differences_of_segments_are_learned_where_the_log_tells_little_of_them(noise):
    """Twelve steps are enough, since they are divided by the share that the log tells of the differences."""
    layout, rng, truth = Layout(12, 1), np.random.default_rng(1), 0.3
    of_noise = torch.cat([torch.full((12,), 0.1), torch.full((12,), noise), torch.tensor([0.01])]).double()
    values = rng.normal(size=(1500, 25)) * np.repeat([0.6, truth, 0.1], [12, 12, 1])
    values[:, 12:24] += rng.normal(0, 0.5, (1500, 1))
    seen = torch.from_numpy(values + rng.normal(size=values.shape) * of_noise.sqrt().numpy())
    found = start_widths(layout).product

    for _ in range(12):
        found = learned_from_noisy(seen, of_noise, found, layout)

    assert spread_apart(found, layout) == pytest.approx(truth, rel=0.1)


@pytest.fixture(scope="module")
def correlated():
    """Differences of 12 segments in 2,000 products [2000, 25]: their correlation is −.6, their spreads .6 and .3."""
    rng, together = np.random.default_rng(1), -0.6 * 0.6 * 0.3
    apart = rng.multivariate_normal([0, 0], [[0.36, together], [together, 0.09]], (2000, 12))
    return np.concatenate([apart[..., 0], apart[..., 1], rng.normal(0, 0.1, (2000, 1))], axis=1)


def apart_after(steps, values, noise):
    """The covariances [2, 2] of differences after each step; log sensitivities are seen with noise of this variance."""
    of_noise = torch.cat([torch.full((12,), 0.1), torch.full((12,), noise), torch.tensor([0.01])]).double()
    seen = torch.from_numpy(values + np.random.default_rng(2).normal(size=values.shape) * of_noise.sqrt().numpy())
    found, after, layout = None, [], Layout(12, 1)
    for _ in range(steps):
        found = learned_from_noisy(seen, of_noise, start_widths(layout).product if found is None else found, layout)
        after.append(CompoundSymmetry.of(found[:24, :24]).apart)
    return after


def test_correlation_is_learned_where_the_log_tells_a_quarter_of_the_differences(correlated):
    apart = apart_after(12, correlated, noise=0.3)[-1]

    assert float(apart[0, 1] / (apart[0, 0] * apart[1, 1]).sqrt()) == pytest.approx(-0.6, abs=0.08)


def test_widths_and_correlation_of_which_the_log_tells_a_tenth_do_not_swing(correlated):
    """With steps of the correlation as long as those of widths, widths went up and down by a third for ever."""
    spread = torch.stack([apart[1, 1].sqrt() for apart in apart_after(30, correlated, noise=0.8)])

    assert float(spread[15:].log().diff().abs().max()) < 0.03
    assert float(spread[-1]) == pytest.approx(0.3, rel=0.2)


def test_correlation_stays_off_plus_and_minus_1():
    layout = Layout(2, 1)
    alike = torch.diag(torch.tensor([0.5, 0.5, 0.2, 0.2, 0.1], dtype=torch.float64))
    alike[[0, 1, 2, 3], [2, 3, 0, 1]] = 0.9999 * (0.5 * 0.2) ** 0.5
    coefficients, found = with_moments(alike, 10_000), alike

    for _ in range(3):
        found = learned(coefficients, found, layout)

    assert float(found[0, 2] / (found[0, 0] * found[2, 2]).sqrt()) == pytest.approx(MOST_CORRELATED, abs=1e-3)


@few
@given(st.integers(0, 1000), st.floats(0, 1), st.floats(0, 1))
def test_no_step_is_lengthened_more_than_what_is_told_at_least_allows(seed, of_appeals, of_sensitivities):
    """With all told, a step takes the share RELAXED of that of EM; from moments that tell nothing it is longest."""
    layout = Layout(1, 1)
    before, seen = start_widths(layout).product, drawn(seed, layout, 30)
    moments = CovarianceMoments.none(before, layout)
    moments.add(0.001 * seen, before.expand(30, -1, -1))  # nothing is settled
    least = torch.tensor([of_appeals, of_sensitivities], dtype=torch.float64)

    found = moments.told_at_least(least).learned().diagonal()

    em = (moments.second.diagonal() + before.diagonal()) / 31
    told = torch.tensor([of_appeals, of_sensitivities, max(of_appeals, of_sensitivities)], dtype=torch.float64)
    expected = before.diagonal() * (em / before.diagonal()) ** (RELAXED * 31 / (1 + 30 * told))
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_what_half_of_the_segments_do_alike_is_a_departure_that_counts():
    """Two groups of segments that answer prices unlike are found: within a group correlations are higher."""
    layout, rng = Layout(8, 1), np.random.default_rng(2)
    group = np.repeat([1.0, -1.0], 4)
    values = np.zeros((200, 17))
    values[:, :8] = rng.normal(size=(200, 8))
    values[:, 8:16] = rng.normal(0, 0.4, (200, 1)) * group + rng.normal(0, 0.1, (200, 8))
    noise = torch.full((17,), 0.05, dtype=torch.float64)
    seen = torch.from_numpy(values + rng.normal(size=values.shape) * noise.sqrt().numpy())
    found = start_widths(layout).product

    for _ in range(40):
        found = learned_from_noisy(seen, noise, found, layout)

    spread = found.diagonal()[8:16].sqrt()
    correlation = found[8:16, 8:16] / (spread[:, None] * spread)
    assert float(correlation[:4, :4].mean()) > 0.7
    assert float(correlation[:4, 4:].mean()) < -0.5


def test_no_variance_moves_further_in_a_pass_than_allowed():
    layout = Layout(2, 1)
    start = start_widths(layout).product
    coefficients = with_moments(start, 10_000)

    wider, narrower = (learned(by * coefficients, start, layout).diagonal() for by in (30.0, 1 / 30))

    np.testing.assert_allclose(wider[[0, 1, 4]], np.e * start.diagonal()[[0, 1, 4]], rtol=1e-4)
    np.testing.assert_allclose(narrower, start.diagonal() / np.e, rtol=1e-4)


def test_log_sensitivities_spread_no_further_than_allowed():
    """What they have to do with appeals stays: a correlation of one half."""
    layout = Layout(2, 1)
    wide = torch.diag(torch.tensor([9.0, 9.0, 9.0, 9.0, 9.0], dtype=torch.float64))
    wide[[0, 1, 2, 3], [2, 3, 0, 1]] = 4.5

    found = learned(with_moments(wide, 10_000), wide, layout)

    np.testing.assert_allclose(found.diagonal(), [9.0, 9.0, MOST_SPREAD**2, MOST_SPREAD**2, 9.0], rtol=1e-3)
    assert float(found[0, 2]) == pytest.approx(0.5 * 3.0 * MOST_SPREAD, rel=0.05)


@few
@given(st.integers(0, 1000), st.integers(2, 4), st.integers(1, 30))
def test_learning_goes_with_the_order_of_the_segments(seed, segments, count):
    layout = Layout(segments, 2)
    turned = np.random.default_rng(seed).permutation(segments)
    order = np.concatenate([turned, segments + turned, 2 * segments + np.arange(2)])
    coefficients, before = drawn(seed, layout, count), some_covariance(layout, seed)

    found = learned(coefficients[:, order], before[order][:, order], layout)

    expected = learned(coefficients, before, layout)[order][:, order]
    np.testing.assert_allclose(found, expected, atol=1e-10)


def test_widths_that_the_moments_confirm_stay():
    """EM rests where a pass teaches what was believed, however long the steps that led there."""
    layout = Layout(2, 1)
    coefficients, covariance = drawn(3, layout, 12), start_widths(layout).product

    for _ in range(200):
        covariance = learned(coefficients, covariance, layout)

    np.testing.assert_allclose(learned(coefficients, covariance, layout), covariance, atol=1e-12)


@pytest.mark.parametrize("share", [0.05, 0.3, 0.9])
def test_a_dozen_steps_learn_what_products_tell_little_of(share):
    """Of 2,000 effects each is seen with so much noise that it settles about this share of its variance."""
    layout, count, truth = Layout(1, 1), 2000, 0.2**2
    variance = truth * (1 / share - 1)
    seen = drawn(0, layout, count)
    seen[:, -1] = torch.from_numpy(np.random.default_rng(0).normal(0, np.sqrt(truth + variance), count))
    noise = torch.tensor([0.1, 0.1, variance], dtype=torch.float64)
    covariance, after = start_widths(layout).product, []

    for _ in range(200):
        covariance = learned_from_noisy(seen, noise, covariance, layout)
        after.append(float(covariance[-1, -1]))

    assert after[11] == pytest.approx(after[-1], rel=0.02)
    assert after[-1] == pytest.approx(truth, rel=0.2)
