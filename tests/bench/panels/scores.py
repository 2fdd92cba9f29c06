"""Scores of predicted choices in a panel's test, and the interval of a difference between two models."""

import numpy as np

from gpu_pricer.evaluation.metrics import calibration_error
from tests.bench.panels.panel import TEST, Panel

REPLICATES, LEVEL, SEED = 1000, 0.90, 0


def scores(panel: Panel, probability: np.ndarray) -> dict[str, object]:
    """Return the scores of the probabilities [T, J] of the T test choices.

    log_loss: per choice. ece: calibration error of the T · J offers. predicted_over_actual: by product; the sum over
    all products is 1, because every choice chooses one.
    """
    chosen = panel.chosen[panel.stage == TEST]
    bought = np.eye(len(panel.products))[chosen]
    ratio = probability.sum(axis=0) / bought.sum(axis=0)
    return {
        "log_loss": float(losses(panel, probability).mean()),
        "ece": calibration_error(bought.ravel(), probability.ravel(), np.ones(bought.size)),
        "predicted_over_actual": dict(zip(panel.products, ratio.tolist(), strict=True)),
    }


def losses(panel: Panel, probability: np.ndarray) -> np.ndarray:
    """Return the log loss of every test choice, [T], for the probabilities [T, J]."""
    chosen = panel.chosen[panel.stage == TEST]
    return -np.log(probability[np.arange(len(chosen)), chosen])


def difference_interval(panel: Panel, difference: np.ndarray) -> list[float]:
    """Return the central interval [low, high] of the mean of a difference [T] between two models' losses.

    Households are resampled (Efron & Tibshirani 1993, chapter 8); where households share periods, periods too, each
    choice weighing the product of both numbers of draws (Owen 2007).
    """
    test, rng = panel.stage == TEST, np.random.default_rng(SEED)
    clusters = [panel.user[test]]
    if len(np.unique(panel.period)) < len(panel.period):
        clusters.append(panel.period[test])
    weight = np.ones((REPLICATES, len(difference)))
    for cluster in clusters:
        _, number = np.unique(cluster, return_inverse=True)
        count = number.max() + 1
        weight *= rng.multinomial(count, np.full(count, 1 / count), size=REPLICATES)[:, number]
    means = weight @ difference / weight.sum(axis=1)
    return np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]).tolist()
