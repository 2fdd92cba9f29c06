"""Users of like demand, for markets without types."""

import numpy as np
from sklearn.cluster import KMeans

from tests.bench.markets.truth import Truth

CLUSTERS, STARTS = 12, 4
TASTE = 0.3
"""Weight of what users buy beside how they respond; prices depend on the second far more."""


def clustered(truth: Truth) -> np.ndarray:
    """Return a cluster [U] of each user, by k-means on his category elasticities and log category units at today's
    prices, relative to the mean user."""
    today = truth.today[:, None]
    units, elasticity = truth.units(today), truth.elasticity(today)
    bought = np.add.reduceat(units, truth.start[:-1])
    response = np.log(-np.add.reduceat(units * elasticity, truth.start[:-1]) / bought)
    taste = np.log(bought / bought.sum(axis=0))
    features = np.vstack([response, TASTE * taste])
    features = features - features.mean(axis=1, keepdims=True)
    return KMeans(CLUSTERS, n_init=STARTS, random_state=0).fit_predict(features.T).astype(np.int64)
