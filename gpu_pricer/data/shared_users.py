"""User ids that many buyers seem to share, such as one for all guests: their purchases would be those of one user."""

import polars as pl

LEAST_LINES = 100
LEAST_SHARE = 0.02
"""Share of all lines that one user has, from which the id is taken as shared; shops with few users have more lines."""
LEAST_TIMES = 30
"""How many times the lines of the median user such an id has at least."""


def shared_user_report(sales: pl.DataFrame) -> str:
    """Return a line on the users with an implausible share of the lines, with the remedy; "" without any."""
    counts = sales.lazy().group_by("user_id").len("lines").collect(engine="streaming")
    lines = pl.col("lines")
    is_shared = (lines >= LEAST_LINES) & (lines >= LEAST_SHARE * lines.sum()) & (lines >= LEAST_TIMES * lines.median())
    shared = counts.filter(is_shared).sort("lines", descending=True)
    if shared.is_empty():
        return ""
    user, count = shared.select(pl.col("user_id").cast(pl.String), "lines").row(0)
    median = counts.select(lines.median()).item()
    others = f" and {shared.height - 1:,} others" if shared.height > 1 else ""
    return (
        f"user_id {user}{others} has {count / sales.height:.0%} of all {sales.height:,} lines, the median user has "
        f"{median:,.0f} lines: if many buyers share the id, such as guests, their purchases count as "
        "those of one user; give each of their orders an id of its own in user_id, or leave these lines out"
    )
