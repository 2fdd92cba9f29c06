"""Short ids: while sales are prepared, ids of text are numbers of 4 bytes, where their text takes 16 and more.

A row that is read holds its ids as Categorical. Once all ids are known they become an Enum of all of them in order, so
that rows sort as their texts do. Ids that are integers stay what they are.
"""

import polars as pl

from gpu_pricer.tables.schemas import PRICE_GROUP

ID_OWNERS = {"product_id": "products", "user_id": "users"}
"""The columns whose ids are shortened, and the table that each id has its type from."""


def type_as_given(dtype: pl.DataType) -> pl.DataType:
    """Return the type of an id as the user gave it: text for a short id."""
    return pl.String() if isinstance(dtype, pl.Categorical | pl.Enum) else dtype


def with_short_ids(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Return the rows with ids of text as Categorical."""
    schema = rows.collect_schema()
    shortened = (name for name in (*ID_OWNERS, PRICE_GROUP) if schema.get(name) == pl.String)
    return rows.with_columns(pl.col(name).cast(pl.Categorical) for name in shortened)


def with_ordered_ids(tables: dict[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """Return the tables with all user ids of text as one Enum, and all product ids of text as another."""
    for column in ID_OWNERS:
        holders = {name: table for name, table in tables.items() if column in table.columns}
        if any(type_as_given(table.schema[column]) == pl.String for table in holders.values()):
            words = pl.concat([table[column].unique().cast(pl.String) for table in holders.values()]).unique()
            ids = pl.Enum(words.drop_nulls().sort())
            tables = tables | {name: table.with_columns(pl.col(column).cast(ids)) for name, table in holders.items()}
    return tables


def with_ids_as_given(table: pl.DataFrame) -> pl.DataFrame:
    """Return the table with ids and categories as text where they are short."""
    names = [name for name in (*ID_OWNERS, "category_id", PRICE_GROUP) if name in table.columns]
    return table.with_columns(pl.col(name).cast(type_as_given(table.schema[name])) for name in names)
