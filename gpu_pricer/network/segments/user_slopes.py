"""Every user's own price sensitivity, as far as the user's purchases tell it."""

import numpy as np

from gpu_pricer.network.segments.user_scores import UserScores

LEAST, MOST = 0.2, 5.0  # of a slope: beyond, the quadratic approximation of the log likelihood says nothing


def user_slopes(scores: UserScores) -> np.ndarray:
    """Return every user's price sensitivity relative to everybody's, [U].

    The posterior mean of a Gaussian around 1, whose variance is learned from the users' scores: a score has mean 0 and
    variance I + I² τ² where I is its information (empirical Bayes by moments: Morris 1983). Where no price ever moved,
    all are 1.
    """
    score, information = scores.score.sum((0, 2)), scores.information.sum((0, 2))
    if not information.any():
        return np.ones(len(score))
    variance = max(float(np.square(score).sum() - information.sum()) / float(np.square(information).sum()), 0.0)
    return np.asarray(1 + score * variance / (1 + information * variance)).clip(LEAST, MOST)
