"""diff: what differs between two versions of the price table."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl
from omegaconf import DictConfig
from rich import box
from rich.table import Table

from gpu_pricer.errors import InputError
from gpu_pricer.jobs.scoreboard import wide_console
from gpu_pricer.tables.disk_errors import write_table
from gpu_pricer.tables.price_version import RUN_RECORD
from gpu_pricer.tables.replacing import replacing_file
from gpu_pricer.tables.version_diff import VersionDiff, changed_cells, diff_versions
from gpu_pricer.tables.version_log import find_version

OPERANDS = ("diff.before", "diff.after")
EXAMPLES = 3
MOST_CATEGORIES = 20


@dataclass(frozen=True)
class Compared:
    """The folders of the two versions."""

    before: Path
    after: Path


def inputs(config: DictConfig) -> list[Path]:
    """Return the records of the two versions, which name their files and all that they were made of."""
    compared = _compared(config)
    return [compared.before / RUN_RECORD, compared.after / RUN_RECORD]


def main(config: DictConfig) -> None:
    """Print what differs between two versions: columns, products, and the prices of each category.

    Reads   paths.prices    the versions; each is named by its run, its number in `gpu-pricer versions`, or its folder
    Writes  diff.details    if set: product_id, segment_id, before and after of every price that differs, ids as text

    Prices are compared where both versions have the product and the segment. The categories are those of the second
    version; the list shows the ones with the largest mean move first.

    Example: gpu-pricer diff 3 4
             gpu-pricer diff 3 what-if/dearer diff.details=moves.parquet
    """
    compared = _compared(config)
    found = diff_versions(compared.before, compared.after)
    print("\n".join(_lines(compared, found)))
    if found.categories.height:
        wide_console().print(_board(found.categories))
    if config.diff.details is not None:
        path, changed = Path(str(config.diff.details)), changed_cells(compared.before, compared.after)
        with replacing_file(path) as fresh:
            write_table(changed, fresh)
        print(f"{changed.height:,} prices that differ are in {path}")


def _compared(config: DictConfig) -> Compared:
    """Return the folders of the two versions; raise InputError unless both are named and there."""
    names = config.diff.before, config.diff.after
    if None in names:
        raise InputError(
            "diff needs two versions, found "
            f"{sum(name is not None for name in names)}: gpu-pricer diff BEFORE AFTER, see gpu-pricer versions"
        )
    return Compared(*(find_version(Path(config.paths.prices), str(name)) for name in names))


def _lines(compared: Compared, found: VersionDiff) -> list[str]:
    sums = found.categories.select(pl.col("prices", "up", "down", "move", "absolute_move").sum()).row(0, named=True)
    prices = sums["prices"] or 1
    return [
        f"{compared.before} -> {compared.after}",
        f"columns: {_named(found.gone, 'gone')}, {_named(found.new, 'new')}",
        f"products: {_named(found.products_out, 'out')}, {_named(found.products_in, 'in')}",
        f"prices: {sums['prices']:,} in both, {sums['up'] / prices:.1%} up, {sums['down'] / prices:.1%} down, "
        f"mean move {sums['move'] / prices:+.2%}, mean size {sums['absolute_move'] / prices:.2%}",
    ]


def _named(names: list[str], what: str) -> str:
    more = ", …" if len(names) > EXAMPLES else ""
    return f"{len(names)} {what}" + (f" ({', '.join(names[:EXAMPLES])}{more})" if names else "")


def _board(categories: pl.DataFrame) -> Table:
    """Return a line per category, the largest mean size of moves first; the last one says how many are left out."""
    table = Table("category", "products", "prices", "up", "down", "mean move", "mean size", box=box.SIMPLE)
    size = pl.col("absolute_move") / pl.col("prices")
    ordered = categories.sort(size, "category_id", descending=[True, False])
    for row in ordered.head(MOST_CATEGORIES).iter_rows(named=True):
        shares = (f"{row[name] / row['prices']:.1%}" for name in ("up", "down"))
        moves = (f"{row[name] / row['prices']:{form}}" for name, form in (("move", "+.2%"), ("absolute_move", ".2%")))
        table.add_row(row["category_id"], f"{row['products']:,}", f"{row['prices']:,}", *shares, *moves)
    if ordered.height > MOST_CATEGORIES:
        table.add_row(f"{ordered.height - MOST_CATEGORIES} more", *[""] * 6)
    return table
