"""The response model of one category: utilities, their derivatives, and the equations of a Newton step.

    u[s, w, j] = appeal[s, j] + level[j] + taste[s] + season[w] + context[w, j] · effect + surprise[w, j] · control
                 + shock[w, j] − b[s, j] · move[w, j]
    b[s, j] = exp(slope + slope[s]) · (1 + slope[category] + slope[s, category] + slope[j])

Shocks are the demand of a product in a period that nothing else explains, an autoregression over the periods. Leaving
them out would take their noise for information: the price of a product moves slowly, and so do they.
"""

from dataclasses import dataclass

import numpy as np

from gpu_pricer.network.segment_response.counts import CategoryCounts
from gpu_pricer.network.segment_response.terms import Term, against_shocks, normal_matrix, score, spread_out

OWN = (
    "level",
    "taste",
    "season",
    "control_here",
    "control_of_product",
    "slope_here",
    "slope_of_segment_here",
    "slope_of_product",
)
LEAST_RELATIVE = 0.1  # of a segment's typical sensitivity
FLAT = 1e-6  # the prior precision of what nothing shrinks

Values = dict[str, np.ndarray]


def end_to_end(values: Values) -> np.ndarray:
    """All parameters in one vector, in the order of the names."""
    return np.concatenate(list(values.values()))


def by_name(vector: np.ndarray, like: Values) -> Values:
    """Parameters that lie end to end along the last axis, under the names and with the sizes of others."""
    ends = np.cumsum([len(values) for values in like.values()])[:-1]
    return dict(zip(like, np.split(vector, ends, axis=-1), strict=True))


@dataclass(frozen=True)
class Priors:
    """Standard deviations by the name of the parameters (flat where there is none), and the shocks' persistence."""

    spread: dict[str, float]
    persistence: float

    def precision(self, name: str) -> float:
        """Of the zero-mean Gaussian prior."""
        return self.spread[name] ** -2 if name in self.spread else FLAT

    def shock_precision(self, weeks: int) -> np.ndarray:
        """Of a stationary autoregression over the weeks, [W, W]."""
        rho = self.persistence
        matrix = np.diag(np.full(weeks, 1.0 + rho**2))
        matrix[0, 0] = matrix[-1, -1] = 1.0
        beside = np.arange(weeks - 1)
        matrix[beside, beside + 1] = matrix[beside + 1, beside] = -rho
        return matrix / (1.0 - rho**2) / self.spread["shock"] ** 2


@dataclass(frozen=True)
class CategoryState:
    """Parameters of one category: own by name; shock [n, W]."""

    own: Values
    shock: np.ndarray


def start_of(counts: CategoryCounts) -> CategoryState:
    """Nothing known yet."""
    weeks, products = counts.move.shape
    segments = len(counts.visits)
    sizes = {"level": products, "taste": segments, "season": weeks}
    sizes |= {"slope_of_segment_here": segments, "slope_of_product": products, "control_of_product": products}
    return CategoryState({name: np.zeros(sizes.get(name, 1)) for name in OWN}, np.zeros((products, weeks)))


def terms_of(counts: CategoryCounts, typical: np.ndarray) -> tuple[list[Term], list[Term]]:
    """The terms of own and of shared parameters, at typical sensitivities [S, 1, 1].

    The factor of the common slopes leaves the products' own ones out, which are fitted to the same noise: with them the
    score of the common slopes would not be zero on average at the truth (+10 % on the instrument's, measured).
    """
    steep, one = -typical * counts.move, np.ones((1, 1, 1))
    own = [
        Term("level", "j", one),
        Term("taste", "s", one),
        Term("season", "w", one),
        Term("control_here", "", counts.surprise[None]),
        Term("control_of_product", "j", counts.surprise[None]),
        Term("slope_here", "", steep),
        Term("slope_of_segment_here", "s", steep),
        Term("slope_of_product", "j", steep),
    ]
    shared = [
        Term("slope", "", steep),
        Term("slope_of_segment", "s", steep),
        Term("control", "", counts.surprise[None]),
        *(Term("context", "", column[None]) for column in counts.context),
    ]
    return own, shared


def typical_sensitivity(shared: Values) -> np.ndarray:
    """exp(slope + slope[s]) [S, 1, 1]: b where a category has no slope of its own."""
    return np.exp(spread_out(shared["slope"] + shared["slope_of_segment"], "s"))


def sensitivity_of(shared: Values, own: Values) -> np.ndarray:
    """b [S, 1, n] > 0."""
    relative = spread_out(1.0 + own["slope_here"] + own["slope_of_segment_here"], "s")
    relative = relative + spread_out(own["slope_of_product"], "j")
    return typical_sensitivity(shared) * np.maximum(relative, LEAST_RELATIVE)


def utility(counts: CategoryCounts, shared: Values, state: CategoryState) -> np.ndarray:
    """u [S, W, n], −inf off the shelf."""
    own = state.own
    everyone = np.tensordot(shared["context"], counts.context, axes=1) + state.shock.T
    everyone = everyone + counts.surprise * (shared["control"] + own["control_here"] + own["control_of_product"])
    everyone = everyone + own["season"][:, None] + own["level"]
    value = counts.appeal[:, None] + spread_out(own["taste"], "s") + everyone
    value = value - sensitivity_of(shared, own) * counts.move
    return np.where(counts.on_shelf, value, -np.inf)


@dataclass(frozen=True)
class Equations:
    """One category's part of a Newton step, the shocks eliminated.

    own [d, d] (with prior), across [d, k], shared [k, k] (without); their scores; to go back to the shocks: their
    inverse block [n, W, W], cross block [n, W, d + k] and score [n, W].
    """

    own: np.ndarray
    across: np.ndarray
    shared: np.ndarray
    own_score: np.ndarray
    shared_score: np.ndarray
    shock_inverse: np.ndarray
    shock_cross: np.ndarray
    shock_score: np.ndarray


def equations(counts: CategoryCounts, shared: Values, state: CategoryState, priors: Priors) -> Equations:
    """Fisher scoring with the diagonal of the multinomial information (McCullagh & Nelder 1989, ch. 2.5).

    What the diagonal leaves out are products of two shares, small beside the shares where most occasions buy nothing.
    """
    weight = np.exp(utility(counts, shared, state))
    share = weight / (1.0 + weight.sum(axis=2, keepdims=True))
    residual = counts.bought - counts.visits[:, :, None] * share
    information = counts.visits[:, :, None] * share * (1 - share)
    own, common = terms_of(counts, typical_sensitivity(shared))
    width, everything = sum(len(state.own[term.name]) for term in own), own + common
    prior = np.concatenate([np.full(len(state.own[n]), priors.precision(n)) for n in OWN])
    quadratic = priors.shock_precision(counts.move.shape[0])
    inverse = np.linalg.inv(quadratic + _diagonals(information.sum(axis=0).T))
    shock_score = residual.sum(axis=0).T - state.shock @ quadratic
    cross = against_shocks(everything, information)
    solved = inverse @ cross
    matrix = normal_matrix(everything, everything, information) - np.einsum("jwa,jwb->ab", cross, solved, optimize=True)
    gradient = score(everything, residual) - np.einsum("jwa,jw->a", solved, shock_score)
    gradient[:width] -= prior * end_to_end(state.own)
    return Equations(
        own=matrix[:width, :width] + np.diag(prior),
        across=matrix[:width, width:],
        shared=matrix[width:, width:],
        own_score=gradient[:width],
        shared_score=gradient[width:],
        shock_inverse=inverse,
        shock_cross=cross,
        shock_score=shock_score,
    )


def _diagonals(values: np.ndarray) -> np.ndarray:
    """[n, W] as diagonal matrices [n, W, W]."""
    return values[:, :, None] * np.eye(values.shape[1])
