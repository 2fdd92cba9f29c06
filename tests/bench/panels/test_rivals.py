"""The rivals know what they may know, and estimate what was published."""

from dataclasses import replace

import numpy as np
import pytest

from tests.bench.panels.history import History, choice_number, loyalty, one_hot
from tests.bench.panels.loading import load_panel
from tests.bench.panels.logits import fit_logit, loyalty_logit, plain_logit
from tests.bench.panels.panel import TEST
from tests.bench.panels.scores import losses
from tests.bench.panels.trees import boosted_trees

YOGURT_LOG_LIKELIHOOD = -2656.8879  # Ecdat Yogurt; price, feature, brand constants (logitr vignette)
YOGURT_PRICE, YOGURT_FEATURE = -0.3666, 0.4914


@pytest.fixture(scope="module")
def yogurt():
    return load_panel("yogurt")


def test_no_choice_changes_what_is_known_of_itself_or_of_earlier_ones(yogurt):
    rows = np.flatnonzero(yogurt.stage == TEST)
    row = rows[np.argmax(choice_number(yogurt.user)[rows])]
    other = yogurt.chosen.copy()
    other[row] = (other[row] + 1) % len(yogurt.products)
    changed = replace(yogurt, chosen=other)

    before, after = History.of(yogurt), History.of(changed)

    is_later = (yogurt.user == yogurt.user[row]) & (np.arange(len(other)) > row)
    for name, values in vars(before).items():
        np.testing.assert_array_equal(values[~is_later], getattr(after, name)[~is_later], err_msg=name)
    np.testing.assert_array_equal(loyalty(yogurt, 0.8)[~is_later], loyalty(changed, 0.8)[~is_later])
    assert not np.array_equal(before.is_last, after.is_last) or not is_later.any()


def test_history_counts_what_a_household_chose_before(yogurt):
    history = History.of(yogurt)

    first, second = (np.flatnonzero(choice_number(yogurt.user) == number) for number in (0, 1))

    assert np.isnan(history.since[first]).all()
    assert (history.is_last[first] == 0).all()
    np.testing.assert_array_equal(history.is_last[second], one_hot(yogurt)[second - 1])
    np.testing.assert_allclose(np.exp(history.log_frequency).sum(axis=1), 1)


def test_loyalty_is_the_smoothed_share_of_earlier_choices(yogurt):
    smoothed = loyalty(yogurt, 0.8)

    second = np.flatnonzero(choice_number(yogurt.user) == 1)

    expected = 0.8 * smoothed[second - 1] + 0.2 * one_hot(yogurt)[second - 1]
    np.testing.assert_allclose(smoothed[second], expected)


def test_the_logit_finds_the_published_estimates_of_yogurt(yogurt):
    count, alternatives = yogurt.price.shape
    constants = np.broadcast_to(np.eye(alternatives)[:, 1:], (count, alternatives, 3))
    shown = np.stack([yogurt.price, yogurt.promotions["mailer"]], axis=2)

    fit = fit_logit(np.concatenate([shown, constants], axis=2), yogurt.chosen, np.ones(count, bool))

    assert -fit.loss * count == pytest.approx(YOGURT_LOG_LIKELIHOOD, abs=0.01)
    assert fit.coefficient[:2] == pytest.approx([YOGURT_PRICE, YOGURT_FEATURE], abs=5e-4)


def test_a_memory_of_the_household_is_worth_more_than_half_the_loss_on_yogurt(yogurt):
    pytest.importorskip("lightgbm")
    test = yogurt.stage == TEST

    trees, found = boosted_trees(yogurt)
    models = {"plain": plain_logit(yogurt), "loyalty": loyalty_logit(yogurt)[0], "trees": trees}

    loss = {name: losses(yogurt, probability[test]).mean() for name, probability in models.items()}
    assert loss["trees"] < loss["loyalty"] < loss["plain"] / 2
    assert found.rounds > 1
    np.testing.assert_allclose(trees.sum(axis=1), 1)
