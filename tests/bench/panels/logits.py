"""Conditional logits of the choice: without a memory of the household, and with log loyalty."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar

from tests.bench.panels.history import loyalty
from tests.bench.panels.panel import TEST, Panel

STEPS, SETTLED = 100, 1e-8
RIDGE = 1e-6  # keeps the curvature invertible where a promotion never happened
LEAST_SMOOTHING, LARGEST_SMOOTHING = 0.3, 0.99


@dataclass(frozen=True)
class Fit:
    """Coefficients [K] of a conditional logit and the mean log loss of the choices that it was fitted to."""

    coefficient: np.ndarray
    loss: float


def plain_logit(panel: Panel) -> np.ndarray:
    """Return the probabilities [N, J] of a logit of product constants, price and promotions (McFadden 1974).

    It is fitted to all choices before the test.
    """
    terms = _terms(panel)
    return probabilities(terms, fit_logit(terms, panel.chosen, panel.stage != TEST).coefficient)


def loyalty_logit(panel: Panel) -> tuple[np.ndarray, float]:
    """Return the probabilities [N, J] of a logit that also has log loyalty, and the smoothing of the loyalty.

    The smoothing is that of the largest likelihood of the choices before the test (Guadagni & Little 1983).
    """
    plain, before_test = _terms(panel), panel.stage != TEST

    def terms(smoothing: float) -> np.ndarray:
        return np.concatenate([plain, np.log(loyalty(panel, smoothing))[:, :, None]], axis=2)

    def loss(smoothing: float) -> float:
        return fit_logit(terms(smoothing), panel.chosen, before_test).loss

    bounds = (LEAST_SMOOTHING, LARGEST_SMOOTHING)
    best = float(minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-3}).x)
    chosen = terms(best)
    return probabilities(chosen, fit_logit(chosen, panel.chosen, before_test).coefficient), best


def fit_logit(terms: np.ndarray, chosen: np.ndarray, rows: np.ndarray) -> Fit:
    """Return the coefficients that maximise the likelihood of the choices `rows` [N] by Newton's method.

    terms [N, J, K]; chosen [N].
    """
    terms, chosen = terms[rows], chosen[rows]
    own = np.take_along_axis(terms, chosen[:, None, None], axis=1)[:, 0]
    coefficient = np.zeros(terms.shape[2])
    loss = _loss(terms, own, coefficient)
    for _ in range(STEPS):
        share = probabilities(terms, coefficient)
        mean = np.einsum("nj,njk->nk", share, terms)
        curvature = np.einsum("nj,njk,njl->kl", share, terms, terms) - mean.T @ mean
        step = np.linalg.solve(curvature + RIDGE * np.eye(len(coefficient)), (own - mean).sum(axis=0))
        while _loss(terms, own, coefficient + step) > loss and np.abs(step).max() > SETTLED:
            step = step / 2
        coefficient = coefficient + step
        loss = _loss(terms, own, coefficient)
        if np.abs(step).max() < SETTLED:
            break
    return Fit(coefficient, loss)


def probabilities(terms: np.ndarray, coefficient: np.ndarray) -> np.ndarray:
    """Return the choice probabilities [N, J] for terms [N, J, K]."""
    utility = terms @ coefficient
    weight = np.exp(utility - utility.max(axis=1, keepdims=True))
    return weight / weight.sum(axis=1, keepdims=True)


def _loss(terms: np.ndarray, own: np.ndarray, coefficient: np.ndarray) -> float:
    utility = terms @ coefficient
    top = utility.max(axis=1)
    return float(np.mean(top + np.log(np.exp(utility - top[:, None]).sum(axis=1)) - own @ coefficient))


def _terms(panel: Panel) -> np.ndarray:
    """Return constants of all products but the first, price over the product's mean price, and promotions."""
    count, alternatives = panel.price.shape
    constants = np.broadcast_to(np.eye(alternatives)[:, 1:], (count, alternatives, alternatives - 1))
    price = panel.price / panel.price[panel.stage != TEST].mean(axis=0)
    return np.concatenate([constants, np.stack([price, *panel.promotions.values()], axis=2)], axis=2)
