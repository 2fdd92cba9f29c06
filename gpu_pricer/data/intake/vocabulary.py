"""The words by which files and columns are known, and what the user has said about them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from gpu_pricer.data.plain_words import plain_word
from gpu_pricer.data.sources.series import ANY, pattern_of
from gpu_pricer.data.spelled_values import spelled
from gpu_pricer.errors import InputError
from gpu_pricer.tables.vat import require_vat_settings

NONE = "none"
"""The answer that no column of the file holds a column of the contract."""
PRICES = ("price", "list_price", "competitor_price")
NET, GROSS = "net", "gross"
SIDES = dict.fromkeys(PRICES, (NET, GROSS)) | {"cost": (NET,)}
"""Columns of amounts, and whether their names may say that these are without VAT or include it; costs are without."""


@dataclass(frozen=True)
class Vocabulary:
    """How files and columns are called, in plain words (plain_word).

    columns: by name in the contract. amounts: words in names of prices and costs (`words`), with which
    their compounds end (`endings`), and which say that such a name is none (`others`). vat: words before or after the
    name of an amount, by side: NET, without VAT, or GROSS. attributes: by name of an attribute that policies know.
    tables: by table. label, protected, unread: columns that name a product to a person, that are audited
    only, and that name a person and are not read. status: names of columns that say which lines are sales (`columns`),
    and what their cells say of a line (`left_out`, `sale`). competitor_files: how words begin in the name of a file
    with the prices of competitors. currency: names of columns that say which currency a line is in.
    """

    columns: dict[str, list[str]]
    amounts: dict[str, list[str]]
    vat: dict[str, list[str]]
    attributes: dict[str, list[str]]
    tables: dict[str, list[str]]
    label: list[str]
    protected: list[str]
    unread: list[str]
    status: dict[str, list[str]]
    competitor_files: list[str]
    currency: list[str]

    def names(self, name: str, column: str) -> bool:
        """Return whether a file's column is called as the contract's column `name` may be."""
        return plain_word(column) in self._words(name)

    def vat_side(self, name: str, column: str) -> str | None:
        """Return NET or GROSS if a file's column is called as `name` with such a word, as `EK netto` is; else None."""
        word = plain_word(column)
        return next((side for side in SIDES.get(name, ()) if word in self._with_side(name, side)), None)

    def _words(self, name: str) -> set[str]:
        return {plain_word(name), *self.columns.get(name, [])}

    def _with_side(self, name: str, side: str) -> set[str]:
        return {
            spelled for word in self._words(name) for mark in self.vat[side] for spelled in (word + mark, mark + word)
        }

    def attribute(self, column: str) -> str:
        """Return the name of the attribute that a file's column holds: one that policies know, or its own."""
        return next((name for name, words in self.attributes.items() if plain_word(column) in words), column)

    def tables_called(self, path: Path) -> list[str]:
        """Return the tables whose words are in the name of the file, such as transactions for sales-2025.csv.

        A word may be spelled as two, such as group_prices.
        """
        words = [plain_word(word) for word in re.split(r"[^\w]|[\d_]", path.stem)]
        spelled = {*words, *(first + second for first, second in pairwise(words))}
        return [table for table, known in self.tables.items() if not spelled.isdisjoint(known)]


@dataclass(frozen=True)
class Answers:
    """What the user has said, None where nothing.

    null_words: further words of text files that mean that nothing is known. columns: by table, the file's column for a
    column of the contract, or `none`; by `file`, the table's file, or a list of its files.
    status_column: the column that says which transactions are sales, or `none`. left_out: its cells that say that a
    line is none. currency_column: the column that says which currency a line is in, or `none`. other_amounts: columns
    of products that look like prices or costs of the contract and are none.
    """

    currency: str | None
    currency_column: str | None
    cost_ratio: float | None
    price_includes_vat: bool | None
    vat_rate: float | None
    time_format: str | None
    decimal: str | None
    null_words: list[str]
    other_amounts: list[str]
    columns: dict[str, dict[str, Any]]
    status_column: str | None
    left_out: list[str] | None

    def __post_init__(self) -> None:
        if self.decimal not in (None, "point", "comma"):
            raise InputError(f"inspect.decimal must be point or comma, found {self.decimal!r}: mend it")
        for name in ("null_words", "other_amounts"):
            said = getattr(self, name)
            if not (isinstance(said, list) and all(isinstance(word, str) for word in said)):
                raise InputError(f"inspect.{name} must be a list of words, found {said!r}: write it as [A,B]")
        ratio = self.cost_ratio
        if ratio is not None and not (type(ratio) in (int, float) and 0 <= ratio < 1):
            raise InputError(f"inspect.cost_ratio must be a number from 0 and below 1, found {ratio!r}: mend it")
        if not (self.left_out is None or isinstance(self.left_out, list)):
            raise InputError(f"inspect.status.left_out must be a list, found {self.left_out!r}: write it as [A,B]")
        try:
            require_vat_settings(self.price_includes_vat, self.vat_rate)
        except ValueError as error:
            raise InputError(f"inspect.{error}") from error
        if self.currency is not None and not (isinstance(self.currency, str) and self.currency):
            raise InputError(f"inspect.currency must be a text such as EUR, found {self.currency!r}: mend it")

    def table_of(self, path: Path) -> str | None:
        """Return the table that the user takes the file for, of a series by any of its files."""
        told = {Path(file).name: table for table, files in self._files() for file in files}
        told |= {pattern_of(Path(file)).name: table for file, table in told.items()} if ANY in path.name else {}
        return told.get(path.name)

    def is_called(self, name: str, column: str) -> bool:
        """Return whether the user has said of some table that its column of the contract is this one of the file."""
        return any(said.get(name) == column for said in self.columns.values())

    def _files(self) -> Iterator[tuple[str, list[str]]]:
        """Yield each table and the files that the user takes for it; InputError for what is no file's name."""
        for table, said in self.columns.items():
            files = said["file"] if isinstance(said["file"], list) else [said["file"]] if said["file"] else []
            if not all(isinstance(file, str) for file in files):
                raise InputError(
                    f"inspect.{table}.file must be the name of a file, or a list of names, found {said['file']!r}: "
                    "mend it"
                )
            yield table, files


@dataclass(frozen=True)
class Question:
    """What only the user can tell; answers: the words of a command line that would each answer it."""

    text: str
    answers: tuple[str, ...]


def override(key: str, value: object) -> str:
    """Return the word of a command line that sets a key of the configuration."""
    return f"inspect.{key}={spelled(value)}"
