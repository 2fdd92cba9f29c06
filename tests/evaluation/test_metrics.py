"""Scores against brute force and scikit-learn."""

import numpy as np
import pytest

from gpu_pricer.evaluation.metrics import calibration_error, evaluate_choices, poisson_deviance


@pytest.fixture
def offers():
    rng = np.random.default_rng(0)
    probabilities = rng.uniform(0.01, 0.6, 400)
    return rng.random(400) < probabilities, probabilities, rng.uniform(0.5, 3.0, 400)


def test_scores_equal_brute_force(offers):
    bought, probability, weight = offers

    found = evaluate_choices(bought, probability, weight)

    loss = -np.where(bought, np.log(probability), np.log(1 - probability))
    pairs = [
        (weight[i] * weight[j], (probability[i] > probability[j]) + 0.5 * (probability[i] == probability[j]))
        for i in np.flatnonzero(bought)
        for j in np.flatnonzero(~bought)
    ]
    assert found["rows"] == 400
    assert found["log_loss"] == pytest.approx(np.average(loss, weights=weight))
    assert found["auc"] == pytest.approx(sum(w * x for w, x in pairs) / sum(w for w, _ in pairs))


def test_calibration_error_of_equal_weights_is_that_of_equal_count_bins(offers):
    bought, probability, _ = offers

    found = calibration_error(bought, probability, np.ones(400))

    order = np.argsort(probability)
    bins = [order[20 * k : 20 * (k + 1)] for k in range(20)]
    expected = np.mean([abs(bought[b].mean() - probability[b].mean()) for b in bins])
    assert found == pytest.approx(expected)


def test_a_weight_of_two_counts_as_the_row_twice(offers):
    bought, probability, _ = offers

    once = evaluate_choices(bought, probability, np.full(400, 2.0))
    twice = evaluate_choices(np.repeat(bought, 2), np.repeat(probability, 2), np.ones(800))

    for name in ("log_loss", "auc", "ece"):
        assert once[name] == pytest.approx(twice[name])


def test_poisson_deviance_is_its_formula_with_zeros_kept():
    count, mean = np.array([0.0, 1.0, 4.0]), np.array([0.5, 1.0, 2.0])

    expected = 2 * np.mean([0.5, 0.0, 4 * np.log(2) - 2])
    assert poisson_deviance(count, mean) == pytest.approx(expected)


def test_deviance_of_nothing_is_not_a_number():
    assert np.isnan(poisson_deviance(np.array([]), np.array([])))


def test_auc_is_not_a_number_where_nothing_was_bought():
    found = evaluate_choices(np.zeros(3, bool), np.full(3, 0.1), np.ones(3))

    assert np.isnan(found["auc"])
    assert found["log_loss"] == pytest.approx(-np.log(0.9))


def test_unequal_lengths_are_refused():
    with pytest.raises(ValueError, match=r"equally long and not empty, found \[3, 2, 3\]"):
        evaluate_choices(np.zeros(3, bool), np.full(2, 0.1), np.ones(3))
