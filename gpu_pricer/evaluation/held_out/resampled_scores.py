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
    with np.errstate(divide="ignore"):
        loss = -np.log(np.where(bought > 0, probability, 1 - probability))
    impossible = np.isinf(loss)
    loss[impossible] = 0.0
    drawn = weight, user.astype(np.uint32), cell.astype(np.uint32)  # unsigned: none counts from the end
    values = np.column_stack([loss, probability, bought])

    def of_lanes(first: int) -> np.ndarray:
        scores = np.zeros((6, LANES))
        of_user, of_cell = (_in_lanes(times[first : first + LANES]) for times in (times_user, times_cell))
        _add_sums(values, *drawn, of_user, of_cell, scores)
        _fill_ranked(bought, probability, *drawn, of_user, of_cell, scores)
        return scores.T[: len(times_user) - first]

    with ThreadPoolExecutor(numba.get_num_threads()) as pool:  # loops that numba spreads take longer to compile
        scores = np.concatenate([*pool.map(of_lanes, range(0, len(times_user), LANES))])
    has_impossible = (times_user[:, user[impossible]] * times_cell[:, cell[impossible]]).any(axis=1)
    scores[has_impossible, LOSS] = np.inf
    return scores


def _in_lanes(times: np.ndarray) -> np.ndarray:
    """Return [n, LANES]: of at most LANES resamples [B, n], side by side, 0 where there is none."""
    beside = np.zeros((times.shape[1], LANES))
    beside[:, : len(times)] = times.T
    return beside


@numba.njit(nogil=True, cache=True)
def _add_sums(values, weight, user, cell, of_user, of_cell, scores):  # type: ignore[no-untyped-def]
    """Add the first four scores [6, LANES], where users count of_user [U, LANES] and cells of_cell [C, LANES] times.

    values [N, 3]: of each offer its log loss, its probability, and whether it was bought.
    """
    weights, losses, predicted, found = scores[WEIGHT], scores[LOSS], scores[PREDICTED], scores[BOUGHT]
    for i in range(len(weight)):
        mine, its, once = of_user[user[i]], of_cell[cell[i]], weight[i]
        lost, expected, is_bought = values[i]
        for b in range(LANES):
            drawn = once * mine[b] * its[b]
            weights[b] += drawn
            losses[b] += drawn * lost
            predicted[b] += drawn * expected
            found[b] += drawn * is_bought


@numba.njit(nogil=True, cache=True)
def _fill_ranked(bought, probability, weight, user, cell, of_user, of_cell, scores):  # type: ignore[no-untyped-def]
    """Fill AUC, the chance that a bought offer has a higher probability than another one, ties counting half, and ECE.

    ECE is the mean of |bought − predicted| over BINS bins of equal weight: see metrics.calibration_error. Most offers
    are not bought and end no bin: for them the loops over the lanes have no branch.
    """
    drawn, other, below, tied, pairs, passed, gap = np.zeros((7, LANES))
    ends = scores[WEIGHT].copy()  # of the bins that are being filled, times BINS
    first = 0
    while first < len(weight):
        end, is_any_bought = first, False  # of the offers that share a probability
        while end < len(weight) and probability[end] == probability[first]:
            is_any_bought |= bought[end] > 0
            end += 1
        if is_any_bought:
            below[:], tied[:] = other, 0.0
        for i in range(first, end):
            mine, its, once = of_user[user[i]], of_cell[cell[i]], weight[i]
            is_any_ended = False
            for b in range(LANES):
                drawn[b] = once * mine[b] * its[b]
                is_any_ended |= BINS * (passed[b] + drawn[b] / 2) >= ends[b]
            if is_any_ended:
                _end_bins(drawn, passed, ends, gap, scores)
            counted, missed = tied if bought[i] else other, bought[i] - probability[i]
            for b in range(LANES):
                counted[b] += drawn[b]
                passed[b] += drawn[b]
                gap[b] += drawn[b] * missed
        if is_any_bought:
            for b in range(LANES):
                pairs[b] += tied[b] * (below[b] + other[b]) / 2
        first = end
    for b in range(LANES):
        weighed, all_bought = scores[WEIGHT, b], scores[BOUGHT, b]
        all_pairs = all_bought * (weighed - all_bought)
        scores[AUC, b] = pairs[b] / all_pairs if all_pairs > 0 else np.nan
        scores[ECE, b] = (scores[ECE, b] + np.abs(gap[b])) / weighed if weighed > 0 else np.nan


@numba.njit(nogil=True, cache=True)
def _end_bins(drawn, passed, ends, gap, scores):  # type: ignore[no-untyped-def]
    """Add the gap of every bin that ends before the middle of the next offer; the last bin does not."""
    for b in range(LANES):
        weighed, middle = scores[WEIGHT, b], BINS * (passed[b] + drawn[b] / 2)
        while drawn[b] > 0 and middle >= ends[b] and ends[b] < BINS * weighed:
            scores[ECE, b] += np.abs(gap[b])
            gap[b] = 0.0
            ends[b] += weighed
