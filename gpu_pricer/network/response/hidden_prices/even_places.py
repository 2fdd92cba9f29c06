"""Random numbers that are uniform one by one, and evenly spread among periods that are alike."""

import numpy as np
import polars as pl

from gpu_pricer.tables.digests import digests

ODD = np.uint64(0xD1342543DE82EF95)  # no small multiple of it is near one of SplitMix64's increment
LEVELS = {"category": ("kind",), "product": ("kind", "category_id"), "row": ("kind", "product_id")}


def even_places(periods: pl.DataFrame, number: int) -> np.ndarray:
    """Return a number from 0 to 1 for each of N periods of products, [N].

    Among periods of the same kind, they are evenly spread over the periods of a product, and their starts over the
    products of a category, and over the categories (nested systematic sampling, Madow & Madow 1944). So sums over
    products and categories vary less than with independent numbers. They follow from hashes of the identifiers and the
    day: they look random from shop to shop, and hardly change when periods are added to a shop.
    periods: product_id, category_id, period and kind (a number from 0), none of them null. number: of the draw; other
    numbers give other draws.
    """
    product = digests(periods["product_id"])
    day = periods["period"].cast(pl.Date).to_physical().to_numpy().astype(np.uint64)
    bits = {"category": digests(periods["category_id"]), "product": product, "row": product + day * ODD}
    kind = _mixed(periods["kind"].to_numpy().astype(np.uint64), number)
    keyed = periods.with_columns(pl.Series(name, _mixed(of + kind, number)) for name, of in bits.items())
    place: pl.Expr = pl.lit(pl.Series(_mixed(bits["category"].min(initial=2**64 - 1) + kind, number) / 2.0**64))
    for name, among in LEVELS.items():
        rank = pl.col(name).rank("dense").over(among)
        place = (rank - 1 + place) / pl.col(name).n_unique().over(among)
    return keyed.select(place.alias("place"))["place"].to_numpy()


def _mixed(bits: np.ndarray, number: int) -> np.ndarray:
    """Return the random bits that `bits` have for `number`: SplitMix64's (Steele, Lea & Flood 2014)."""
    bits = bits + np.uint64((number + 1) * 0x9E3779B97F4A7C15 % 2**64)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(bits ^ (bits >> np.uint64(31)))
