"""Which currency the amounts are in: by marks beside them, by a column of the lines' currencies, or by the user."""

from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from gpu_pricer.data.intake.found_file import FoundColumn
from gpu_pricer.data.intake.matching import FoundStatus, TakenFile
from gpu_pricer.data.intake.vocabulary import NONE, SIDES, Answers, Question, Vocabulary, override
from gpu_pricer.data.plain_words import plain_word
from gpu_pricer.data.sources.cells import DECIMAL
from gpu_pricer.data.sources.currency_marks import CODES, currency_of, may_mean, meanings, named_currency
from gpu_pricer.errors import InputError

COLUMN = "currency_column"
"""The setting of `inspect` that names the column of currencies."""
EXAMPLES = ("EUR", "USD", "GBP")
MOST_CURRENCIES = 40
"""Different cells of a column, above which it holds no currencies."""
LINES = ("transactions", "offers")
"""Tables of which lines in another currency are left out; the others must be in one."""


class _Column(NamedTuple):
    """The column of a file that says which currency each of its lines is in."""

    file: TakenFile
    name: str

    def marks(self) -> dict[str, str]:
        """Return the mark that each filled cell is, by the cell."""
        return {cell: named_currency(cell) or cell for cell in self.file.found.counts(self.name) if cell}

    @property
    def origin(self) -> str:
        """Return how messages name the column."""
        return f"{self.name} of {self.file.found.path}"


def with_currency(
    taken: list[TakenFile], vocabulary: Vocabulary, answers: Answers
) -> tuple[list[TakenFile], str | None, list[Question]]:
    """Return the files with their column of currencies, the currency of the prices (None: open), and the questions.

    Raise InputError where amounts that are read are in several currencies, or in another one than the user said, and
    no column says of which lines.
    """
    columns = _columns(taken, vocabulary, answers.currency_column)
    if asked := [_which(of_file) for of_file in columns if len(of_file) > 1]:
        return taken, None, asked[:1]
    found = [column for of_file in columns for column in of_file]
    said = answers.currency
    told = _marked(taken, said) | {
        mark: f"{column.origin} in {mark}" for column in found for mark in column.marks().values()
    }
    if said is None and told and currency_of(told) is None:
        if not any(column.file.table in LINES for column in found):
            raise _several(told.values())
        return taken, None, [_which_currency(found)]
    if said is None:
        currency = currency_of(told) if _is_told(taken, found) else None
        asked = [] if currency else [Question("which currency are the prices in?", _answers(EXAMPLES))]
    else:
        currency, asked = said.upper() if said.upper() in CODES else said, []
    if currency is None:
        return taken, None, asked
    by_file = {id(column.file): _status(column, currency) for column in found}
    return [replace(file, in_currency=by_file.get(id(file))) for file in taken], currency, asked


def _columns(taken: list[TakenFile], vocabulary: Vocabulary, said: str | None) -> list[list[_Column]]:
    """Return for each file with amounts the columns that may hold its currencies: the one said, or those called so."""
    if said == NONE:
        return []
    found = []
    for file in (file for file in taken if _amounts(file)):
        if said is not None:
            named = [said] if said in file.found.columns else []
        else:
            named = [name for name in file.found.columns if plain_word(name) in vocabulary.currency]
        columns = (_Column(file, name) for name in named)
        found.append([column for column in columns if said is not None or _holds_currencies(column)])
    if said is not None and not any(found):
        raise InputError(f"inspect.{COLUMN} must name a column of a file with amounts, found {said!r}: mend it")
    return found


def _holds_currencies(column: _Column) -> bool:
    """Return whether some cells of a column are currencies; the others mean amounts in something else, as in points."""
    if not 0 < column.file.found.columns[column.name].distinct <= MOST_CURRENCIES:
        return False
    return any(named_currency(cell) for cell in column.marks())


def _marked(taken: list[TakenFile], said: str | None) -> dict[str, str]:
    """Return the marks beside the amounts that are read, and where they are; InputError for another one than `said`."""
    marked = {
        mark: f"{column.name} of {file.found.path} in {mark}"
        for file in taken
        for column in _amounts(file)
        for mark in column.marks
    }
    unlike = [where for mark, where in marked.items() if said is not None and not may_mean(mark, said)]
    if unlike or (said is None and marked and currency_of(marked) is None):
        raise _several([f"inspect.currency={said}", *unlike] if unlike else marked.values())
    return marked


def _amounts(file: TakenFile) -> list[FoundColumn]:
    """Return the columns of a file that are read as amounts."""
    return [
        file.found.columns[reading.column]
        for name, reading in file.readings.items()
        if name in SIDES and reading.column is not None and reading.kind in DECIMAL
    ]


def _is_told(taken: list[TakenFile], columns: list[_Column]) -> bool:
    """Return whether all cells of a column of amounts are marked, or all lines of a file have their currency."""
    is_marked = any(column.is_marked for file in taken for column in _amounts(file))
    return is_marked or any("" not in column.file.found.counts(column.name) for column in columns)


def _several(found: Iterable[str]) -> InputError:
    return InputError(
        f"all amounts must be in one currency, found {' and '.join(found)}: convert them, leave a column out, as by "
        "inspect.products.competitor_price=none, or mend inspect.currency"
    )


def _status(column: _Column, currency: str) -> FoundStatus:
    """Return which lines of a file are in the currency; so are those that say none, and its code in small letters.

    Raise InputError for lines in another one of a table whose lines are not left out.
    """
    marks, counts = column.marks(), column.file.found.counts(column.name)
    others = [cell for cell, mark in marks.items() if not may_mean(mark, currency)]
    if others and (column.file.table not in LINES or len(others) == len(marks)):
        named = f"{column.origin} in {', '.join(others)} (inspect.{COLUMN}={NONE} says that it means something else)"
        raise _several([f"inspect.currency={currency}", named])
    usual = (currency.upper(), currency.lower(), "")
    own = list(dict.fromkeys([*(cell for cell in counts if cell not in others), *usual]))
    return FoundStatus(column.name, counts, own, others, "by its cells")


def _which(columns: list[_Column]) -> Question:
    seen = " or ".join(f"{column.name} (such as {', '.join([*column.marks()][:3])})" for column in columns)
    text = f"which column of {columns[0].file.found.path} says which currency a line is in? It could be {seen}"
    names = (*(column.name for column in columns), NONE)
    return Question(f"{text}; {NONE}: all amounts are in one", tuple(override(COLUMN, name) for name in names))


def _which_currency(columns: list[_Column]) -> Question:
    """Return the question which of the currencies that the lines are in counts."""
    lines: dict[str, int] = {}
    for column in columns:
        counts = column.file.found.counts(column.name)
        for cell, mark in column.marks().items():
            lines[mark] = lines.get(mark, 0) + counts[cell]
    seen = ", ".join(f"{mark} ({count:,} lines)" for mark, count in sorted(lines.items(), key=lambda entry: -entry[1]))
    text = (
        f"which currency are the prices in? By {' and '.join(column.origin for column in columns)} the lines are in "
        f"{seen}; those in another one than you name are left out"
    )
    return Question(text, _answers(dict.fromkeys(code for mark in lines for code in meanings(mark))))


def _answers(currencies: Iterable[str]) -> tuple[str, ...]:
    return tuple(override("currency", name) for name in currencies)
