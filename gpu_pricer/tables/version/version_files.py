"""The files of a scored version, read one at a time and checked against the price table's contract."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import polars as pl

from gpu_pricer.errors import UNREADABLE, InputError, Refused, first_line
from gpu_pricer.tables.checking import check
from gpu_pricer.tables.delta_log import FILE_OF_A_RUN
from gpu_pricer.tables.price_table import schema_of
from gpu_pricer.tables.version.catalog_copy import find_catalog_copy
from gpu_pricer.tables.version.price_grid import CELL, PriceGrid, grid_of, price_names
from gpu_pricer.tables.version.price_version import PriceVersion


@dataclass(frozen=True)
class FileFacts:
    """The rows of one file, and per column its least and largest value and its number of nulls."""

    name: str
    rows: int
    least: dict[str, object]
    largest: dict[str, object]
    nulls: dict[str, int]


class CheckedFile(NamedTuple):
    """What was found in one file: the facts that Delta needs, its ids, its number of prices, and its rows as a grid.

    product_id, segment_id: each id once. grid: None where not every product has a price for the same segments.
    """

    facts: FileFacts
    product_id: pl.Series
    segment_id: pl.Series
    prices: int
    grid: PriceGrid | None


def checked_files(folder: Path, version: PriceVersion) -> Iterator[tuple[FileFacts, PriceGrid]]:
    """Yield the facts that Delta needs of each file of the version, and the file's rows as a grid.

    Raise InputError if a file is missing or is not of the price table, and Refused if a file breaks the contract or,
    after the last file, unless each product × segment was there once; a file with holes is not yielded.
    """
    require_files(folder, version)
    checked: list[CheckedFile] = []
    for name in version.files:
        found = _checked_file(folder / name, version.layout, checked[:1])
        checked.append(found._replace(grid=None))
        if found.grid is not None:
            yield found.facts, found.grid
    _require_complete(folder, version, checked)
    _require_metadata(folder, version)


def categories_of(folder: Path) -> pl.DataFrame | None:
    """Return product_id as text and category_id of the version's catalog, None if it keeps no copy."""
    return find_catalog_copy(folder, pl.col("product_id").cast(pl.String), "category_id")


def require_files(folder: Path, version: PriceVersion) -> None:
    """Raise InputError unless the folder holds exactly the version's files, since readers read all that lie there."""
    found = {path.name for path in folder.glob("*.parquet")}
    missing, others = sorted(set(version.files) - found), sorted(found - set(version.files))
    if missing or others:
        raise InputError(
            f"{folder} must hold the {len(version.files)} files that its run.json lists, found "
            f"{len(missing)} missing {missing[:3]} and {len(others)} others {others[:3]}: "
            "restore them, or score into a new folder"
        )
    foreign = [name for name in version.files if not FILE_OF_A_RUN.fullmatch(f"{version.run}/{name}")]
    if foreign:
        raise InputError(
            f"{folder}: files must be named {version.run}-<shard>-<tile>.parquet, found {foreign[0]}: score again"
        )


def _read(path: Path, layout: str) -> pl.DataFrame:
    """Return the rows of one file; raise Refused if one breaks the price table's contract, such as a repeated cell."""
    try:
        table = pl.read_parquet(path)
    except UNREADABLE as error:
        raise InputError(f"{path} must be a whole Parquet file, found: {first_line(error)}: score again") from error
    schema = schema_of(layout, table.columns)
    expected = {name: column.dtype for name, column in schema.columns().items() if name not in CELL}
    if table.columns != schema.column_names() or expected != {name: table.schema[name] for name in expected}:
        raise InputError(
            f"{path} must be a price table with the columns {schema.column_names()}, "
            f"found {dict(table.schema)}: score again"
        )
    checked = check(table, schema)
    if checked.broken:
        raise Refused(f"{path} must follow the price table's contract, found it {checked.report()}")
    return table


def _checked_file(path: Path, layout: str, before: list[CheckedFile]) -> CheckedFile:
    """Return what was found in a file; before: the first file of the version, none if it is this one."""
    table = _read(path, layout)
    _require_ids(path, table, before)
    grid = grid_of(table)
    ids = {name: table[name].unique() if grid is None else getattr(grid, name) for name in CELL}
    prices = table.height * len(price_names(table.columns))
    return CheckedFile(_facts(path.name, table, ids), **ids, prices=prices, grid=grid)


def _require_ids(path: Path, table: pl.DataFrame, before: list[CheckedFile]) -> None:
    """Raise InputError unless the ids are texts or integers, of the type that the first file has."""
    for name in CELL:
        dtype = table.schema.get(name, pl.String())
        is_id = dtype == pl.String or dtype.is_integer()
        if not is_id or any(getattr(file, name).dtype != dtype for file in before):
            raise InputError(
                f"{path} must have ids of text or integers, the same in every file, found {name} of {dtype}: "
                "score again"
            )


def _facts(name: str, table: pl.DataFrame, ids: dict[str, pl.Series]) -> FileFacts:
    """Return the facts of a file's rows; ids: those of each column in CELL, so that not every cell's are compared."""
    columns = [c for c in table.columns if c not in CELL and not table.schema[c].is_float()]
    least, largest = (
        {c: getattr(found, how)() for c, found in ids.items() if c in table.columns}
        | table.select(getattr(pl.col(columns), how)()).row(0, named=True)
        for how in ("min", "max")
    )
    return FileFacts(name, table.height, least, largest, table.null_count().row(0, named=True))


def _require_complete(folder: Path, version: PriceVersion, checked: list[CheckedFile]) -> None:
    """Raise Refused unless each product × segment is there once, with no product in two files, and counted so."""
    prices, products = sum(file.prices for file in checked), sum(len(file.product_id) for file in checked)
    found = {name: pl.concat(getattr(file, name) for file in checked).n_unique() if checked else 0 for name in CELL}
    expected = version.tally.products
    is_complete = prices == expected * version.segments == version.tally.rows > 0 and products == expected
    if not is_complete or found != {"product_id": expected, "segment_id": version.segments}:
        raise Refused(
            f"{folder} must hold each of {expected} products x {version.segments} segments once, "
            f"found {prices} prices of {found['product_id']} products and {found['segment_id']} segments, "
            f"{version.tally.rows} of them by its run.json: score again"
        )


def _require_metadata(folder: Path, version: PriceVersion) -> None:
    """Raise InputError unless every file carries what run.json says of currency, day and sources."""
    for name in version.files:
        found = pl.read_parquet_metadata(folder / name)
        for key, value in version.metadata_of(name).items():
            if found.get(key) != value:
                raise InputError(
                    f"{folder / name} must be of the {key} that run.json names, {value!r}, found {found.get(key)!r}: "
                    "score again"
                )
