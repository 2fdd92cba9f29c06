"""The kind in which a file's column is read: numbers, days, true and false, or text; a question where two kinds fit."""

import shlex
from collections.abc import Iterable

import dataframely as dy
import polars as pl
import polars.selectors as cs

from gpu_pricer.data.intake.found_file import FORMATS, FoundColumn, FoundFile
from gpu_pricer.data.intake.vocabulary import Answers, Question, override
from gpu_pricer.data.sources.cells import DECIMAL, FLAG, TEXT, values
from gpu_pricer.errors import InputError
from gpu_pricer.tables.attributes import MOST_GROUPS
from gpu_pricer.tables.vat import VAT_RATE

FRACTION = "%.f"


def kind_of(file: FoundFile, name: str, column: dy.Column, answers: Answers) -> tuple[str, list[Question]]:
    """Return the kind in which the file's column is read as a column of the contract, and what must be asked."""
    metadata, dtype, found = column.metadata or {}, column.dtype, file.columns[name]
    if metadata.get("id") or dtype == pl.String:
        return TEXT, []
    if dtype.is_temporal():
        return date_format(file, found, answers)
    if column.name == VAT_RATE and (percent := file.percent_kind(name)) is not None:
        return percent, []
    kinds = (*DECIMAL, FLAG) if metadata.get("flag") else tuple(DECIMAL)
    remedy = "mend its cells, or name another column"
    if metadata.get("optional"):
        remedy += ", or none" + _null_word(file, name, kinds)
    return _number(file, found, kinds, answers, remedy)


def _null_word(file: FoundFile, name: str, kinds: tuple[str, ...]) -> str:
    """Return how to say of the first word of a text column, if one has no digit, that it means nothing is known."""
    if file.separator is None:
        return ""
    cell = cs.by_name(name)
    unread = file.texts(name).to_frame().filter(values(cell, kind).is_null() for kind in kinds)
    is_word = ~cell.is_in(file.null_words) & ~cell.str.contains(r"\d")
    words = unread.filter(is_word)[name].head(1).to_list()
    return f", or say of words that nothing is known, as {shlex.quote(override('null_words', words))}" if words else ""


def best_kinds(found: FoundColumn, kinds: Iterable[str]) -> list[str]:
    """Return those of the kinds that read the most cells of a column; none if no kind reads any."""
    counts = {kind: found.readable[kind] for kind in kinds if found.readable.get(kind)}
    return [kind for kind, count in counts.items() if count == max(counts.values())]


def date_format(file: FoundFile, found: FoundColumn, answers: Answers) -> tuple[str, list[Question]]:
    """Return the format of the days in a column of text, by the answer given or by what reads the most cells.

    Where several formats read as many, or none reads any, the kind is TEXT and a question asks which it is. Raise
    InputError where no answer can help: the cells of Parquet have types.
    """
    best = _best_formats(found)
    seen = f"{found.name} of {file.path} (such as {', '.join(found.examples)})"
    if file.separator is None and found.filled and not best:
        raise InputError(f"{seen} must be Date or Datetime, found numbers or text: convert the column")
    if answers.time_format is not None:
        return answers.time_format, []
    if len(best) == 1 or found.filled == 0:
        return (best or [FORMATS[0]])[0], []
    if not best:
        example = shlex.quote(override("time_format", "%d %b %Y"))
        known = f"They are of no format that is known: answer in the codes of strftime, as {example} for 6 Jan 2025"
        return TEXT, [Question(f"how are the days in {seen} written? {known}", ())]
    answers_to_it = tuple(override("time_format", kind) for kind in best)
    return TEXT, [Question(f"how are the days in {seen} written? They could be of {' or '.join(best)}", answers_to_it)]


def _best_formats(found: FoundColumn) -> list[str]:
    """Return the formats of days and times that read the most cells; one with fractions of a second only if needed."""
    best = best_kinds(found, FORMATS)
    return [kind for kind in best if FRACTION not in kind or kind.replace(FRACTION, "") not in best]


def _number(
    file: FoundFile, found: FoundColumn, kinds: tuple[str, ...], answers: Answers, remedy: str
) -> tuple[str, list[Question]]:
    best = best_kinds(found, kinds)
    if not best and found.filled:
        raise InputError(
            f"{found.name} of {file.path} must hold numbers, found {', '.join(map(repr, found.examples))}: {remedy}"
        )
    is_open = {*DECIMAL} <= {*best} and found.has_decimals
    if not is_open:
        return (best or ["decimal_point"])[0], []
    if answers.decimal is not None:
        return f"decimal_{answers.decimal}", []
    certain = {kind for other in file.columns.values() if (kind := certain_decimal(other)) is not None}
    if len(certain) == 1:
        return certain.pop(), []
    seen = f"{found.name} of {file.path} (such as {', '.join(found.examples)})"
    text = f"which sign stands before the decimals in {seen}?"
    return best[0], [Question(text, tuple(override("decimal", word) for word in ("point", "comma")))]


def certain_decimal(found: FoundColumn) -> str | None:
    """Return the kind of number that a column with decimals can only be; None if it could be two, or is text."""
    best = best_kinds(found, DECIMAL)
    return best[0] if len(best) == 1 and found.has_decimals else None


def attribute_kind(found: FoundColumn, is_protected: bool = False) -> str:
    """Return the kind of an attribute: numbers if they have decimals, days if all are; whole numbers are words.

    Protected whole numbers, such as years of birth, are numbers where the audit groups them by quartile.
    """
    numbers, dates = best_kinds(found, DECIMAL), _best_formats(found)
    is_measure = found.has_decimals or (is_protected and found.distinct > MOST_GROUPS)
    if numbers and is_measure and found.readable[numbers[0]] == found.filled:
        return numbers[0]
    is_date = len(dates) == 1 and not numbers and found.readable[dates[0]] == found.filled
    return dates[0] if is_date else TEXT
