"""Latent classes of users who respond to prices alike, and as far as it helps also buy alike (EM: Dempster 1977)."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import logsumexp, softmax
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from gpu_pricer.network.response.threads import threads_of_one
from gpu_pricer.network.segments.user_scores import UserScores

MOST_STEPS, SETTLED = 40, 0.01  # mean change of a user's memberships
START_SPREAD = 0.3, 0.2  # of a class's response, and of its response in a group of categories around it
LEAST_VARIANCE = 1e-4
PRIOR_CHOICES = 10.0  # of a product, for which everybody's rate counts in a class's


@dataclass(frozen=True)
class LatentClasses:
    """S classes of users, relative to everybody.

    response φ [S, H]: the sensitivity is 1 + φ times everybody's. log_rate [S, J]: of buying. share [S]: of the users.
    taste_weight: what part of the log likelihood of what users buy counts, beside that of how they answer prices.
    """

    response: np.ndarray
    log_rate: np.ndarray
    share: np.ndarray
    taste_weight: float

    def log_likelihood(self, scores: UserScores) -> np.ndarray:
        """Return each user's log likelihood in each class, [U, S], up to a constant of the user; of a single fold."""
        value = scores.score[0] @ self.response.T - 0.5 * scores.information[0] @ (self.response**2).T
        if self.taste_weight:
            expected = scores.visits[0] @ (scores.share @ np.exp(self.log_rate).T)
            value += self.taste_weight * (scores.bought[0] @ self.log_rate.T - expected)
        return value

    @property
    def count(self) -> int:
        """Return S."""
        return len(self.share)

    def segments_of(self, scores: UserScores) -> np.ndarray:
        """Return the most likely class of each user [U], from scores of a single fold."""
        return np.asarray(np.argmax(self._joint(scores), axis=1))

    def of(self, numbers: np.ndarray) -> "LatentClasses":
        """Return some of the classes, in this order."""
        return replace(
            self, response=self.response[numbers], log_rate=self.log_rate[numbers], share=self.share[numbers]
        )

    def memberships(self, scores: UserScores) -> np.ndarray:
        """Return how likely each user belongs to each class, [U, S], from scores of a single fold."""
        return np.asarray(softmax(self._joint(scores), axis=1))

    def _joint(self, scores: UserScores) -> np.ndarray:
        return self.log_likelihood(scores) + np.log(np.maximum(self.share, 1e-9))


def fit_classes(scores: UserScores, count: int, taste_weight: float, seed: int, restarts: int = 1) -> LatentClasses:
    """Return `count` classes of the users, the most likely of several restarts; the scores are a single fold.

    A class's response is a Gaussian of learned width around everybody's, and its response in a group of categories a
    Gaussian of learned width around its own.
    """
    with _users_may_be_alike():
        found = [_climbed(scores, count, taste_weight, seed + restart) for restart in range(restarts)]
    return max(found, key=lambda pair: pair[1])[0]


def fit_classes_of_each(folds: list[UserScores], count: int, taste_weight: float, seed: int) -> list[LatentClasses]:
    """Return fit_classes of each of several folds, in threads."""
    with _users_may_be_alike(), threadpool_limits(1, "blas"), threads_of_one() as run:
        return [classes for classes, _ in run(lambda scores: _climbed(scores, count, taste_weight, seed), folds)]


@contextmanager
def _users_may_be_alike() -> Iterator[None]:
    """Ignore that k-means finds fewer different users than classes: then some classes start empty.

    The filters of warnings belong to the process, so that no thread may set them.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


def _climbed(scores: UserScores, count: int, taste_weight: float, seed: int) -> tuple[LatentClasses, float]:
    """Return the classes that EM finds from one start, and their log likelihood."""
    member = np.eye(count)[_start(scores, count, taste_weight, seed)] * 0.8 + 0.2 / count
    spread = START_SPREAD[0] ** 2, START_SPREAD[1] ** 2
    for _ in range(MOST_STEPS):
        response, spread = _response(member.T @ scores.score[0], member.T @ scores.information[0], spread)
        log_rate = _log_rate(scores, member) if taste_weight else np.zeros((count, scores.share.shape[1]))
        classes = LatentClasses(response, log_rate, member.mean(axis=0), taste_weight)
        value = classes._joint(scores)
        found = np.asarray(softmax(value, axis=1))
        change, member = np.abs(found - member).sum(axis=1).mean(), found
        if change < SETTLED:
            break
    return classes, float(logsumexp(value, axis=1).sum())


def _response(
    score: np.ndarray, information: np.ndarray, spread: tuple[float, float]
) -> tuple[np.ndarray, tuple[float, float]]:
    """Return the posterior mean of φ [S, H] from the classes' sums, and the variances of its two parts learned anew."""
    between, within = spread
    left = 1 / (1 + within * information)
    common_variance = 1 / ((information * left).sum(axis=1, keepdims=True) + 1 / between)
    common = common_variance * (score * left).sum(axis=1, keepdims=True)
    own_variance = 1 / (information + 1 / within)
    own = own_variance * (score - information * common)
    squares = own**2 + own_variance + (own_variance * information) ** 2 * common_variance
    learned = float((common**2 + common_variance).mean()), float(squares.mean())
    return common + own, (max(learned[0], LEAST_VARIANCE), max(learned[1], LEAST_VARIANCE))


def _log_rate(scores: UserScores, member: np.ndarray) -> np.ndarray:
    bought = (scores.bought[0].T @ member).T
    expected = (member.T @ scores.visits[0]) @ scores.share
    return np.asarray(np.log((bought + PRIOR_CHOICES) / (expected + PRIOR_CHOICES)))


def _start(scores: UserScores, count: int, taste_weight: float, seed: int) -> np.ndarray:
    """Return a class for every user [U], by k-means on standardised scores and on the main directions of tastes."""
    score, known = scores.score[0], scores.information[0]
    overall = score.sum(axis=1) / np.sqrt(known.sum(axis=1).mean() + 1e-9)
    points = [1.5 * overall[:, None], 0.5 * score / np.sqrt(known.mean(axis=0) + 1e-9)]
    if taste_weight:
        points.append(np.sqrt(taste_weight) * scores.taste_directions)
    means = KMeans(count, n_init=1, random_state=seed)  # type: ignore[arg-type]
    return np.asarray(means.fit_predict(np.concatenate(points, axis=1)))
