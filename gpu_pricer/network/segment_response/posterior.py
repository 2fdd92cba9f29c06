"""What the log leaves open about the sensitivities: draws from the Laplace approximation of their posterior."""

import numpy as np
import polars as pl

from gpu_pricer.network.segment_response.fit import Fit
from gpu_pricer.network.segment_response.model import LEAST_RELATIVE, CategoryState, Equations, Values, by_name


def draw_sensitivities(fit: Fit, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Deviations [D, S, G] of a segment's mean log sensitivity in a category from that of the mode.

    Gaussian around the mode with the inverse information (MacKay 1992), shocks and levels integrated out: what is
    common to all categories is drawn once, what is a category's own given that. The priors' widths and the slopes of
    the first stage are taken as known.
    """
    common = rng.standard_normal((draws, len(fit.covariance))) @ np.linalg.cholesky(fit.covariance).T
    return np.stack(
        [
            _of_category(fit.shared, state, part, common, rng)
            for state, part in zip(fit.categories, fit.equations, strict=True)
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


def _of_category(
    shared: Values, state: CategoryState, part: Equations, common: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    noise = rng.standard_normal((len(common), len(part.own)))
    root = np.linalg.cholesky(part.own)
    own = np.linalg.solve(root.T, noise.T).T - common @ np.linalg.solve(part.own, part.across).T
    drawn = by_name(own, state.own) | by_name(common, shared)
    mode = _relative(state.own)
    return np.asarray(
        drawn["slope"]
        + drawn["slope_of_segment"]
        + np.log(np.maximum(mode + _relative(drawn) - 1.0, LEAST_RELATIVE))
        - np.log(mode)
    )


def _relative(own: Values) -> np.ndarray:
    """A category's mean sensitivity relative to the typical one of the segment, [D, S] or [S]."""
    everyone = own["slope_here"] + own["slope_of_product"].mean(axis=-1, keepdims=True)
    return np.maximum(1.0 + everyone + own["slope_of_segment_here"], LEAST_RELATIVE)
