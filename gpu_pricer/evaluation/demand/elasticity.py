"""Own-price elasticities of a demand, from the choice model of the kernels."""

import numpy as np

from kernels import Demand, Shelf, choice_probabilities

STEP = 0.01  # utility is linear in price, so the size of the step costs no accuracy


def own_elasticity(demand: Demand, shelf: Shelf, price: np.ndarray) -> np.ndarray:
    """Return the own-price elasticity [P, S] of each product and segment at prices x [P] in cents; NaN off the shelf.

    It is −b x/r (1 − P), with sensitivity b, reference price r and choice probability P.
    b x/r is read from the choice probabilities: it is the fall of the log odds against buying nothing when all prices
    rise by STEP, divided by STEP. Raises ValueError for a shelf without an outside option.
    """
    if not shelf.has_outside_option:
        raise ValueError("the shelf must have an outside option, found none: the elasticity is read from its odds")
    before, after = (choice_probabilities(demand, shelf, price[:, None] * factor) for factor in (1.0, 1.0 + STEP))
    category = np.repeat(np.arange(shelf.category_count), np.diff(shelf.category_start))
    fall = (_log_odds(before, category) - _log_odds(after, category)) / STEP
    return np.where(shelf.on_shelf[:, None], -fall * (1.0 - before), np.nan)


def _log_odds(probability: np.ndarray, category: np.ndarray) -> np.ndarray:
    """Return the log odds [P, S] of each product against buying nothing in its category."""
    bought = np.zeros((category[-1] + 1, probability.shape[1]))
    np.add.at(bought, category, probability)
    return np.log(np.where(probability > 0, probability, 1.0)) - np.log1p(-bought)[category]


def elasticity_rmse(ours: np.ndarray, truth: np.ndarray, visits: np.ndarray) -> float:
    """Return the root mean square of `ours` [P, S] minus `truth` [P, T], over products and users.

    visits [S, T] are the weights of the pairs of a segment and a type. Products with NaN in `ours` or `truth` are left
    out.
    """
    known = ~(np.isnan(ours).any(axis=1) | np.isnan(truth).any(axis=1))
    ours, truth = ours[known], truth[known]
    square = np.array([np.mean((ours[:, [s]] - truth) ** 2, axis=0) for s in range(ours.shape[1])])
    return float(np.sqrt((visits * square).sum() / visits.sum()))
