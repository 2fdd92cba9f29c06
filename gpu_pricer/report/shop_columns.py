"""What the shop's own tables say beside a version: names of products, stock, competitors' prices."""

from pathlib import Path

import polars as pl
from hydra.utils import instantiate
from omegaconf import DictConfig

from gpu_pricer.errors import UNREADABLE, InputError, first_line
from gpu_pricer.report.figures.product import product_names
from gpu_pricer.report.scored import Scored
from gpu_pricer.report.settings import ReportSettings
from gpu_pricer.tables.canonical import read_summary

COMPETITOR_CONTEXT = "competitor_price"
"""The column of the canonical shelf that holds what a competitor asked in past periods."""


def names_of(config: DictConfig, scored: Scored) -> pl.DataFrame:
    """Return product_id and the products' names; InputError for a column that the catalog does not have."""
    settings: ReportSettings = instantiate(config.report)
    path = Path(config.paths.catalog)
    label = (read_summary(path.parent) or {}).get("label", []) if settings.label is None else settings.label
    if not label:
        return product_names(scored.catalog, [])
    try:
        columns = pl.read_parquet_schema(path)
        missing = [name for name in label if name not in columns]
        if missing:
            raise InputError(
                f"report.label must name columns of {path}, found {', '.join(missing)} but only {', '.join(columns)}: "
                "mend it, or set report.label=[]"
            )
        return product_names(pl.read_parquet(path, columns=["product_id", *label]), label)
    except UNREADABLE as error:
        raise InputError(
            f"{path} must hold the columns of report.label, found: {first_line(error)}: set paths.catalog or "
            "report.label=[]"
        ) from error


def columns_of_products(config: DictConfig, scored: Scored, names: list[str]) -> pl.DataFrame:
    """Return product_id and those of the named columns of numbers that a catalog has.

    The catalog that the version was priced from comes first; it holds what pricing read. Other columns are read from
    paths.catalog, where that is there.
    """
    known = [name for name in names if name in scored.catalog.columns]
    table = scored.catalog.select("product_id", pl.col(known).cast(pl.Float64))
    path = Path(config.paths.catalog)
    if len(known) == len(names) or not path.is_file():
        return table
    try:
        columns = pl.read_parquet_schema(path)
        further = [name for name in names if name not in known and name in columns and columns[name].is_numeric()]
        added = pl.read_parquet(path, columns=["product_id", *further])
    except UNREADABLE as error:
        raise InputError(f"{path} must be a whole Parquet file, found: {first_line(error)}: mend it") from error
    same_ids = pl.col("product_id").cast(table.schema["product_id"], strict=False)
    added = added.with_columns(same_ids, pl.col(further).cast(pl.Float64))
    return table.join(added, on="product_id", how="left", maintain_order="left")


def has_competitors_in_log(config: DictConfig) -> bool:
    """Return whether the log has competitors' past prices, from which demand learns how shoppers answer them."""
    shelf = Path(config.paths.data) / "shelf.parquet"
    try:
        return shelf.is_file() and COMPETITOR_CONTEXT in pl.read_parquet_schema(shelf)
    except UNREADABLE as error:
        raise InputError(f"{shelf} must be a whole Parquet file, found: {first_line(error)}: prepare again") from error
