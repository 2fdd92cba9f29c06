"""The coupled optimum with torch.compile: the products by BLAS, all else fused by the compiler."""

from collections.abc import Iterator
from functools import partial

import numpy as np
import torch
from torch._dynamo.exc import BackendCompilerFailed

from tests.bench.coupled import TOLERANCE, Tile, tile_of
from tests.bench.crew import Pass, Unavailable
from tests.bench.grocery_markets import ENDING, PERIOD, Market

Score = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
"""appeal, slope and start, [g, n, S], as in coupled.Room after coupled.find_least."""

OPENING = 4
"""Steps that are one graph: a graph cannot ask its data whether R still improves, and most tiles need no more."""


def compiled(market: Market, categories: int, backend: str = "inductor") -> Pass:
    """Return the pass of compiled graphs: one for the scores and the opening steps, one for each further step.

    Raises Unavailable where there is no C++ compiler, or it refuses.
    """
    torch._inductor.config.compile_threads = 1  # no compiler processes that stay and take time from the rounds
    build = partial(torch.compile, fullgraph=True, dynamic=False, backend=backend)
    open_tile, go_on = build(opening), build(further)
    segments = tuple(map(torch.from_numpy, market.segment_rows))
    tiles = [tile_of(part) for part in market.tiles(categories)]
    try:
        with torch.inference_mode():
            open_tile(tiles[0], *segments)
    except BackendCompilerFailed as failure:
        raise Unavailable(" ".join(str(failure).splitlines()[:2])) from failure

    @torch.inference_mode()
    def one_pass() -> Iterator[np.ndarray]:
        for tile in tiles:
            score, category_value, price, is_climbing = open_tile(tile, *segments)
            while is_climbing:
                category_value, price, is_climbing = go_on(tile, score, category_value)
            yield price.numpy()

    return one_pass


def opening(
    tile: Tile, segment_appeal: torch.Tensor, segment_sensitivity: torch.Tensor
) -> tuple[Score, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the tile's scores and what `further` returns after the opening steps."""
    score = scores(tile, segment_appeal, segment_sensitivity)
    category_value = torch.zeros_like(score[0][:, :1])
    for _ in range(OPENING - 1):
        category_value = step(tile, score, category_value)
    return score, *further(tile, score, category_value)


def further(tile: Tile, score: Score, category_value: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return R after one more step, the best prices for it in cents, int32 [p, S], and whether R improved."""
    reached = step(tile, score, category_value)
    price = (best_rungs(tile, score, reached) * PERIOD + ENDING).to(torch.int32).flatten(0, 1)
    return reached, price, torch.any(reached - category_value > TOLERANCE * category_value.abs())


def scores(tile: Tile, segment_appeal: torch.Tensor, segment_sensitivity: torch.Tensor) -> Score:
    """Return the tile's scores, by the formulas of coupled.score."""
    sensitivity = torch.log(1 + torch.exp(tile.product_sensitivity @ segment_sensitivity))
    slope = (sensitivity + tile.sensitivity_offset) * tile.step_share
    appeal = tile.product_appeal @ segment_appeal + tile.appeal_offset + slope * tile.reference_rung
    shape = (*tile.cost.shape[:2], -1)
    appeal, slope = appeal.reshape(shape), slope.reshape(shape)
    return appeal, slope, tile.cost + 1 / (torch.exp(slope) - 1)


def best_rungs(tile: Tile, score: Score, category_value: torch.Tensor) -> torch.Tensor:
    """Return the best rung [g, n, S] of every cell for R [g, 1, S]."""
    return torch.ceil(score[2] + category_value).clamp(tile.low, tile.high)


def step(tile: Tile, score: Score, category_value: torch.Tensor) -> torch.Tensor:
    """Return the R that the best prices for R earn."""
    rung = best_rungs(tile, score, category_value)
    share = torch.exp(score[0] - score[1] * rung)
    return ((rung - tile.cost) * share).sum(1, keepdim=True) / (1 + share.sum(1, keepdim=True))
