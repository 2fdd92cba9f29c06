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


def drift(units: np.ndarray, visits: np.ndarray, dispersion: np.ndarray) -> np.ndarray:
    """Return the relative variance [n] of the units per visit from period to period, beyond chance; at least 0.

    units [n, T]: of n groups in T periods. visits [T]. dispersion [n]: variance of the units over their mean by chance.
    """
    if units.shape[1] < 2:
        return np.zeros(len(units))
    rate = units / visits
    mean = rate.mean(axis=1)
    by_chance = (dispersion[:, None] * units / visits**2).mean(axis=1)
    beyond = np.maximum(rate.var(axis=1, ddof=1) - by_chance, 0.0)
    return np.divide(beyond, mean**2, out=np.zeros(len(units)), where=mean > 0)
