"""Every user's own price sensitivity, as far as the user's purchases tell it."""

import numpy as np

from gpu_pricer.network.segments.taste_prior import variance_of_response, with_taste_prior
from gpu_pricer.network.segments.user_scores import UserScores

LEAST, MOST = 0.2, 5.0  # of a slope: beyond, the quadratic approximation of the log likelihood says nothing


def user_slopes(scores: UserScores) -> np.ndarray:
    """Return every user's price sensitivity relative to everybody's, [U].

    The posterior mean of a Gaussian around 1, whose variance is learned from the users' scores, given the user's own
    score and what the user's tastes say (see taste_prior.py). Where no price ever moved, all are 1.
    """
    whole = scores.whole
    if not whole.information.any():
        return np.ones(scores.users)
    variance = variance_of_response(whole.score[0].sum(axis=1), whole.information[0].sum(axis=1))
    beside = with_taste_prior(whole)
    score, information = beside.score[0].sum(axis=1), beside.information[0].sum(axis=1)
    return np.asarray(1 + score * variance / (1 + information * variance)).clip(LEAST, MOST)
