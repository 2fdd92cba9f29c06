"""Which lines of the transactions are sales: a column such as Status is found, or named by the user, or asked about."""

import re
from collections import Counter
from dataclasses import replace
from typing import Literal

from gpu_pricer.data.intake.found_file import EXAMPLES
from gpu_pricer.data.intake.matching import SAID, FoundStatus, TakenFile
from gpu_pricer.data.intake.vocabulary import NONE, Answers, Question, Vocabulary, override
from gpu_pricer.data.plain_words import plain_word
from gpu_pricer.data.sources.cells import FALSE, TRUE
from gpu_pricer.errors import InputError

TABLE = "transactions"
MOST_STATUSES = 40
"""Different cells of a column, above which it holds no statuses."""
MOST_ANSWERS = 3
"""Cells that the question which lines are no sales offers one by one."""
COLUMN, LEFT_OUT = "status.column", "status.left_out"
"""The settings of `inspect` that answer."""
Meaning = Literal["sale", "left_out", "unknown"]
Statuses = dict[str, Counter[str]]
"""By column, how many lines of all files have each cell."""


def with_statuses(
    taken: list[TakenFile], vocabulary: Vocabulary, answers: Answers
) -> tuple[list[TakenFile], list[Question]]:
    """Return the files with the status of their lines, and the question which lines are sales if that cannot be told.

    Each file of the transactions has one column of statuses at most: the one that the user names, or, where the file
    has none of that name, the only one that is called so or has a cell such as `storniert`.
    """
    if answers.status_column == NONE:
        return taken, []
    columns = _columns(taken, vocabulary, answers.status_column)
    open_ones = dict.fromkeys(column for several in columns if len(several) > 1 for column in several)
    if open_ones:
        return taken, [_which_column(_counts(taken, columns), [*open_ones])]
    counts = _counts(taken, columns)
    if answers.left_out is not None:
        _require_cells(answers.left_out, counts)
    meanings = {
        column: {cell: meaning(vocabulary, column, cell) for cell in sorted(counts[column])} for column in counts
    }
    if answers.left_out is None and any("unknown" in told.values() for told in meanings.values()):
        return taken, [_which_cells(counts, meanings)]
    reason = SAID if answers.status_column or answers.left_out is not None else "by its cells"
    settled = []
    for file, of_file in zip(taken, columns, strict=True):
        for column in of_file:
            told = meanings[column]
            by_words = [cell for cell, said in told.items() if said == "left_out"]
            left_out = by_words if answers.left_out is None else [cell for cell in answers.left_out if cell in told]
            sales = [cell for cell in told if cell not in left_out]
            file = replace(file, status=FoundStatus(column, file.found.counts(column), sales, left_out, reason))
        settled.append(file)
    return settled, []


def meaning(vocabulary: Vocabulary, column: str, cell: str) -> Meaning:
    """Return what a cell says of its line; true of a column such as `storniert` means that it is no sale."""
    words = vocabulary.status
    if plain_word(column) in words["left_out"] and cell.lower() in TRUE:
        return "left_out"
    if not cell or (plain_word(column) in words["left_out"] and cell.lower() in FALSE):
        return "sale"
    if plain_word(cell) in words["left_out"]:
        return "left_out"
    return "sale" if plain_word(cell) in words["sale"] else "unknown"


def _columns(taken: list[TakenFile], vocabulary: Vocabulary, said: str | None) -> list[list[str]]:
    """Return for each file the columns that may hold its statuses: the one said, or those by which they are known."""
    files = [file for file in taken if file.table == TABLE]
    if said is not None and not any(said in file.left_out for file in files):
        columns = ", ".join(column for file in files for column in file.left_out) or "none"
        raise InputError(
            f"inspect.{COLUMN} must name an unread column of {TABLE}, found {said!r}, but only {columns}: mend it"
        )
    by_cells, by_name = _candidates(_counted(files), vocabulary)
    found: list[list[str]] = []
    for file in taken:
        unread = file.left_out if file.table == TABLE else []
        own = [column for column in unread if column in by_cells] or [name for name in unread if name in by_name]
        found.append([said] if said is not None and said in unread else own)
        if said is not None and len(found[-1]) > 1:
            raise InputError(
                f"{file.found.path} must have {said} or one other column of statuses, found {', '.join(own)}: rename "
                f"the one that says which lines are sales to {said}"
            )
    return found


def _counted(files: list[TakenFile]) -> Statuses:
    """Return the counted cells of each unread column that may hold statuses."""
    found: Statuses = {}
    for file in files:
        for column in file.left_out:
            if file.found.columns[column].distinct <= MOST_STATUSES:
                found.setdefault(column, Counter()).update(file.found.counts(column))
    return found


def _counts(taken: list[TakenFile], columns: list[list[str]]) -> Statuses:
    """Return the counted cells of the columns that hold the files' statuses."""
    counts: Statuses = {}
    for file, of_file in zip(taken, columns, strict=True):
        for column in of_file:
            counts.setdefault(column, Counter()).update(file.found.counts(column))
    return counts


def _candidates(statuses: Statuses, vocabulary: Vocabulary) -> tuple[list[str], list[str]]:
    """Return the columns with a cell that says that a line is no sale, and those called as a status."""
    by_cells = [
        column
        for column, counts in statuses.items()
        if any(meaning(vocabulary, column, cell) == "left_out" or _has_word(vocabulary, cell) for cell in counts)
    ]
    names = {*vocabulary.status["columns"], *vocabulary.status["left_out"]}
    return by_cells, [column for column, counts in statuses.items() if plain_word(column) in names and any(counts)]


def _has_word(vocabulary: Vocabulary, cell: str) -> bool:
    """Return whether one of a cell's words says that a line is no sale, as in `teilweise storniert`."""
    return any(plain_word(word) in vocabulary.status["left_out"] for word in re.split(r"[\W_]+", cell))


def _which_column(statuses: Statuses, columns: list[str]) -> Question:
    seen = " or ".join(f"{column} (such as {', '.join([*statuses[column]][:EXAMPLES])})" for column in columns)
    text = f"which column says whether a line of {TABLE} is a sale? It could be {seen}; {NONE}: all lines are sales"
    return Question(text, tuple(override(COLUMN, word) for word in (*columns, NONE)))


def _which_cells(counts: Statuses, meanings: dict[str, dict[str, Meaning]]) -> Question:
    """Return the question which cells of the columns of statuses say that a line is no sale."""
    cells = sum(counts.values(), Counter())
    told = [entry for of_column in meanings.values() for entry in of_column.items()]
    certain, unknown, sales = (
        list(dict.fromkeys(cell for cell, said in told if said == kind)) for kind in ("left_out", "unknown", "sale")
    )
    seen = ", ".join(f"{cell or '(empty)'} ({_lines(count)})" for cell, count in cells.most_common())
    known = f"{', '.join(certain)} will not count" if certain else "none is known to be cancelled or returned"
    text = (
        f"which lines of {TABLE} are no sales, by their {' and '.join(counts)}? Found {seen}; {known}. Name all "
        f"cells of lines to leave out; {COLUMN}={NONE} counts every line, also later on"
    )
    rarest = sorted(unknown, key=lambda cell: (cells[cell], cell))[:MOST_ANSWERS] if len(unknown) > 1 else []
    others = [unknown] if sales else [[cell] for cell in rarest]
    left_out = [certain, *([*certain, *cell] for cell in others)]
    return Question(
        text, (*(override(LEFT_OUT, list(dict.fromkeys(names))) for names in left_out), override(COLUMN, NONE))
    )


def _lines(count: int) -> str:
    return f"{count:,} line" if count == 1 else f"{count:,} lines"


def _require_cells(left_out: list[str], counts: Statuses) -> None:
    """Raise InputError for a cell that the user names and no column of statuses has."""
    if not counts:
        raise InputError(f"inspect.{LEFT_OUT} must stand beside inspect.{COLUMN}, found no column of statuses")
    found = list(dict.fromkeys(cell for cells in counts.values() for cell in cells))
    lost = [cell for cell in left_out if cell not in found]
    if lost:
        raise InputError(
            f"inspect.{LEFT_OUT} must name cells of {' and '.join(counts)}, found {lost[0]!r}, but only "
            f"{', '.join(found)}: mend it"
        )
