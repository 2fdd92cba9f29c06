"""Fitting the response model: Newton steps over all categories, the priors' widths learned on the way."""

import logging
from dataclasses import dataclass, replace

import numpy as np

from gpu_pricer.checks import require_integer, require_number
from gpu_pricer.network.segment_response.counts import CategoryCounts
from gpu_pricer.network.segment_response.model import (
    CategoryState,
    Equations,
    Priors,
    Values,
    by_name,
    end_to_end,
    equations,
    start_of,
)

log = logging.getLogger(__name__)

DAMPING = 0.7  # of a step: whole ones swing for dozens of steps where prices that answer demand are taken as they are
LONGEST_STEP = 0.5  # of any one parameter
LEAST_SPREAD = 0.01
SETTLED_WIDTH = 0.05  # of itself: the widths need no more digits than they shrink by
START_PERSISTENCE, MOST_PERSISTENCE = 0.5, 0.95
LEARNED_HERE = (  # widths of the priors that the categories' own parameters show
    "taste",
    "control_here",
    "control_of_product",
    "slope_here",
    "slope_of_segment_here",
    "slope_of_product",
)


@dataclass(frozen=True)
class FitConfig:
    """steps: at most; tolerance: stop when no log sensitivity moves by more; spread: where the priors' widths start.

    level_spread: prior standard deviation of levels and seasons, wide, since they must be nearly unpenalised. What a
    prior takes from a season stays in the demand, and the common part of a category's prices answers just that: with
    a width of 1 the sensitivities came out 4.5 % too low (12 types, prices that answer hidden demand), with 10 right.
    """

    steps: int
    tolerance: float
    spread: float
    level_spread: float

    def __post_init__(self) -> None:
        require_integer("response.fit.steps", self.steps, 1)
        for name in ("tolerance", "spread", "level_spread"):
            require_number(f"response.fit.{name}", getattr(self, name), above=0)


@dataclass(frozen=True)
class Fit:
    """The mode: shared parameters, those of every category, and the priors, equations and covariance there.

    covariance [k, k] is that of the shared parameters, all others integrated out.
    """

    shared: Values
    categories: list[CategoryState]
    priors: Priors
    equations: list[Equations]
    covariance: np.ndarray


def fit_response(counts: list[CategoryCounts], config: FitConfig) -> Fit:
    """Maximise the posterior; after every step the widths of the priors are set to what the parameters show.

    Empirical Bayes by EM: a width is the root mean of square plus posterior variance (Laird 1982; MacKay 1992).
    """
    shared, states = _start(counts)
    learned_spread = dict.fromkeys((*LEARNED_HERE, "slope_of_segment", "shock"), config.spread)
    given_spread = dict.fromkeys(("level", "season"), config.level_spread)
    priors = Priors(learned_spread | given_spread, START_PERSISTENCE)
    for step in range(config.steps):
        parts = [equations(part, shared, state, priors) for part, state in zip(counts, states, strict=True)]
        covariance, move = _shared_move(parts, shared, priors)
        before = shared["slope"] + shared["slope_of_segment"]
        learned = _learned(priors, shared, states, parts, covariance)
        states = [_moved_state(state, *_own_move(part, move)) for state, part in zip(states, parts, strict=True)]
        shared = _moved(shared, move)
        change = np.abs(shared["slope"] + shared["slope_of_segment"] - before).max()
        width = max(abs(np.log(learned.spread[name] / priors.spread[name])) for name in learned.spread)
        log.info("step %d: log sensitivities moved by %.4f, prior widths by %.0f %%", step, change, 100 * width)
        if change < config.tolerance and width < SETTLED_WIDTH:
            break
        priors = learned
    else:
        log.warning("the response has not settled in %d steps: raise train.response.fit.steps", config.steps)
    return Fit(shared, states, priors, parts, covariance)


def _start(counts: list[CategoryCounts]) -> tuple[Values, list[CategoryState]]:
    """Everybody's sensitivity is the artefact's mean, and nothing else is known."""
    shared: Values = {
        "slope": np.array([np.mean([np.log(part.sensitivity).mean() for part in counts])]),
        "slope_of_segment": np.zeros(len(counts[0].visits)),
        "control": np.zeros(1),
        "context": np.zeros(len(counts[0].context)),
    }
    return shared, [start_of(part) for part in counts]


def _shared_move(parts: list[Equations], shared: Values, priors: Priors) -> tuple[np.ndarray, np.ndarray]:
    """Inverse of the Schur complement of the shared parameters [k, k], and their step [k]."""
    names = [(name, len(values)) for name, values in shared.items()]
    precision = np.concatenate([np.full(size, priors.precision(name)) for name, size in names])
    matrix, gradient = np.diag(precision), -precision * end_to_end(shared)
    for part in parts:
        solved = np.linalg.solve(part.own, np.column_stack([part.across, part.own_score]))
        matrix += part.shared - part.across.T @ solved[:, :-1]
        gradient += part.shared_score - part.across.T @ solved[:, -1]
    covariance = np.linalg.inv(matrix)
    return covariance, covariance @ gradient


def _own_move(part: Equations, move: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    own = np.linalg.solve(part.own, part.own_score - part.across @ move)
    both = np.concatenate([own, move])
    return own, np.einsum("jwv,jv->jw", part.shock_inverse, part.shock_score - part.shock_cross @ both)


def _moved_state(state: CategoryState, own: np.ndarray, shock: np.ndarray) -> CategoryState:
    return CategoryState(_moved(state.own, own), state.shock + _bounded(shock))


def _moved(values: Values, move: np.ndarray) -> Values:
    return by_name(end_to_end(values) + _bounded(move), values)


def _bounded(move: np.ndarray) -> np.ndarray:
    return np.clip(DAMPING * move, -LONGEST_STEP, LONGEST_STEP)


def _learned(
    priors: Priors, shared: Values, states: list[CategoryState], parts: list[Equations], covariance: np.ndarray
) -> Priors:
    """The widths that the parameters and what is left unknown of them show."""
    squares: dict[str, list[np.ndarray]] = {name: [] for name in (*LEARNED_HERE, "shock", "lagged")}
    variance = by_name(np.diag(covariance), shared)["slope_of_segment"]
    squares["slope_of_segment"] = [shared["slope_of_segment"] ** 2 + variance]
    for state, part in zip(states, parts, strict=True):
        own = _own_covariance(part, covariance)
        variances = by_name(np.diag(own)[: len(part.own)], state.own)
        for name in LEARNED_HERE:
            squares[name].append(state.own[name] ** 2 + variances[name])
        solved = part.shock_inverse @ part.shock_cross
        known = part.shock_inverse + np.einsum("jwa,ab,jvb->jwv", solved, own, solved, optimize=True)
        moments = known + state.shock[:, :, None] * state.shock[:, None, :]
        squares["shock"].append(np.einsum("jww->jw", moments).ravel())
        squares["lagged"].append(np.diagonal(moments, offset=1, axis1=1, axis2=2).ravel())
    mean = {name: float(np.concatenate(values).mean()) for name, values in squares.items()}
    persistence = float(np.clip(mean.pop("lagged") / mean["shock"], 0.0, MOST_PERSISTENCE))
    spread = priors.spread | {name: max(square**0.5, LEAST_SPREAD) for name, square in mean.items()}
    return replace(priors, spread=spread, persistence=persistence)


def _own_covariance(part: Equations, covariance: np.ndarray) -> np.ndarray:
    """Posterior covariance [d + k, d + k] of a category's own and the shared parameters."""
    inverse = np.linalg.inv(part.own)
    lever = -inverse @ part.across
    across = lever @ covariance
    return np.block([[inverse + across @ lever.T, across], [across.T, covariance]])
