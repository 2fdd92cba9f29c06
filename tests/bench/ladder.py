"""Each cell priced alone: the best of RUNGS rungs by (x - c) / (1 + e^-u), searched in torch, NumPy and Numba."""

import math
from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import NamedTuple

import numpy as np
import torch
from numba import njit, prange

from kernels.formulas import exponential as polynomial
from tests.bench.crew import Pass
from tests.bench.gemm import in_blocks, with_blas_threads
from tests.bench.grocery_markets import PERIOD, Market

RUNGS = 32


class Cells(NamedTuple):
    """What is known of p products, each [p, 1]; rungs and what they earn, margins, are [p, RUNGS]."""

    appeal_offset: np.ndarray
    sensitivity_offset: np.ndarray
    reference_price: np.ndarray
    rungs: np.ndarray
    margins: np.ndarray


def cells_of(market: Market) -> Cells:
    """Return the products of a market; a product with fewer rungs repeats its highest one."""
    demand, inputs = market.demand, market.inputs
    steps = PERIOD * np.arange(RUNGS, dtype=np.float32)
    rungs = np.minimum(inputs.low[:, None] + steps, inputs.high[:, None])
    columns = (demand.appeal_offset, demand.sensitivity_offset, inputs.shelf.reference_price)
    return Cells(*[column[:, None] for column in columns], rungs, rungs - inputs.unit_cost[:, None])


def by_torch(market: Market, categories: int, has_blend: bool = False) -> Pass:
    """Return the pass of torch, a rung after the other over a tile, into buffers that every tile uses again.

    has_blend: keep the better rung by arithmetic instead of by torch.where, which takes twice as long.
    """
    tiles = [(tile.demand, Cells(*map(torch.from_numpy, cells_of(tile)))) for tile in market.tiles(categories)]
    segment_appeal, segment_sensitivity = map(torch.from_numpy, market.segment_rows)
    shape = (tiles[0][0].product_count, segment_appeal.shape[1])
    rooms, price = [torch.empty(shape) for _ in range(6)], torch.empty(shape, dtype=torch.int32)
    keep = blend if has_blend else choose
    rooms[4] = rooms[4] if has_blend else torch.empty(shape, dtype=torch.bool)

    @torch.inference_mode()
    def one_pass() -> Iterator[np.ndarray]:
        for demand, cells in tiles:
            appeal, slope, value, best, is_better, rung = (room[: demand.product_count] for room in rooms)
            torch.addmm(cells.appeal_offset, torch.from_numpy(demand.product_appeal), segment_appeal, out=appeal)
            torch.mm(torch.from_numpy(demand.product_sensitivity), segment_sensitivity, out=slope)
            slope.exp_().add_(1).log_().add_(cells.sensitivity_offset)
            appeal.add_(slope)
            slope.div_(cells.reference_price)
            best.fill_(-math.inf)
            rung.zero_()
            for k in range(RUNGS):
                torch.addcmul(appeal, slope, cells.rungs[:, k : k + 1], value=-1, out=value)
                value.sigmoid_().mul_(cells.margins[:, k : k + 1])
                torch.gt(value, best, out=is_better)
                torch.maximum(value, best, out=best)
                keep(is_better, cells.rungs[:, k : k + 1], rung)
            yield price[: demand.product_count].copy_(rung).numpy()

    return one_pass


def choose(is_better: torch.Tensor, better: torch.Tensor, rung: torch.Tensor) -> None:
    """Fill rung [p, S] with the better one [p, 1] where bool is_better [p, S] says so."""
    torch.where(is_better, better, rung, out=rung)


def blend(is_better: torch.Tensor, better: torch.Tensor, rung: torch.Tensor) -> None:
    """`choose` for an is_better of 1.0 and 0.0."""
    torch.lerp(rung, better, is_better, out=rung)


by_torch_blend = partial(by_torch, has_blend=True)
"""by_torch at its fastest."""


def by_numpy(market: Market, categories: int) -> Pass:
    """Return the pass of NumPy, a rung after the other over a tile, into buffers that every tile uses again."""
    tiles = [(tile.demand, cells_of(tile)) for tile in market.tiles(categories)]
    segment_appeal, segment_sensitivity = market.segment_rows
    shape = (tiles[0][0].product_count, segment_appeal.shape[1])
    rooms, price = np.empty((6, *shape), np.float32), np.empty(shape, np.int32)

    def one_pass() -> Iterator[np.ndarray]:
        for demand, cells in tiles:
            appeal, slope, value, best, is_better, rung = rooms[:, : demand.product_count]
            np.matmul(demand.product_sensitivity, segment_sensitivity, out=slope)
            np.log(np.add(np.exp(slope, out=slope), 1, out=slope), out=slope)
            slope += cells.sensitivity_offset
            np.matmul(demand.product_appeal, segment_appeal, out=appeal)
            appeal += cells.appeal_offset
            appeal += slope
            slope /= cells.reference_price
            best.fill(-np.inf)
            rung.fill(0)
            for k in range(RUNGS):
                np.multiply(slope, cells.rungs[:, k : k + 1], out=value)
                value -= appeal
                np.exp(value, out=value)
                value += 1
                np.divide(cells.margins[:, k : k + 1], value, out=value)
                np.greater(value, best, out=is_better)
                np.maximum(value, best, out=best)
                np.subtract(cells.rungs[:, k : k + 1], rung, out=value)
                value *= is_better
                rung += value
            price[: demand.product_count] = rung
            yield price[: demand.product_count]

    return with_blas_threads(1, one_pass)


def by_numba(market: Market, _: int, exponential: Callable = math.exp) -> Pass:
    """Return the pass of Numba: threads over (category, block of segments), BLAS with one thread each.

    math.exp is a call for each number: Numba's wheels carry no vector library.
    """
    demand, cells, search = market.demand, cells_of(market), search_with(exponential)
    segments = [in_blocks(rows) for rows in market.segment_rows]
    price = np.empty((demand.product_count, demand.segment_count), np.int32)

    def one_pass() -> Iterator[np.ndarray]:
        search(demand.product_appeal, demand.product_sensitivity, *segments, cells, market.category_size, price)
        yield price

    return with_blas_threads(1, one_pass)


by_numba_polynomial = partial(by_numba, exponential=polynomial)
"""by_numba with our kernel's exponential, a polynomial that vectorises."""


@cache
def search_with(exponential: Callable) -> Callable:
    """Return the compiled search over blocks with this exponential."""
    one = np.float32(1)

    @njit(nogil=True, fastmath=True, error_model="numpy")
    def search_row(appeal, slope, cells, row, best, chosen):
        reference_price, appeal_offset = cells.reference_price[row, 0], cells.appeal_offset[row, 0]
        sensitivity_offset = cells.sensitivity_offset[row, 0]
        for s in range(len(best)):
            sensitivity = np.log(one + exponential(slope[s])) + sensitivity_offset
            appeal[s] += appeal_offset + sensitivity
            slope[s] = sensitivity / reference_price
            best[s] = -np.inf
        for k in range(RUNGS):
            rung, margin = cells.rungs[row, k], cells.margins[row, k]
            for s in range(len(best)):
                value = margin / (one + exponential(slope[s] * rung - appeal[s]))
                chosen[s] = rung if value > best[s] else chosen[s]
                best[s] = max(best[s], value)

    @njit(parallel=True, nogil=True, fastmath=True, error_model="numpy")
    def search(product_appeal, product_sensitivity, segment_appeal, segment_sensitivity, cells, size, price):
        blocks, state = len(segment_appeal), segment_appeal.shape[2]
        for category in prange(len(price) // size):
            rows = slice(category * size, (category + 1) * size)
            appeal, slope = np.empty((size, state), np.float32), np.empty((size, state), np.float32)
            best, chosen = np.empty(state, np.float32), np.empty(state, np.float32)
            for block in range(blocks):
                np.dot(product_appeal[rows], segment_appeal[block], appeal)
                np.dot(product_sensitivity[rows], segment_sensitivity[block], slope)
                for row in range(size):
                    search_row(appeal[row], slope[row], cells, category * size + row, best, chosen)
                    price[category * size + row, block * state : (block + 1) * state] = chosen

    return search
