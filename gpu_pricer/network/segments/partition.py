"""Segments of users with similar expected price response: k-means on the users' places among the latent classes.

Few users belong to one class for certain. A user's place is the mean of the classes, weighted by the posterior class
probabilities: the user's expected response, shrunk towards the mean where purchases say little. Two users with the same
most likely class can have places far apart.
"""

import warnings
from dataclasses import dataclass, replace

import numpy as np
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning

from gpu_pricer.network.segments.latent_classes import LatentClasses
from gpu_pricer.network.segments.user_scores import UserScores

STARTS = 4  # of k-means
PARTED = 20_000  # users from whom the centres are found, at most


@dataclass(frozen=True)
class Partition:
    """Where K classes are in D dimensions, class_place [K, D], and the centres of S segments, [S, D].

    The squared distance of two places is twice the log likelihood that a mean user loses if one's price response stands
    for the other's, plus, by the taste weight, that of what the user buys.
    """

    classes: LatentClasses
    class_place: np.ndarray
    centre: np.ndarray

    @property
    def count(self) -> int:
        """Return S."""
        return len(self.centre)

    def segments_of(self, scores: UserScores) -> np.ndarray:
        """Return the segment [U] whose centre is nearest to each user's place, from scores of a single fold."""
        place = self.classes.memberships(scores) @ self.class_place
        return np.asarray(np.argmin((self.centre**2).sum(axis=1) - 2 * place @ self.centre.T, axis=1))

    def of(self, numbers: np.ndarray) -> "Partition":
        """Return the partition by some of the centres, in this order."""
        return replace(self, centre=self.centre[numbers])


def partition_users(classes: LatentClasses, scores: UserScores, count: int, seed: int) -> Partition:
    """Return the partition of the users into `count` segments by k-means; the scores are a single fold.

    Users count by how much they say of responses. Segments may be empty where users are alike.
    """
    class_place = _class_places(classes, scores)
    place, weight = classes.memberships(scores) @ class_place, weights(scores)
    if scores.users > PARTED:
        chosen = np.random.default_rng(seed).choice(scores.users, PARTED, replace=False)
        place, weight = place[chosen], weight[chosen]
    means = KMeans(min(count, len(place)), n_init=STARTS, random_state=seed)  # type: ignore[arg-type]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer places than segments
        means.fit(place, sample_weight=weight)
    return Partition(classes, class_place, means.cluster_centers_)


def weights(scores: UserScores) -> np.ndarray:
    """Return how much each user's purchases say of the price response, [U], relative to the mean user's."""
    known = np.maximum(scores.information[0].sum(axis=1), 0.0)
    return np.asarray(known / max(known.mean(), 1e-9) + 1e-6)


def _class_places(classes: LatentClasses, scores: UserScores) -> np.ndarray:
    """Return coordinates of the classes, [K, D], D at most K, whose distances are those that Partition says."""
    known = np.maximum(scores.information[0].mean(axis=0), 0.0)
    expected = scores.visits[0].mean(axis=0) @ scores.share
    parts = [classes.response * np.sqrt(known), classes.log_rate * np.sqrt(classes.taste_weight * expected)]
    points = np.concatenate(parts, axis=1)
    left, size, _ = np.linalg.svd(points - points.mean(axis=0), full_matrices=False)
    return np.asarray(left * size)
