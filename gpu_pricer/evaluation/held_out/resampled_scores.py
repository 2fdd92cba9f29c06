"""The sums over offers, the AUC and the calibration error of every resample, in two passes over the sorted offers.

Millions of offers times hundreds of resamples make arrays of weights too large to write: here a weight is a product of
three numbers, made where it is used. A pass serves LANES resamples, because reading the offers takes longest.
"""

from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np

import kernels  # noqa: F401  numba keeps the processor's features of the first function, which are for kernels to choose
from gpu_pricer.evaluation.metrics import BINS

LANES = 8
WEIGHT, LOSS, PREDICTED, BOUGHT, AUC, ECE = range(6)


def resampled_scores(
    bought: np.ndarray,
    probability: np.ndarray,
    weight: np.ndarray,
    user: np.ndarray,
    cell: np.ndarray,
    times_user: np.ndarray,
    times_cell: np.ndarray,
) -> np.ndarray:
    """Return float64 scores [B, 6] of B resamples: see WEIGHT, LOSS, PREDICTED, BOUGHT, AUC and ECE.

    bought, probability, weight: float64 [N], sorted by rising probability; user, cell: int64 [N], positions in
    times_user [B, U] and times_cell [B, C], which say how often each counts. The first four are sums of weights, of
    log losses, of predicted and of bought offers. AUC is NaN where all outcomes are equal, ECE where no offer counts.
    """
    offers = bought, probability, weight, user, cell

    def of_lanes(first: int) -> np.ndarray:
        scores = np.zeros((6, LANES))
        of_user, of_cell = (_in_lanes(times[first : first + LANES]) for times in (times_user, times_cell))
        _add_sums(*offers, of_user, of_cell, scores)
        _fill_ranked(*offers, of_user, of_cell, scores)
        return scores.T[: len(times_user) - first]

    with ThreadPoolExecutor(numba.get_num_threads()) as pool:  # loops that numba spreads take longer to compile
        return np.concatenate([*pool.map(of_lanes, range(0, len(times_user), LANES))])


def _in_lanes(times: np.ndarray) -> np.ndarray:
    """Return [n, LANES]: of at most LANES resamples [B, n], side by side, 0 where there is none."""
    beside = np.zeros((times.shape[1], LANES))
    beside[:, : len(times)] = times.T
    return beside


@numba.njit(nogil=True, cache=True)
def _add_sums(bought, probability, weight, user, cell, of_user, of_cell, scores):  # type: ignore[no-untyped-def]
    """Add the first four scores [6, LANES], where users count of_user [U, LANES] and cells of_cell [C, LANES] times."""
    for i in range(len(weight)):
        loss = -np.log(probability[i] if bought[i] else 1 - probability[i])
        for b in range(LANES):
            drawn = weight[i] * of_user[user[i], b] * of_cell[cell[i], b]
            scores[WEIGHT, b] += drawn
            scores[LOSS, b] += drawn * loss if drawn > 0 else 0.0
            scores[PREDICTED, b] += drawn * probability[i]
            scores[BOUGHT, b] += drawn * bought[i]


@numba.njit(nogil=True, cache=True)
def _fill_ranked(bought, probability, weight, user, cell, of_user, of_cell, scores):  # type: ignore[no-untyped-def]
    """Fill AUC, the chance that a bought offer has a higher probability than another one, ties counting half, and ECE.

    ECE is the mean of |bought − predicted| over BINS bins of equal weight: see metrics.calibration_error.
    """
    below, tied_bought, tied_other, pairs, passed = np.zeros((5, LANES))
    gap = np.zeros((BINS, LANES))
    for i in range(len(weight)):
        if i > 0 and probability[i] != probability[i - 1]:
            for b in range(LANES):
                pairs[b] += tied_bought[b] * (below[b] + tied_other[b] / 2)
                below[b] += tied_other[b]
                tied_bought[b], tied_other[b] = 0.0, 0.0
        for b in range(LANES):
            drawn = weight[i] * of_user[user[i], b] * of_cell[cell[i], b]
            tied_bought[b] += drawn * bought[i]
            tied_other[b] += drawn * (1 - bought[i])
            if drawn > 0:
                rank = int(BINS * (passed[b] + drawn / 2) / scores[WEIGHT, b])
                gap[min(rank, BINS - 1), b] += drawn * (bought[i] - probability[i])
                passed[b] += drawn
    for b in range(LANES):
        pairs[b] += tied_bought[b] * (below[b] + tied_other[b] / 2)
        weighed, all_bought = scores[WEIGHT, b], scores[BOUGHT, b]
        all_pairs = all_bought * (weighed - all_bought)
        scores[AUC, b] = pairs[b] / all_pairs if all_pairs > 0 else np.nan
        scores[ECE, b] = np.abs(gap[:, b]).sum() / weighed if weighed > 0 else np.nan
