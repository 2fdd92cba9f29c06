"""What `inspect` prints: a block for each file, its ids and rules, and the open questions."""

import shlex
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from gpu_pricer.data.intake.found_file import is_spreadsheet
from gpu_pricer.data.intake.keys import MatchedKey
from gpu_pricer.data.intake.matching import FoundStatus, TakenFile
from gpu_pricer.data.intake.price_families import PriceFamilies
from gpu_pricer.data.intake.vocabulary import Question
from gpu_pricer.data.plain_words import plain_word
from gpu_pricer.data.raw.context_rows import own_prices, price_report, unused_report
from gpu_pricer.data.raw.inputs import Inputs
from gpu_pricer.data.sources.cells import DECIMAL, PERCENT
from gpu_pricer.data.sources.series import files_of
from gpu_pricer.tables.periods import Period

KIND_WIDTH = 18
FAMILY_SETTING = "policy.bounds.family_column"


def file_lines(taken: TakenFile, instruments: Sequence[str], discounts: Sequence[str]) -> list[str]:
    """Return the lines on a file: its table, and of each column what it is, how it is written, why, and examples.

    instruments: columns of context that move prices. discounts: names of columns of discounts, in plain words.
    """
    found = taken.found
    sign = {None: "", "\t": ", cells separated by tabs"}.get(found.separator, f", cells separated by {found.separator}")
    width = max(len(name) for name in found.columns)
    count = len(files_of(found.path))
    held = f"{found.rows:,} rows{f' in {count:,} files, and those to come' if count > 1 else ''}"
    lines = ["", f"{found.path} is {taken.table}, {taken.reason}: {held}{sign}"]
    for name, reading in taken.readings.items():
        if reading.column is None:
            lines.append(f"  {'':<{width}}  no column is {name}, {reading.reason}")
            continue
        column = found.columns[reading.column]
        said = f"{name} ({reading.reason})"
        is_spelled = found.separator is not None or reading.kind in PERCENT
        kind = _kind_in_words(reading.kind, column.has_decimals) if is_spelled else "as typed"
        lost = column.filled - found.readable(reading.column, reading.kind)
        lines.append(
            f"  {reading.column:<{width}}  {said:<30}  {kind:<{KIND_WIDTH}}  {column.filled:,} filled, "
            f"{f'{lost:,} of them not readable as such, ' if lost else ''}{column.distinct:,} different: "
            f"{' | '.join(column.examples)}"
        )
    priced = own_prices(taken.readings, instruments) if taken.table == "context" else []
    lines += [f"  {price_report(priced)}"] if priced else []
    if taken.status is not None:
        lines += _status_lines(taken.status, width, "which lines are sales", ("no sales", "sales"))
    if taken.in_currency is not None:
        lines += _status_lines(taken.in_currency, width, "which currency lines are in", ("in another one", "counted"))
    for name in taken.left_out:
        is_discount = taken.table == "transactions" and plain_word(name) in discounts
        lines.append(
            f"  {name:<{width}}  not read{': price must be what was paid, after this discount' if is_discount else ''}"
        )
    return lines


def _status_lines(status: FoundStatus, width: int, use: str, names: tuple[str, str]) -> list[str]:
    """Return the lines on a column that says which lines of the file count.

    use: what it says. names: what the lines are called that are left out, and those that count.
    """
    sales, left_out = (
        ", ".join(f"{status.counts[cell]:,} {cell or '(empty)'}" for cell in cells if status.counts[cell]) or "none"
        for cells in (status.sales, status.left_out)
    )
    return [
        f"  {status.column:<{width}}  {use} ({status.reason})",
        f"  {'':<{width}}    left out, {names[0]}: {left_out}",
        f"  {'':<{width}}    {names[1]}: {sales}",
    ]


def passed_over_lines(paths: Sequence[Path]) -> list[str]:
    """Return the lines on what lies in inspected folders and is not read, first spreadsheets: they may hold a table."""
    sheets = [path for path in paths if is_spreadsheet(path)]
    others = groupby((path for path in paths if not is_spreadsheet(path)), lambda path: path.parent)
    return [
        *(f"{path} is not read, a spreadsheet: save each sheet as `CSV UTF-8`" for path in sheets),
        *(f"not read in {folder}: {', '.join(path.name for path in left)}" for folder, left in others),
    ]


def _kind_in_words(kind: str, has_decimals: bool) -> str:
    if kind in PERCENT:
        return "percent, 19 = 0.19"
    return (kind.replace("_", " ") if has_decimals else "number") if kind in DECIMAL else kind


def key_lines(key: MatchedKey) -> list[str]:
    """Return the lines on how the ids of one table match those of another."""
    lines = [
        f"  {key.share:.1%} of the {key.rows:,} rows of {key.table} have a {key.name} that is in {key.owner}; "
        f"{key.unused:,} of {key.owner} are in no row of {key.table}"
    ]
    if key.unknown:
        lines.append(f"    unknown to {key.owner}: {', '.join(key.unknown)}")
    if key.without_zeros:
        lines.append(
            f"    {key.without_zeros:,} of the unknown ids would be known without leading zeros: export both tables "
            "with their ids as text"
        )
    if key.without_decimals:
        lines.append(
            f"    {key.without_decimals:,} of the unknown ids would be known without .0 at their end: export them as "
            "whole numbers"
        )
    return lines


def rule_lines(inputs: Inputs, period: Period) -> list[str]:
    """Return the lines on the rules that rows break, with examples, and on what a run would do with these rows."""
    first, last = (inputs.sales["time"].dt.date().sort()[place] for place in (0, -1))
    lines = ["", f"{inputs.sales.height:,} lines of sales pass every rule, from {first} to {last}"]
    lines += [f"  {report}; a run leaves them out" for report in inputs.left_out_reports]
    others = [inputs.guests.report(), inputs.shared_users, unused_report(inputs.tables, period)]
    lines += [f"  {report}" for report in others if report]
    for report, how in inputs.kept_reports:
        lines += [f"  {report}", f"  These rows stay, {how}"]
    if not inputs.reports:
        return lines
    lines += [f"  {report}" for report in inputs.reports]
    to_keep = "correct the file and inspect again, or change the limits in data.outliers"
    return [*lines, f"  A run sets these rows aside; to keep them, {to_keep}"]


def family_lines(families: PriceFamilies | None) -> list[str]:
    """Return the line on products that have one price, none where no column tells such."""
    if families is None:
        return []
    return [
        f"  {families.column}: {families.products:,} products share one of {families.families:,} values, as sizes of a "
        f"style do; in {families.agreeing:.0%} of the comparisons all prices of a value agree; with "
        f"{FAMILY_SETTING}={families.column} the products of a value get one price"
    ]


def use_lines(label: list[str], protected: list[str]) -> list[str]:
    """Return the lines on the attributes that are used in their own way."""
    return [
        f"  {', '.join(names)}: {use}"
        for names, use in (
            (label, "the name of a product in the report (label)"),
            (protected, "audited for fairness, never read by the model (protected)"),
        )
        if names
    ]


def question_lines(questions: list[Question], command: str) -> list[str]:
    """Return each question with the words that answer it, and the command that they belong to."""
    lines = ["", "Open questions, each with possible answers:"]
    for number, question in enumerate(questions, 1):
        lines.append(f"{number}. {question.text}")
        lines += [f"     {shlex.quote(answer)}" for answer in question.answers]
    return [*lines, "", "Run again with an answer to each of them:", f"  {command} ANSWER..."]
