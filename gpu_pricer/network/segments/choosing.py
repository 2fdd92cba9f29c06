"""How many segments, and how much tastes count in them: what best predicts price response in periods held out."""

import logging

import numpy as np

from gpu_pricer.network.segments.latent_classes import LatentClasses, fit_classes
from gpu_pricer.network.segments.taste_prior import with_taste_prior
from gpu_pricer.network.segments.user_scores import UserScores

log = logging.getLogger(__name__)

COUNTS = (2, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)
TASTE_WEIGHTS = (0.0, 0.1, 0.3, 1.0)
DECLINES = 2  # in a row, after which larger counts are not tried
JUDGES = 5000  # users on whom choices are tried, at most


def choose_classes(scores: UserScores, most: int, least_members: int, seed: int) -> tuple[int, float]:
    """Return the number of classes, at most `most`, and the taste weight that predict the users' response best.

    Each is judged by the log likelihood of the price response, of which profit is a function, in every fold, with
    classes learned from the others. One class responds like everybody. It is taken where it is no worse than the best
    number by more than a standard error (Breiman et al. 1984). Else, of the choices that are no worse, the one in which
    tastes count most is taken, and of those the largest number: response is shrunk, so that too many segments cost less
    than too few. least_members: smallest mean number of members that is tried. A single fold judges nothing: one class.
    """
    if len(scores.score) == 1:
        return 1, 0.0
    generator = np.random.default_rng(seed)
    users = np.sort(generator.permutation(scores.users)[:JUDGES])
    folds = range(len(scores.score))
    judged = scores.of_users(users)
    learned = [with_taste_prior(judged.of_folds([fold for fold in folds if fold != left_out])) for left_out in folds]
    most = max(min(most, len(users) // max(least_members, 1)), 1)
    found = {}
    for weight in TASTE_WEIGHTS:
        found[1, weight], means = np.zeros(len(users)), [0.0]
        for count in (count for count in COUNTS if count <= most):
            found[count, weight] = _held_out(judged, learned, count, weight, seed)
            means.append(float(found[count, weight].mean()))
            if len(means) > DECLINES and max(means[-DECLINES:]) < means[-DECLINES - 1]:
                break
    best = max(found.values(), key=np.mean)
    as_good = [choice for choice, gain in found.items() if _is_as_good(gain, best)]
    alone = [choice for choice in as_good if choice[0] == 1]
    count, weight = alone[0] if alone else max(as_good, key=lambda choice: (choice[1], choice[0]))
    log.info(
        "segments: %d, tastes count %.2f beside price response (held-out log likelihood %+.3f a user over one segment)",
        count, weight, found[count, weight].mean(),
    )  # fmt: skip
    return count, weight


def _is_as_good(gain: np.ndarray, best: np.ndarray) -> bool:
    """Return whether the mean gain of the users [U] is within a standard error of the best one's."""
    short = best - gain
    return bool(short.mean() <= short.std() / np.sqrt(len(short)))


def _held_out(judged: UserScores, learned: list[UserScores], count: int, taste_weight: float, seed: int) -> np.ndarray:
    """Return the log likelihood of each user's price response in every fold, over that of everybody's, [U].

    learned: for each fold the sums over the others, from which the classes are formed that predict it.
    """
    total = np.zeros(judged.users)
    for fold, others in enumerate(learned):
        classes = fit_classes(others, count, taste_weight, seed)
        response = classes.response[members(classes, others), : judged.score.shape[2]]
        total += (judged.score[fold] * response - 0.5 * judged.information[fold] * response**2).sum(axis=1)
    return total


def members(classes: LatentClasses, scores: UserScores) -> np.ndarray:
    """Return the most likely class of each user [U], from scores of a single fold."""
    value = classes.log_likelihood(scores) + np.log(np.maximum(classes.share, 1e-9))
    return np.asarray(np.argmax(value, axis=1))
