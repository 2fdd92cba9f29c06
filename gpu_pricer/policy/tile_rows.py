"""A solved tile as rows of the price table, and as the few numbers that the run adds up."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from gpu_pricer.policy.ladder import CENTS
from gpu_pricer.policy.problem import PricingProblem
from gpu_pricer.tables.price_table import BINDINGS, money
from gpu_pricer.tables.price_version import Tally
from kernels import DenseDemand, FactorDemand, PricedCells, choice_probabilities

PER_VISITS = 1000


@dataclass(frozen=True)
class SolvedTile:
    """The categories first to last − 1 of a problem, priced."""

    problem: PricingProblem
    first: int
    last: int
    cells: PricedCells

    @property
    def products(self) -> slice:
        """Its products."""
        return self.problem.products(self.first, self.last)


def rows_of(tile: SolvedTile) -> pl.DataFrame:
    """The tile's rows of the price table, sorted by product, then segment."""
    problem, products = tile.problem, tile.products
    order = problem.product_id[products].arg_sort().to_numpy()
    price, today = tile.cells.price[order], problem.today[products][order]
    held = tile.cells.held[order] + np.arange(1, 3 * len(order), 3, dtype=np.int32)[:, None]
    binding = problem.binding[products][order].ravel().astype(np.uint32).take(held.ravel())
    units_per_choice, cost = problem.units_per_choice[products][order], problem.cost[products][order]
    units = tile.cells.probability[order] * (PER_VISITS * units_per_choice).astype(np.float32)[:, None]
    profit = units * (price / CENTS - cost[:, None]).astype(np.float32)
    products_, segments = price.shape
    return pl.DataFrame(
        {
            "segment_id": problem.segment_id.gather(np.tile(np.arange(segments, dtype=np.uint32), products_)),
            "product_id": problem.product_id[products].gather(np.repeat(order.astype(np.uint32), segments)),
            "price": money(price.ravel()),
            "today_price": money(np.repeat(today, segments)),
            "expected_units": units.ravel(),
            "expected_profit": profit.ravel(),
            "binding": pl.Series(BINDINGS).gather(binding),
        }
    )


def tally_of(tile: SolvedTile) -> Tally:
    """The tile's sums: moves of its prices, and what a period's visits earn at the new and today's prices.

    Both sides by the same float64 evaluation of the same demand, so that rounding cannot favour one of them.
    """
    problem, products = tile.problem, tile.products
    today, price = problem.today[products][:, None], tile.cells.price
    demand = _in_double(problem.demand.tile(products.start, products.stop))
    is_on_shelf = problem.is_on_shelf[products]
    no_rung = problem.binding[products, 0] == BINDINGS.index("no_rung")
    (units_today, profit_today), (units_new, profit_new) = (
        _worth(tile, demand, np.broadcast_to(prices, price.shape)) for prices in (today, price)
    )
    move = np.abs(price - today).sum(axis=1) / today[:, 0]
    return Tally(
        products=len(price),
        rows=price.size,
        moved=int(np.count_nonzero(price != today)),
        move=float((price.sum(axis=1) / today[:, 0] - price.shape[1]).sum()),
        absolute_move=float(move.sum()),
        on_shelf=int(is_on_shelf.sum()),
        no_rung=int((no_rung & is_on_shelf).sum()),
        units_today=units_today,
        units_new=units_new,
        profit_today=profit_today,
        profit_new=profit_new,
    )


def _worth(tile: SolvedTile, demand: FactorDemand | DenseDemand, price: np.ndarray) -> tuple[float, float]:
    """Expected units and profit (currency) of a period's visits at prices [n, S] in cents."""
    problem, products = tile.problem, tile.products
    chosen = choice_probabilities(demand, problem.shelf(tile.first, tile.last), price)
    units = (chosen @ problem.visits) * problem.units_per_choice[products]
    revenue = ((chosen * price) @ problem.visits) * problem.units_per_choice[products] / CENTS
    return float(units.sum()), float((revenue - problem.cost[products] * units).sum())


def _in_double(demand: FactorDemand | DenseDemand) -> FactorDemand | DenseDemand:
    return type(demand)(**{name: array.astype(np.float64) for name, array in vars(demand).items()})
