"""What changed against the version published before: cells, products, and which of the sources differ."""

from pathlib import Path

import polars as pl

from gpu_pricer.tables.price_moves import CELL
from gpu_pricer.tables.price_table import scan_cells
from gpu_pricer.tables.price_version import RUN_RECORD, PriceVersion, read_version

SOURCES = {
    "artefact": "the demand model was learned anew",
    "catalog": "costs, today's prices or other catalog data changed",
    "policy": "the policy changed",
    "code": "the program changed",
}


def against_published(folder: Path, older: Path, rows: pl.DataFrame, most: int) -> dict[str, object]:
    """Return how a version's prices differ from those of an older version.

    run; compared, raised, lowered, same: numbers of prices that both have; added, removed: numbers of products; mean:
    mean |price / earlier − 1|; products: the `most` products on the shelf whose mean price changed furthest, with name,
    before, after and change; sources: what differs in words, None for a version without a record.

    rows: from product_figures.
    """
    now, before = (_cells(path) for path in (folder, older))
    both = now.join(before, on=CELL).rename({"price_right": "before"})
    change = (pl.col("price") / pl.col("before") - 1).abs()
    counts = both.select(
        compared=pl.len(),
        raised=(pl.col("price") > pl.col("before")).sum(),
        lowered=(pl.col("price") < pl.col("before")).sum(),
        same=(pl.col("price") == pl.col("before")).sum(),
        mean=change.mean(),
    ).row(0, named=True)
    ids = [table["product_id"].unique() for table in (now, before)]
    return {
        "run": older.name,
        **counts,
        "added": ids[0].len() - ids[0].is_in(ids[1].implode()).sum(),
        "removed": ids[1].len() - ids[1].is_in(ids[0].implode()).sum(),
        "products": _furthest(both, rows, most),
        "sources": _sources(folder, older),
    }


def _cells(folder: Path) -> pl.DataFrame:
    """Return product_id and segment_id as text and the price of every cell."""
    cells = scan_cells(folder, pl.String())
    return cells.select(pl.col(CELL).cast(pl.String), pl.col("price").cast(pl.Float64)).collect(engine="streaming")


def _furthest(both: pl.DataFrame, rows: pl.DataFrame, most: int) -> list[dict]:
    """Return the products on the shelf whose mean price over segments changed furthest."""
    mean = both.group_by("product_id").agg(before=pl.col("before").mean(), after=pl.col("price").mean())
    change = pl.col("after") / pl.col("before") - 1
    known = rows.select(pl.col("product_id").cast(pl.String), "name", "category_id", "units")
    found = known.join(mean, on="product_id").with_columns(change=change).filter(pl.col("change") != 0)
    order = pl.col("units") * (pl.col("after") - pl.col("before")).abs()
    return found.sort(order, "product_id", descending=[True, False]).head(most).to_dicts()


def _sources(folder: Path, older: Path) -> list[str] | None:
    if not (older / RUN_RECORD).is_file():
        return None
    versions: list[PriceVersion] = [read_version(path) for path in (folder, older)]
    return [words for name, words in SOURCES.items() if getattr(versions[0], name) != getattr(versions[1], name)]
