"""The price table's contract for programs: a JSON Schema of a row, with the Arrow types, made from the table's classes.

`python -m gpu_pricer.tables.price_contract` prints it. docs/contracts/ keeps every version: a column, a metadata key or
a name of a rule more makes the next minor version, any other change the next major one.
"""

import json
from typing import Any

import dataframely as dy
import polars as pl

from gpu_pricer.tables.price_table import BINDINGS, DETAIL_COLUMNS, PRICE_OF, PriceTable, WidePriceTable
from gpu_pricer.tables.version.price_version import CONTRACT, FILE_METADATA

IDS = {"type": ["integer", "string"], "x-arrow": ["int8", "int16", "int32", "int64", "string"]}
"""How ids come out: as they went in."""
JSON_TYPES = {"bool": "boolean", "string": "string", "float": "number", "decimal128(12, 2)": "number"}
"""The JSON type of each Arrow type of the table."""


def price_contract(version: str) -> dict[str, Any]:
    """Return the contract in its version, such as 1.0: both layouts, and the metadata that every file carries."""
    long = _columns(PriceTable.columns()) | _columns(DETAIL_COLUMNS)
    long["binding"]["enum"] = list(BINDINGS)
    price = _column(PriceTable.columns()["price"])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A row of the price table",
        "version": version,
        "x-metadata": [*FILE_METADATA],
        "oneOf": [{"$ref": "#/$defs/long"}, {"$ref": "#/$defs/wide"}],
        "$defs": {
            "long": {
                "description": (PriceTable.__doc__ or "").strip(),
                "type": "object",
                "properties": long,
                "required": list(PriceTable.columns()),
                "additionalProperties": False,
            },
            "wide": {
                "description": (WidePriceTable.__doc__ or "").strip(),
                "type": "object",
                "properties": _columns(WidePriceTable.columns()),
                "patternProperties": {f"^{PRICE_OF}": price | {"description": "the price to set for a segment"}},
                "required": list(WidePriceTable.columns()),
                "additionalProperties": False,
            },
        },
    }


def _columns(columns: dict[str, dy.Column]) -> dict[str, dict[str, Any]]:
    return {name: _column(column) for name, column in columns.items()}


def _column(column: dy.Column) -> dict[str, Any]:
    """Return a column's types, limits and meaning."""
    if isinstance(column, dy.Any):
        return {"description": column.description, **IDS}
    arrow = str(pl.Series([], dtype=column.dtype).to_arrow().type)
    arrow = "string" if arrow == "large_string" else arrow
    limits = {"minimum": getattr(column, "min", None), "exclusiveMinimum": getattr(column, "min_exclusive", None)}
    return {
        "description": column.description,
        "type": JSON_TYPES[arrow],
        **{name: float(limit) for name, limit in limits.items() if limit is not None},
        "x-arrow": arrow,
    }


def contract_text(version: str) -> str:
    """Return the contract as the text of its file."""
    return json.dumps(price_contract(version), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    print(contract_text(CONTRACT), end="")
