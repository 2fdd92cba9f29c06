"""Checks of rows against the rules of a schema; a report names each broken rule with its count and examples."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import dataframely as dy
import polars as pl

from gpu_pricer.tables.further_columns import set_apart

EXAMPLES, MOST_COLUMNS = 3, 6
"""Rows of each broken rule that a report shows, and the columns of each."""
FEW = 3
"""So many rows may break a rule in a table of any size before a share of the rows counts."""
ROW = "checked:row"
"""The column of row numbers during a check."""


@dataclass(frozen=True)
class Checked:
    """The result of checking a frame.

    valid: the rows that break no rule; invalid: the others, with one more column per rule, and with further columns set
    apart if one has the name of a rule; broken: how many rows break each rule; read: the columns that the rules know.
    """

    valid: pl.DataFrame
    invalid: pl.DataFrame
    broken: dict[str, int]
    read: frozenset[str]

    def report(self) -> str:
        """Return one line that names every broken rule with its count and its first rows.

        Of these it shows the columns that the rules know: others may hold names, addresses or what is protected, which
        do not belong in a log.
        """
        return "; ".join(
            f"breaks {rule} in {count:,} rows, such as {self._examples(rule)}" for rule, count in self.broken.items()
        )

    def _examples(self, rule: str) -> str:
        shown = [name for name in self.invalid.columns[: self.valid.width] if name in self.read][:MOST_COLUMNS]
        return examples(self.invalid.filter(pl.col(rule) == "invalid"), shown)


def check(frame: pl.DataFrame, schema: type[dy.Schema], rules: dict[str, pl.Expr] | None = None) -> Checked:
    """Return the frame's rows, divided into those that keep all rules and the others.

    The rules are the schema's and `rules`: by name, expressions that are true where a row keeps the rule.
    """
    read = sorted({name for rule in (rules or {}).values() for name in rule.meta.root_names()})
    others = [ROW, *(name for name in read if name not in schema.column_names())]
    members: dict[str, Any] = {f"column_{i}": dy.Any(alias=name) for i, name in enumerate(others)}
    members |= {name: _rule(expression) for name, expression in (rules or {}).items()}
    extended: type[dy.Schema] = type(schema.__name__, (schema,), members)
    valid, failure = extended.filter(frame.with_row_index(ROW).select(*schema.column_names(), *others))
    known = frozenset([*schema.column_names(), *others])
    if not len(failure):
        return Checked(frame, frame.clear(), {}, known)
    found = failure.details()
    verdicts = found.drop(*schema.column_names(), *others)
    invalid = frame[found[ROW]]
    if not set(verdicts.columns).isdisjoint(frame.columns):
        invalid = set_apart(invalid, schema.column_names())
    return Checked(frame[valid[ROW]], invalid.hstack(verdicts), failure.counts(), known)


def examples(rows: pl.DataFrame, columns: Sequence[str]) -> str:
    """Return some columns of the first rows, such as `(product_id=7, price=1.0), (product_id=8, price=2.0)`."""
    return ", ".join(_brief(row) for row in rows.head(EXAMPLES).select(columns).iter_rows(named=True))


def _rule(expression: pl.Expr) -> Any:
    return dy.rule()(lambda cls: expression)


def _brief(row: dict[str, object]) -> str:
    return "(" + ", ".join(f"{name}={value}" for name, value in row.items()) + ")"
