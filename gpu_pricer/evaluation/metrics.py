"""Scores of predicted purchases: log loss, AUC, calibration error and Poisson deviance."""

from collections.abc import Mapping

import numpy as np
import polars as pl
from sklearn.metrics import log_loss, mean_poisson_deviance, roc_auc_score

BINS = 20
SMALLEST_MEAN = 1e-9  # a predicted mean of 0 buyers would make the deviance infinite


def evaluate_choices(outcomes: np.ndarray, probabilities: np.ndarray, weights: np.ndarray) -> dict[str, float]:
    """Return rows, log_loss, auc and ece of N offers.

    outcomes [N]: whether each was bought; probabilities [N]: as predicted; weights [N]: how many offers each stands
    for. auc is NaN where all outcomes are equal. Raises ValueError without offers or for lengths that differ.
    """
    if not len(outcomes) or not len(outcomes) == len(probabilities) == len(weights):
        lengths = [len(outcomes), len(probabilities), len(weights)]
        raise ValueError(f"outcomes, probabilities and weights must be equally long and not empty, found {lengths}")
    both = bool(np.any(outcomes)) and not np.all(outcomes)
    return {
        "rows": len(outcomes),
        "log_loss": float(log_loss(outcomes, probabilities, sample_weight=weights, labels=[False, True])),
        "auc": float(roc_auc_score(outcomes, probabilities, sample_weight=weights)) if both else float("nan"),
        "ece": calibration_error(outcomes, probabilities, weights),
    }


def calibration_error(outcomes: np.ndarray, probabilities: np.ndarray, weights: np.ndarray) -> float:
    """Return the expected calibration error: mean |bought − predicted| over 20 bins of equal weight.

    outcomes, probabilities, weights: [N], as in evaluate_choices.
    """
    _, bought, predicted = calibration_bins(outcomes, probabilities, weights)
    return float(np.abs(bought - predicted).sum() / weights.sum(dtype=np.float64))


def calibration_bins(
    outcomes: np.ndarray, probabilities: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the summed weights [20] of offers, of bought offers and of predicted purchases in bins of equal weight.

    outcomes, probabilities, weights: [N], as in evaluate_choices. The bins are in the order of rising probability.
    """
    order = pl.Series(probabilities).arg_sort().to_numpy()  # on all cores
    weight = weights[order].astype(np.float64)
    middle = np.cumsum(weight) - weight / 2
    bin_ = np.minimum((BINS * middle / weight.sum()).astype(np.int64), BINS - 1)
    sums = weight, weight * outcomes[order], weight * probabilities[order].astype(np.float64)
    offers, bought, predicted = (np.bincount(bin_, weights=value, minlength=BINS) for value in sums)
    return offers, bought, predicted


def calibration_table(
    outcomes: np.ndarray, probabilities: Mapping[str, np.ndarray], weights: np.ndarray
) -> pl.DataFrame:
    """Return model, offers, bought and predicted: the calibration bins of each model, see calibration_bins.

    outcomes, weights: [N]. probabilities: [N] by model.
    """
    names = "offers", "bought", "predicted"
    return pl.concat(
        pl.DataFrame(dict(zip(names, calibration_bins(outcomes, found, weights), strict=True))).select(
            pl.lit(model).alias("model"), pl.all()
        )
        for model, found in probabilities.items()
    )


def poisson_deviance(counts: np.ndarray, means: np.ndarray) -> float:
    """Return 2·mean(y ln(y/μ) − (y − μ)) of counts y and means μ, both [N]; NaN for N = 0."""
    if not len(counts):
        return float("nan")
    return float(mean_poisson_deviance(counts, np.maximum(means, SMALLEST_MEAN)))
