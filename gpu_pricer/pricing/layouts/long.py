"""The long layout: one row per product and segment, sorted by product, then segment."""

from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl

from gpu_pricer.pricing.layouts.details import detail_chunks, detail_columns
from gpu_pricer.pricing.layouts.dictionaries import price_codes, product_codes, today_codes
from gpu_pricer.pricing.layouts.row_encoding import PRICING_RULES, code_bindings, code_prices, expect
from gpu_pricer.pricing.problem.pricing_problem import PricingProblem
from gpu_pricer.pricing.tiles.solved_tile import SolvedTile
from gpu_pricer.tables.parquet.file import Column
from gpu_pricer.tables.parquet.pages import ColumnChunk, codes_chunk, dictionary_of, runs_chunk, values_chunk
from gpu_pricer.tables.price_table import BINDINGS, MONEY, PER_VISITS, signed

# Rows of a row group, exceeded only by a single product. Readers work on several groups at once and skip those whose
# products they were not asked for; the arrays of one stay in the cache.
GROUP_ROWS = 2**18

RULES = dictionary_of(pl.Series(BINDINGS), is_sorted=False)


def long_columns(problem: PricingProblem, details: Sequence[str] = ()) -> list[Column]:
    """Return the columns of PriceTable, and those of the details (see DETAILS)."""
    return [
        Column("segment_id", signed(problem.segments.segment_id).dtype),
        Column("product_id", signed(problem.products.product_id).dtype),
        Column("price", MONEY),
        Column("today_price", MONEY),
        Column("expected_units", pl.Float32()),
        Column("expected_profit", pl.Float32()),
        Column("binding", pl.String()),
        *detail_columns(details, problem.includes_vat),
    ]


def long_groups(tile: SolvedTile, details: Sequence[str] = ()) -> Iterator[list[ColumnChunk]]:
    """Yield the tile's row groups, each a chunk per column."""
    step = max(GROUP_ROWS // tile.cells.price.shape[1], 1)
    for first in range(0, len(tile.order), step):
        order = tile.order[first : first + step]
        yield [*_group(tile, order), *detail_chunks(tile, order, details)]


def _group(tile: SolvedTile, order: np.ndarray) -> list[ColumnChunk]:
    """Return the row group of some of the tile's products, a chunk per column."""
    problem, cells = tile.problem, tile.cells
    shape = (len(order), cells.price.shape[1])
    segments = dictionary_of(signed(problem.segments.segment_id), is_sorted=True)
    (ids, product), (todays, today) = product_codes(tile, order), today_codes(tile, order)
    prices, code_of_price = price_codes(tile, order)
    price, binding = np.empty(shape, prices.code_type), np.empty(shape, RULES.code_type)
    units, profit = np.empty(shape, np.float32), np.empty(shape, np.float32)
    units_per_visit = (PER_VISITS * problem.products.units_per_choice[tile.products]).astype(np.float32)
    code_prices(cells.price, order, code_of_price, price)
    code_bindings(cells.binding_side, order, *tile.rules, PRICING_RULES, binding)
    cost, net_share = problem.products.cost[tile.products], problem.products.net_share[tile.products]
    expect(cells.price, cells.probability, order, units_per_visit, cost, net_share, units, profit)
    return [
        codes_chunk(np.tile(np.arange(shape[1], dtype=segments.code_type), shape[0]), segments),
        runs_chunk(product, shape[1], ids),
        codes_chunk(price.ravel(), prices),
        runs_chunk(today, shape[1], todays),
        values_chunk(units.ravel()),
        values_chunk(profit.ravel()),
        codes_chunk(binding.ravel(), RULES),
    ]
