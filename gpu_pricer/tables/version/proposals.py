"""What a version proposes for each product: its prices by segment beside today's, and their fingerprint."""

import hashlib
from pathlib import Path

import polars as pl

from gpu_pricer.errors import InputError
from gpu_pricer.tables.price_table import collect_prices, scan_prices
from gpu_pricer.tables.version.price_version import PriceVersion


def read_proposals(folder: Path, version: PriceVersion) -> pl.DataFrame:
    """Return a row per product of the version in a folder, sorted by id.

    product_id: as text. today, low, high: today's price, and the least and the largest new one, in currency. move: the
    largest |price / today − 1| over segments. proposal: a hash of today's price and of every segment's new price, so
    that equal proposals of different versions have the same. is_on_shelf: whether the version expects units of the
    product, which it never does off the shelf. InputError for the wide layout, without today's prices.
    """
    if version.layout != "long":
        raise InputError(
            f"people decide about versions with score.layout=long, found {folder} in another, without today's prices: "
            "score again"
        )
    today, price = (pl.col(name).cast(pl.Float64) for name in ("today_price", "price"))
    cell = pl.format("{}={}", pl.col("segment_id").cast(pl.String), pl.col("price"))
    found = scan_prices(folder).group_by(pl.col("product_id").cast(pl.String)).agg(
        today=today.first(),
        low=price.min(),
        high=price.max(),
        move=(price / today - 1).abs().max(),
        text=cell.sort().str.join(";"),
        before=pl.col("today_price").first().cast(pl.String),
        is_on_shelf=(pl.col("expected_units") > 0).any(),
    ).sort("product_id").pipe(collect_prices, folder)  # fmt: skip
    proposal = [_digest(f"{before}|{text}") for before, text in found.select("before", "text").iter_rows()]
    return found.drop("text", "before").with_columns(proposal=pl.Series(proposal, dtype=pl.String))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
