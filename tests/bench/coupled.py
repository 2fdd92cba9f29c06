"""The coupled optimum in plain torch: R by its iteration from R = 0, the best rung in one of two ways.

`bracketed`, as it is usually written: the better of the two rungs around the stationary price. `rounded_up`, as our
kernel does it: where two rungs are equally good has a closed form, so the best one is found by rounding up.

Money is counted in steps of the ladder, so that a rung is a whole number and the price PERIOD * rung + ENDING.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
import torch

from tests.bench.crew import Pass
from tests.bench.grocery_markets import ENDING, PERIOD, Market

TOLERANCE = 4e-6
"""Relative improvement of R below which a tile is done."""

MOST_STEPS = 64


class Tile(NamedTuple):
    """What is known of the products of g categories of n: [p, ...] with p = g n, or [g, n, 1].

    reference_rung: the reference price; step_share: one step as a share of it; cost, low, high in steps.
    """

    product_appeal: torch.Tensor
    product_sensitivity: torch.Tensor
    appeal_offset: torch.Tensor
    sensitivity_offset: torch.Tensor
    reference_rung: torch.Tensor
    step_share: torch.Tensor
    cost: torch.Tensor
    low: torch.Tensor
    high: torch.Tensor


class Room(NamedTuple):
    """Buffers of a tile: [g, n, S], the last three [g, 1, S].

    appeal: the utility at rung 0; slope: what a step up takes from it; start: what the choice of a rung adds R to;
    kept: e^-slope; is_upper, lower: room to bracket.
    """

    appeal: torch.Tensor
    slope: torch.Tensor
    start: torch.Tensor
    kept: torch.Tensor
    lower: torch.Tensor
    rung: torch.Tensor
    share: torch.Tensor
    margin: torch.Tensor
    is_upper: torch.Tensor
    category_value: torch.Tensor
    reached: torch.Tensor
    total: torch.Tensor


class Rungs(NamedTuple):
    """A way to find the best rungs: `prepare` fills room.start (and kept) once per tile, `choose` room.rung for R."""

    prepare: Callable[[Tile, Room], object]
    choose: Callable[[Tile, Room], object]


def coupled(market: Market, categories: int, rungs: Rungs) -> Pass:
    """Return the pass of plain torch, operation by operation into buffers that every tile uses again."""
    segment_appeal, segment_sensitivity = map(torch.from_numpy, market.segment_rows)
    tiles = [tile_of(part) for part in market.tiles(categories)]
    segments, size = segment_appeal.shape[1], market.category_size
    rooms = {len(tile.cost): new_room(len(tile.cost), size, segments) for tile in tiles}
    price = torch.empty((categories * size, segments), dtype=torch.int32)

    @torch.inference_mode()
    def one_pass() -> Iterator[np.ndarray]:
        for tile in tiles:
            room = rooms[len(tile.cost)]
            score(tile, segment_appeal, segment_sensitivity, room)
            rungs.prepare(tile, room)
            climb(tile, rungs.choose, room)
            room.rung.mul_(PERIOD).add_(ENDING)
            yield price[: len(tile.product_appeal)].copy_(room.rung.flatten(0, 1)).numpy()

    return one_pass


def tile_of(market: Market) -> Tile:
    """Return the products of a market as tensors."""
    demand, inputs = market.demand, market.inputs
    reference_price = inputs.shelf.reference_price

    def column(values: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(values.astype(np.float32))[:, None]

    def in_steps(money: np.ndarray) -> torch.Tensor:
        return column((money - ENDING) / PERIOD).reshape(-1, market.category_size, 1)

    return Tile(
        torch.from_numpy(demand.product_appeal),
        torch.from_numpy(demand.product_sensitivity),
        column(demand.appeal_offset),
        column(demand.sensitivity_offset),
        column((reference_price - ENDING) / PERIOD),
        column(PERIOD / reference_price),
        in_steps(inputs.unit_cost),
        in_steps(inputs.low),
        in_steps(inputs.high),
    )


def new_room(categories: int, size: int, segments: int) -> Room:
    """Return the buffers of a tile."""
    shape = (categories, size, segments)
    grids = [torch.empty(shape) for _ in range(8)]
    return Room(
        *grids, torch.empty(shape, dtype=torch.bool), *[torch.empty((categories, 1, segments)) for _ in range(3)]
    )


def score(tile: Tile, segment_appeal: torch.Tensor, segment_sensitivity: torch.Tensor, room: Room) -> None:
    """Fill appeal and slope.

    ln(1 + e^x) and e^x - 1 are spelled out: log1p, expm1 and softplus take 3 to 7 times as long (torch 2.13,
    CPU with AVX-512) and the scores are moderate.
    """
    appeal, slope = room.appeal.flatten(0, 1), room.slope.flatten(0, 1)
    torch.addmm(tile.appeal_offset, tile.product_appeal, segment_appeal, out=appeal)
    torch.mm(tile.product_sensitivity, segment_sensitivity, out=slope)
    slope.exp_().add_(1).log_().add_(tile.sensitivity_offset).mul_(tile.step_share)
    appeal.addcmul_(slope, tile.reference_rung)


def climb(tile: Tile, choose: Callable[[Tile, Room], object], room: Room) -> None:
    """Iterate R <- sum (x - c) e^u / (1 + sum e^u) until no segment's R improves; rung holds the answer."""
    room.category_value.zero_()
    for _ in range(MOST_STEPS):
        choose(tile, room)
        torch.addcmul(room.appeal, room.slope, room.rung, value=-1, out=room.share).exp_()
        torch.sum(room.share, 1, keepdim=True, out=room.total).add_(1)
        torch.sub(room.rung, tile.cost, out=room.margin).mul_(room.share)
        torch.sum(room.margin, 1, keepdim=True, out=room.reached).div_(room.total)
        if not torch.any(room.reached - room.category_value > TOLERANCE * room.category_value.abs()):
            return
        room.category_value.copy_(room.reached)


def move_into_bounds(tile: Tile, rung: torch.Tensor) -> None:
    """Clamp; 5 times as fast as torch.clamp between tensors (torch 2.13, CPU with AVX-512)."""
    torch.minimum(torch.maximum(rung, tile.low, out=rung), tile.high, out=rung)


def find_least(tile: Tile, room: Room) -> None:
    """Fill start with c + tau, tau = 1 / (e^slope - 1): the best rung is the lowest one not below start + R."""
    torch.exp(room.slope, out=room.start).sub_(1).reciprocal_().add_(tile.cost)


def round_up(tile: Tile, room: Room) -> None:
    """Fill rung by rounding up."""
    torch.add(room.start, room.category_value, out=room.rung).ceil_()
    move_into_bounds(tile, room.rung)


def find_stationary(tile: Tile, room: Room) -> None:
    """Fill start with c + 1 / slope, the stationary price for R = 0, and kept."""
    torch.reciprocal(room.slope, out=room.start).add_(tile.cost)
    torch.neg(room.slope, out=room.kept).exp_()


def bracket(tile: Tile, room: Room) -> None:
    """Fill rung with the better one around the stationary price: that with the larger (x - c - R) e^u."""
    torch.add(room.start, room.category_value, out=room.lower).floor_()
    torch.add(room.lower, 1, out=room.rung)
    move_into_bounds(tile, room.lower)
    move_into_bounds(tile, room.rung)
    torch.sub(room.rung, tile.cost, out=room.margin).sub_(room.category_value).mul_(room.kept)
    torch.sub(room.lower, tile.cost, out=room.share).sub_(room.category_value)
    torch.gt(room.margin, room.share, out=room.is_upper)
    torch.where(room.is_upper, room.rung, room.lower, out=room.rung)


bracketed = partial(coupled, rungs=Rungs(find_stationary, bracket))
rounded_up = partial(coupled, rungs=Rungs(find_least, round_up))
