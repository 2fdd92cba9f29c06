"""One step of the search for price ranges in which a product's dearest segment pays at most `ratio` times its cheapest.

The level of a product is its lowest price over all segments; its highest price is then at most ratio * level. The
search (gpu_pricer/pricing/tiles/segment_ratio.py) looks for the most profitable level of every product. A step proposes
levels from a first-order model: with the expected profits R_s of the category given, product j contributes

    sum_s v_s / D_s * (omega (x_s - c) - R_s) * e^u_s(x_s),    D_s = 1 + sum of e^u over the category,

to sum_s v_s R_s, where v_s are the visits of segment s. Each term has a single peak, the segment's unconstrained price.
In a nested category D_s = V + V^(1 - gamma), and T stands for R_s (see nesting). So the best x_s in
[level, ratio * level] is that peak clipped to the range, and the levels to try lie between the lowest peak and the
highest peak / ratio. The true value of a level is known only after the category is priced with it.
"""

from typing import NamedTuple

import numpy as np
from numba import prange

from kernels.checks import require
from kernels.compiled import compiled
from kernels.demand import Demand
from kernels.formulas import better_price, clip, exponential, margin_at, utility_at
from kernels.inputs import PricingInputs
from kernels.pricing import ONE_AT_A_TIME, utility_lines
from kernels.product_records import product_columns, product_records
from kernels.rungs import bracket, number_of, prices_around, rung_of
from kernels.tile import tile_of

MILLION = 10**6

MOST_LEVELS = 256
"""The levels of a product that one step tries at most; where there are more rungs, it tries evenly spaced ones."""


class RatioTile(NamedTuple):
    """A tile of P products in G categories for S segments, whose prices must keep the ratio.

    products [P]: records (see product_records); endings: the ladders' endings in cents; category int64 [P]: the
    category of each product; category_start int64 [G + 1]: the first product of each category; dissimilarity float64
    [G]: as in tile.Tile; utility_at_zero, slope [P, S]: the utility at a price of 0 and what each cent takes off it;
    ratio: in millionths.
    """

    products: np.ndarray
    endings: np.ndarray
    category: np.ndarray
    category_start: np.ndarray
    dissimilarity: np.ndarray
    utility_at_zero: np.ndarray
    slope: np.ndarray
    ratio: int

    def rungs_at_or_below(self, price: np.ndarray) -> np.ndarray:
        """Return the highest rungs [P] inside the bounds not above prices [P] in cents; a bound counts as a rung."""
        rung = np.empty(len(self.products), self.utility_at_zero.dtype)
        with ONE_AT_A_TIME:
            fill_rungs(self, price.astype(rung.dtype), rung)
        return rung

    def highest_prices(self, level: np.ndarray) -> np.ndarray:
        """Return the highest prices [P], in cents, that the ratio allows for levels [P] in cents."""
        highest = np.empty_like(level)
        with ONE_AT_A_TIME:
            fill_highest_prices(self, level, highest)
        return highest

    def propose_levels(
        self, level: np.ndarray, price: np.ndarray, category_value: np.ndarray, visits: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the levels [P] to try next, in cents, and the gain [P] that the first-order model promises for each.

        price [P, S]: the best prices in cents for the present levels [P]; category_value [G, S]: the expected profits R
        at these prices; visits [S].
        """
        total = self._totals(price)
        inner_value = category_value * self._inner_weights(total)
        step = LevelStep(
            category_value=np.ascontiguousarray(inner_value.astype(category_value.dtype)),
            scale=visits / self._visit_odds(total),
            unconstrained_price=np.empty_like(self.utility_at_zero),
            level=level,
            proposed=level.copy(),
            gain=np.zeros(len(level)),
        )
        with ONE_AT_A_TIME:
            set_unconstrained_prices(self, step)
            fill_proposed_levels(self, step)
        return step.proposed, step.gain

    def _totals(self, price: np.ndarray) -> np.ndarray:
        """Return V, the sum of e^u over the products on the shelf, float64 [G, S]."""
        odds = np.exp(self.utility_at_zero.astype(np.float64) - self.slope * price.astype(np.float64))
        on_shelf = odds * self.products["on_shelf"][:, None]
        until = np.concatenate([np.zeros((1, odds.shape[1])), np.cumsum(on_shelf, axis=0)])
        return np.maximum(until[self.category_start[1:]] - until[self.category_start[:-1]], 0)

    def _visit_odds(self, total: np.ndarray) -> np.ndarray:
        """Return D, float64 [G, S], and 1 for an empty shelf as in a category that is not nested; total: V."""
        return np.where(total > 0, total + total ** (1 - self.dissimilarity[:, None]), 1.0)

    def _inner_weights(self, total: np.ndarray) -> np.ndarray:
        """Return T / R, float64 [G, S]: 1 + (1 - gamma) V^-gamma, and 1 for an empty shelf; total: V."""
        dissimilarity = self.dissimilarity[:, None]
        depth = np.log(np.where(total > 0, total, 1.0))
        return np.where(total > 0, 1 + (1 - dissimilarity) * np.exp(-dissimilarity * depth), 1.0)


class LevelStep(NamedTuple):
    """The arrays of a step: it reads category_value, scale and level; it fills unconstrained_price, proposed and gain.

    category_value [G, S]: R in cents per visit; scale float64 [G, S]: v / D; unconstrained_price [P, S]: the best
    prices inside the bounds, without the ratio, for these R; level, proposed [P]: the present and the next levels, in
    cents; gain float64 [P]: what the model promises for the next level.
    """

    category_value: np.ndarray
    scale: np.ndarray
    unconstrained_price: np.ndarray
    level: np.ndarray
    proposed: np.ndarray
    gain: np.ndarray


def ratio_tile(demand: Demand, inputs: PricingInputs, ratio: int) -> RatioTile:
    """Return the tile of a search for levels; `ratio` is in millionths.

    Raises ValueError if the ratio is below one million, or if some ladder is continuous.
    """
    require(ratio >= MILLION, "the ratio must be at least one million", ratio)
    require(inputs.is_whole_cents, "levels need ladders", inputs.ladders.period)
    tile, sizes = tile_of(demand, inputs.shelf, inputs), np.diff(inputs.shelf.category_start)
    utility_at_zero, slope = utility_lines(demand, inputs.shelf)
    return RatioTile(
        products=product_records(product_columns(demand, inputs.shelf, inputs), tile.category_start, demand.dtype),
        endings=tile.endings,
        category=np.repeat(np.arange(len(sizes)), sizes),
        category_start=tile.category_start,
        dissimilarity=tile.dissimilarity.astype(np.float64),
        utility_at_zero=utility_at_zero,
        slope=slope,
        ratio=ratio,
    )


@compiled(parallel=True)
def set_unconstrained_prices(tile, step):
    """Fill unconstrained_price [P, S] with the best prices inside the bounds for R."""
    for p in prange(len(tile.products)):
        set_unconstrained_prices_of(tile, step, np.int64(p))


@compiled()
def set_unconstrained_prices_of(tile, step, p):
    """Fill row p of unconstrained_price with product p's best prices [S] inside the bounds for R."""
    product, category_value = tile.products[p], step.category_value[tile.category[p]]
    low, high, unit_cost, weight = product.low, product.high, product.unit_cost, product.weight
    for s in range(len(category_value)):
        slope, below, above = tile.slope[p, s], low, high
        if weight > 0 and low < high:
            price = clip(unit_cost + type(low)(1.0) / slope + category_value[s] / weight, low, high)
            below, above = prices_around(product, tile.endings, price)
        step.unconstrained_price[p, s] = better_price(below, above, slope, unit_cost, weight, category_value[s])


@compiled(parallel=True)
def fill_proposed_levels(tile, step):
    """Fill `proposed` with better levels than `level` where the model sees any, and `gain` with the promised gain."""
    for p in prange(len(tile.products)):
        # The index of a prange is unsigned; adding a signed integer to an unsigned one gives a float in numba.
        propose_level(tile, step, np.int64(p))


@compiled()
def propose_level(tile, step, p):
    """Propose the level of product p; the first product of a family sets the common level of the whole family."""
    product, first = tile.products[p], tile.category_start[tile.category[p]]
    if product.low == product.high or (product.leader >= 0 and first + product.leader != p):
        return
    least, most = extreme_prices(tile, step, p)
    last = min(-(-int(most) * MILLION // tile.ratio), int(product.high))
    here = number_of(product, tile.endings, least)
    count = max(number_of(product, tile.endings, type(least)(last)) - here, 0)
    before = promised_value(tile, step, p, step.level[p])
    best = before
    for n in range(here, here + count + 1, count // MOST_LEVELS + 1):
        level = rung_of(product, tile.endings, n)
        if level > product.high:
            break
        if prices_around(product, tile.endings, level)[0] != level:
            continue
        value = promised_value(tile, step, p, level)
        if value > best:
            best, step.proposed[p] = value, level
    for level in (product.low, product.kept, product.high):  # one that is off the ladder is a level without a number
        value = promised_value(tile, step, p, level)
        if bracket(product, tile.endings, level, level)[0] != level and value > best:
            best, step.proposed[p] = value, level
    step.gain[p] = best - before
    k = next_member(tile, p)
    while k >= 0:
        step.proposed[k] = step.proposed[p]
        k = next_member(tile, k)


@compiled()
def next_member(tile, p):
    """Return the next product of p's family, or -1 if p is its last one or has no family."""
    product = tile.products[p]
    if product.leader < 0 or product.next_mate < 0:
        return -1
    return tile.category_start[tile.category[p]] + product.next_mate


@compiled()
def extreme_prices(tile, step, p):
    """Return the lowest and the highest unconstrained price of product p and its family over all segments."""
    least, most, k = step.unconstrained_price[p, 0], step.unconstrained_price[p, 0], p
    while k >= 0:
        for s in range(step.unconstrained_price.shape[1]):
            price = step.unconstrained_price[k, s]
            least, most = min(least, price), max(most, price)
        k = next_member(tile, k)
    return least, most


@compiled()
def promised_value(tile, step, p, level):
    """Return the model's contribution of product p and its family at a level, in float64 (see the module's formula)."""
    total, k, high = 0.0, p, highest_price(tile, p, level)
    category_value, scale = step.category_value[tile.category[p]], step.scale[tile.category[p]]
    while k >= 0:
        product = tile.products[k]
        for s in range(len(scale)):
            price = clip(step.unconstrained_price[k, s], level, high)
            gain = np.float64(margin_at(price, product.weight, product.weighted_cost) - category_value[s])
            utility = np.float64(utility_at(price, tile.utility_at_zero[k, s], tile.slope[k, s]))
            total += scale[s] * gain * exponential(utility)
        k = next_member(tile, k)
    return total


@compiled()
def highest_price(tile, p, level):
    """Return product p's highest rung inside the bounds that is at most `ratio` times the level."""
    product = tile.products[p]
    most = type(level)(min(int(level) * tile.ratio // MILLION, int(product.high)))
    return max(highest_rung(product, tile.endings, most), level)


@compiled()
def highest_rung(product, endings, price):
    """Return the highest rung inside the bounds not above a price in the bounds; a bound counts as a rung."""
    below, above = prices_around(product, endings, price)
    return above if above == price else below


@compiled()
def fill_highest_prices(tile, level, highest):
    """Fill highest [P] with the highest prices that the ratio allows for levels [P]; a fixed price stays as it is."""
    for p in range(len(level)):
        is_fixed = not tile.products[p].low < tile.products[p].high
        highest[p] = level[p] if is_fixed else highest_price(tile, p, level[p])


@compiled()
def fill_rungs(tile, price, rung):
    """Fill rung [P] with the highest rungs inside the bounds not above prices [P]; a bound counts as a rung."""
    for p in range(len(price)):
        product = tile.products[p]
        rung[p] = product.low
        if product.low < product.high:
            rung[p] = highest_rung(product, tile.endings, clip(price[p], product.low, product.high))
