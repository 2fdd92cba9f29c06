"""Own-price elasticities of a demand, from the choice model of the kernels."""

import numpy as np

from kernels import Demand, Shelf, choice_probabilities, own_elasticities, utility_lines


def own_elasticity(demand: Demand, shelf: Shelf, price: np.ndarray) -> np.ndarray:
    """Return the own-price elasticity [P, S] of each product and segment at prices x [P] in cents; NaN off the shelf.

    It is −b x/r (1 − P), with sensitivity b, reference price r and choice probability P; in a nested category P is
    multiplied with kernels.switching_factors.
    """
    probability, slope = choice_probabilities(demand, shelf, price[:, None]), utility_lines(demand, shelf)[1]
    found = own_elasticities(probability, price[:, None], slope, shelf)
    return np.where(shelf.on_shelf[:, None], found, np.nan)


def elasticity_rmse(ours: np.ndarray, truth: np.ndarray, visits: np.ndarray) -> float:
    """Return the root mean square of `ours` [P, S] minus `truth` [P, T], over products and users.

    visits [S, T] are the weights of the pairs of a segment and a type. Products with NaN in `ours` or `truth` are left
    out.
    """
    known = ~(np.isnan(ours).any(axis=1) | np.isnan(truth).any(axis=1))
    ours, truth = ours[known], truth[known]
    square = np.array([np.mean((ours[:, [s]] - truth) ** 2, axis=0) for s in range(ours.shape[1])])
    return float(np.sqrt((visits * square).sum() / visits.sum()))
