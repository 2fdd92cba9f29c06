"""The two products of factors alone, appeal and sensitivity, and nothing else: what no pricing can beat."""

from collections.abc import Iterator
from math import gcd

import numpy as np
import torch
from numba import njit, prange
from threadpoolctl import ThreadpoolController

from tests.bench.crew import Pass
from tests.bench.grocery_markets import Market
from tests.bench.timing import cores

LANES = 64
"""Most segments of one product of factors; fewer where the segment count is no multiple of it."""


def blocked(market: Market, _: int) -> Pass:
    """Return the pass over (category, 64 segments), the results in a buffer that stays in the cache.

    Threads are numba's, BLAS has one each. Yields the first appeal and sensitivity of every block,
    [G, blocks, 2].
    """
    demand, size = market.demand, market.category_size
    factors = (demand.product_appeal, demand.product_sensitivity)
    segments = [in_blocks(rows) for rows in market.segment_rows]
    corners = np.empty((market.inputs.shelf.category_count, len(segments[0]), 2), np.float32)

    def one_pass() -> Iterator[np.ndarray]:
        multiply_blocks(*factors, *segments, size, corners)
        yield corners

    return with_blas_threads(1, one_pass)


def in_blocks(segment_rows: np.ndarray) -> np.ndarray:
    """Return the segments' factors [D, S] as [blocks, D, LANES]."""
    width, segments = segment_rows.shape
    state = gcd(LANES, segments)
    return np.ascontiguousarray(segment_rows.reshape(width, segments // state, state).transpose(1, 0, 2))


@njit(parallel=True, nogil=True, cache=True)
def multiply_blocks(product_appeal, product_sensitivity, segment_appeal, segment_sensitivity, size, corners):
    """Compute appeal and sensitivity of every category and block; fill corners with the first of each."""
    blocks, state = len(segment_appeal), segment_appeal.shape[2]
    for category in prange(len(corners)):
        rows = slice(category * size, (category + 1) * size)
        appeal, sensitivity = np.empty((size, state), np.float32), np.empty((size, state), np.float32)
        for block in range(blocks):
            np.dot(product_appeal[rows], segment_appeal[block], appeal)
            np.dot(product_sensitivity[rows], segment_sensitivity[block], sensitivity)
            corners[category, block, 0], corners[category, block, 1] = appeal[0, 0], sensitivity[0, 0]


def whole(market: Market, categories: int) -> Pass:
    """Return the pass of np.matmul over tiles, BLAS with every core; yields appeal and sensitivity, [2, p, S]."""
    tiles = [tile.demand for tile in market.tiles(categories)]
    appeal, sensitivity = market.segment_rows
    out = np.empty((2, tiles[0].product_count, appeal.shape[1]), np.float32)

    def one_pass() -> Iterator[np.ndarray]:
        for tile in tiles:
            room = out[:, : tile.product_count]
            np.matmul(tile.product_appeal, appeal, out=room[0])
            np.matmul(tile.product_sensitivity, sensitivity, out=room[1])
            yield room

    return with_blas_threads(cores(), one_pass)


def by_torch(market: Market, categories: int) -> Pass:
    """Return the pass of torch.mm over tiles; yields appeal and sensitivity, [2, p, S]."""
    appeal, sensitivity = map(torch.from_numpy, market.segment_rows)
    tiles = [
        (torch.from_numpy(tile.demand.product_appeal), torch.from_numpy(tile.demand.product_sensitivity))
        for tile in market.tiles(categories)
    ]
    out = torch.empty((2, len(tiles[0][0]), appeal.shape[1]))

    def one_pass() -> Iterator[np.ndarray]:
        for product_appeal, product_sensitivity in tiles:
            room = out[:, : len(product_appeal)]
            torch.mm(product_appeal, appeal, out=room[0])
            torch.mm(product_sensitivity, sensitivity, out=room[1])
            yield room.numpy()

    return one_pass


def with_blas_threads(threads: int, one_pass: Pass) -> Pass:
    """Return the pass with so many threads in every BLAS library."""
    controller = ThreadpoolController()

    def limited() -> Iterator[np.ndarray]:
        with controller.limit(limits=threads, user_api="blas"):
            yield from one_pass()

    return limited
