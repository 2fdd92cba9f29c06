"""Segment ids that stay: a new training's segments take the ids of the last one's that share most members."""

from dataclasses import replace

import numpy as np
import polars as pl
from scipy.optimize import linear_sum_assignment

from gpu_pricer.network.segments.forming import Segmentation


def with_ids_of(previous: pl.DataFrame, users: pl.DataFrame, segmentation: Segmentation) -> Segmentation:
    """Renumber the segments, so that as many users as can be keep the segment_id they have in `previous`.

    previous: user_id, segment_id; users: user_id, in the order of the segmentation. Ids stay in 0 … S-1: what is not
    among them is nobody's predecessor. The matching is exact (Hungarian method: Kuhn 1955).
    """
    count = len(segmentation.centre)
    new_id = linear_sum_assignment(-overlap(previous, users, segmentation.segment, count))[1]
    return replace(segmentation, segment=new_id[segmentation.segment], centre=segmentation.centre[np.argsort(new_id)])


def overlap(previous: pl.DataFrame, users: pl.DataFrame, segment: np.ndarray, count: int) -> np.ndarray:
    """How many users are now in segment i and were in segment j, [count, count]."""
    shared = np.zeros((count, count), np.int64)
    if not previous.schema["segment_id"].is_integer() or previous.schema["user_id"] != users.schema["user_id"]:
        return shared
    known = users.select("user_id", now=pl.Series(segment)).join(previous, on="user_id")
    known = known.filter(pl.col("segment_id").is_between(0, count - 1))
    np.add.at(shared, (known["now"].to_numpy(), known["segment_id"].to_numpy()), 1)
    return shared
