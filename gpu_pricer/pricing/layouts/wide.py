"""The wide layout: one row per product, sorted, with a column per segment for its price."""

from collections.abc import Iterator, Sequence

import numpy as np

from gpu_pricer.pricing.layouts.dictionaries import price_codes, product_codes, today_codes
from gpu_pricer.pricing.layouts.row_encoding import pack_prices
from gpu_pricer.pricing.problem.pricing_problem import PricingProblem
from gpu_pricer.pricing.tiles.solved_tile import SolvedTile
from gpu_pricer.tables.parquet.file import Column
from gpu_pricer.tables.parquet.pages import ColumnChunk, codes_chunk, packed_chunks
from gpu_pricer.tables.price_table import MONEY, price_columns, signed


def wide_columns(problem: PricingProblem, details: Sequence[str] = ()) -> list[Column]:
    """Return product_id, today_price and a price column per segment; the wide layout has no details."""
    assert not details
    prices = price_columns(problem.segments.segment_id)
    return [
        Column("product_id", signed(problem.products.product_id).dtype),
        *(Column(name, MONEY) for name in ("today_price", *prices)),
    ]


def wide_groups(tile: SolvedTile, details: Sequence[str] = ()) -> Iterator[list[ColumnChunk]]:
    """Yield the tile's one row group, a chunk per column; the price columns share one dictionary."""
    assert not details
    price, order = tile.cells.price, tile.order
    (ids, product), (todays, today) = product_codes(tile, order), today_codes(tile, order)
    prices, code_of_price = price_codes(tile, order)
    bits, together = _width(prices.size)
    packed = np.zeros((price.shape[1], bits * -(-len(price) // 8)), np.uint8)
    pack_prices(price, order, code_of_price, bits, together, packed)
    yield [
        codes_chunk(product, ids),
        codes_chunk(today, todays),
        *packed_chunks(packed, bits, len(price), prices),
    ]


def _width(codes: int) -> tuple[int, int]:
    """Return the bits of each of so many codes, and how many codes fill a word of at most 64 bits in whole bytes."""
    bits = max((codes - 1).bit_length(), 1)
    together = 8 if bits <= 8 else 4 if bits <= 16 else 2
    in_bytes = 8 // together
    return -(-bits // in_bytes) * in_bytes, together
