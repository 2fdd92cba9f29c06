"""Attributes that teach the network nothing as they are: their names and the remedy, for the log."""

import logging

import polars as pl

from gpu_pricer.network.encoding.attributes import Scale, Vocabulary
from gpu_pricer.tables.further_columns import given_name

log = logging.getLogger(__name__)

LEAST_KNOWN = 0.5  # share of a column's values that must be known words
POLICY = "leave it as it is if only the policy reads it"


def warn_of_idle_attributes(table: pl.DataFrame, vocabulary: Vocabulary, rows: str, min_count: int) -> None:
    """Log one warning that names every attribute in the vocabulary that is empty, constant, or of mostly rare words.

    rows: what the table's rows are. min_count: so many rows make a word known.
    """
    reasons = {name: _of_words(table[name], words, min_count) for name, words in vocabulary.words.items()}
    reasons |= {name: _of_numbers(table[name], scale) for name, scale in vocabulary.scales.items()}
    idle = [f"{given_name(name)} ({reason})" for name, reason in reasons.items() if reason]
    if idle:
        log.warning("attributes of %s that carry no information: %s", rows, "; ".join(idle))


def _of_words(column: pl.Series, known: list[str], min_count: int) -> str:
    """Return why the words teach nothing, "" where they teach."""
    values = column.cast(pl.String).drop_nulls()
    if values.is_empty():
        return "it is empty: fill it or leave it out"
    if values.n_unique() == 1 and len(values) == len(column):
        return f"every row has {values[0]}: leave it out"
    share = float(values.is_in(known).mean() or 0)  # type: ignore[arg-type]
    if share >= LEAST_KNOWN:
        return ""
    as_number = "write it as a float if it measures something, " if column.dtype.is_integer() else ""
    return (
        f"only {share:.0%} of its values occur in {min_count} rows or more: {as_number}group its values, "
        f"lower train.encoding.min_count, or {POLICY}"
    )


def _of_numbers(column: pl.Series, scale: Scale) -> str:
    """Return why the numbers teach nothing, "" where they teach."""
    if any(scale.spread):
        return ""
    if column.null_count() == len(column):
        return "it is empty: fill it or leave it out"
    return "every row has the same number: leave it out"
