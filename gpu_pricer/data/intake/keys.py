"""Ids that tables share: which part of the sales names a product or a user that the other table knows."""

from dataclasses import dataclass

import polars as pl

from gpu_pricer.data.sources.source import RawTable

EXAMPLES = 3


@dataclass(frozen=True)
class MatchedKey:
    """How the ids of one table match those of another.

    rows: of the table, with an id. matched: those whose id is known. unknown: the first ids that are not.
    without_zeros, without_decimals: how many of the unknown ids are known once leading zeros are taken away on both
    sides, or .0 at the end, as where a column of whole numbers had gaps. unused: ids of the other table that the table
    never names.
    """

    name: str
    table: str
    owner: str
    rows: int
    matched: int
    unknown: list[str]
    without_zeros: int
    without_decimals: int
    unused: int

    @property
    def share(self) -> float:
        """The share of the rows whose id is known."""
        return self.matched / max(self.rows, 1)


def matched_keys(raw: dict[str, RawTable]) -> list[MatchedKey]:
    """Return how the ids of the sales and of the context match those of products and users, where both are there."""
    pairs = [
        (name, table, owner)
        for table in ("transactions", "offers", "context")
        for name, owner in (("product_id", "products"), ("user_id", "users"))
        if table in raw and owner in raw and name in raw[table].rows.collect_schema()
    ]
    return [_matched(name, table, owner, raw) for name, table, owner in pairs]


def _matched(name: str, table: str, owner: str, raw: dict[str, RawTable]) -> MatchedKey:
    ids = raw[table].rows.select(pl.col(name).cast(pl.String)).drop_nulls().group_by(name).len("rows").collect()
    known = raw[owner].rows.select(pl.col(name).cast(pl.String)).drop_nulls().unique().collect()
    lost = ids.join(known, on=name, how="anti").sort("rows", name, descending=[True, False])
    rows, unknown = (int(counted["rows"].sum()) for counted in (ids, lost))
    bare = known.select(pl.col(name).str.strip_chars_start("0"))
    return MatchedKey(
        name=name,
        table=table,
        owner=owner,
        rows=rows,
        matched=rows - unknown,
        unknown=lost[name].head(EXAMPLES).to_list(),
        without_zeros=lost.with_columns(pl.col(name).str.strip_chars_start("0")).join(bare, on=name, how="semi").height,
        without_decimals=lost.with_columns(pl.col(name).str.strip_suffix(".0")).join(known, on=name, how="semi").height,
        unused=known.join(ids, on=name, how="anti").height,
    )
