"""What ours are compared with when the truth is known: today's, the best uniform and the oracle's prices."""

from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from gpu_pricer.errors import InputError
from gpu_pricer.evaluation.profit.rungs import Rungs, legal_rungs
from gpu_pricer.evaluation.profit.uniform import best_uniform_price
from gpu_pricer.evaluation.profit.value import TrueMarket, hand_set_prices
from gpu_pricer.policy.policy import Policy
from gpu_pricer.pricing.problem.pricing_problem import PricingProblem, pricing_problem
from gpu_pricer.pricing.tiles.solving import reference_cells
from gpu_pricer.tables.artefact import DemandArtefact
from gpu_pricer.tables.price_table import CENTS


@dataclass(frozen=True)
class Benchmark:
    """A market whose truth is known, for P products sorted by category and T types; prices are in cents.

    problem: the truth priced under the policy; market: what prices earn under the truth; rungs: all prices that the
    policy allows; today [P, 1], uniform [P, 1] or [P, T] and oracle [P, T]: today's prices, the best prices found that
    are equal for all types, but for prices set by hand for one type, and the best prices per type.
    """

    problem: PricingProblem
    market: TrueMarket
    rungs: Rungs
    today: np.ndarray
    uniform: np.ndarray
    oracle: np.ndarray

    @property
    def product_id(self) -> pl.Series:
        """The ids of the products [P]."""
        return self.problem.products.product_id

    @property
    def type_id(self) -> pl.Series:
        """The ids of the types [T]."""
        return self.problem.segments.segment_id

    def offered(self, price: np.ndarray) -> np.ndarray:
        """Return the list [P, 1] of one price per product [P], or [P, T] where prices are set by hand for one type."""
        return replace(self.market, by_hand=hand_set_prices(self.problem)).paid(price[:, None])

    def best_of(self, is_priced: np.ndarray) -> np.ndarray:
        """Return the best prices [P, T] per type when only the products is_priced [P] may leave today's price."""
        return reference_cells(self.problem, is_priced).price.astype(np.float64)


def benchmark(
    truth: DemandArtefact, catalog: pl.DataFrame, policy: Policy, visits: np.ndarray | None = None
) -> Benchmark:
    """Return the truth priced under the policy; visits [T], by sorted type id, default to the truth's own.

    Category and availability are the truth's, today's price and cost the catalog's. Oracle and uniform prices are
    computed from the same pricing problem as ours, so bounds, ladders, families and overrides make no difference
    between them.
    """
    known = truth.products.select("product_id", "category_id", "availability").drop_nulls("product_id")
    problem = pricing_problem(truth, catalog.drop("category_id", "availability").join(known, on="product_id"), policy)
    market = TrueMarket.of(problem, visits)
    inputs = problem.pricing_inputs(0, problem.category_count)
    rungs, today = legal_rungs(inputs), problem.products.today.astype(np.float64)
    oracle = reference_cells(problem).price.astype(np.float64)
    starts = [today, oracle @ market.visits / market.visits.sum(), (inputs.low + inputs.high) / 2]
    searched = replace(market, by_hand=hand_set_prices(problem))
    uniform = searched.paid(best_uniform_price(searched, rungs, starts)[:, None])
    return Benchmark(problem, market, rungs, today[:, None], uniform, oracle)


def price_matrix(prices: pl.DataFrame, product_id: pl.Series, today: np.ndarray, segment_id: pl.Series) -> np.ndarray:
    """A price table (segment_id, product_id, price in currency) as cents [P, S]; today's [P, 1] where no row is.

    InputError when no row fits.
    """
    product = pl.DataFrame({"product_id": product_id}).with_row_index("row")
    segment = pl.DataFrame({"segment_id": segment_id}).with_row_index("column")
    cells = prices.join(product, on="product_id").join(segment, on="segment_id")
    if cells.is_empty():
        raise InputError(
            "the published prices must price products and segments of the truth's market, "
            f"found {prices.height:,} rows of another one: score and publish again, or set paths.prices"
        )
    matrix = np.repeat(today, len(segment_id), axis=1)
    cents = (cells["price"].cast(pl.Float64) * CENTS).round().to_numpy()
    matrix[cells["row"].to_numpy(), cells["column"].to_numpy()] = cents
    return matrix


def gains(profit: float, today: float, uniform: float, oracle: float) -> dict[str, float]:
    """profit_over_today (a rate), regret (the oracle's profit missed, a rate), share_of_attainable_gain.

    The last is (profit − best uniform's) / (oracle's − best uniform's), NaN where the oracle gains nothing.
    """
    attainable = oracle - uniform
    return {
        "profit_over_today": profit / today - 1.0,
        "regret": 1.0 - profit / oracle,
        "share_of_attainable_gain": (profit - uniform) / attainable if attainable > 0 else float("nan"),
    }
