"""Scores of predicted purchases: log loss, AUC, calibration error and Poisson deviance."""

import numpy as np
from sklearn.metrics import log_loss, mean_poisson_deviance, roc_auc_score

BINS = 20
SMALLEST_MEAN = 1e-9  # a prediction of no buyer at all would make the deviance infinite


def evaluate_choices(outcomes: np.ndarray, probabilities: np.ndarray, weights: np.ndarray) -> dict[str, float]:
    """Scores of N offers: whether each was bought, with which probability, and how many offers it stands for.

    auc is NaN where only one outcome was seen. ValueError if there are no offers or the lengths differ.
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
        "predicted_over_actual": float(weights @ probabilities / max(weights @ outcomes, SMALLEST_MEAN)),
    }


def calibration_error(outcomes: np.ndarray, probabilities: np.ndarray, weights: np.ndarray) -> float:
    """Expected calibration error: mean |bought − predicted| over 20 bins of equal weight."""
    _, bought, predicted = calibration_bins(outcomes, probabilities, weights)
    return float(np.abs(bought - predicted).sum() / weights.sum(dtype=np.float64))


def calibration_bins(
    outcomes: np.ndarray, probabilities: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weight of all offers, of the bought ones and of the predicted ones, in 20 bins by rising probability."""
    order = np.argsort(probabilities, kind="stable")
    weight = weights[order].astype(np.float64)
    middle = np.cumsum(weight) - weight / 2
    bin_ = np.minimum((BINS * middle / weight.sum()).astype(np.int64), BINS - 1)
    sums = weight, weight * outcomes[order], weight * probabilities[order].astype(np.float64)
    offers, bought, predicted = (np.bincount(bin_, weights=value, minlength=BINS) for value in sums)
    return offers, bought, predicted


def poisson_deviance(counts: np.ndarray, means: np.ndarray) -> float:
    """2·mean(y ln(y/μ) − (y − μ)); NaN where there is nothing to compare."""
    if not len(counts):
        return float("nan")
    return float(mean_poisson_deviance(counts, np.maximum(means, SMALLEST_MEAN)))
