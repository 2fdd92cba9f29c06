"""Posterior draws of the price sensitivities, and the setting `uncertainty`: price with draws or point estimates."""

import logging

import numpy as np
import polars as pl

from gpu_pricer.errors import InputError
from gpu_pricer.tables.artefact import DemandArtefact
from gpu_pricer.tables.digests import digests
from kernels import Draws

log = logging.getLogger(__name__)

POINT, POSTERIOR = "point", "posterior"
UNCERTAINTIES = (POINT, POSTERIOR)
LARGEST = 20.0  # the largest log deviation; e**20 is a factor of half a billion


def posterior_draws(artefact: DemandArtefact, category_id: pl.Series) -> Draws:
    """Return the artefact's posterior draws of the sensitivities for categories [G] and for segments sorted by id.

    A category without draws of its own has those of one of the stand-ins, which its id decides. In an artefact without
    stand-ins it keeps the demand's sensitivity, and the log says so. Raises InputError where the artefact has no
    posterior, or where a category has other draws in one segment than in another.
    """
    if artefact.posterior is None:
        raise InputError(
            "uncertainty=posterior needs a demand artefact with posterior.parquet, found none: train with "
            "train.response.draws=100, or set uncertainty=point"
        )
    segments = artefact.segments.select(pl.col("segment_id").sort()).with_row_index("segment")
    is_own = has_own_draws(artefact, category_id)
    row = np.where(is_own, np.cumsum(is_own) - 1, -1)
    own = category_id.filter(is_own).to_frame("category_id")
    deviation = _deviations(artefact.posterior, segments, own.with_row_index("category"))
    stand_ins = artefact.posterior.filter(pl.col("category_id").is_null())
    if not is_own.all() and not stand_ins.is_empty():
        numbers = stand_ins.select(pl.col("stand_in").unique().sort()).with_row_index("category")
        row[~is_own] = len(own) + digests(category_id.filter(~is_own)) % numbers.height
        others = _deviations(stand_ins, segments, numbers)
        if len(own) and others.shape[2] != deviation.shape[2]:
            _refuse(f"as many draws of stand-ins as of categories, found {others.shape[2]} and {deviation.shape[2]}")
        deviation = np.concatenate([deviation, others]) if len(own) else others
    elif not is_own.all():
        log.warning(
            "%d of %d categories have no draws in posterior.parquet: their price sensitivity is treated as known",
            len(category_id) - len(own), len(category_id),
        )  # fmt: skip
    return Draws(np.exp(deviation), row)


def has_own_draws(artefact: DemandArtefact, category_id: pl.Series) -> np.ndarray:
    """Return which of the categories [G] taught the price response, so that they have draws of their own; bool [G]."""
    if artefact.posterior is None:
        return np.zeros(len(category_id), np.bool_)
    return category_id.is_in(artefact.posterior["category_id"].drop_nulls().unique().implode()).to_numpy()


def _deviations(posterior: pl.DataFrame, segments: pl.DataFrame, categories: pl.DataFrame) -> np.ndarray:
    """Return log_deviation float64 [H, S, D] of H categories or stand-ins.

    categories: category, from 0, and the column that names them.
    """
    if posterior.schema["segment_id"] != segments.schema["segment_id"]:
        _refuse(f"segment_id as in segments.parquet, found {posterior.schema['segment_id']}")
    rows = posterior.join(categories, on=categories.columns[1:]).join(segments, on="segment_id")
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
