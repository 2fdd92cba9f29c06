"""Grocery-like markets of any size, cut into tiles of whole categories."""

from dataclasses import dataclass, replace

import numpy as np

from kernels import DenseDemand, FactorDemand, Ladders, PricingInputs, Shelf

PERIOD, ENDING = 10, 9
"""Every price ends in 9 cents."""

DEAREST = 530
"""Highest reference price in cents, so that 0.7 to 1.3 of it never holds more than 32 rungs."""

TILE_CELLS = 4_000_000
"""Cells that the scoring job prices in one call."""


@dataclass(frozen=True)
class MarketSize:
    """products, a multiple of category_size; factors: widths of appeal and sensitivity; bought: the share of
    visits that buy something in a category of average appeal while every price is the reference price.
    """

    products: int = 50_000
    segments: int = 256
    category_size: int = 50
    factors: tuple[int, int] = (64, 16)
    bought: float = 0.13

    @property
    def cells(self) -> int:
        """Products x segments."""
        return self.products * self.segments


@dataclass(frozen=True)
class Market:
    """A demand and an offer of equally large categories."""

    demand: FactorDemand | DenseDemand
    inputs: PricingInputs

    @property
    def cells(self) -> int:
        """Products x segments."""
        return self.demand.product_count * self.demand.segment_count

    @property
    def category_size(self) -> int:
        """Products per category."""
        return int(self.inputs.shelf.category_start[1])

    @property
    def segment_rows(self) -> tuple[np.ndarray, np.ndarray]:
        """The segments' factors of appeal and of sensitivity, contiguous over segments: [D, S]."""
        factors = (self.demand.segment_appeal, self.demand.segment_sensitivity)
        appeal, sensitivity = (np.ascontiguousarray(rows.T) for rows in factors)
        return appeal, sensitivity

    def categories(self, first: int, last: int) -> "Market":
        """Return the market of the categories first to last - 1, as views."""
        rows = slice(first * self.category_size, last * self.category_size)
        return Market(_demand_of(self.demand, rows), _offer_of(self.inputs, rows, self.category_size))

    def part(self, index: int, parts: int) -> "Market":
        """Return one of several contiguous parts with about equally many categories."""
        edges = np.arange(parts + 1) * self.inputs.shelf.category_count // parts
        return self.categories(int(edges[index]), int(edges[index + 1]))

    def tiles(self, categories: int | None = None) -> list["Market"]:
        """Return the market in tiles of so many categories, by default about TILE_CELLS cells."""
        count = self.inputs.shelf.category_count
        width = categories or max(TILE_CELLS // (self.category_size * self.demand.segment_count), 1)
        return [self.categories(first, min(first + width, count)) for first in range(0, count, width)]


def grocery_market(size: MarketSize, seed: int = 0) -> Market:
    """Return a float32 market whose sensitivities lie mostly between 1.5 and 4.

    Appeals have a standard deviation of 1 across cells. Unit costs are 50 to 80 % of the reference price,
    bounds the outermost rungs between 0.7 and 1.3 of it.
    """
    rng = np.random.default_rng(seed)
    odds = size.bought / (1 - size.bought)
    appeal_offset = np.log(odds / size.category_size) - 0.5  # half a variance: the mean of e^normal
    segment_appeal, product_appeal = _factors(rng, size, size.factors[0], 1.0)
    segment_sensitivity, product_sensitivity = _factors(rng, size, size.factors[1], 1.3)
    demand = FactorDemand(
        segment_appeal,
        product_appeal,
        segment_sensitivity,
        product_sensitivity,
        np.full(size.products, appeal_offset, np.float32),
        np.full(size.products, 1.4, np.float32),
    )
    return Market(demand, _random_offer(rng, size.products, size.category_size))


def dense(market: Market) -> Market:
    """Return the market with appeals and sensitivities themselves instead of their factors."""
    factors = market.demand
    appeal = factors.segment_appeal @ factors.product_appeal.T
    sensitivity = np.logaddexp(np.float32(0), factors.segment_sensitivity @ factors.product_sensitivity.T)
    demand = DenseDemand(appeal, sensitivity, factors.appeal_offset, factors.sensitivity_offset)
    return replace(market, demand=demand)


def _factors(rng: np.random.Generator, size: MarketSize, width: int, deviation: float) -> list[np.ndarray]:
    scale = np.float32(deviation**0.5 / width**0.25)
    return [scale * rng.standard_normal((rows, width), np.float32) for rows in (size.segments, size.products)]


def _random_offer(rng: np.random.Generator, products: int, category_size: int) -> PricingInputs:
    reference_price = rng.integers(100, DEAREST + 1, products).astype(np.float32)
    low = ENDING + PERIOD * np.ceil((0.7 * reference_price - ENDING) / PERIOD)
    high = ENDING + PERIOD * np.floor((1.3 * reference_price - ENDING) / PERIOD)
    return PricingInputs(
        _shelf(reference_price, category_size),
        (reference_price * rng.uniform(0.5, 0.8, products)).astype(np.float32),
        np.ones(products, np.float32),
        low.astype(np.float32),
        high.astype(np.float32),
        np.zeros(products, np.int32),
        Ladders.of((PERIOD, [ENDING])),
    )


def _shelf(reference_price: np.ndarray, category_size: int) -> Shelf:
    products = len(reference_price)
    starts = np.arange(0, products + 1, category_size)
    return Shelf(starts, reference_price, np.ones(products, bool), has_outside_option=True)


def _demand_of(demand: FactorDemand | DenseDemand, rows: slice) -> FactorDemand | DenseDemand:
    offsets = {"appeal_offset": demand.appeal_offset[rows], "sensitivity_offset": demand.sensitivity_offset[rows]}
    if isinstance(demand, DenseDemand):
        return DenseDemand(demand.appeal[:, rows], demand.sensitivity[:, rows], **offsets)
    return replace(
        demand,
        product_appeal=demand.product_appeal[rows],
        product_sensitivity=demand.product_sensitivity[rows],
        **offsets,
    )


def _offer_of(inputs: PricingInputs, rows: slice, category_size: int) -> PricingInputs:
    cut = {name: getattr(inputs, name)[rows] for name in ("unit_cost", "weight", "low", "high", "ladder")}
    return replace(inputs, shelf=_shelf(inputs.shelf.reference_price[rows], category_size), **cut)
