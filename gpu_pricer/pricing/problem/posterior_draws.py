"""Posterior draws of the price sensitivities, and the setting `uncertainty`: price with draws or point estimates."""

import logging

import numpy as np
import polars as pl

from gpu_pricer.errors import InputError
from gpu_pricer.tables.artefact import DemandArtefact
from kernels import Draws

log = logging.getLogger(__name__)

POINT, POSTERIOR = "point", "posterior"
UNCERTAINTIES = (POINT, POSTERIOR)
LARGEST = 20.0  # the largest log deviation; e**20 is a factor of half a billion


def posterior_draws(artefact: DemandArtefact, category_id: pl.Series) -> Draws:
    """Return the artefact's posterior draws of the sensitivities for categories [G] and for segments sorted by id.

    A category without draws keeps the demand's sensitivity, and the log says so. Raises InputError where the artefact
    has no posterior, or where a category has other draws in one segment than in another.
    """
    if artefact.posterior is None:
        raise InputError(
            "uncertainty=posterior needs a demand artefact with posterior.parquet, found none: train with "
            "train.response.draws=100, or set uncertainty=point"
        )
    segments = artefact.segments.select(pl.col("segment_id").sort()).with_row_index("segment")
    known = artefact.posterior["category_id"].unique()
    kept = category_id.filter(category_id.is_in(known.implode()))
    categories = pl.DataFrame({"category_id": kept}).with_row_index("category")
    if len(kept) < len(category_id):
        log.warning(
            "%d of %d categories have no draws in posterior.parquet: their price sensitivity is treated as known",
            len(category_id) - len(kept), len(category_id),
        )  # fmt: skip
    deviation = _deviations(artefact.posterior, segments, categories)
    row = np.full(len(category_id), -1, np.int64)
    row[category_id.is_in(known.implode()).to_numpy()] = np.arange(len(kept))
    return Draws(np.exp(deviation), row)


def _deviations(posterior: pl.DataFrame, segments: pl.DataFrame, categories: pl.DataFrame) -> np.ndarray:
    """Return log_deviation float64 [H, S, D] of the H categories that have draws."""
    if posterior.schema["segment_id"] != segments.schema["segment_id"]:
        _refuse(f"segment_id as in segments.parquet, found {posterior.schema['segment_id']}")
    rows = posterior.join(categories, on="category_id").join(segments, on="segment_id")
    rows = rows.sort("category", "segment", "draw").select("category", "segment", "draw", "log_deviation")
    shape = (categories.height, segments.height, rows["draw"].n_unique())
    draw = rows["draw"].to_numpy()
    is_whole = len(draw) == np.prod(shape)
    is_whole = is_whole and bool((draw.reshape(-1, max(shape[2], 1)) == draw[: shape[2]]).all())
    if not is_whole:
        _refuse(f"every draw once for each segment of a category, found {len(draw)} rows for {shape}")
    deviation = rows["log_deviation"].to_numpy().astype(np.float64)
    if not (np.abs(deviation) <= LARGEST).all():
        _refuse(f"log_deviation within ± {LARGEST:.0f}, found {deviation[~(np.abs(deviation) <= LARGEST)][0]}")
    return deviation.reshape(shape)


def _refuse(what: str) -> None:
    raise InputError(f"posterior.parquet must have {what}: train again, or set uncertainty=point")
