"""A solved tile as the few numbers that the run adds up, and as what every layout of its rows needs."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import polars as pl

from gpu_pricer.pricing.problem.pricing_problem import PricingProblem
from gpu_pricer.pricing.tiles.cells import add_moves, mark_prices
from gpu_pricer.pricing.tiles.lagrangian import Steering, price_classes
from gpu_pricer.pricing.tiles.solving import solve_cells, tile_inputs, within_ratio
from gpu_pricer.tables.parquet_pages import Dictionary, dictionary_of
from gpu_pricer.tables.price_table import BINDINGS, CENTS
from gpu_pricer.tables.price_version import Tally
from kernels import Demand, Outcomes, PricedCells, Totals, expected_outcomes, utility_lines


class Terms(NamedTuple):
    """What the prices of a tile maximise: effective_cost in cents and weight, float64 [n, C], of the class of each
    segment, class_of int64 [S]."""

    effective_cost: np.ndarray
    weight: np.ndarray
    class_of: np.ndarray


@dataclass(frozen=True)
class SolvedTile:
    """The categories first to last − 1 of a problem, their demand, their cells with totals for the visits,
    what may hold their prices, int8 [n, 5] (see PricingProblem), and what constraints make them maximise, if any."""

    problem: PricingProblem
    first: int
    last: int
    demand: Demand
    cells: PricedCells
    binding: np.ndarray
    steering: Steering | None

    @property
    def products(self) -> slice:
        """Its products."""
        return self.problem.products(self.first, self.last)

    @cached_property
    def order(self) -> np.ndarray:
        """Its rows [n] in the order of their products' ids, in which they are written."""
        return self.problem.product_id[self.products].arg_sort().to_numpy()

    @cached_property
    def terms(self) -> Terms:
        """What its prices maximise."""
        problem = self.problem
        if self.steering is not None:
            classes = range(self.steering.slices.class_count)
            weight, cost = zip(*(self.steering.weigh(problem, c, self.products) for c in classes), strict=True)
            return Terms(np.stack(cost, axis=1), np.stack(weight, axis=1), self.steering.slices.segment_class)
        cost, weight = problem.effective_cost[self.products, None], problem.units_per_choice[self.products, None]
        return Terms(cost, weight, np.zeros(len(problem.segment_id), np.int64))

    @cached_property
    def slope(self) -> np.ndarray:
        """How much its utilities fall with a cent more, [n, S]."""
        return utility_lines(self.demand, self.problem.shelf(self.first, self.last))[1]

    def outcomes(self, group: str) -> Outcomes:
        """A group of what its prices lead to under the draws of its problem."""
        draws, inputs = self.problem.draws, self.problem.inputs(self.first, self.last)
        assert draws is not None
        return expected_outcomes(
            self.demand, inputs, draws.of_categories(self.first, self.last), self.cells.price, group
        )

    @cached_property
    def share_interval(self) -> np.ndarray:
        """The ends of the 90 % interval of the chance that a visit chooses a product, [2, n, S]."""
        return self.outcomes("probability_interval").probability_interval

    @cached_property
    def parts(self) -> tuple[np.ndarray, np.ndarray]:
        """The sensitivity mark-up and opportunity value of its prices over the draws, in cents, [n, S] each."""
        found = self.outcomes("price_parts")
        return found.markup, found.opportunity

    @cached_property
    def dearest(self) -> int:
        """Its highest price in cents."""
        return int(self.cells.price.max())


def solve(problem: PricingProblem, first: int, last: int, backend: str, steering: Steering | None = None) -> SolvedTile:
    """Price the categories first to last − 1, as the constraints on the assortment steer them, if there are any."""
    tile = within_ratio(tile_inputs(problem, first, last), backend)
    steered = price_classes(problem, steering, (first, last), backend) if steering is not None else None
    cells = solve_cells(tile, backend) if steered is None else steered
    return SolvedTile(problem, first, last, tile.demand, cells, tile.binding, steering)


def signed(ids: pl.Series) -> pl.Series:
    """The ids, unsigned ones as signed: Delta knows no others."""
    return ids.cast(pl.Int64) if ids.dtype.is_unsigned_integer() else ids


def price_codes(tile: SolvedTile, order: np.ndarray) -> tuple[Dictionary, np.ndarray]:
    """The distinct prices of some rows, and the code of each price in cents."""
    is_there = np.zeros(tile.dearest + 1, np.bool_)
    mark_prices(tile.cells.price, order, is_there)
    distinct = np.flatnonzero(is_there)
    dictionary = dictionary_of(distinct, is_sorted=True)
    code_of_price = np.empty(len(is_there), dictionary.code_type)
    code_of_price[distinct] = np.arange(len(distinct), dtype=code_of_price.dtype)
    return dictionary, code_of_price


def today_codes(tile: SolvedTile, order: np.ndarray) -> tuple[Dictionary, np.ndarray]:
    """The distinct prices of today of some rows, and each row's code."""
    distinct, codes = np.unique(tile.problem.today[tile.products][order], return_inverse=True)
    dictionary = dictionary_of(distinct.astype(np.int64), is_sorted=True)
    return dictionary, codes.astype(dictionary.code_type)


def product_codes(tile: SolvedTile, order: np.ndarray) -> tuple[Dictionary, np.ndarray]:
    """The ids of some rows, and each row's code."""
    dictionary = dictionary_of(signed(tile.problem.product_id[tile.products].gather(order)), is_sorted=True)
    return dictionary, np.arange(len(order), dtype=dictionary.code_type)


def tally_of(tile: SolvedTile) -> Tally:
    """The tile's sums: moves of its prices, and what a period's visits earn at the new and today's prices.

    Both sides by the same evaluation of the same demand, shares in its float type and their sums in float64, so that
    rounding cannot favour one of them.
    """
    problem, products = tile.problem, tile.products
    today, price = problem.today[products], tile.cells.price
    moved, move, absolute_move = (np.empty(len(price), np.int64) for _ in range(3))
    add_moves(price, today, moved, move, absolute_move)
    is_on_shelf = problem.is_on_shelf[products]
    no_rung = tile.binding[:, 0] == BINDINGS.index("no_rung")
    before = problem.totals(tile.demand, tile.first, tile.last, today[:, None])
    units_today, profit_today = _worth(tile, before)
    units_new, profit_new = _worth(tile, tile.cells.totals)
    return Tally(
        products=len(price),
        rows=price.size,
        moved=int(moved.sum()),
        move=float((move / today).sum()),
        absolute_move=float((absolute_move / today).sum()),
        on_shelf=int(is_on_shelf.sum()),
        no_rung=int((no_rung & is_on_shelf).sum()),
        units_today=units_today,
        units_new=units_new,
        profit_today=profit_today,
        profit_new=profit_new,
    )


def _worth(tile: SolvedTile, totals: Totals | None) -> tuple[float, float]:
    """Expected units and profit (currency) of a period's visits."""
    assert totals is not None
    per_choice, cost = (column[tile.products] for column in (tile.problem.units_per_choice, tile.problem.cost))
    units, revenue = totals.chosen[:, 0] * per_choice, totals.revenue[:, 0] * per_choice / CENTS
    return float(units.sum()), float((revenue - cost * units).sum())
