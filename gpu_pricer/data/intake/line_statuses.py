"""Which lines of the transactions are sales: a column such as Status is found, or named by the user, or asked about."""

import re
from collections import Counter
from dataclasses import replace
from typing import Literal

from gpu_pricer.data.intake.found_file import EXAMPLES
from gpu_pricer.data.intake.matching import FoundStatus, TakenFile
from gpu_pricer.data.intake.vocabulary import NONE, Answers, Question, Vocabulary, override, plain_word
from gpu_pricer.data.sources.cells import FALSE, TRUE
from gpu_pricer.errors import InputError

TABLE = "transactions"
MOST_STATUSES = 40
"""Different cells of a column, above which it holds no statuses."""
COLUMN, LEFT_OUT = "status.column", "status.left_out"
"""The settings of `inspect` that answer."""
Meaning = Literal["sale", "left_out", "unknown"]
Statuses = dict[str, Counter[str]]
"""By column, how many lines of all files have each cell."""


def with_statuses(
    taken: list[TakenFile], vocabulary: Vocabulary, answers: Answers
) -> tuple[list[TakenFile], list[Question]]:
    """Return the files with the status of their lines, and the question which lines are sales if that cannot be told.

    The files of the transactions have one column of statuses: the one that the user names, or the only one that is
    called so or has a cell such as `storniert`.
    """
    if answers.status_column == NONE:
        return taken, []
    statuses = _statuses(taken, answers.status_column)
    columns = [answers.status_column] if answers.status_column else _candidates(statuses, vocabulary)
    if len(columns) != 1:
        if answers.left_out is not None and not columns:
            raise InputError(f"inspect.{LEFT_OUT} must stand beside inspect.{COLUMN}, found no column of statuses")
        return taken, [_which_column(statuses, columns)] if columns else []
    [column] = columns
    meanings = {cell: meaning(vocabulary, column, cell) for cell in sorted(statuses[column])}
    if answers.left_out is None and "unknown" in meanings.values():
        return taken, [_which_cells(column, statuses[column], meanings)]
    if answers.left_out is None:
        left_out = [cell for cell, told in meanings.items() if told == "left_out"]
    else:
        left_out = _said(answers.left_out, column, statuses[column])
    reason = "as you said" if answers.status_column or answers.left_out is not None else "by its cells"
    return [_with_status(file, column, left_out, list(meanings), reason) for file in taken], []


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


def _statuses(taken: list[TakenFile], said: str | None) -> Statuses:
    """Return the counted cells of each unread column of the transactions that may hold statuses, or of that said."""
    found: Statuses = {}
    for file in (file for file in taken if file.table == TABLE):
        for column in file.left_out:
            if said == column or (said is None and file.found.columns[column].distinct <= MOST_STATUSES):
                found.setdefault(column, Counter()).update(file.found.counts(column))
    if said is not None and said not in found:
        columns = ", ".join(column for file in taken if file.table == TABLE for column in file.left_out) or "none"
        raise InputError(
            f"inspect.{COLUMN} must name an unread column of {TABLE}, found {said!r}, but only {columns}: mend it"
        )
    return found


def _candidates(statuses: Statuses, vocabulary: Vocabulary) -> list[str]:
    """Return the columns with a cell that says that a line is no sale; if there is none, those called as a status."""
    by_cells = [
        column
        for column, counts in statuses.items()
        if any(meaning(vocabulary, column, cell) == "left_out" or _has_word(vocabulary, cell) for cell in counts)
    ]
    names = {*vocabulary.status["columns"], *vocabulary.status["left_out"]}
    return by_cells or [column for column, counts in statuses.items() if plain_word(column) in names and any(counts)]


def _has_word(vocabulary: Vocabulary, cell: str) -> bool:
    """Return whether one of a cell's words says that a line is no sale, as in `teilweise storniert`."""
    return any(plain_word(word) in vocabulary.status["left_out"] for word in re.split(r"[\W_]+", cell))


def _which_column(statuses: Statuses, columns: list[str]) -> Question:
    seen = " or ".join(f"{column} (such as {', '.join([*statuses[column]][:EXAMPLES])})" for column in columns)
    text = f"which column says whether a line of {TABLE} is a sale? It could be {seen}; {NONE}: all lines are sales"
    return Question(text, tuple(override(COLUMN, word) for word in (*columns, NONE)))


def _which_cells(column: str, counts: Counter[str], meanings: dict[str, Meaning]) -> Question:
    """Return the question which cells of a column of statuses say that a line is no sale."""
    certain, unknown = ([cell for cell, told in meanings.items() if told == kind] for kind in ("left_out", "unknown"))
    seen = ", ".join(f"{count:,} {cell or '(empty)'}" for cell, count in counts.most_common())
    known = f"{', '.join(certain)} will not count" if certain else "none is known to be cancelled or returned"
    text = (
        f"which lines of {TABLE} are no sales, by their {column}? Found {seen}; {known}. Name all cells of lines to "
        f"leave out; {COLUMN}={NONE} counts every line, also later on"
    )
    answers = (override(LEFT_OUT, certain), override(LEFT_OUT, [*certain, *unknown]), override(COLUMN, NONE))
    return Question(text, answers if len(meanings) > len(certain) + len(unknown) else (answers[0], answers[2]))


def _said(left_out: list[str], column: str, counts: Counter[str]) -> list[str]:
    lost = [cell for cell in left_out if cell not in counts]
    if lost:
        raise InputError(
            f"inspect.{LEFT_OUT} must name cells of {column}, found {lost[0]!r}, but only {', '.join(counts)}: mend it"
        )
    return left_out


def _with_status(file: TakenFile, column: str, left_out: list[str], cells: list[str], reason: str) -> TakenFile:
    """Return a file of the transactions that has the column with its status; others as they are."""
    if file.table != TABLE or column not in file.left_out:
        return file
    sales = [cell for cell in cells if cell not in left_out]
    return replace(file, status=FoundStatus(column, file.found.counts(column), sales, left_out, reason))
