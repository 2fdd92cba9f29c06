"""The inspection of files: each is taken for a table, its columns are matched, and open questions are collected."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from gpu_pricer.data.intake.added_files import Beside, answers_of_list, beside_products, columns_beside, match_added
from gpu_pricer.data.intake.currencies import with_currency
from gpu_pricer.data.intake.found_file import EXAMPLES, TEXT_FILES, FoundFile, columns_of, is_spreadsheet, look_at
from gpu_pricer.data.intake.line_statuses import with_statuses
from gpu_pricer.data.intake.matching import (
    TakenFile,
    match_columns,
    missing_columns,
    take_file,
    with_further_columns,
    with_ids_by_values,
    with_time_by_cells,
)
from gpu_pricer.data.intake.net_and_gross import NamedPrice, mixed_prices, named_prices, said_of_vat
from gpu_pricer.data.intake.other_amounts import with_other_amounts
from gpu_pricer.data.intake.vocabulary import GROSS, Answers, Question, Vocabulary, override
from gpu_pricer.data.plain_words import plain_word
from gpu_pricer.data.sources.series import files_of, pattern_of
from gpu_pricer.data.sources.source import CAN_LACK
from gpu_pricer.errors import InputError

SUFFIXES = (*TEXT_FILES, ".parquet")
OWNERS = {"product_id": "products", "user_id": "users"}
EXAMPLE_RATIO = 0.65
EXAMPLE_VAT_RATE = 0.19


@dataclass(frozen=True)
class Inspection:
    """The files as tables, in the order of the input contract, and the open questions; currency: None if it is open."""

    files: list[TakenFile]
    questions: list[Question]
    currency: str | None

    def of(self, table: str) -> list[TakenFile]:
        """Return the files of a table."""
        return [taken for taken in self.files if taken.table == table]


def files_in(paths: Sequence[str]) -> list[Path]:
    """Return the named files, and those in the named folders; raise InputError if one is missing or nothing is left."""
    if isinstance(paths, str) or not isinstance(paths, Sequence):
        raise InputError(f"inspect.files must be a list of files and folders, found {paths!r}: name them after inspect")
    found: list[Path] = []
    for path in map(Path, paths):
        if not path.exists():
            raise InputError(f"every word after inspect must be a file or a folder, found nothing at {path}: mend it")
        found += [path] if _is_table(path) else sorted(file for file in path.iterdir() if _is_readable(file))
    if not found:
        sheets = ", ".join(str(path) for path in passed_over(paths) if is_spreadsheet(path))
        seen = f"only {sheets}: save each sheet as `CSV UTF-8`" if sheets else "none: run gpu-pricer inspect FOLDER"
        raise InputError(f"inspect must be told files or folders with {', '.join(SUFFIXES)}, found {seen}")
    return found


def passed_over(paths: Sequence[str]) -> list[Path]:
    """Return what lies in the named folders and is not read; hidden files are no part of the data."""
    folders = [path for path in map(Path, paths) if not _is_table(path)]
    entries = [entry for folder in folders for entry in sorted(folder.iterdir())]
    return [entry for entry in entries if not _is_readable(entry) and not entry.name.startswith((".", "_"))]


def _is_table(path: Path) -> bool:
    return not path.is_dir() or (path / "_delta_log").is_dir() or path.suffix == ".parquet"


def _is_readable(entry: Path) -> bool:
    return entry.suffix.lower() in SUFFIXES


def inspect_files(paths: Iterable[Path], vocabulary: Vocabulary, answers: Answers) -> Inspection:
    """Return what the files are; raise InputError if a file cannot be read or a needed table is not among them."""
    found = [look_at(path, answers.null_words) for path in _in_series(paths)]
    taken, questions = _tables(found, vocabulary, answers)
    taken, besides, asked = beside_products(taken, vocabulary, answers)
    questions += asked
    for place, file in enumerate(taken):
        told = answers_of_list(answers, file.found, besides) if file.table == "products" else answers
        taken[place], asked = match_columns(file, vocabulary, told)
        questions += asked
    taken = [with_ids_by_values(file, _ids_of_others(file, taken)) for file in taken]
    for place, file in enumerate(taken):
        dated, asked = with_time_by_cells(file, answers)
        named = {answer.split("=")[0] for question in questions for answer in question.answers}
        of_file = [beside for beside in besides if beside.main is file.found]
        elsewhere = {name for beside in of_file for name in columns_beside(beside, vocabulary, answers)}
        missing = missing_columns(dated, elsewhere)
        open_columns = [question for question in missing if question.answers[0].split("=")[0] not in named]
        questions += asked + open_columns
        taken[place] = with_further_columns(dated, vocabulary)
    taken, asked = _with_added(taken, besides, vocabulary, answers)
    questions += asked
    taken, asked = with_other_amounts(taken, vocabulary, answers)
    questions += asked
    taken, asked = with_statuses(taken, vocabulary, answers)
    questions += asked
    taken, currency, asked = with_currency(taken, vocabulary, answers)
    questions += asked
    prices = named_prices(taken, vocabulary)
    questions += _costs(taken, answers) + mixed_prices(prices) + _vat(taken, prices, answers)
    return Inspection(taken, list(dict.fromkeys(questions)), currency)


def _in_series(paths: Iterable[Path]) -> list[Path]:
    """Return the files, with the pattern of each series in place of its files.

    Two files and more are a series if their names differ in numbers alone, their columns are the same, and if the
    pattern means no other file of their folder.
    """
    alike: dict[Path, list[Path]] = {}
    for path in paths:
        alike.setdefault(pattern_of(path), []).append(path)
    found: list[Path] = []
    for pattern, files in alike.items():
        is_series = len(files) > 1 and sorted(files) == files_of(pattern)
        first = columns_of(files[0]) if is_series else []
        found += [pattern] if is_series and all(columns_of(file) == first for file in files) else files
    return found


def _tables(found: list[FoundFile], vocabulary: Vocabulary, answers: Answers) -> tuple[list[TakenFile], list[Question]]:
    """Return each file as a table, in the contract's order; InputError if nothing is taken for one that is needed."""
    answered = [take_file(file, vocabulary, answers) for file in found]
    taken = [answer for answer in answered if isinstance(answer, TakenFile)]
    questions = [answer for answer in answered if isinstance(answer, Question)]
    have = {file.table for file in taken}
    if not questions and not ({"products"} <= have and {"transactions", "offers"} & have):
        seen = ", ".join(f"{file.found.path} ({file.table})" for file in taken)
        raise InputError(
            f"the files must hold products and transactions (or offers), found {seen}: add the file that is missing, "
            "or say which one it is, as by inspect.products.file=NAME; a list of products has each product once"
        )
    order = list(vocabulary.tables)
    return sorted(taken, key=lambda file: order.index(file.table)), questions


def _with_added(
    taken: list[TakenFile], besides: list[Beside], vocabulary: Vocabulary, answers: Answers
) -> tuple[list[TakenFile], list[Question]]:
    """Return the files with those that add columns to the list of products, and the questions on their columns."""
    added: list[TakenFile] = []
    questions: list[Question] = []
    for beside in besides:
        [main] = [file for file in taken if file.found is beside.main]
        file, asked = match_added(beside, main, vocabulary, answers)
        added.append(file)
        questions += asked
    place = max((place for place, file in enumerate(taken) if file.table == "products"), default=-1) + 1
    return [*taken[:place], *added, *taken[place:]], questions


def _ids_of_others(file: TakenFile, taken: list[TakenFile]) -> dict:
    """Return, for each id that another table owns and has found, its values."""
    return {
        name: owner.found.texts(str(owner.readings[name].column))
        for name, table in OWNERS.items()
        for owner in taken
        if owner.table == table != file.table and name in owner.readings
    }


def _costs(taken: list[TakenFile], answers: Answers) -> list[Question]:
    """Return the question on the costs that the products lack, if some do and no ratio is set."""
    path, count = _lacking(taken, "cost")
    if not count or answers.cost_ratio is not None:
        return []
    is_told = any("cost" in file.readings for file in taken if file.found.path == path)
    named = "" if is_told else f". If a column holds costs, name it: {override('products.cost', 'COLUMN')}"
    text = (
        f"what is the unit cost over the list price? {count:,} products of {path} have no cost; prices and profit "
        f"depend on it{named}"
    )
    return [Question(text, (override("cost_ratio", EXAMPLE_RATIO),))]


def _lacking(taken: list[TakenFile], name: str) -> tuple[Path | str, int]:
    """Return the file of products with the most rows that have no value in a column of the contract, and their number.

    The number is 0 where all have one.
    """
    files = [file for file in taken if file.table == "products"]
    added = [file for file in files if file.key is not None]
    lacking = [
        (file.found.path, file.found.rows - max(_known(file, name), *(_given(other, file, name) for other in added), 0))
        for file in files
        if file.key is None
    ]
    return max(lacking, key=lambda entry: entry[1], default=("", 0))


def _given(added: TakenFile, listing: TakenFile, name: str) -> int:
    """Return how many products of a list get a value in a column of the contract from a file that adds columns."""
    key = str(added.key)
    given, listed = added.readings.get(name), listing.readings.get(key)
    if given is None or given.column is None or listed is None or listed.column is None:
        return 0
    ids = listing.found.texts(listed.column)
    return added.found.readable_among(given.column, given.kind, (str(added.readings[key].column), ids))


def _known(file: TakenFile, name: str) -> int:
    """Return how many rows have a value in a column of the contract; one of CAN_LACK counts if it can be read."""
    if name not in file.readings or file.readings[name].column is None:
        return 0
    column, kind = str(file.readings[name].column), file.readings[name].kind
    return file.found.readable(column, kind) if name in CAN_LACK else file.found.columns[column].filled


def _vat(taken: list[TakenFile], prices: list[NamedPrice], answers: Answers) -> list[Question]:
    """Return the question whether prices include VAT, or which rate products without one have.

    Prices are taken as without VAT, unless the user says otherwise, where no product has a rate and no name of a column
    of prices says that they include VAT.
    """
    rates = [file.readings["vat_rate"].column for file in taken if "vat_rate" in file.readings]
    if answers.price_includes_vat is None and (any(rates) or any(price.side == GROSS for price in prices)):
        held = f"{' and '.join(filter(None, rates))} seems to hold its rates" if any(rates) else ""
        text = f"do the prices include VAT? {'. '.join(filter(None, (held, said_of_vat(prices))))}"
        words = tuple(override("price_includes_vat", is_so) for is_so in (True, False))
        return [Question(text, words)]
    path, count = _lacking(taken, "vat_rate")
    if not answers.price_includes_vat or answers.vat_rate is not None or not count:
        return []
    text = f"which VAT rate do products have where none is known? {count:,} products of {path} have none"
    if unread := [cell for file in taken if file.table == "products" for cell in _unread_rates(file)]:
        text += f", of those that fill the cell such as {'; '.join(unread[:EXAMPLES])}"
    return [Question(text, (override("vat_rate", EXAMPLE_VAT_RATE),))]


def _unread_rates(file: TakenFile) -> list[str]:
    """Return the first cells, with their lines, in which a file's VAT rates cannot be read."""
    reading = file.readings.get("vat_rate")
    return [] if reading is None or reading.column is None else file.found.unread(reading.column, reading.kind)


def columns_called(inspection: Inspection, table: str, words: list[str]) -> list[str]:
    """Return the attributes of a table whose names are among the words."""
    read = [name for file in inspection.of(table) for name, reading in file.readings.items() if reading.column == name]
    return [name for name in dict.fromkeys(read) if plain_word(name) in words]
