"""Tables on standard output: one that is wider than the terminal is printed in parts, so that no cell is cut off."""

import sys

from rich.cells import cell_len
from rich.console import Console
from rich.table import Column, Table

WIDTH = 160  # columns where the output is a file; more where the cells of a table need more
TEXT = 40  # columns from which a cell is text, which may go on in the next line


def print_tables(*tables: Table) -> None:
    """Print tables, in as many columns as the terminal has, or WIDTH where there is no terminal.

    A table that does not fit is printed in several parts, each of which begins with the table's first column.
    """
    width = Console().width if sys.stdout.isatty() else None
    for table in tables:
        for part in parts_of(table, width):
            needed = Console(width=sys.maxsize).measure(part).maximum
            Console(width=max(width or WIDTH, needed), markup=False, highlight=False).print(part)


def parts_of(table: Table, width: int | None) -> list[Table]:
    """Return tables of at most `width` columns that together have all columns of a table; None: one of any width.

    One column beside the first may still exceed the width.
    """
    first, *others = table.columns
    groups: list[list[Column]] = [[first]]
    for column in others:
        group = groups[-1]
        is_full = width is not None and _least(group) + _least([column]) + 1 > width
        if is_full and len(group) > 1:
            groups.append([first, column])
        else:
            group.append(column)
    parts = [_part(table, group, width or WIDTH) for group in groups]
    parts[-1].caption = table.caption
    return parts


def _part(table: Table, columns: list[Column], width: int) -> Table:
    """Return the table of some columns: what is left of the width goes to long titles and texts."""
    part = Table(box=table.box)
    spare = max(width - _least(columns) - 1, 0)
    for column in columns:
        least = _least_width(column)
        grown = min(max(_longest(column), cell_len(str(column.header))) - least, spare)
        spare -= max(grown, 0)
        part.add_column(column.header, width=least + max(grown, 0))
    for cells in zip(*(column.cells for column in columns), strict=True):
        part.add_row(*cells)
    return part


def _least(columns: list[Column]) -> int:
    """Return how wide columns are at least: the space on both sides of each and the rule behind it count."""
    return sum(_least_width(column) + 3 for column in columns)


def _least_width(column: Column) -> int:
    """Return the width of the longest cell, or of the title's longest word; a text needs no more than TEXT."""
    words = str(column.header).split()
    return max(min(_longest(column), TEXT), *map(cell_len, words), 1)


def _longest(column: Column) -> int:
    return max((cell_len(str(cell)) for cell in column.cells), default=0)
