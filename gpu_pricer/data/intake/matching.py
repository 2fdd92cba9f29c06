"""Which table a file is, and which of its columns are the contract's; what cannot be told becomes a question."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

import dataframely as dy
import polars as pl

from gpu_pricer.data.intake.column_kinds import attribute_kind, best_kinds, date_format, kind_of
from gpu_pricer.data.intake.found_file import FORMATS, FoundFile
from gpu_pricer.data.intake.vocabulary import NONE, Answers, Question, Vocabulary, override
from gpu_pricer.data.plain_words import plain_word
from gpu_pricer.data.raw.raw_tables import DESCRIBED, SCHEMAS
from gpu_pricer.data.sources.cells import DECIMAL, TEXT
from gpu_pricer.errors import InputError
from gpu_pricer.tables.attributes import MOST_NAMES

KIN = {
    "transactions": "lines",
    "offers": "lines",
    "products": "products",
    "context": "products",
    "group_prices": "products",
    "users": "users",
}
"""Tables of one kin have the same ids, so only a file's name can tell them apart."""
BY_NAME = "by its name"
SAID = "as you said"
WITH_CONTEXT = ("offers", "context")
MAY_BE_EMPTY = "category_id"
"""The column that must be told though each of its cells may be empty."""
LEAST_SHARED = 0.9
"""Share of a column's values that are ids of another table where the column holds these ids."""


@dataclass(frozen=True)
class Reading:
    """How a column of the contract is read: from which column of the file (None: no column), as which kind, and why."""

    column: str | None
    kind: str
    reason: str


@dataclass(frozen=True)
class FoundStatus:
    """The column of a file that says which lines count, and why it is taken for that.

    counts: rows of this file by cell. sales, left_out: the cells of lines that count, and of those that do not.
    """

    column: str
    counts: Counter[str]
    sales: list[str]
    left_out: list[str]
    reason: str


@dataclass(frozen=True)
class TakenFile:
    """A file taken for a table; readings: by name in the table; reason: why it is this table.

    status, in_currency: which lines are sales, and which are in the currency of the prices; None: all of them. key: the
    column by which the file adds columns to the table's other file; None: it adds rows.
    """

    table: str
    reason: str
    found: FoundFile
    readings: dict[str, Reading]
    status: FoundStatus | None = None
    in_currency: FoundStatus | None = None
    key: str | None = None

    @property
    def left_out(self) -> list[str]:
        """The columns of the file that are not read."""
        read = {reading.column for reading in self.readings.values()}
        read |= {status.column for status in (self.status, self.in_currency) if status is not None}
        return [name for name in self.found.columns if name not in read]

    @property
    def missing(self) -> list[str]:
        """The columns that the contract demands and no column of the file is taken for."""
        demanded = [name for name, column in SCHEMAS[self.table].columns().items() if not is_optional(column)]
        return [name for name in demanded if name not in self.readings]


def take_file(found: FoundFile, vocabulary: Vocabulary, answers: Answers) -> TakenFile | Question:
    """Return the file as a table of the contract, or the question which one it is.

    The user's word counts first, then the file's name; the ids in it must not contradict the name.
    """
    said = answers.table_of(found.path)
    by_name, by_columns = vocabulary.tables_called(found.path), _table_by_columns(found, vocabulary, answers)
    if said is not None:
        return TakenFile(said, SAID, found, {})
    if len(by_name) == 1 and (by_columns is None or KIN[by_name[0]] == KIN[by_columns]):
        return TakenFile(by_name[0], BY_NAME, found, {})
    if not by_name and by_columns is not None:
        return TakenFile(by_columns, "by its ids", found, {})
    tables = dict.fromkeys([*by_name, *([by_columns] if by_columns else [])] or SCHEMAS)
    text = f"which table is {found.path}, with the columns {', '.join(found.columns)}?"
    return Question(text, tuple(override(f"{table}.file", found.name) for table in tables))


def _table_by_columns(found: FoundFile, vocabulary: Vocabulary, answers: Answers) -> str | None:
    ids = {
        name: column
        for name in ("user_id", "product_id")
        for column in found.columns.values()
        if vocabulary.names(name, column.name) or answers.is_called(name, column.name)
    }
    if len(ids) == 2:
        return "transactions"
    if not ids:
        return None
    [(name, column)] = ids.items()
    is_key = column.distinct == found.rows
    if name == "user_id":
        return "users" if is_key else None
    return "products" if is_key else "context"


def match_columns(taken: TakenFile, vocabulary: Vocabulary, answers: Answers) -> tuple[TakenFile, list[Question]]:
    """Return the file with a reading for each column that can be told, and the questions on the others."""
    readings: dict[str, Reading] = {}
    questions: list[Question] = []
    for name, column in SCHEMAS[taken.table].columns().items():
        said = (answers.columns.get(taken.table) or {}).get(name)
        named = _named(taken, name, vocabulary)
        exact = [other for other in named if other == name]
        if said is not None:
            chosen, reason = _said(taken, name, said), SAID
        elif len(exact or named) == 1:
            chosen, reason = (exact or named)[0], BY_NAME
        else:
            questions += [_which(taken, name, named)] if named else []
            continue
        kind, asked = (TEXT, []) if chosen is None else kind_of(taken.found, chosen, column, answers)
        readings[name] = Reading(chosen, kind, reason)
        questions += asked
    return replace(taken, readings=readings), questions


def _named(taken: TakenFile, name: str, vocabulary: Vocabulary) -> list[str]:
    """Return the columns called as one of the contract; if there are none, those whose names add a word on VAT."""
    columns = taken.found.columns
    named = [column for column in columns if vocabulary.names(name, column)]
    return named or [column for column in columns if vocabulary.vat_side(name, column)]


def _said(taken: TakenFile, name: str, said: str) -> str | None:
    if said == NONE:
        _require_not_demanded(taken, name)
        return None
    if said not in taken.found.columns:
        raise InputError(
            f"inspect.{taken.table}.{name} must name a column of {taken.found.path}, found {said!r}, but only "
            f"{', '.join(taken.found.columns)}: mend it"
        )
    return said


def _require_not_demanded(taken: TakenFile, name: str) -> None:
    """Raise InputError if each row of the table needs a value in a column that the user says no column holds."""
    column = SCHEMAS[taken.table].columns()[name]
    if not is_optional(column) and name != MAY_BE_EMPTY:
        raise InputError(
            f"inspect.{taken.table}.{name} must name a column of {taken.found.path}, found {NONE}: each row must have "
            f"{name} ({column.description}); name one of {', '.join(taken.found.columns)}, or add it"
        )


def _which(taken: TakenFile, name: str, columns: Iterable[str]) -> Question:
    shown = {column: taken.found.columns[column].examples for column in columns}
    seen = [f"{column} (such as {', '.join(examples)})" for column, examples in shown.items()]
    meaning = SCHEMAS[taken.table].columns()[name].description
    text = f"which column of {taken.found.path} is {name} ({meaning})? It could be {' or '.join(seen) or 'none'}"
    return Question(text, tuple(override(f"{taken.table}.{name}", column) for column in shown))


def with_ids_by_values(taken: TakenFile, known: dict[str, pl.Series]) -> TakenFile:
    """Return the file with its missing ids read from the one column whose values are ids of another table.

    known: by name of the id, the ids of another table.
    """
    readings = dict(taken.readings)
    for name in (name for name in taken.missing if name in known):
        shared = [column for column in taken.left_out if _shares(taken.found.texts(column), known[name])]
        if len(shared) == 1:
            readings[name] = Reading(shared[0], TEXT, "by its values")
    return replace(taken, readings=readings)


def _shares(values: pl.Series, ids: pl.Series) -> bool:
    return len(values) > 1 and values.is_in(ids.implode()).sum() >= LEAST_SHARED * len(values)


def with_time_by_cells(taken: TakenFile, answers: Answers) -> tuple[TakenFile, list[Question]]:
    """Return the file with its missing time read from the one column whose cells are days or times."""
    if "time" not in taken.missing:
        return taken, []
    dated = [name for name in taken.left_out if best_kinds(taken.found.columns[name], FORMATS)]
    dated = [name for name in dated if not best_kinds(taken.found.columns[name], DECIMAL)]
    if len(dated) != 1:
        return taken, []
    kind, questions = date_format(taken.found, taken.found.columns[dated[0]], answers)
    return replace(taken, readings=taken.readings | {"time": Reading(dated[0], kind, "by its cells")}), questions


def missing_columns(taken: TakenFile, elsewhere: set[str]) -> list[Question]:
    """Return a question for each column that the contract demands and the file seems not to have.

    elsewhere: columns that other files add to the table.
    """
    questions = []
    for name in (name for name in taken.missing if name not in elsewhere):
        candidates = [column for column in taken.left_out if _may_be(taken, column, name)]
        question = _which(taken, name, candidates)
        if name == MAY_BE_EMPTY:
            question = replace(question, answers=(*question.answers, override(f"{taken.table}.{name}", NONE)))
        elif not candidates:
            meaning = SCHEMAS[taken.table].columns()[name].description
            raise InputError(
                f"{taken.found.path} must have a column for {name} ({meaning}), found only "
                f"{', '.join(taken.found.columns)}: add it"
            )
        questions.append(question)
    return questions


def _may_be(taken: TakenFile, column: str, name: str) -> bool:
    """Return whether the cells of a file's column are of the kind that the contract's column demands."""
    found, demanded = taken.found.columns[column], SCHEMAS[taken.table].columns()[name]
    if (demanded.metadata or {}).get("id") or demanded.dtype == pl.String:
        return found.distinct > 1
    return bool(best_kinds(found, FORMATS if demanded.dtype.is_temporal() else DECIMAL))


def with_further_columns(taken: TakenFile, vocabulary: Vocabulary) -> TakenFile:
    """Return the file with the columns that the contract does not name: attributes, or numbers that are context.

    A column of users that names a person is left out, and so is a protected one of more words than an audit can group.
    """
    readings = dict(taken.readings)
    for name in taken.left_out:
        found = taken.found.columns[name]
        is_personal = taken.table == "users" and plain_word(name) in vocabulary.unread
        is_protected = taken.table == "users" and plain_word(name) in vocabulary.protected
        if name in SCHEMAS[taken.table].column_names() or is_personal:
            continue
        if taken.table in DESCRIBED:
            known = vocabulary.attribute(name)
            attribute = name if known in readings or known in taken.left_out else known
            kind = attribute_kind(found, is_protected)
            if not (is_protected and kind == TEXT and found.distinct > MOST_NAMES):
                readings[attribute] = Reading(name, kind, "attribute")
        elif taken.table in WITH_CONTEXT and best_kinds(found, DECIMAL):
            readings[name] = Reading(name, best_kinds(found, DECIMAL)[0], "context")
    return replace(taken, readings=readings)


def is_optional(column: dy.Column) -> bool:
    """Return whether a table may lack a column of the contract."""
    return bool((column.metadata or {}).get("optional"))
