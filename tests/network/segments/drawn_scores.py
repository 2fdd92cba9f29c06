"""Scores of users whose true price sensitivity and tastes a test drew."""

import numpy as np
from scipy.sparse import csr_array

from gpu_pricer.network.segments.user_scores import UserScores


def scores_of(slope, information, purchases=None, seed=0):
    """Scores of one fold and group, exact to second order: information · (slope − 1) and its noise.

    purchases [U, J]: choices of users whom everybody's rates let expect 5 of every product; None: just as expected.
    """
    rng = np.random.default_rng(seed)
    score = information * (slope - 1) + np.sqrt(information) * rng.normal(size=len(slope))
    bought = np.full((len(slope), 3), 5.0) if purchases is None else purchases
    return UserScores(
        score=score[None, :, None],
        information=information[None, :, None],
        bought=[csr_array(bought)],
        visits=[np.full(bought.shape, 5.0)],
        share=np.eye(bought.shape[1]),
        fold=np.zeros(1, np.int64),
        products=bought.shape[1],
    )
