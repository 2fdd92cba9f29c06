"""Intervals of sums of sales, from the chance of single purchases, drifting demand and uncertain price responses."""

import numpy as np
from scipy.stats import gamma, norm

from kernels import INTERVAL_ENDS


def predicted_interval(mean: np.ndarray, variance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends [n] between which a sum that cannot be negative, such as units, lies nine times in ten.

    mean, variance [n]: of the sum, whose distribution is taken to be a gamma distribution.
    """
    is_spread = (mean > 0) & (variance > 0)
    scale = np.divide(variance, mean, out=np.ones_like(mean), where=is_spread)
    shape = np.where(is_spread, mean / scale, 1.0)
    low, high = (np.where(is_spread, gamma.ppf(end, shape, scale=scale), mean) for end in INTERVAL_ENDS)
    return low, high


def normal_interval(mean: np.ndarray, variance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends [n] between which a sum that may be negative, such as profit, lies nine times in ten."""
    reach = norm.ppf(INTERVAL_ENDS[1]) * np.sqrt(variance)
    return mean - reach, mean + reach


def drift(ratio: np.ndarray, by_chance: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return the relative variance [n] of demand from period to period, beyond chance; at least 0.

    ratio [n, T]: demand of n groups in T periods, in any unit; by_chance [n, T]: its variance by chance; counts bool
    [n, T]: the periods that count. NaN where fewer than two do.
    """
    periods = counts.sum(axis=1)
    is_known = periods > 1
    number = np.where(is_known, periods, 2)
    mean = ratio.sum(axis=1, where=counts) / number
    variance = np.sum((ratio - mean[:, None]) ** 2, axis=1, where=counts) / (number - 1)
    beyond = np.maximum(variance - by_chance.sum(axis=1, where=counts) / number, 0.0)
    relative = np.divide(beyond, mean**2, out=np.zeros(len(ratio)), where=mean > 0)
    return np.where(is_known, relative, np.nan)
