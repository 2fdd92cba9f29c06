"""Which lines of a file are sales, by the cells of one of its columns, such as Status."""

from dataclasses import dataclass

import polars as pl

from gpu_pricer.errors import InputError


@dataclass(frozen=True)
class LineStatus:
    """What the cells of a column say of their line; "" stands for an empty cell.

    column: of the file. sales: cells of lines that are sales. left_out: cells of lines that are none, such as
    cancelled. Any other cell is not known, and its line is set aside as one that cannot be read. Raises InputError for
    a cell that is in both lists.
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
        """Return whether a line is no sale, by its stripped cell."""
        return cell.fill_null("").is_in(self.left_out)

    def is_known(self, cell: pl.Expr) -> pl.Expr:
        """Return whether a stripped cell is in one of the lists."""
        return cell.fill_null("").is_in([*self.sales, *self.left_out])

    def told(self, cell: pl.Expr) -> pl.Expr:
        """Return the column and the cell in words, such as Status='storniert'."""
        return pl.format("{}='{}'", pl.lit(self.column), cell.fill_null(""))
