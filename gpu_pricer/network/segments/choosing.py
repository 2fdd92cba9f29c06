"""The numbers of classes and segments and the weight of tastes that best predict price response in hold-out periods."""

import logging
from dataclasses import dataclass

import numpy as np

from gpu_pricer.heartbeat import beat
from gpu_pricer.network.response.threads import threads_of_one
from gpu_pricer.network.segments.latent_classes import LatentClasses, fit_classes_of_each
from gpu_pricer.network.segments.partition import partition_users, weights
from gpu_pricer.network.segments.taste_prior import with_taste_prior
from gpu_pricer.network.segments.user_scores import UserScores

log = logging.getLogger(__name__)

COUNTS = (2, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)
TASTE_WEIGHTS = (0.0, 0.1, 0.3, 1.0)
DECLINES = 2  # in a row, after which larger counts are not tried
SURE, STILL_SURE = 0.95, 0.5  # quantiles of the best gain by chance, to form segments and to form segments again
DRAWS = 500  # that tell them
NEARLY_ALL, ENOUGH = 0.99, 0.95  # of the gain of the best number of segments: where more cost little, and elsewhere
CHEAP = 3e6  # products × segments³, to which the cost of learning their response grows: a pass takes less than a second
JUDGES = 5000  # users on whom choices are tried, at most


@dataclass(frozen=True)
class Choice:
    """The number of latent classes, how much tastes count in them, and the number of segments."""

    classes: int
    taste_weight: float
    segments: int


def choose(scores: UserScores, most: int, least_members: int, seed: int, former: int = 1) -> Choice:
    """Return the classes and the number of segments, at most `most`, that predict the users' response well.

    Both are judged by the log likelihood of the price response in every fold, with classes and segments learned from
    the other folds; profit is a function of the price response. One class responds like everybody. It is taken where
    the gain of the best of all choices tried may be chance, see _may_be_chance. Else, of the choices that are no worse
    than the best by more than a standard error (Breiman et al. 1984), the one in which tastes count most is taken, and
    of those the largest number: response is shrunk, so that too many classes cost less than too few. The number of
    segments is the smallest that has NEARLY_ALL of the best number's gain or, if that is not CHEAP, the largest that
    is. It is at least the smallest that has ENOUGH of the gain, or is worse than the best by no more than a standard
    error. A single fold cannot judge: the result is then one segment.
    least_members: smallest mean number of members that is tried.

    former: how many segments the last training formed, 1: none. This number is kept if it has ENOUGH of the best
    number's gain, or is worse by no more than a standard error, so that segments do not change from night to night
    without a reason. For the same reason the gain of the best choice then needs to exceed only the median of what
    chance may give.
    """
    if scores.folds == 1:
        return Choice(1, 0.0, 1)
    generator = np.random.default_rng(seed)
    users = np.sort(generator.permutation(scores.users)[:JUDGES])
    judged = scores.of_users(users)
    largest = min(most, len(users) // max(least_members, 1))
    counts = [count for count in COUNTS if count <= largest]
    held_out = HeldOut.of(judged)
    classes, taste_weight = _choose_classes(held_out, counts, seed, former)
    if classes == 1:
        log.info("segments: 1, because more do not predict price response better")
        return Choice(1, taste_weight, 1)
    folds = fit_classes_of_each(held_out.learned, classes, taste_weight, seed)
    tried = sorted({*counts, *([former] if 1 < former <= largest else [])})
    gains = {1: np.zeros(len(users))} | {count: held_out.by_segments(folds, count, seed) for count in tried}
    segments = _number_of_segments(gains, scores.products, former)
    log.info(
        "segments: %d, from %d latent classes with the weight %.2f on purchases beside price response "
        "(hold-out log likelihood per user %+.3f against one segment, %+.3f with the best number)",
        segments, classes, taste_weight, gains[segments].mean(), max(gain.mean() for gain in gains.values()),
    )  # fmt: skip
    return Choice(classes, taste_weight, segments)


def _choose_classes(held_out: "HeldOut", counts: list[int], seed: int, former: int) -> tuple[int, float]:
    """Return the number of classes and the taste weight; see choose."""
    found = {}
    for weight in TASTE_WEIGHTS:
        found[1, weight], means = np.zeros(held_out.judged.users), [0.0]
        for count in counts:
            folds = fit_classes_of_each(held_out.learned, count, weight, seed)
            found[count, weight] = held_out.by_classes(folds)
            beat("choosing segments: %d latent classes, taste weight %.2f", count, weight)
            means.append(float(found[count, weight].mean()))
            if len(means) > DECLINES and max(means[-DECLINES:]) < means[-DECLINES - 1]:
                break
    if _may_be_chance(np.stack(list(found.values())), SURE if former == 1 else STILL_SURE, seed):
        return 1, TASTE_WEIGHTS[0]
    best = max(found.values(), key=np.mean)
    as_good = [choice for choice, gain in found.items() if choice[0] > 1 and _is_as_good(gain, best)]
    return max(as_good, key=lambda choice: (choice[1], choice[0]))


def _may_be_chance(gains: np.ndarray, sure: float, seed: int) -> bool:
    """Return whether the best mean gain of the choices, of gains [K, U], is one that chance alone may give.

    The best of many choices predicts better than one class by chance where none of them does in truth. The signs of the
    users' gains around their mean are drawn anew, the same for all choices, and the best mean gain must exceed this
    quantile of those drawn (reality check for data snooping: White 2000).
    """
    mean = gains.mean(axis=1)
    signs = np.random.default_rng(seed).choice((-1.0, 1.0), (DRAWS, gains.shape[1]))
    by_chance = (signs @ (gains - mean[:, None]).T / gains.shape[1]).max(axis=1)
    return bool(mean.max() <= np.quantile(by_chance, sure))


def _number_of_segments(gains: dict[int, np.ndarray], products: int, former: int = 1) -> int:
    """Return the number of segments; gains: those of the users [U] by numbers. See choose."""
    best = max(gains.values(), key=np.mean)
    is_enough = {n: _is_as_good(gain, best) or gain.mean() >= ENOUGH * best.mean() for n, gain in gains.items()}
    if former > 1 and is_enough.get(former, False):
        return former
    nearly_all = min(n for n, gain in gains.items() if gain.mean() >= NEARLY_ALL * best.mean())
    enough = min(n for n in gains if is_enough[n])
    cheap = max(n for n in gains if n == 1 or products * n**3 <= CHEAP)
    return max(enough, min(nearly_all, cheap))


def _is_as_good(gain: np.ndarray, best: np.ndarray) -> bool:
    """Return whether the mean gain of the users [U] is within a standard error of the best one's."""
    short = best - gain
    return bool(short.mean() <= short.std() / np.sqrt(len(short)))


@dataclass(frozen=True)
class HeldOut:
    """Users' scores in every fold, and for each fold the scores in the other folds, from which it is predicted."""

    judged: UserScores
    learned: list[UserScores]

    @classmethod
    def of(cls, judged: UserScores) -> "HeldOut":
        """Return the scores of the judged users, by fold and outside each fold."""
        with threads_of_one() as run:
            return cls(judged, list(run(lambda fold: with_taste_prior(judged.without(fold)), range(judged.folds))))

    def by_classes(self, folds: list[LatentClasses]) -> np.ndarray:
        """Return the gain [U] of what the classes of each fold let expect of a user; see _gain."""
        expected = [
            classes.memberships(others) @ classes.response for classes, others in zip(folds, self.learned, strict=True)
        ]
        return self._gain(expected)

    def by_segments(self, folds: list[LatentClasses], count: int, seed: int) -> np.ndarray:
        """Return the gain [U] of what their segment lets expect of a user, of `count` in each fold; see _gain."""
        expected = []
        for classes, others in zip(folds, self.learned, strict=True):
            segment = partition_users(classes, others, count, seed).segments_of(others)
            response = classes.memberships(others) @ classes.response
            weight = np.eye(count)[segment] * weights(others)[:, None]
            mean = weight.T @ response / np.maximum(weight.sum(axis=0), 1e-9)[:, None]
            expected.append(mean[segment])
        return self._gain(expected)

    def _gain(self, expected: list[np.ndarray]) -> np.ndarray:
        """Return the log likelihood of each user's price response in every fold, over that of everybody's, [U].

        expected: for each fold the users' φ [U, H or more].
        """
        total = np.zeros(self.judged.users)
        for fold, response in enumerate(expected):
            score, information = self.judged.score[fold], self.judged.information[fold]
            own = response[:, : score.shape[1]]
            total += (score * own - 0.5 * information * own**2).sum(axis=1)
        return total
