"""Guests: buyers without a user id. Each of their receipts, or lines, counts as a visit of another user."""

from collections.abc import Sequence
from typing import NamedTuple

import polars as pl

from gpu_pricer.data.spelled_values import spelled
from gpu_pricer.errors import InputError
from gpu_pricer.tables.checking import FEW

LEAST_LINES = 100
LEAST_SHARE, LEAST_TIMES = 0.02, 30
"""Share of all lines that one user has, and how many times those of the median user, from which many buyers seem to
share the id."""
MOST_SHARE = 0.2
"""Share from which one user seems to be many, whatever the others have; and share of all such ids together from which
data.guests must say whether they are."""
LOWEST, HIGHEST, ROOM = -(2**63), 2**63 - 1, 2**61
"""The ends of signed numbers, in which guests have ids below all others, and how many of these there are."""


RECEIPT = "receipt"
MUCH = 0.2
"""Share of the transactions that are of guests without a receipt, from which on that is a doubt."""


class Guests(NamedTuple):
    """How many transactions are of guests, how many of these have no receipt, and how many visits they are."""

    lines: int
    without_receipt: int
    visits: int

    def report(self) -> str:
        """Return a line on the guests, "" without any."""
        if not self.lines:
            return ""
        each = "each counts as a visit of another user"
        is_each = self.without_receipt == self.lines
        told = each if is_each else f"their {self.visits:,} receipts count as visits of other users"
        return f"{self.lines:,} transactions are of guests: {told}"

    def doubts(self, lines: int) -> list[str]:
        """Return the doubt about many guests whose receipts nobody knows; lines: all transactions."""
        if not self.without_receipt or self.without_receipt < MUCH * lines:
            return []
        share = self.without_receipt / lines
        return [
            f"{share:.0%} of the transactions are of guests without a {RECEIPT}, and each counts as a visit: if guests "
            "buy several products at once, the log seems to show that they choose between these, so that gains may "
            f"come out too large; bring a column {RECEIPT}, such as order numbers"
        ]


NO_GUESTS = Guests(0, 0, 0)


def with_receipt_numbers(lines: pl.LazyFrame) -> pl.LazyFrame:
    """Return the transactions with a number in place of each receipt: its text takes three times the memory."""
    if lines.collect_schema()[RECEIPT] == pl.Null:
        return lines
    receipt = pl.col(RECEIPT).cast(pl.String).str.strip_chars()
    is_known = receipt.is_not_null() & (receipt != "")
    return lines.with_columns(pl.when(is_known).then(receipt.hash(0)).alias(RECEIPT))


def with_guests(
    tables: dict[str, pl.DataFrame], guests: Sequence[int | str], origin: str
) -> tuple[dict[str, pl.DataFrame], Guests]:
    """Return the tables, the guests' transactions with ids that nobody else has, and how many these are.

    A transaction is a guest's where its user_id is null, blank or one of `guests`. Lines with the same receipt and time
    share a new id; every other line has its own. The id is computed from the content of the line, so that it stays the
    same from one night's log to the next: `guest` and a number or, if ids are numbers, a number below 0 and below all
    of them. tables: with user ids of one type, as short ids or as given. origin: the transactions', for the InputError
    where `guests` has an id without a line, or ids leave no room.
    """
    ids = tables["transactions"]["user_id"].unique()
    name, named = ids.cast(pl.String).str.strip_chars(), pl.Series([str(guest) for guest in guests], dtype=pl.String)
    if not (unknown := named.filter(~named.is_in(name.implode()))).is_empty():
        raise InputError(
            f"data.guests must name user ids of {origin}, found {', '.join(unknown)}, of which it has no line: mend it"
        )
    shared = ids.filter(name.is_null() | (name == "") | name.is_in(named.implode()))
    is_guest = tables["transactions"]["user_id"].is_in(shared.implode(), nulls_equal=True)
    count = int(is_guest.sum())
    if not count:
        return tables, NO_GUESTS
    own_lines = tables["transactions"].filter(is_guest)
    number, without_receipt = _numbers(own_lines), own_lines[RECEIPT].null_count()
    holders = {key: table for key, table in tables.items() if "user_id" in table.columns}
    every = pl.concat([table["user_id"].unique().cast(_wide(ids.dtype)) for table in holders.values()])
    if ids.dtype.is_integer():
        known = every.drop_nulls().to_numpy()
        lowest, highest = int(known.min(initial=0)), int(known.max(initial=0))
        if lowest < LOWEST + ROOM or highest > HIGHEST:
            raise InputError(
                f"{origin}: user_id must lie between {LOWEST + ROOM} and {HIGHEST} where lines are of guests, found "
                f"{lowest} to {highest}: convert user ids to text in all tables"
            )
        holders = {key: table.with_columns(pl.col("user_id").cast(pl.Int64)) for key, table in holders.items()}
        own = lowest - 1 - number
    else:
        own = _names_of(number, every).cast(ids.dtype)
    lines, place = holders["transactions"], is_guest.cast(pl.Int64).cum_sum() - 1
    user = pl.when(is_guest).then(own.gather(place.clip(0))).otherwise("user_id")
    found = Guests(count, without_receipt, number.n_unique())
    return tables | holders | {"transactions": lines.with_columns(user_id=user)}, found


def _numbers(lines: pl.DataFrame) -> pl.Series:
    """Return a number below ROOM for each line, by its receipt and time.

    Without a receipt it follows from product, time, quantity and price, and equal lines have different ones.
    """
    said = "product_id", "time", "quantity", "price"
    turn = pl.int_range(pl.len()).over(said).alias("turn")
    told = lines.select(*said, turn, RECEIPT).with_columns(pl.col("product_id").cast(pl.String))
    of_line, of_receipt = pl.struct(*said, "turn").hash(0), pl.struct(RECEIPT, "time").hash(0)
    number = pl.when(pl.col(RECEIPT).is_null()).then(of_line).otherwise(of_receipt)
    return told.select(number % ROOM).to_series().cast(pl.Int64)


def _wide(dtype: pl.DataType) -> pl.DataType:
    """Return the type in which ids of several tables are compared."""
    return dtype if dtype.is_integer() else pl.String()


def _names_of(number: pl.Series, others: pl.Series) -> pl.Series:
    """Return a name for each number, with which none of the others begins."""
    name = "guest"
    while others.str.starts_with(name).any():
        name = f"unknown {name}"
    return pl.select(pl.format("{} {}", pl.lit(name), number)).to_series()


def shared_user_report(lines: pl.DataFrame, guests: Sequence[int | str] | None) -> str:
    """Return a line on the users with an implausible share of the transactions or offers, with the remedy.

    lines: those of guests with ids of their own. guests: as in data.guests; the line is "" without such users, and
    where `guests` is empty, which says that nobody shares an id. Raise InputError where `guests` is None and these
    users have MOST_SHARE of the transactions together.
    """
    is_offers = "occasion_id" in lines.columns
    if guests is not None and not guests and not is_offers:
        return ""
    counts = lines.lazy().group_by("user_id").len("lines").collect(engine="streaming")
    own = pl.col("lines")
    share = own / own.sum()
    is_shared = (own >= LEAST_LINES) & (
        (share >= MOST_SHARE) | ((share >= LEAST_SHARE) & (own >= LEAST_TIMES * own.median()))
    )
    shared = counts.filter(is_shared).sort("lines", "user_id", descending=[True, False])
    if shared.is_empty():
        return ""
    ids, together = shared["user_id"].cast(pl.String).to_list(), int(shared["lines"].sum()) / lines.height
    who = f"user_id {ids[0]} has" if len(ids) == 1 else f"user_id {ids[0]} and {len(ids) - 1:,} more have"
    found = (
        f"{who} {together:.0%} of all {lines.height:,} lines, the median user has "
        f"{counts.select(own.median()).item():,.0f} lines: if many buyers share an id, such as guests, "
    )
    if is_offers:
        return f"{found}their purchases count as those of one user; give each of them an id of its own in user_id"
    every = [*map(str, guests or []), *ids[:FEW]]
    report = (
        f"{found}set data.guests={spelled(every)}, and each of their lines counts as a visit of another user; if every "
        "id is of one buyer, set data.guests=[]"
    )
    if guests is None and together >= MOST_SHARE:
        raise InputError(report)
    return report
