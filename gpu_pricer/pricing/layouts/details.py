"""The columns of the long layout that score.details adds: parts, personalised, note and interval."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import polars as pl

from gpu_pricer.policy.overrides import NO_SEGMENT
from gpu_pricer.pricing.decomposition import PricedChoices, UnitCosts, expected_price_parts, price_parts
from gpu_pricer.pricing.layouts.row_encoding import differ
from gpu_pricer.pricing.tiles.solved_tile import SolvedTile
from gpu_pricer.tables.parquet.file import Column
from gpu_pricer.tables.parquet.pages import ColumnChunk, codes_chunk, dictionary_of, flags_chunk, values_chunk
from gpu_pricer.tables.price_table import CENTS, DETAIL_COLUMNS, DETAILS, PER_VISITS, part_names


def detail_columns(details: Sequence[str], includes_vat: bool) -> list[Column]:
    """Return the columns of the details, in the order of DETAILS; the parts have one more where prices include VAT."""
    names = DETAILS | {"parts": part_names(includes_vat)}
    return [Column(name, DETAIL_COLUMNS[name].dtype) for detail in _ordered(details) for name in names[detail]]


def detail_chunks(tile: SolvedTile, order: np.ndarray, details: Sequence[str]) -> Iterator[ColumnChunk]:
    """Yield a chunk for each column of the details; order [n]: the tile's rows, see row_encoding."""
    for detail in _ordered(details):
        yield from CHUNKS[detail](tile, order)


def parts_of(tile: SolvedTile, order: np.ndarray) -> np.ndarray:
    """Return the parts int64 cents [6, n, S] of the prices of the tile's rows order [n]; see pricing.decomposition."""
    terms, products = tile.terms, tile.problem.products
    unit = UnitCosts(CENTS * products.cost[tile.products], products.net_share[tile.products])
    if tile.problem.draws is not None:
        return expected_price_parts(tile.cells.price, *tile.parts, terms.effective_cost[:, 0], unit, order)
    starts = tile.problem.starts(tile.first, tile.last)
    category = np.repeat(np.arange(tile.last - tile.first), np.diff(starts))
    cells, factor = tile.cells, tile.switching
    switching, value = cells.probability * factor[category], cells.category_value * factor
    choices = PricedChoices(cells.price, switching, tile.slope, value, category)
    return price_parts(choices, terms, unit, order)


def _parts(tile: SolvedTile, order: np.ndarray) -> Iterator[ColumnChunk]:
    for part in parts_of(tile, order)[: len(part_names(tile.problem.includes_vat))]:
        yield values_chunk(part.ravel())


def _personalised(tile: SolvedTile, order: np.ndarray) -> Iterator[ColumnChunk]:
    flags = np.empty((len(order), tile.cells.price.shape[1]), np.bool_)
    differ(tile.cells.price, order, flags)
    yield flags_chunk(flags.ravel())


def _interval(tile: SolvedTile, order: np.ndarray) -> Iterator[ColumnChunk]:
    problem, products = tile.problem, tile.products
    margin = problem.products.margin(tile.cells.price[order] / CENTS, products.start + order)
    units = PER_VISITS * problem.products.units_per_choice[products][order, None] * tile.share_interval[:, order]
    ends = np.sort(units * margin, axis=0)  # below cost the larger share loses more
    for end in ends.astype(np.float32):
        yield values_chunk(end.ravel())


def _notes(tile: SolvedTile, order: np.ndarray) -> Iterator[ColumnChunk]:
    overrides = tile.problem.overrides
    distinct = pl.concat([pl.Series([""], dtype=pl.String), overrides.note]).unique().sort()
    dictionary = dictionary_of(distinct, is_sorted=True)
    codes = np.zeros((tile.products.stop - tile.products.start, tile.cells.price.shape[1]), dictionary.code_type)
    for mine in (overrides.of_products(), overrides.of_cells()):  # of single segments last: they overwrite
        is_here = (mine.product >= tile.products.start) & (mine.product < tile.products.stop)
        rows, segments = mine.product[is_here] - tile.products.start, mine.segment[is_here]
        code = np.array([distinct.search_sorted(note) for note in mine.note.filter(pl.Series(is_here))], codes.dtype)
        is_whole = segments == NO_SEGMENT
        codes[rows[is_whole]] = code[is_whole, None]
        codes[rows[~is_whole], segments[~is_whole]] = code[~is_whole]
    yield codes_chunk(codes[order].ravel(), dictionary)


def _ordered(details: Sequence[str]) -> list[str]:
    return [detail for detail in DETAILS if detail in details]


CHUNKS: dict[str, Callable[[SolvedTile, np.ndarray], Iterator[ColumnChunk]]] = {
    "parts": _parts,
    "personalised": _personalised,
    "note": _notes,
    "interval": _interval,
}
