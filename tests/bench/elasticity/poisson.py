"""A Poisson regression with many effects, by weighted least squares with the effects projected out.

Correia, Guimaraes & Zylkin (2020), Fast Poisson estimation with high-dimensional fixed effects.
"""

from dataclasses import dataclass

import numpy as np

STEPS, SETTLED = 100, 1e-9  # of the relative change of the deviance
SWEEPS, PROJECTED = 500, 1e-9


@dataclass(frozen=True)
class Regression:
    """Coefficients and their standard errors [K], clustered by the first effect; mean [n]: expected outcomes.

    Rows of an effect with no outcome at all have no likelihood; their mean is 0.
    """

    coefficient: np.ndarray
    error: np.ndarray
    mean: np.ndarray


def poisson_regression(outcome: np.ndarray, covariates: np.ndarray, effects: list[np.ndarray]) -> Regression:
    """Return the regression of outcome [n] ~ Poisson(exp(covariates [n, K] · coefficient + effects))."""
    kept = _identified(outcome, effects)
    y, x = outcome[kept], covariates[kept]
    groups = [np.unique(effect[kept], return_inverse=True)[1] for effect in effects]
    mean, deviance = (y + y.mean()) / 2, np.inf
    for _ in range(STEPS):
        working = np.log(mean) + (y - mean) / mean
        left, within = projected(working, mean, groups), projected(x, mean, groups)
        coefficient = np.linalg.lstsq(np.sqrt(mean)[:, None] * within, np.sqrt(mean) * left, rcond=None)[0]
        residual = left - within @ coefficient
        mean, before = np.exp(working - residual), deviance
        deviance = 2 * float((np.where(y > 0, y * np.log(np.maximum(y, 1e-300) / mean), 0) - (y - mean)).sum())
        if abs(before - deviance) < SETTLED * max(deviance, 1.0):
            break
    error = _clustered(y - mean, projected(x, mean, groups), mean, groups[0])
    expected = np.zeros(len(outcome))
    expected[kept] = mean
    return Regression(coefficient, error, expected)


def projected(values: np.ndarray, weight: np.ndarray, groups: list[np.ndarray]) -> np.ndarray:
    """Return values [n] or [n, K] less the effects of all groups, by weighted alternating projections."""
    if values.ndim == 2:
        return np.column_stack([projected(column, weight, groups) for column in values.T])
    sizes = [np.bincount(group, weight) for group in groups]
    for _ in range(SWEEPS):
        before = values
        for group, size in zip(groups, sizes, strict=True):
            values = values - (np.bincount(group, weight * values) / size)[group]
        if np.abs(values - before).max() < PROJECTED:
            break
    return values


def _identified(outcome: np.ndarray, effects: list[np.ndarray]) -> np.ndarray:
    """Return which rows [n] are of no effect whose outcomes are all 0."""
    kept = np.ones(len(outcome), bool)
    for _ in effects:
        for effect in effects:
            total = np.bincount(effect, outcome * kept)
            kept &= total[effect] > 0
    return kept


def _clustered(residual: np.ndarray, within: np.ndarray, weight: np.ndarray, cluster: np.ndarray) -> np.ndarray:
    """Return standard errors [K] by the sandwich of clusters (Liang & Zeger 1986)."""
    bread = np.linalg.inv(within.T @ (weight[:, None] * within))
    scores = np.column_stack([np.bincount(cluster, residual * column) for column in within.T])
    return np.sqrt(np.diag(bread @ scores.T @ scores @ bread))
