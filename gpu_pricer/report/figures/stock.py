"""How far the stock reaches, what its limits do to prices, and what chance still empties of the shelves."""

from typing import Any, NamedTuple

import numpy as np
import polars as pl
from scipy.special import pdtr, pdtrc

from gpu_pricer.report.figures.shop import STOCK

PERIODS = (1, 2, 4, 13)
"""Ends of the classes of products by how many periods their stock lasts."""


class StockFigures(NamedTuple):
    """What the page says of the stock.

    products: on the shelf with a known stock. short, short_today: those whose expected units in a period exceed it at
    the new and at today's prices. lost, lost_today: units of a period that find an empty shelf, see lost_units.
    limits: the entry `stock` of the certificate, None where the policy does not limit units to the stock. cover: a row
    per class of PERIODS with words, products and percent. rows: products whose price the limits raise, or that are
    short; see scarce_products.
    """

    products: int
    short: int
    short_today: int
    lost: float
    lost_today: float
    limits: dict[str, Any] | None
    cover: pl.DataFrame
    rows: list[dict[str, Any]]


def stock_figures(
    rows: pl.DataFrame, certificate: dict[str, Any], stock_prices: pl.DataFrame | None, period_days: int, most: int
) -> StockFigures | None:
    """Return the figures of the products in product_figures with shop figures; None where none has a stock.

    stock_prices: of the version's record, None where no limit per product was set. most: of the scarce products.
    """
    known = rows.filter(pl.col(STOCK).is_finite())
    if known.is_empty():
        return None
    stock, units, today = (known[name].to_numpy() for name in (STOCK, "units", "units_today"))
    return StockFigures(
        products=known.height,
        short=int((units > stock).sum()),
        short_today=int((today > stock).sum()),
        lost=float(lost_units(units, stock).sum()),
        lost_today=float(lost_units(today, stock).sum()),
        limits=certificate.get("stock"),
        cover=cover_classes(known, period_days),
        rows=scarce_products(known, stock_prices).head(most).to_dicts(),
    )


def lost_units(expected: np.ndarray, stock: np.ndarray) -> np.ndarray:
    """Return the units [n] that are asked for and not there, in the mean over chance.

    expected [n]: mean units of a period; their number is taken as Poisson. E[max(D − k, 0)] with k whole units of stock
    is m P(D ≥ k) − k P(D > k), the loss function of the newsvendor.
    """
    whole = np.floor(stock)
    at_least = np.where(whole > 0, pdtrc(np.maximum(whole - 1, 0), expected), 1.0)
    return np.maximum(expected * at_least - whole * (1 - pdtr(whole, expected)), 0.0)


def cover_classes(known: pl.DataFrame, period_days: int) -> pl.DataFrame:
    """Return words, products and percent (of products with stock) by how long the stock lasts at the new prices."""
    ends = [period_days * count for count in PERIODS]
    starts = [0, *ends]
    words = [f"{start} to {end} days" for start, end in zip(starts, ends, strict=False)] + [f"over {ends[-1]} days"]
    lasting = known["cover"].fill_null(float("inf")).to_numpy()
    products = np.bincount(np.searchsorted(ends, lasting), minlength=len(words))
    return pl.DataFrame({"words": words, "products": products, "percent": 100 * products / known.height})


def scarce_products(known: pl.DataFrame, stock_prices: pl.DataFrame | None) -> pl.DataFrame:
    """Return the products whose price their stock raises, or that are short of it, the most valuable shortage first.

    Columns of product_figures, and stock_price: what one more unit of stock would earn, in currency, 0 without limits.
    """
    priced = with_stock_prices(known, stock_prices)
    missing = (pl.col("units") - pl.col(STOCK)).clip(lower_bound=0) * pl.col("price")
    scarce = priced.filter((pl.col("stock_price") > 0) | (pl.col("units") > pl.col(STOCK)))
    value = pl.col("stock_price") * pl.col(STOCK)
    return scarce.sort(value + missing, "product_id", descending=[True, False])


def with_stock_prices(rows: pl.DataFrame, stock_prices: pl.DataFrame | None) -> pl.DataFrame:
    """Return the rows with stock_price: what one more unit of stock would earn, in currency, 0 without limits."""
    if stock_prices is None:
        return rows.with_columns(stock_price=pl.lit(0.0))
    prices = stock_prices.select("product_id", stock_price="shadow_price")
    found = rows.join(prices, on="product_id", how="left", maintain_order="left")
    return found.with_columns(pl.col("stock_price").fill_null(0.0))
