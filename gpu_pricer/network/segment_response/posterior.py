"""What the log leaves open about the sensitivities: draws from the Laplace approximation of their posterior."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from gpu_pricer.network.segment_response.fit import Fit
from gpu_pricer.network.segment_response.model import LEAST_RELATIVE, CategoryState, Equations, Values, by_name


@dataclass(frozen=True)
class Untaught:
    """How many products of a category taught nothing, and how far prices there are from the usual ones (sd, logs).

    They answer like the category, give or take what its products differ by. But their usual price is not known either:
    today's stands for it, and is as far from it as prices are, so that their elasticity is off by as much (without that
    90 % intervals covered one to three points less, on markets whose prices answer hidden demand).
    """

    products: int
    price_spread: float


def draw_sensitivities(fit: Fit, untaught: list[Untaught], draws: int, rng: np.random.Generator) -> np.ndarray:
    """Deviations [D, S, G] of a segment's mean log sensitivity in a category from that of the mode.

    Gaussian around the mode with the inverse information (MacKay 1992), shocks and levels integrated out: what is
    common to all categories is drawn once, what is a category's own given that. The priors' widths and the slopes of
    the first stage are taken as known.
    """
    common = rng.standard_normal((draws, len(fit.covariance))) @ np.linalg.cholesky(fit.covariance).T
    own_slope = fit.priors.spread["slope_of_product"]
    return np.stack(
        [
            _of_category(fit.shared, state, part, common, _UntaughtProducts.draw(others, own_slope, draws, rng), rng)
            for state, part, others in zip(fit.categories, fit.equations, untaught, strict=True)
        ],
        axis=2,
    )


def posterior_table(segment_id: pl.Series, category_id: list[str], drawn: np.ndarray) -> pl.DataFrame:
    """The artefact's posterior: drawn [D, S, G] as rows segment_id, category_id, draw, log_deviation."""
    draw, segment, category = (index.ravel() for index in np.indices(drawn.shape))
    return pl.DataFrame(
        {
            "segment_id": segment_id.gather(segment),
            "category_id": pl.Series(category_id, dtype=pl.String).gather(category),
            "draw": draw,
            "log_deviation": drawn.ravel().astype(np.float32),
        }
    )


@dataclass(frozen=True)
class _UntaughtProducts:
    """What a category's m untaught products differ by, [D, m]: slope of their own, and price over the usual one."""

    slope: np.ndarray
    dearness: np.ndarray

    @classmethod
    def draw(cls, untaught: Untaught, own_slope: float, draws: int, rng: np.random.Generator) -> "_UntaughtProducts":
        slope, dearness = rng.standard_normal((2, draws, untaught.products))
        return cls(own_slope * slope, np.exp(untaught.price_spread * dearness))


def _of_category(
    shared: Values,
    state: CategoryState,
    part: Equations,
    common: np.ndarray,
    untaught: _UntaughtProducts,
    rng: np.random.Generator,
) -> np.ndarray:
    noise = rng.standard_normal((len(common), len(part.own)))
    root = np.linalg.cholesky(part.own)
    own = np.linalg.solve(root.T, noise.T).T - common @ np.linalg.solve(part.own, part.across).T
    drawn = by_name(own, state.own) | by_name(common, shared)
    moved = {name: drawn[name] + state.own[name] for name in state.own}
    nothing = np.zeros((1, untaught.slope.shape[1]))
    settled = _relative(state.own, _UntaughtProducts(nothing, nothing + 1.0))
    return np.asarray(drawn["slope"] + drawn["slope_of_segment"] + np.log(_relative(moved, untaught) / settled))


def _relative(own: Values, untaught: _UntaughtProducts) -> np.ndarray:
    """A category's mean sensitivity relative to the typical one of the segment, [D, S], all products counted alike."""
    everyone = 1.0 + own["slope_here"] + own["slope_of_segment_here"]
    taught, others = own["slope_of_product"], untaught.slope.shape[1]
    total = taught.shape[-1] * everyone + taught.sum(axis=-1, keepdims=True)
    total = total + ((everyone[..., None] + untaught.slope[:, None]) * untaught.dearness[:, None]).sum(axis=-1)
    return np.asarray(np.maximum(total / (taught.shape[-1] + others), LEAST_RELATIVE))
