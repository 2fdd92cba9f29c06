"""The cross table of our segments and the true types, weighted with the users' visits."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from gpu_pricer.errors import InputError


@dataclass(frozen=True)
class CrossTab:
    """Visits by segment and type.

    visits [S, T]: expected visits of users in segment s of type t; segment_id [S].
    covered: share of all visits whose users have both a segment and a type.
    """

    visits: np.ndarray
    segment_id: pl.Series
    covered: float


def cross_tab(user_segments: pl.DataFrame, user_types: pl.DataFrame, type_id: pl.Series) -> CrossTab:
    """Return the cross table of users joined by user_id.

    user_segments: user_id, segment_id; user_types: user_id, segment_id (the type), visits (expected). Users without a
    segment are left out of every number that is compared. Raises InputError when no user has both.
    """
    segments = user_segments.select(pl.col("user_id").cast(pl.String), segment="segment_id")
    users = user_types.select(pl.col("user_id").cast(pl.String), "visits", type="segment_id").join(
        segments, on="user_id"
    )
    if users.is_empty():
        raise InputError(
            "the demand artefact's user_segments must share users with the truth, found none: "
            "train on the same synthetic market, or remove paths.truth if it is of another one"
        )
    segment_id = users["segment"].unique().sort()
    visits = np.zeros((len(segment_id), len(type_id)))
    row, column = segment_id.search_sorted(users["segment"]), _positions(type_id, users["type"])
    np.add.at(visits, (row.to_numpy(), column), users["visits"].to_numpy())
    return CrossTab(visits, segment_id, float(visits.sum() / user_types["visits"].to_numpy().sum()))


def _positions(ids: pl.Series, values: pl.Series) -> np.ndarray:
    """Return the position in `ids`, which are distinct, of each of the values."""
    order = ids.arg_sort().to_numpy()
    return order[ids.sort().search_sorted(values).to_numpy()]
