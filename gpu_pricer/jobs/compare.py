"""compare: what differs between two versions, what-ifs or runs."""

import json
from pathlib import Path

import polars as pl
from omegaconf import DictConfig

from gpu_pricer.errors import UNREADABLE, InputError, first_line
from gpu_pricer.jobs.report import write_report
from gpu_pricer.jobs.whatif import FOLDER
from gpu_pricer.report.comparison import sources_changed
from gpu_pricer.tables.files.disk_errors import disk_errors
from gpu_pricer.tables.files.replacing import replacing_file
from gpu_pricer.tables.published.version_log import find_version
from gpu_pricer.tables.version.names import CATALOG_COPY, RECORD, RUN_RECORD
from gpu_pricer.tables.version.version_comparison import by_group, changed_cells, compare_versions
from gpu_pricer.terminal.compare_board import group_table, summary_lines
from gpu_pricer.terminal.printing import print_tables
from gpu_pricer.versions.version_sources import compared_version

OPERANDS = ("compare.before", "compare.after")
SCORING = "score/run.json"
"""In a work folder: what `score` did last there."""


def inputs(config: DictConfig) -> list[Path]:
    """Return the records of the two versions, which name their files and all that they were made of."""
    return [folder / RUN_RECORD for folder in _folders(config)]


def main(config: DictConfig) -> None:
    """Print what differs between two versions: prices, units and profit, by category or another column.

    Reads   paths.prices        the versions; each by its run, its number in `gpu-pricer versions` or its folder
            paths.work/whatif   what-ifs, named by their names
            a work folder       named by its path: the version that was scored last in it
            paths.catalog       the column compare.by, of products for which the versions' own catalogs have none
    Writes  compare.products    if set, a row per product: prices, units, revenue and profit on both sides
            compare.cells       if set: product_id, segment_id, before and after of every price that differs
            compare.page        if set: the report on AFTER, whose section of changes is against BEFORE

    Prices are compared where both have the product and the segment; units, revenue and profit are those of all products
    of each side, by its own demand model, in a period. The groups with the largest mean size of moves come first. Ids
    are texts; a table is Parquet or, by the ending .csv, text.

    Example: gpu-pricer compare 3 4
             gpu-pricer compare 3 tight compare.by=department compare.products=moves.csv
             gpu-pricer compare 3 4 compare.page=work/compare.html
    """
    before, after = (compared_version(config, folder) for folder in _folders(config))
    found = compare_versions(before, after)
    column = config.compare.by
    groups = found.products.select("product_id", group=pl.lit("")) if column is None else _groups(config, str(column))
    tables = [Path(str(path)) for path in (config.compare.products, config.compare.cells) if path is not None]
    _require_endings(tables)
    print("\n".join(summary_lines(before, after, found, sources_changed(after.folder, before.folder))))
    if column is not None and found.products.height:
        print_tables(group_table(by_group(found.products, groups), str(column)))
    if config.compare.products is not None:
        rows = found.products.join(groups.rename({"group": str(column or "group")}), on="product_id", how="left")
        _write(rows, Path(str(config.compare.products)), "products")
    if config.compare.cells is not None:
        changed = changed_cells(before.folder, after.folder)
        _write(changed, Path(str(config.compare.cells)), "prices that differ")
    if config.compare.page is not None:
        page = write_report(config, after.folder, None, before.folder, Path(str(config.compare.page)))
        print(f"the page is {page}")


def _folders(config: DictConfig) -> tuple[Path, Path]:
    """Return the folders of the two versions; raise InputError unless both are named and there."""
    names = config.compare.before, config.compare.after
    if None in names:
        raise InputError(
            "compare needs two versions, found "
            f"{sum(name is not None for name in names)}: gpu-pricer compare BEFORE AFTER, see gpu-pricer versions"
        )
    before, after = (_folder(config, str(name)) for name in names)
    return before, after


def _folder(config: DictConfig, name: str) -> Path:
    """Return the folder of a what-if's, a work folder's or any other version."""
    whatif = Path(config.paths.work) / FOLDER / name
    if (whatif / RUN_RECORD).is_file():
        return whatif
    record = Path(name) / SCORING
    if record.is_file():
        try:
            return find_version(Path(config.paths.prices), str(json.loads(record.read_text())["version"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{record} must name a version, found: {first_line(error)}: score again") from error
    return find_version(Path(config.paths.prices), name)


def _groups(config: DictConfig, column: str) -> pl.DataFrame:
    """Return product_id as text and `group`, a column of the versions' catalogs or else of paths.catalog.

    For a product of several of them the second version's catalog counts, then the first's.
    """
    seen: dict[str, None] = {}
    copies = [folder / RECORD / CATALOG_COPY for folder in reversed(_folders(config))]
    catalogs = (_group_of_products(path, column, seen) for path in (*copies, Path(config.paths.catalog)))
    found = [catalog for catalog in catalogs if catalog is not None]
    if found:
        return pl.concat(found).unique("product_id", keep="first", maintain_order=True)
    raise InputError(
        f"compare.by must be a column of the catalog, found {column} but only {', '.join(seen) or 'no catalog'}: mend "
        "it, or set paths.catalog"
    )


def _group_of_products(path: Path, column: str, seen: dict[str, None]) -> pl.DataFrame | None:
    """Return product_id as text and `group`, the column of a catalog; None where it has none, and note its columns."""
    if not path.is_file():
        return None
    try:
        columns = pl.read_parquet_schema(path)
        if column in columns:
            table = pl.read_parquet(path, columns=["product_id", column])
            return table.select(pl.col("product_id").cast(pl.String), group=pl.col(column).cast(pl.String))
    except UNREADABLE as error:
        raise InputError(f"{path} must be a whole Parquet file, found: {first_line(error)}: mend it") from error
    seen.update(dict.fromkeys(columns))
    return None


def _require_endings(paths: list[Path]) -> None:
    others = [str(path) for path in paths if path.suffix not in (".parquet", ".csv")]
    if others:
        raise InputError(f"a table must end with .parquet or .csv, found {', '.join(others)}: rename it")


def _write(table: pl.DataFrame, path: Path, what: str) -> None:
    """Write a table as Parquet, or as text where the path says so, and say how many rows it has."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing_file(path) as fresh, disk_errors(fresh):
        table.write_csv(fresh) if path.suffix == ".csv" else table.write_parquet(fresh)
    print(f"{table.height:,} {what} are in {path}")
