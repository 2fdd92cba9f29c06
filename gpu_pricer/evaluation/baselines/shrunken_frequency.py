"""Ratios of what a household bought to what an average one would have, shrunk to 1, and how much they count."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.special import expit, softmax

LEVELS = 3  # household, household × category, household × product
WIDTH = 2.0  # prior standard deviation of every parameter, wide against what a log tells
STEPS = 60
SETTLED = 0.3  # expected gain of a step, in log likelihood, at which the search ends
FIRST_DAMPING = 1e-3  # relative to the information


@dataclass(frozen=True)
class Choices:
    """What the likelihood sees of N offers.

    counts [N, 3, 2, H]: from household_counts. average [N]: log odds of an average household.
    bought [N]: 0 or 1. weight [N]: offers that each stands for.
    """

    counts: np.ndarray
    average: np.ndarray
    bought: np.ndarray
    weight: np.ndarray


@dataclass(frozen=True)
class Habits:
    """The learned parameters, all in one vector that no bound limits.

    parameters [H + 8]: mixing weights of the H half-lives (their softmax is the share of each), logs of the
    concentrations of the 3 levels, exponents of their ratios, a factor of the average household's log odds, and a
    constant.
    """

    parameters: np.ndarray

    @property
    def mix(self) -> np.ndarray:
        """Return the share of each half-life, [H]."""
        return softmax(self.parameters[:-8])

    @property
    def concentration(self) -> np.ndarray:
        """Return for how many purchases the ratio 1 counts, by level, [3]."""
        return np.exp(self.parameters[-8:-5])

    @property
    def exponent(self) -> np.ndarray:
        """Return the exponents of the ratios, [3]."""
        return self.parameters[-5:-2]

    def log_odds(self, counts: np.ndarray, average: np.ndarray) -> np.ndarray:
        """Return the log odds [N] of a purchase; arguments as in Choices."""
        ratios = shrunken_ratios(counts, self.mix, self.concentration)
        return self.parameters[-2] * average + self.parameters[-1] + ratios.log @ self.exponent


class Ratios(NamedTuple):
    """Logs [N, 3] of the ratios, and by what they were computed: n + k, A·E + k and A, each [N, 3]."""

    log: np.ndarray
    bought: np.ndarray
    expected: np.ndarray
    above: np.ndarray


def shrunken_ratios(counts: np.ndarray, mix: np.ndarray, concentration: np.ndarray) -> Ratios:
    """Return the household's ratio, its category's beyond that, and its product's beyond both.

    With mixed purchases n, expected purchases E and concentration k of a level, the ratio is (n + k) / (A·E + k), where
    A is the product of the ratios of the levels above.
    """
    mixed = (counts @ mix.astype(counts.dtype)).astype(np.float64)
    above = np.ones((len(counts), LEVELS + 1))
    bought, expected = mixed[:, :, 0] + concentration, np.empty((len(counts), LEVELS))
    for level in range(LEVELS):
        expected[:, level] = above[:, level] * mixed[:, level, 1] + concentration[level]
        above[:, level + 1] = above[:, level] * bought[:, level] / expected[:, level]
    return Ratios(np.log(bought / expected), bought, expected, above[:, :-1])


def learn_habits(choices: Choices) -> Habits:
    """Return the habits that maximise the likelihood of the choices times weak priors around `start`.

    Fisher scoring with the damping of Levenberg and Marquardt, from equal shares of the half-lives, concentrations and
    exponents 1, and the average household's log odds as they are.
    """
    lives = choices.counts.shape[3]
    start = np.repeat([0.0, 1.0, 0.0], [lives + LEVELS, LEVELS + 1, 1])
    habits, damping = Habits(start), FIRST_DAMPING
    value = _penalised_misfit(choices, habits, start)
    score, information = _score_and_information(choices, habits, start)
    for _ in range(STEPS):
        step = np.linalg.solve(information + damping * np.diag(np.diag(information)), score)
        new = Habits(habits.parameters + step)
        new_value = _penalised_misfit(choices, new, start)
        if new_value < value:
            habits, value, damping = new, new_value, damping / 3
            if score @ step / 2 < SETTLED:
                break
            score, information = _score_and_information(choices, habits, start)
        else:
            damping *= 5
    return habits


def _penalised_misfit(choices: Choices, habits: Habits, start: np.ndarray) -> float:
    odds = habits.log_odds(choices.counts, choices.average)
    misfit = choices.weight @ (np.logaddexp(0, odds) - choices.bought * odds)
    return float(misfit + np.square((habits.parameters - start) / WIDTH).sum() / 2)


def _score_and_information(choices: Choices, habits: Habits, start: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    slopes = _slopes(choices, habits)
    chance = expit(habits.log_odds(choices.counts, choices.average))
    score = (choices.weight * (choices.bought - chance)) @ slopes - (habits.parameters - start) / WIDTH**2
    weight = choices.weight * chance * (1 - chance)
    return score, (slopes * weight[:, None]).T @ slopes + np.eye(len(start)) / WIDTH**2


def _slopes(choices: Choices, habits: Habits) -> np.ndarray:
    """Return the derivatives [N, H + 8] of the log odds with respect to the parameters."""
    mix, concentration = habits.mix, habits.concentration
    ratios = shrunken_ratios(choices.counts, mix, concentration)
    shrunk = 1 - concentration / ratios.expected  # minus the slope of a level's log ratio in those of the levels above
    total = np.empty_like(shrunk)  # slope of the log odds in each level's log ratio, through all levels
    for level in reversed(range(LEVELS)):
        below = slice(level + 1, LEVELS)
        total[:, level] = habits.exponent[level] - (total[:, below] * shrunk[:, below]).sum(axis=1)
    per_count = np.stack([total / ratios.bought, -total * ratios.above / ratios.expected], axis=2)
    per_share = np.einsum("nlk,nlkh->nh", per_count.astype(choices.counts.dtype), choices.counts, optimize=True)
    per_weight = mix * (per_share - (per_share @ mix)[:, None])
    per_log_concentration = total * concentration * (1 / ratios.bought - 1 / ratios.expected)
    return np.column_stack(
        [per_weight, per_log_concentration, ratios.log, choices.average, np.ones(len(choices.average))]
    )
