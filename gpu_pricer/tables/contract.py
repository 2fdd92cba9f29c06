"""The table contracts in words, generated from the schemas so that README.md and docs/ cannot drift from the code.

Print them with python -m gpu_pricer.tables.contract.
"""

import dataframely as dy

from gpu_pricer.tables.price_table import DETAIL_COLUMNS, PRICE_OF, PriceTable, WidePriceTable
from gpu_pricer.tables.schemas import Context, Events, GroupPrices, Offers, Products, Transactions, Users

INPUTS = {
    "transactions": Transactions,
    "products": Products,
    "users": Users,
    "offers": Offers,
    "context": Context,
    "group_prices": GroupPrices,
}


def describe_prices() -> str:
    """Return the price table's columns as a Markdown table; columns on request are in brackets."""
    lines = ["| column | type | meaning |", "|---|---|---|"]
    for name, column in PriceTable.columns().items():
        lines.append(f"| `{name}` | {_type_of(column)} | {column.description} |")
    for name, column in DETAIL_COLUMNS.items():
        lines.append(f"| [`{name}`] | {_type_of(column)} | {column.description} |")
    return "\n".join(lines)


def describe_events() -> str:
    """Return a sentence on the columns of events, for `gpu-pricer reprice`."""
    return f"A file of events has {_summary(Events)}"


def describe_wide_prices() -> str:
    """Return a sentence on the columns of the wide layout."""
    return f"With `score.layout=wide` it has {_summary(WidePriceTable)}, and for each segment `{PRICE_OF}<segment_id>`"


def describe_inputs() -> str:
    """Return the input tables as a Markdown list of what a row is and its columns; optional columns are in brackets."""
    return "\n".join(f"* `{name}`: {_summary(schema)}" for name, schema in INPUTS.items())


def _summary(schema: type[dy.Schema]) -> str:
    columns = [
        f"[`{name}`]" if (column.metadata or {}).get("optional") else f"`{name}`"
        for name, column in schema.columns().items()
    ]
    line = (schema.__doc__ or "").splitlines()[0]
    return f"{line[0].lower()}{line[1:]} {', '.join(columns)}"


def _type_of(column: dy.Column) -> str:
    return "as given" if isinstance(column, dy.Any) else str(column.dtype)


if __name__ == "__main__":
    print(describe_prices(), describe_wide_prices(), describe_inputs(), describe_events(), sep="\n\n")
