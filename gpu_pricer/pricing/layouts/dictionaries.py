"""The distinct values of a tile's columns, and the code of each row: Parquet's dictionary encoding."""

import numpy as np

from gpu_pricer.pricing.layouts.row_encoding import mark_prices
from gpu_pricer.pricing.tiles.solved_tile import SolvedTile
from gpu_pricer.tables.parquet.pages import Dictionary, dictionary_of
from gpu_pricer.tables.price_table import signed


def price_codes(tile: SolvedTile, order: np.ndarray) -> tuple[Dictionary, np.ndarray]:
    """Return the distinct prices of the tile's rows order [n], and each price's code, an array indexed by cents."""
    is_there = np.zeros(tile.dearest + 1, np.bool_)
    mark_prices(tile.cells.price, order, is_there)
    distinct = np.flatnonzero(is_there)
    dictionary = dictionary_of(distinct, is_sorted=True)
    code_of_price = np.empty(len(is_there), dictionary.code_type)
    code_of_price[distinct] = np.arange(len(distinct), dtype=code_of_price.dtype)
    return dictionary, code_of_price


def today_codes(tile: SolvedTile, order: np.ndarray) -> tuple[Dictionary, np.ndarray]:
    """Return the distinct prices of today of the tile's rows order [n], and each row's code [n]."""
    today = tile.problem.products.today[tile.products]
    distinct, codes = np.unique(today[order], return_inverse=True)
    dictionary = dictionary_of(distinct.astype(np.int64), is_sorted=True)
    return dictionary, codes.astype(dictionary.code_type)


def product_codes(tile: SolvedTile, order: np.ndarray) -> tuple[Dictionary, np.ndarray]:
    """Return the product ids of the tile's rows order [n], and each row's code [n]."""
    ids = tile.problem.products.product_id[tile.products]
    dictionary = dictionary_of(signed(ids.gather(order)), is_sorted=True)
    return dictionary, np.arange(len(order), dtype=dictionary.code_type)
