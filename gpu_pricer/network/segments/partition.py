"""Segments of users with similar expected price response: k-means on the users' places among the latent classes.

Few users belong to one class for certain. A user's place is the mean of the classes, weighted by the posterior class
probabilities: the user's expected response, shrunk towards the mean where purchases say little. Two users with the same
most likely class can have places far apart.
"""

import warnings
from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import csr_array
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import pairwise_distances_argmin

from gpu_pricer.network.segments.latent_classes import LatentClasses
from gpu_pricer.network.segments.user_scores import UserScores

STARTS = 4  # of k-means
PARTED = 20_000  # users from whom k-means finds centres, at most
NEARLY_ALL = 0.99  # of the variance between places that other segments explain: former ones that explain it stay
WORTH_MOVING = 0.2  # of the squared distance that segments save a mean user: who saves no more by a move stays


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
        return np.asarray(self._squared_distances(self._places(scores)).argmin(axis=1))

    def could_stay(self, scores: UserScores, segment: np.ndarray) -> np.ndarray:
        """Return whether a move from these segments [U] to the nearest is not worth it, bool [U]; see WORTH_MOVING.

        scores: a single fold.
        """
        place, weight = self._places(scores), weights(scores)
        distance, mean = self._squared_distances(place), np.average(place, axis=0, weights=weight)
        nearest = distance.min(axis=1)
        saved = np.average(mean @ mean - 2 * place @ mean - nearest, weights=weight)
        return np.asarray(distance[np.arange(len(place)), segment] - nearest <= WORTH_MOVING * saved)

    def _places(self, scores: UserScores) -> np.ndarray:
        """Return the users' places, [U, D]."""
        return self.classes.memberships(scores) @ self.class_place

    def _squared_distances(self, place: np.ndarray) -> np.ndarray:
        """Return the squared distances of places from the centres, less the places' own squares, [U, S]."""
        return np.asarray((self.centre**2).sum(axis=1) - 2 * place @ self.centre.T)

    def of(self, numbers: np.ndarray) -> "Partition":
        """Return the partition by some of the centres, in this order."""
        return replace(self, centre=self.centre[numbers])


def partition_users(
    classes: LatentClasses, scores: UserScores, count: int, seed: int, former: np.ndarray | None = None
) -> Partition:
    """Return the partition of the users into `count` segments by k-means; the scores are a single fold.

    Users count by how much they say of responses. Segments may be empty where users are alike. former [U]: the segments
    that the users had, -1 where they had none. The means of as many former segments are the centres, or else what
    k-means finds from them, if they explain NEARLY_ALL that k-means from elsewhere does.
    """
    class_place = _class_places(classes, scores)
    place, weight = classes.memberships(scores) @ class_place, weights(scores)
    drawn: np.ndarray | slice = slice(None)
    if scores.users > PARTED:
        drawn = np.random.default_rng(seed).choice(scores.users, PARTED, replace=False)
    some = place[drawn], weight[drawn]
    centre = _k_means(*some, KMeans(min(count, len(some[0])), n_init=STARTS, random_state=seed))  # type: ignore[arg-type]
    if former is not None and np.array_equal(np.unique(former[former >= 0]), np.arange(count)):
        centre = _near_former(_means(place, weight, former), centre, *some)
    return Partition(classes, class_place, centre)


def _means(place: np.ndarray, weight: np.ndarray, segment: np.ndarray) -> np.ndarray:
    """Return the weighted mean place of each segment, [S, D]; segment [U]: from 0 to S - 1, or -1."""
    users = np.flatnonzero(segment >= 0)
    weight_in = csr_array((weight[users], (segment[users], users)), shape=(segment.max() + 1, len(place)))
    return np.asarray((weight_in @ place) / weight_in.sum(axis=1)[:, None])


def _near_former(former: np.ndarray, other: np.ndarray, place: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return the centres of the former segments, those near them or the others, see partition_users; [S, D] each.

    place [n, D], weight [n]: of the users on whom they are compared.
    """
    least = NEARLY_ALL * _explained(place, weight, other)
    if _explained(place, weight, former) >= least:
        return former
    found = _k_means(place, weight, KMeans(len(former), init=former, n_init=1))
    return found if _explained(place, weight, found) >= least else other


def _k_means(place: np.ndarray, weight: np.ndarray, means: KMeans) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer places than segments
        return np.asarray(means.fit(place, sample_weight=weight).cluster_centers_)


def _explained(place: np.ndarray, weight: np.ndarray, centre: np.ndarray) -> float:
    """Return by how much the sum of squared distances falls from one centre to the nearest of these [S, D]."""
    around = place - np.average(place, axis=0, weights=weight)
    nearest = pairwise_distances_argmin(place, centre)
    return float(weight @ ((around**2).sum(axis=1) - ((place - centre[nearest]) ** 2).sum(axis=1)))


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
