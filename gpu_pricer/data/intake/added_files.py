"""Files beside the list of products, such as stocks or competitors' prices: their columns are added by a common id."""

import re
from dataclasses import dataclass, replace

from gpu_pricer.data.intake.column_kinds import kind_of
from gpu_pricer.data.intake.found_file import FoundFile
from gpu_pricer.data.intake.matching import BY_NAME, MAY_BE_EMPTY, SAID, Reading, TakenFile, with_further_columns
from gpu_pricer.data.intake.vocabulary import NONE, Answers, Question, Vocabulary, override
from gpu_pricer.data.plain_words import plain_word
from gpu_pricer.data.raw.raw_tables import SCHEMAS
from gpu_pricer.data.sources.cells import TEXT
from gpu_pricer.errors import InputError

TABLE, ID, PRICE, COMPETITOR_PRICE = "products", "product_id", "price", "competitor_price"
BY_FILE = "by the file's name"
_CONTRACT = SCHEMAS[TABLE].column_names()
LEAST_KNOWN = 0.5
"""Share of a file's ids that the list of products has, from which the file is about these products."""


@dataclass(frozen=True)
class Beside:
    """A file beside the list of products.

    main: the list. column, of_list: the column of ids in the file and in the list. matched: products that have a row in
    the file.
    """

    taken: TakenFile
    main: FoundFile
    column: str
    of_list: str
    matched: int


def beside_products(
    taken: list[TakenFile], vocabulary: Vocabulary, answers: Answers
) -> tuple[list[TakenFile], list[Beside], list[Question]]:
    """Return the files without those beside the list of products, these, and the question which file is the list.

    The list is the file that the user names, or one with a category to which no other adds products, or else the only
    one called so. A file is beside it if its ids are unique and most of them are those of the list.
    """
    files = [file for file in taken if file.table == TABLE]
    if len(files) < 2 or len({frozenset(file.found.columns) for file in files}) == 1:
        return taken, [], []
    lists = _lists(files, vocabulary, answers)
    if len(lists) != 1:
        return taken, [], [] if lists else [_which_list(files)]
    [main] = lists
    found = [_beside(file, main.found, vocabulary) for file in files if file is not main]
    besides = [beside for beside in found if beside is not None]
    left = [file for file in taken if all(file is not beside.taken for beside in besides)]
    return left, besides, []


def _lists(files: list[TakenFile], vocabulary: Vocabulary, answers: Answers) -> list[TakenFile]:
    """Return the files that may be the list of products; none: it must be asked."""
    said = [file for file in files if answers.table_of(file.found.path) == TABLE]
    if said:
        return said
    with_category = [file for file in files if _named(file.found, MAY_BE_EMPTY, vocabulary, answers)]
    if len(with_category) > 1:
        return with_category
    fuller = [file for main in with_category for file in files if _has_more(file.found, main.found, vocabulary)]
    if with_category and not fuller:
        return with_category
    called = [file for file in [*with_category, *fuller] or files if file.reason == BY_NAME]
    return called if len(called) == 1 or not with_category else []


def _has_more(found: FoundFile, listed: FoundFile, vocabulary: Vocabulary) -> bool:
    """Return whether a file has products of a list and others that the list lacks."""
    known = [listed.texts(column).implode() for column in _ids(listed, vocabulary)]
    owned = [found.texts(column) for column in _ids(found, vocabulary)]
    counts = [(int(own.is_in(ids).sum()), len(own)) for own in owned for ids in known]
    shared, rows = max(counts, default=(0, 0))
    return 0 < shared < rows


def _which_list(files: list[TakenFile]) -> Question:
    paths = " and ".join(str(file.found.path) for file in files)
    text = f"which file lists the products? {paths} hold some; the columns of the others are added by a common id"
    return Question(text, tuple(override(f"{TABLE}.file", file.found.name) for file in files))


def _beside(file: TakenFile, main: FoundFile, vocabulary: Vocabulary) -> Beside | None:
    """Return the file with the ids that most of its rows share with the list; None if there are none."""
    pairs = []
    for column in _ids(file.found, vocabulary):
        own = file.found.texts(column)
        for of_list in _ids(main, vocabulary):
            matched = int(own.is_in(main.texts(of_list).implode()).sum())
            if matched >= LEAST_KNOWN * len(own):
                pairs.append(Beside(file, main, column, of_list, matched))
    return max(pairs, key=lambda pair: pair.matched, default=None)


def _ids(found: FoundFile, vocabulary: Vocabulary) -> list[str]:
    """Return the columns that are called as ids of products and have a value of its own in each row."""
    columns = found.columns.values()
    return [c.name for c in columns if vocabulary.names(ID, c.name) and c.distinct == c.filled == found.rows]


def answers_of_list(answers: Answers, main: FoundFile, besides: list[Beside]) -> Answers:
    """Return the answers for the list of products: a column that only a file beside it has is none of the list's."""
    said = answers.columns.get(TABLE) or {}
    others = {column for beside in besides for column in beside.taken.found.columns} - {*main.columns}
    own = {name: NONE if name not in ("file", ID) and column in others else column for name, column in said.items()}
    return replace(answers, columns=answers.columns | {TABLE: own})


def columns_beside(beside: Beside, vocabulary: Vocabulary, answers: Answers) -> dict[str, str]:
    """Return, by name in the contract, the columns that the file has beside its ids."""
    others = [name for name in _CONTRACT if name != ID]
    named = {name: _named(beside.taken.found, name, vocabulary, answers) for name in others}
    return {name: columns[0] for name, columns in named.items() if len(columns) == 1 and columns[0] != beside.column}


def match_added(
    beside: Beside, main: TakenFile, vocabulary: Vocabulary, answers: Answers
) -> tuple[TakenFile, list[Question]]:
    """Return the file with a reading for each column that it adds, and the questions on columns that both have."""
    keys = [name for name, reading in main.readings.items() if reading.column == beside.of_list]
    if not keys:
        raise InputError(
            f"{beside.of_list} of {main.found.path} must be read, because it has the ids of {beside.taken.found.path}: "
            "give it another name, or leave that file out"
        )
    key = keys[0]
    readings = {key: Reading(beside.column, TEXT, "the common id")}
    questions: list[Question] = []
    for name, own in columns_beside(beside, vocabulary, answers).items():
        listed = main.readings.get(name)
        if listed is not None and listed.column is not None:
            if listed.reason != SAID:
                questions.append(_which(name, listed.column, main, own, beside))
            continue
        kind, asked = kind_of(beside.taken.found, own, SCHEMAS[TABLE].columns()[name], answers)
        readings[name] = Reading(own, kind, _reason_of(name, own, vocabulary, answers))
        questions += asked
    taken = replace(beside.taken, readings=readings, key=key, reason=_reason(beside, main))
    return _with_own_attributes(taken, main, vocabulary), questions


def _reason_of(name: str, column: str, vocabulary: Vocabulary, answers: Answers) -> str:
    """Return why a column of the file is one of the contract."""
    if (answers.columns.get(TABLE) or {}).get(name) is not None:
        return SAID
    return BY_NAME if vocabulary.names(name, column) else BY_FILE


def _with_own_attributes(taken: TakenFile, main: TakenFile, vocabulary: Vocabulary) -> TakenFile:
    """Return the file with the attributes that the list has not, and that are called as no column of the contract."""
    attributes = {
        name: reading
        for name, reading in with_further_columns(taken, vocabulary).readings.items()
        if name not in main.readings and not any(vocabulary.names(known, str(reading.column)) for known in _CONTRACT)
    }
    return replace(taken, readings=taken.readings | attributes)


def _named(found: FoundFile, name: str, vocabulary: Vocabulary, answers: Answers) -> list[str]:
    """Return the columns called as one of the contract, or that said; a competitor's prices are competitor_price."""
    said = (answers.columns.get(TABLE) or {}).get(name)
    if said is not None:
        return [said] if said in found.columns else []
    words = [plain_word(word) for word in re.split(r"[\W\d_]", found.path.stem)]
    is_competitor = any(word.startswith(other) for word in words for other in vocabulary.competitor_files)
    if is_competitor and name == PRICE:
        return []
    sought = (name, PRICE) if is_competitor and name == COMPETITOR_PRICE else (name,)
    return [column for column in found.columns if any(vocabulary.names(word, column) for word in sought)]


def _which(name: str, listed: str, main: TakenFile, column: str, beside: Beside) -> Question:
    meaning = SCHEMAS[TABLE].columns()[name].description
    others = () if column == listed else (override(f"{TABLE}.{name}", column),)
    text = f"which file has {name} ({meaning})? {listed} of {main.found.path} or {column} of {beside.taken.found.path}"
    return Question(text, (override(f"{TABLE}.{name}", listed), *others))


def _reason(beside: Beside, main: TakenFile) -> str:
    return (
        f"and adds columns to {main.found.path} by {beside.column}, {beside.matched:,} of whose {main.found.rows:,} "
        "products it has"
    )
