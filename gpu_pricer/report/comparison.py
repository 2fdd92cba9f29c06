"""What changed against another version: prices, products, categories, and which of the sources differ."""

from pathlib import Path

import polars as pl

from gpu_pricer.tables.version.names import RUN_RECORD
from gpu_pricer.tables.version.price_version import PriceVersion
from gpu_pricer.tables.version.version_comparison import Compared, by_group, compare_versions
from gpu_pricer.tables.version.version_files import categories_of
from gpu_pricer.tables.version.version_record import read_version

SOURCES = {
    "artefact": "the demand model was learned anew",
    "catalog": "costs, today's prices or other catalog data changed",
    "policy": "the policy changed",
    "code": "the program changed",
}


def changes_against(after: Compared, before: Compared, rows: pl.DataFrame, most: int) -> dict[str, object]:
    """Return how a version's prices differ from those of another version.

    run: of the other; compared, raised, lowered, same: numbers of prices that both have; added, removed: numbers of
    products; mean: mean |price / earlier − 1|; products: the `most` products on the shelf whose mean price changed
    furthest, with name, before, after and change; categories: as many, those whose prices changed furthest, with the
    sums of by_group; sources: what differs in words, None for a version without a record.

    rows: from product_figures.
    """
    products = compare_versions(before, after).products
    sums = products.select(pl.col("prices", "up", "down", "absolute_move").sum()).row(0, named=True)
    return {
        "run": before.folder.name,
        "compared": sums["prices"],
        "raised": sums["up"],
        "lowered": sums["down"],
        "same": sums["prices"] - sums["up"] - sums["down"],
        "mean": sums["absolute_move"] / sums["prices"] if sums["prices"] else 0.0,
        "added": int((~products["is_before"]).sum()),
        "removed": int((~products["is_after"]).sum()),
        "products": _furthest(products, rows, most),
        "categories": _categories(products, after.folder, most),
        "sources": sources_changed(after.folder, before.folder),
    }


def _furthest(products: pl.DataFrame, rows: pl.DataFrame, most: int) -> list[dict]:
    """Return the products on the shelf whose mean price over segments changed furthest, by the money that it moves."""
    known = rows.select(pl.col("product_id").cast(pl.String), "name", "category_id", "units")
    # a mean over the segments' sales also moves where sales do and no price does
    changed = products.filter(pl.col("up") + pl.col("down") > 0)
    mean = changed.select("product_id", before="price_before", after="price_after")
    found = known.join(mean, on="product_id").with_columns(change=pl.col("after") / pl.col("before") - 1)
    found = found.filter(pl.col("change") != 0)
    order = pl.col("units") * (pl.col("after") - pl.col("before")).abs()
    return found.sort(order, "product_id", descending=[True, False]).head(most).to_dicts()


def _categories(products: pl.DataFrame, folder: Path, most: int) -> list[dict]:
    """Return the categories whose prices changed, those with the largest sum of moves first."""
    categories = categories_of(folder)
    if categories is None:
        return []
    groups = by_group(products, categories.rename({"category_id": "group"})).filter(pl.col("absolute_move") > 0)
    return groups.sort("absolute_move", "group", descending=[True, False]).head(most).to_dicts()


def sources_changed(folder: Path, older: Path) -> list[str] | None:
    """Return what differs between the sources of two versions in words, None for a version without a record."""
    if not (older / RUN_RECORD).is_file():
        return None
    versions: list[PriceVersion] = [read_version(path) for path in (folder, older)]
    return [words for name, words in SOURCES.items() if getattr(versions[0], name) != getattr(versions[1], name)]
