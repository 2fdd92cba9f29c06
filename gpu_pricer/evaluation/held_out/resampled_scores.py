"""The sums over offers, the AUC and the calibration error of every resample, in two passes over the sorted offers.

Millions of offers times hundreds of resamples make arrays of weights too large to write: here a weight is a product of
three numbers, made where it is used.
"""

import numba
import numpy as np
from numba import prange

import kernels  # noqa: F401  numba keeps the processor's features of the first function, which are for kernels to choose
from gpu_pricer.evaluation.metrics import BINS

WEIGHT, LOSS, PREDICTED, BOUGHT, AUC, ECE = range(6)


@numba.njit(nogil=True, cache=True, parallel=True)
def resampled_scores(bought, probability, weight, user, cell, times_user, times_cell):  # type: ignore[no-untyped-def]
    """Return float64 scores [B, 6] of B resamples: see WEIGHT, LOSS, PREDICTED, BOUGHT, AUC and ECE.

    bought, probability, weight: float64 [N], sorted by rising probability; user, cell: int64 [N], positions in
    times_user [B, U] and times_cell [B, C], which say how often each counts. The first four are sums of weights, of
    log losses, of predicted and of bought offers. AUC is NaN where all outcomes are equal, ECE where no offer counts.
    """
    found = np.empty((len(times_user), 6))
    for b in prange(len(times_user)):
        _fill(bought, probability, weight, user, cell, times_user[b], times_cell[b], found[b])
    return found


@numba.njit(nogil=True, cache=True)
def _fill(bought, probability, weight, user, cell, of_user, of_cell, found):  # type: ignore[no-untyped-def]
    """Fill the scores [6] of one resample, in which users count of_user [U] times and cells of_cell [C] times."""
    found[:] = 0.0
    for i in range(len(weight)):
        drawn = weight[i] * of_user[user[i]] * of_cell[cell[i]]
        if drawn > 0:
            found[WEIGHT] += drawn
            found[LOSS] -= drawn * np.log(probability[i] if bought[i] else 1 - probability[i])
            found[PREDICTED] += drawn * probability[i]
            found[BOUGHT] += drawn * bought[i]
    _fill_ranked(bought, probability, weight, user, cell, of_user, of_cell, found)


@numba.njit(nogil=True, cache=True)
def _fill_ranked(bought, probability, weight, user, cell, of_user, of_cell, found):  # type: ignore[no-untyped-def]
    """Fill AUC, the chance that a bought offer has a higher probability than another one, ties counting half, and ECE.

    ECE is the mean of |bought − predicted| over BINS bins of equal weight: see metrics.calibration_error.
    """
    below, tied_bought, tied_other, pairs = 0.0, 0.0, 0.0, 0.0
    passed = 0.0
    gap = np.zeros(BINS)
    for i in range(len(weight)):
        drawn = weight[i] * of_user[user[i]] * of_cell[cell[i]]
        if i > 0 and probability[i] != probability[i - 1]:
            pairs += tied_bought * (below + tied_other / 2)
            below += tied_other
            tied_bought, tied_other = 0.0, 0.0
        tied_bought += drawn * bought[i]
        tied_other += drawn * (1 - bought[i])
        if drawn > 0:
            rank = int(BINS * (passed + drawn / 2) / found[WEIGHT])
            gap[min(rank, BINS - 1)] += drawn * (bought[i] - probability[i])
            passed += drawn
    pairs += tied_bought * (below + tied_other / 2)
    all_pairs = found[BOUGHT] * (found[WEIGHT] - found[BOUGHT])
    found[AUC] = pairs / all_pairs if all_pairs > 0 else np.nan
    found[ECE] = np.abs(gap).sum() / found[WEIGHT] if found[WEIGHT] > 0 else np.nan
