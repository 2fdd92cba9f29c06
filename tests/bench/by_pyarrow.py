"""A solved tile written by pyarrow, from the same codes and dictionaries that our own pages are made of.

Columns of few distinct values are dictionary arrays (DictionaryArray.from_arrays). pyarrow writes such a column of
texts without hashing its values; it expands one of decimals and hashes every value (pyarrow 26).
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from gpu_pricer.pricing.layouts.long import GROUP_ROWS
from gpu_pricer.pricing.layouts.row_encoding import PRICING_RULES, code_bindings, code_prices, expect
from gpu_pricer.pricing.tiles.solved_tile import SolvedTile
from gpu_pricer.tables.price_table import BINDINGS, PER_VISITS, price_columns, signed

MONEY = pa.decimal128(12, 2)
BATCH_ROWS = 2**16
"""With pyarrow's own 1,024 the long layout takes 14 % longer (2 CPU cores, pyarrow 26, 2026-11)."""
STATISTICS = ["segment_id", "product_id", "price", "today_price"]
"""The columns whose least and largest values our pages tell."""


def write_tile(tile: SolvedTile, path: Path, layout: str) -> None:
    """Write the tile's rows in the layout, with the row groups and the compression of our files."""
    tables = _long_tables(tile) if layout == "long" else [_wide_table(tile)]
    writer = None
    for table in tables:
        if writer is None:
            writer = pq.ParquetWriter(
                path,
                table.schema,
                compression="zstd",
                compression_level=1,
                use_dictionary=[name for name in table.column_names if not name.startswith("expected")],
                write_batch_size=BATCH_ROWS,
                write_statistics=STATISTICS if layout == "long" else True,
                store_decimal_as_integer=True,
                store_schema=False,  # readers are to see plain strings, as in our files
            )
        writer.write_table(table, row_group_size=table.num_rows)
    assert writer is not None
    writer.close()


def _long_tables(tile: SolvedTile) -> Iterator[pa.Table]:
    """Yield the row groups of the long layout."""
    step = max(GROUP_ROWS // tile.cells.price.shape[1], 1)
    for first in range(0, len(tile.order), step):
        yield _long_table(tile, tile.order[first : first + step])


def _long_table(tile: SolvedTile, order: np.ndarray) -> pa.Table:
    products, cells = tile.problem.products, tile.cells
    shape = (len(order), cells.price.shape[1])
    distinct, code_of_price = _distinct_prices(tile, order)
    price, binding = np.empty(shape, code_of_price.dtype), np.empty(shape, np.uint8)
    units, profit = np.empty(shape, np.float32), np.empty(shape, np.float32)
    units_per_visit = (PER_VISITS * products.units_per_choice[tile.products]).astype(np.float32)
    code_prices(cells.price, order, code_of_price, price)
    code_bindings(cells.binding_side, order, *tile.rules, PRICING_RULES, binding)
    cost, net_share = products.cost[tile.products], products.net_share[tile.products]
    expect(cells.price, cells.probability, order, units_per_visit, cost, net_share, units, profit)
    today, today_code = np.unique(products.today[tile.products][order], return_inverse=True)
    segment = np.tile(np.arange(shape[1], dtype=np.uint16), shape[0])
    product = np.arange(shape[0], dtype=np.uint16).repeat(shape[1])
    columns = {
        "segment_id": _coded(segment, _texts(signed(tile.problem.segments.segment_id))),
        "product_id": _coded(product, _texts(signed(products.product_id[tile.products].gather(order)))),
        "price": _coded(price.ravel(), _money(distinct)),
        "today_price": _coded(today_code.astype(np.uint16).repeat(shape[1]), _money(today)),
        "expected_units": pa.array(units.ravel()),
        "expected_profit": pa.array(profit.ravel()),
        "binding": _coded(binding.ravel(), pa.array(BINDINGS)),
    }
    return pa.table(columns)


def _wide_table(tile: SolvedTile) -> pa.Table:
    products, order, price = tile.problem.products, tile.order, tile.cells.price
    distinct, code_of_price = _distinct_prices(tile, order)
    codes = np.empty(price.shape, code_of_price.dtype)
    code_prices(price, order, code_of_price, codes)
    prices = _money(distinct)
    today = products.today[tile.products][order]
    segments = zip(price_columns(tile.problem.segments.segment_id), np.ascontiguousarray(codes.T), strict=True)
    columns = {
        "product_id": _texts(signed(products.product_id[tile.products].gather(order))),
        "today_price": _money(today),
        **{name: _coded(column, prices) for name, column in segments},
    }
    return pa.table(columns)


def _distinct_prices(tile: SolvedTile, order: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct prices of some rows in cents, and the code of each price in cents."""
    distinct = np.flatnonzero(np.bincount(tile.cells.price[order].ravel().astype(np.int64)))
    code_of_price = np.zeros(tile.dearest + 1, np.uint8 if len(distinct) <= 256 else np.uint16)
    code_of_price[distinct] = np.arange(len(distinct))
    return distinct, code_of_price


def _coded(codes: np.ndarray, dictionary: pa.Array) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(codes), dictionary)


def _texts(ids: pl.Series) -> pa.Array:
    return ids.to_arrow(compat_level=pl.CompatLevel.oldest())


def _money(cents: np.ndarray) -> pa.Array:
    """Return whole cents as decimals, whose 128 bits are two words here."""
    words = np.zeros((len(cents), 2), np.int64)
    words[:, 0] = cents
    return pa.Array.from_buffers(MONEY, len(cents), [None, pa.py_buffer(words)])
