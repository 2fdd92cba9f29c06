"""Guests: buyers without a user id of their own. Each of their lines counts as a visit of another user."""

from collections.abc import Sequence

import polars as pl

from gpu_pricer.errors import InputError, first_line

LEAST_LINES = 100
LEAST_SHARE = 0.02
"""Share of all lines that one user has, from which many buyers seem to share the id; shops with few users have more
lines."""
MOST_SHARE = 0.2
"""Share from which data.guests must say whether they do."""
LEAST_TIMES = 30
"""How many times the lines of the median user such an id has at least."""


def with_guests(
    frames: dict[str, pl.DataFrame], guests: Sequence[int | str], origin: str
) -> tuple[dict[str, pl.DataFrame], int]:
    """Return the tables, the guests' transactions with ids that nobody else has, and how many these are.

    A transaction is a guest's where its user_id is null, blank or one of `guests`. The new ids are `guest 1`, `guest 2`
    and so on, or where ids are numbers, those below the smallest one and below 0. frames: tables with ids of one type,
    as short ids or as given. origin: the transactions', for the InputError where ids are too large to be signed.
    """
    lines = frames["transactions"]
    user = pl.col("user_id").cast(pl.String)
    is_guest = lines.select(
        user.is_null() | (user.str.strip_chars() == "") | user.is_in([str(guest) for guest in guests])
    ).to_series()
    count = int(is_guest.sum())
    if not count:
        return frames, 0
    number = is_guest.cast(pl.Int64).cum_sum()
    if lines.schema["user_id"].is_integer():
        frames = {name: _with_signed_ids(frame, origin) for name, frame in frames.items()}
        ids = pl.concat([frame["user_id"] for frame in frames.values() if "user_id" in frame.columns])
        own = min(ids.min() or 0, 0) - number
    else:
        own = _names_of(number, lines["user_id"]).cast(lines.schema["user_id"])
    named = frames["transactions"].with_columns(user_id=pl.when(is_guest).then(own).otherwise("user_id"))
    return frames | {"transactions": named}, count


def _with_signed_ids(frame: pl.DataFrame, origin: str) -> pl.DataFrame:
    """Return the frame with user ids as signed numbers."""
    if "user_id" not in frame.columns:
        return frame
    try:
        return frame.with_columns(pl.col("user_id").cast(pl.Int64))
    except pl.exceptions.InvalidOperationError as error:
        raise InputError(
            f"{origin}: user_id must be below 2^63 where lines are of guests, found: {first_line(error)}; convert user "
            "ids to text in all tables"
        ) from error


def _names_of(number: pl.Series, others: pl.Series) -> pl.Series:
    """Return a name for each number, none of which the others begin with."""
    name, taken = "guest", others.unique().cast(pl.String)
    while taken.str.starts_with(name).any():
        name = f"unknown {name}"
    return pl.select(pl.format("{} {}", pl.lit(name), number)).to_series()


def shared_user_report(lines: pl.DataFrame, guests: Sequence[int | str] | None) -> str:
    """Return a line on the users with an implausible share of the transactions or offers, with the remedy.

    It is "" where there are none, and where `guests`, as in data.guests, says who shares an id. Raise InputError where
    None is said and one user has MOST_SHARE of the transactions.
    """
    counts = lines.lazy().group_by("user_id").len("lines").collect(engine="streaming")
    own = pl.col("lines")
    is_shared = (own >= LEAST_LINES) & (own >= LEAST_SHARE * own.sum()) & (own >= LEAST_TIMES * own.median())
    shared = counts.filter(is_shared).sort("lines", "user_id", descending=[True, False])
    if guests is not None or shared.is_empty():
        return ""
    ids, share = shared["user_id"].cast(pl.String), shared["lines"][0] / lines.height
    others = f" and {shared.height - 1:,} others" if shared.height > 1 else ""
    found = (
        f"user_id {ids[0]}{others} has {share:.0%} of all {lines.height:,} lines, the median user has "
        f"{counts.select(own.median()).item():,.0f} lines: if many buyers share the id, such as guests, "
    )
    if "occasion_id" in lines.columns:
        return f"{found}their purchases count as those of one user; give each of them an id of its own in user_id"
    report = (
        f"{found}set data.guests=[{','.join(ids)}], and each of their lines counts as a visit of another user; if one "
        "buyer has them all, set data.guests=[]"
    )
    if share >= MOST_SHARE:
        raise InputError(report)
    return report
