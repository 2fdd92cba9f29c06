"""Our kernel, called as the scoring job calls it: tile by tile of whole categories."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from kernels import best_prices, price_cells
from tests.bench.crew import Pass
from tests.bench.grocery_markets import Market


def prices_alone(market: Market, _: int = 0) -> Pass:
    """Return the pass that fills nothing but prices, into a buffer that every tile uses again."""
    tiles = as_in_the_job(market).tiles()
    out = np.empty((tiles[0].demand.product_count, market.demand.segment_count), np.int32)

    def one_pass() -> Iterator[np.ndarray]:
        for tile in tiles:
            yield best_prices(tile.demand, tile.inputs, out=out[: tile.demand.product_count])

    return one_pass


def whole_cells(market: Market, _: int = 0) -> Pass:
    """Return the pass that fills everything: prices, probabilities, which bound sets the price, R."""
    tiles = as_in_the_job(market).tiles()

    def one_pass() -> Iterator[np.ndarray]:
        for tile in tiles:
            yield price_cells(tile.demand, tile.inputs).price

    return one_pass


def as_in_the_job(market: Market) -> Market:
    """Return the market with its offer in float64, as the scoring job holds it; the demand stays float32."""
    inputs = market.inputs
    money = {name: getattr(inputs, name).astype(np.float64) for name in ("unit_cost", "weight", "low", "high")}
    shelf = replace(inputs.shelf, reference_price=inputs.shelf.reference_price.astype(np.float64))
    return replace(market, inputs=replace(inputs, shelf=shelf, **money))
