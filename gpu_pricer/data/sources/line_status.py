"""Which lines of a file count, by the cells of a column such as Status or Currency."""

from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from gpu_pricer.errors import InputError


@dataclass(frozen=True)
class LineStatus:
    """What the cells of a column say of their line; "" stands for an empty cell.

    column: of the file. sales: cells of lines that count: sales, or lines in the currency of the prices. left_out:
    cells of lines that do not, such as cancelled ones. Any other cell is not known, and its line is set aside as one
    that cannot be read. Raises InputError for a cell that is in both lists.
    """

    column: str
    sales: list[str]
    left_out: list[str]

    def __post_init__(self) -> None:
        both = sorted({*self.sales} & {*self.left_out})
        if both:
            raise InputError(
                f"each cell of {self.column} must be in sales or in left_out, found {both[0]!r} in both: mend one"
            )

    def is_left_out(self, cell: pl.Expr) -> pl.Expr:
        """Return whether a line does not count, by its stripped cell."""
        return cell.fill_null("").is_in(self.left_out)

    def is_known(self, cell: pl.Expr) -> pl.Expr:
        """Return whether a stripped cell is in one of the lists."""
        return cell.fill_null("").is_in([*self.sales, *self.left_out])

    def told(self, cell: pl.Expr) -> pl.Expr:
        """Return the column and the cell in words, such as Status='storniert'."""
        return pl.format("{}='{}'", pl.lit(self.column), cell.fill_null(""))


Judged = Iterable[tuple[LineStatus, pl.Expr]]
"""Statuses, each with the stripped cells of its column."""


def left_out_by(statuses: Judged) -> pl.Expr:
    """Return by which cells a line does not count, such as Status='storniert'; null for a line that counts."""
    return together(pl.when(status.is_left_out(cell)).then(status.told(cell)) for status, cell in statuses)


def unknown_in(statuses: Judged) -> pl.Expr:
    """Return the cells of a line whose meaning is not known, in words; null where all are."""
    return together(pl.when(~status.is_known(cell)).then(status.told(cell)) for status, cell in statuses)


def together(told: Iterable[pl.Expr]) -> pl.Expr:
    """Return texts behind each other, those that are null left out; null where all are."""
    texts = [*told]
    if not texts:
        return pl.lit(None, dtype=pl.String)
    joined = pl.concat_str(texts, separator=", ", ignore_nulls=True)
    return pl.when(joined != "").then(joined)
