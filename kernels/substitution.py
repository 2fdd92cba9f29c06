"""What a higher price moves to the category's other products, and what it moves out of the category."""

import numpy as np

from kernels.inputs import Shelf
from kernels.tile import dissimilarity_of


def own_elasticities(probability: np.ndarray, price: np.ndarray, slope: np.ndarray, shelf: Shelf) -> np.ndarray:
    """Return the own-price elasticities float64 [P, S], -beta x (1 - f P) with f of switching_factors.

    probability [P, S]: that a visit chooses the product at the prices x [P, S] or [P, 1] in cents; slope [P, S]: beta,
    of the utility per cent, see utility_lines.
    """
    factor = np.repeat(switching_factors(probability, shelf), np.diff(shelf.category_start), axis=0)
    return -slope * price * (1.0 - probability * factor)


def switching_factors(probability: np.ndarray, shelf: Shelf) -> np.ndarray:
    """Return float64 [G, S]: (1 - gamma (1 - Q)) / Q of every category, where Q is the probability that a visit buys.

    With this factor times P in place of P, a nested category's own elasticity is the logit's, -beta x (1 - P), and its
    stationary price splits into the logit's parts (see nesting.inner_value). It is 1 where gamma is 1, and where
    nothing is bought. probability [P, S]: that a visit chooses the product.
    """
    until = np.concatenate([np.zeros((1, probability.shape[1])), np.cumsum(probability, axis=0, dtype=np.float64)])
    bought = until[shelf.category_start[1:]] - until[shelf.category_start[:-1]]
    dissimilarity = dissimilarity_of(shelf, np.float64)[:, None]
    is_nested = (dissimilarity < 1) & (bought > 0)
    return np.where(is_nested, (1 - dissimilarity * (1 - bought)) / np.where(bought > 0, bought, 1.0), 1.0)
