"""How many users two artefacts place in different segments."""

from pathlib import Path
from typing import NamedTuple

import polars as pl

from gpu_pricer.tables.artefact.artefact_files import read_segments

IDS = {"user_id", "segment_id"}


class MovedUsers(NamedTuple):
    """The number of users who are in other segments than before, and of the users who had and have one."""

    moved: int
    both: int


def moved_users(before: Path, after: Path) -> MovedUsers:
    """Return the numbers for two artefacts' folders, 0 where one is missing or their users' tables differ in columns.

    InputError where an artefact is not valid.
    """
    known, now = ((read_segments(folder)[1] if folder.is_dir() else None) for folder in (before, after))
    if known is None or now is None or known.schema != now.schema or not {*known.columns} >= IDS:
        return MovedUsers(0, 0)
    both = known.join(now, on="user_id", suffix=":now")
    return MovedUsers(both.filter(pl.col("segment_id") != pl.col("segment_id:now")).height, both.height)
