"""Tables in narrow terminals and in files: every cell is whole, in parts that each begin with the first column."""

import io
import re
import sys

import pytest
from rich import box
from rich.table import Table

from gpu_pricer.terminal.printing import WIDTH, print_tables

STYLE = re.compile(r"\x1b\[[\d;]*m")
ROWS = [(f"c{row}", *(f"{1000 * row + column:,}.25" for column in range(12))) for row in range(3)]
NOTE = "accepted by hand because the supplier's new price list came into force " * 4


class Terminal(io.StringIO):
    """Standard output of a person."""

    def isatty(self) -> bool:
        """Return that a person reads it."""
        return True


def table(*rows):
    board = Table("category", *(f"a number {column}" for column in range(len(rows[0]) - 1)), box=box.SIMPLE)
    for row in rows:
        board.add_row(*row)
    return board


@pytest.fixture
def printed(monkeypatch):
    """printed(board, columns) are the lines in a terminal of so many columns; None: in a file."""

    def lines(board, columns):
        stream = Terminal() if columns else io.StringIO()
        monkeypatch.setattr(sys, "stdout", stream)
        monkeypatch.setenv("COLUMNS", str(columns or 80))
        monkeypatch.setenv("TERM", "xterm")
        print_tables(board)
        return STYLE.sub("", stream.getvalue()).splitlines()

    return lines


@pytest.mark.parametrize("columns", [40, 80, 120, None])
def test_no_cell_is_cut(printed, columns):
    lines = printed(table(*ROWS), columns)

    words = " ".join(lines).split()
    assert [cell for row in ROWS for cell in row if cell not in words] == []
    assert max(len(line.rstrip()) for line in lines) <= (columns or WIDTH)


def test_every_part_begins_with_the_first_column(printed):
    lines = printed(table(*ROWS), 80)

    firsts = [line.split()[0] for line in lines if line.strip().startswith("c")]
    assert firsts == ["category", "c0", "c1", "c2"] * (len(firsts) // 4)
    assert len(firsts) > 4


def test_table_that_fits_is_printed_in_one_part(printed):
    lines = printed(table(*ROWS), 200)

    assert sum("category" in line for line in lines) == 1


def test_long_text_goes_on_in_the_next_line(printed):
    lines = printed(table(("v1", "12", NOTE)), 80)

    assert [word for word in NOTE.split() if word not in " ".join(lines).split()] == []
    assert max(len(line.rstrip()) for line in lines) <= 80


def test_text_of_the_users_is_no_markup(printed):
    assert "no_dearer[/red] [bold]" in "\n".join(printed(table(("c1", "no_dearer[/red] [bold]")), 80))


def test_one_row_of_a_file_is_one_line_however_many_numbers_it_has(printed):
    lines = printed(table(("c1", *(f"{number:,}.25" for number in range(1000, 1060)))), None)

    assert sum("1,000.25" in line and "1,059.25" in line for line in lines) == 1
