"""Columns of products that look like prices or costs, and that no name and no answer takes for one of the contract."""

import re
from collections.abc import Mapping
from dataclasses import replace

from gpu_pricer.data.intake.column_kinds import best_kinds
from gpu_pricer.data.intake.found_file import FoundColumn
from gpu_pricer.data.intake.matching import SAID, TakenFile
from gpu_pricer.data.intake.vocabulary import Answers, Question, Vocabulary, override
from gpu_pricer.data.plain_words import plain_word
from gpu_pricer.data.raw.raw_tables import LINES, SCHEMAS
from gpu_pricer.data.sources.cells import DECIMAL, FLAG
from gpu_pricer.errors import InputError

TABLE, SETTING = "products", "other_amounts"
ASKED = ("price", "list_price", "cost")
"""Columns of the contract that prices rest on: while one of them is open, a column that may be it is asked about."""
WORD_ENDS = re.compile(r"[\W\d_]+|(?<=[^\W\d_A-Z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
"""What parts the words of a column's name: signs, digits, and capitals as in ticketPrice and VKAlt."""
SAME_SIZE = 10.0
"""Amounts are of the size of the prices of sales if their median differs from these prices' by less than this factor.

Costs of a fifth of the price and list prices of its double are far inside; amounts in cents or of whole orders are not.
"""
LEAST_NUMBERS = 0.9
"""Share of the filled cells of a column that are numbers, from which on it may hold amounts."""
NOT_A_PRICE = "attribute, not a price"


def with_other_amounts(
    taken: list[TakenFile], vocabulary: Vocabulary, answers: Answers
) -> tuple[list[TakenFile], list[Question]]:
    """Return the files, and the question on columns of products that look like amounts and are attributes so far.

    Where nothing of ASKED is open, or the user has said that such a column is none of them, its reading says so.
    """
    products = [file for file in taken if file.table == TABLE]
    _require_columns(products, answers.other_amounts)
    read = {name for file in products for name in file.readings}
    names = [name for name in ASKED if name not in read]
    files, asked = list(taken), []
    for place, file in enumerate(taken):
        columns = _like_amounts(file, taken, vocabulary) if file.table == TABLE else []
        unsaid = [column for column in columns if names and column not in answers.other_amounts]
        asked += [_which(file, unsaid, names, answers.other_amounts)] if unsaid else []
        files[place] = _with_reason(file, {*columns} - {*unsaid})
    return files, asked


def amounts_besides(taken: list[TakenFile], answers: Answers) -> set[str]:
    """Return the attributes of products that look like amounts, or that the user has said to look so."""
    return {
        name
        for file in taken
        if file.table == TABLE
        for name, reading in file.readings.items()
        if reading.reason == NOT_A_PRICE or reading.column in answers.other_amounts
    }


def _require_columns(products: list[TakenFile], said: list[str]) -> None:
    """Raise InputError for an answer that is no column of the products."""
    known = [name for file in products for name in file.found.columns]
    lost = [name for name in said if name not in known]
    if lost:
        raise InputError(
            f"inspect.{SETTING} must name columns of products, found {lost[0]!r}, but only {', '.join(known)}: mend it"
        )


def _like_amounts(file: TakenFile, taken: list[TakenFile], vocabulary: Vocabulary) -> list[str]:
    """Return the attributes of products whose names, cells and size are those of amounts."""
    own = [name for name in file.readings if name not in SCHEMAS[TABLE].column_names()]
    columns = [str(file.readings[name].column) for name in own]
    named = [name for name in columns if _is_called_amount(name, vocabulary.amounts)]
    named = [name for name in named if not any(_is_other_name(name, other, vocabulary) for other in taken)]
    found = [name for name in named if _holds_numbers(file.found.columns[name])]
    prices = _price_of_sales(taken) if found else None
    if prices is None:
        return []
    medians = {name: file.found.median(name, best_kinds(file.found.columns[name], DECIMAL)[0]) for name in found}
    return [name for name, median in medians.items() if prices / SAME_SIZE < median < prices * SAME_SIZE]


def _is_called_amount(column: str, amounts: Mapping[str, list[str]]) -> bool:
    """Return whether a column's name has a word for a price or a cost, or a compound of it, and none that denies it."""
    words = [plain_word(word) for word in WORD_ENDS.split(column)]
    is_named = any(word in amounts["words"] or word.endswith((*amounts["endings"],)) for word in words)
    return is_named and not any(word in amounts["others"] for word in words)


def _is_other_name(column: str, file: TakenFile, vocabulary: Vocabulary) -> bool:
    """Return whether a column is called as a known one: that amount with or without VAT, or one passed by."""
    return file.table == TABLE and any(
        vocabulary.vat_side(name, column) or (reading.reason == SAID and vocabulary.names(name, column))
        for name, reading in file.readings.items()
    )


def _holds_numbers(column: FoundColumn) -> bool:
    """Return whether most cells of a column are numbers that are not only true and false."""
    numbers = best_kinds(column, DECIMAL)
    is_flag = column.readable.get(FLAG) == column.filled
    return bool(numbers) and not is_flag and column.readable[numbers[0]] >= LEAST_NUMBERS * column.filled


def _price_of_sales(taken: list[TakenFile]) -> float | None:
    """Return the median price of the first file of sales whose prices are read; None without one."""
    for file in taken:
        reading = file.readings.get("price")
        if file.table in LINES and reading is not None and reading.column is not None:
            return file.found.median(reading.column, reading.kind)
    return None


def _which(file: TakenFile, columns: list[str], names: list[str], said: list[str]) -> Question:
    """Return the question which amounts the columns hold; names: of the contract, that no column is taken for."""
    seen = [f"{column} (such as {', '.join(file.found.columns[column].examples)})" for column in columns]
    contract = SCHEMAS[TABLE].columns()
    could = ", ".join(f"{name} ({str(contract[name].description).split(';')[0]})" for name in names)
    text = (
        f"what are the amounts in {' and '.join(seen)} of {file.found.path}? They could be {could} or, with {SETTING}, "
        "an attribute"
    )
    known = [override(f"{TABLE}.{name}", column) for column in columns for name in names]
    return Question(text, (*known, override(SETTING, [*said, *columns])))


def _with_reason(file: TakenFile, columns: set[str]) -> TakenFile:
    """Return the file, of whose columns some look like amounts and are none of the contract."""
    told = {
        name: replace(reading, reason=NOT_A_PRICE)
        for name, reading in file.readings.items()
        if reading.column in columns and name not in SCHEMAS[TABLE].column_names()
    }
    return replace(file, readings=file.readings | told)
