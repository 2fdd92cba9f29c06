"""What a user's tastes say of the user's price response, beside the user's own answers to prices.

Who buys cheap brands, large packs or plain goods tends to look at prices. A ridge regression (Hoerl & Kennard 1970) of
users' price responses on how much more or less than everybody they buy of every product gives each user an expected
response. It counts as far as it predicts the responses of users that it was not learned from.
"""

from dataclasses import replace

import numpy as np
from scipy.sparse import csr_array
from sklearn.linear_model import RidgeCV

from gpu_pricer.network.segments.user_scores import UserScores

PRODUCTS = 300  # the best sellers, whose purchases predict
TEACHERS = 5000  # users from whom the regression is learned, at most
PRIOR_PURCHASES = 1.0  # of a product, for which everybody's rate counts in a user's
PENALTIES = np.geomspace(1e-3, 1e3, 61)
"""Relative to the mean sum of squares of a product's column.

Each is 1.26 times the one before. Between penalties further apart, a night with few new sales changes the choice by so
much that users change segments: with a factor of 3.2, the prior's standard deviation doubled from one week to the next.
"""
LEAST_VARIANCE, LEAST_INFORMATION = 1e-4, 1e-9


def with_taste_prior(scores: UserScores) -> UserScores:
    """Return scores of a single fold with one more group: what tastes say of the response, as an observation of φ.

    The observation has the precision that tastes add, 1 / τ₂² − 1 / τ², where τ² is the variance of the users' φ and
    τ₂² that of what tastes leave unexplained of φ. It is 0 where tastes predict nothing.
    """
    variance = variance_of_response(*_sums(scores))
    expected, unexplained = _expected_response(scores, variance)
    precision = max(1 / unexplained - 1 / variance, 0.0)
    observed = expected / unexplained if precision else np.zeros(scores.users)
    return replace(
        scores,
        score=np.concatenate([scores.score, observed[None, :, None]], axis=2),
        information=np.concatenate([scores.information, np.full((1, scores.users, 1), precision)], axis=2),
    )


def variance_of_response(score: np.ndarray, information: np.ndarray, expected: np.ndarray | float = 0.0) -> float:
    """Return the variance of users' φ around what is expected [U], from their score and information [U].

    A score has the mean I · expected and the variance I + I² τ² where I is the information (empirical Bayes by moments:
    Morris 1983).
    """
    surplus = float((np.square(score - information * expected) - information).sum())
    return max(surplus / max(float(np.square(information).sum()), LEAST_INFORMATION), LEAST_VARIANCE)


def _expected_response(scores: UserScores, variance: float) -> tuple[np.ndarray, float]:
    """Return the φ that each user's tastes let expect [U], and the variance of φ that tastes leave unexplained.

    Users teach the regression by how well their own φ is known. The variance is that around predictions of users left
    out.
    """
    order = np.random.default_rng(0).permutation(scores.users)
    if scores.users < 2:
        return np.zeros(scores.users), variance
    teachers = scores.of_users(order[:TEACHERS])
    score, information = _sums(teachers)
    known = np.maximum(information, LEAST_INFORMATION)
    root = 1 / np.sqrt(1 / known + variance)
    tastes = _relative_purchases(teachers)
    centre = tastes.mean(axis=0)
    design, target = (tastes - centre) * root[:, None], root * score / known
    penalties = PENALTIES * max(float(np.square(design).sum(axis=0).mean()), LEAST_INFORMATION)
    chosen = RidgeCV(penalties, fit_intercept=False).fit(design, target)
    left_out = _left_out(design, target, chosen.alpha_) / root
    blocks = np.array_split(np.arange(scores.users), -(-scores.users // TEACHERS))
    of_blocks = [(_relative_purchases(scores.of_users(block)) - centre) @ chosen.coef_ for block in blocks]
    expected = np.concatenate(of_blocks)
    expected[order[:TEACHERS]] = left_out  # so that no user's own answers to prices count twice
    return expected, variance_of_response(score, information, left_out)


def _left_out(design: np.ndarray, target: np.ndarray, penalty: float) -> np.ndarray:
    """Return what a ridge regression on all other rows predicts of each row [n], from the leverages (Allen 1974)."""
    reach = design @ np.linalg.inv(design.T @ design + penalty * np.eye(design.shape[1]))
    leverage = (reach * design).sum(axis=1)
    return np.asarray((reach @ (design.T @ target) - leverage * target) / (1 - leverage))


def _sums(scores: UserScores) -> tuple[np.ndarray, np.ndarray]:
    """Return the users' scores and information over all groups, [U] each."""
    return scores.score[0].sum(axis=1), scores.information[0].sum(axis=1)


def _relative_purchases(scores: UserScores) -> np.ndarray:
    """Return the log of every user's purchases of the best sellers over what everybody would buy, [U, J]."""
    bought = csr_array(scores.bought[0])[:, :PRODUCTS].toarray()
    expected = scores.visits[0] @ scores.share[:, :PRODUCTS]
    return np.asarray(np.log((bought + PRIOR_PURCHASES) / (expected + PRIOR_PURCHASES)))
