"""How many users two artefacts place in different segments."""

from pathlib import Path
from typing import NamedTuple

import polars as pl

from gpu_pricer.tables.artefact.artefact_files import read_segments


class MovedUsers(NamedTuple):
    """The number of users who are in other segments than before, and of the users who had and have one."""

    moved: int
    both: int


def moved_users(before: Path, after: Path) -> MovedUsers:
    """Return the numbers for two artefacts' folders; none are known where one is missing or has ids of another type.

    InputError where an artefact is not valid.
    """
    known, now = ((read_segments(folder)[1] if folder.is_dir() else None) for folder in (before, after))
    if known is None or now is None or known.schema != now.schema:
        return MovedUsers(0, 0)
    both = known.join(now, on="user_id", suffix=":now")
    return MovedUsers(both.filter(pl.col("segment_id") != pl.col("segment_id:now")).height, both.height)
