"""The price lists to compare with when the truth is known: today's, the best uniform and the oracle's prices."""

from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from gpu_pricer.errors import InputError
from gpu_pricer.evaluation.profit import Rungs, TrueMarket, best_uniform_price, hand_set_prices, legal_rungs
from gpu_pricer.policy.policy import Policy
from gpu_pricer.pricing.problem.pricing_problem import PricingProblem, pricing_problem
from gpu_pricer.pricing.tiles.solving import reference_cells
from gpu_pricer.tables.artefact import DemandArtefact
from gpu_pricer.tables.price_table import CENTS


@dataclass(frozen=True)
class Benchmark:
    """A market whose truth is known, for P products sorted by category and T types; prices are in cents.

    problem: the truth with the policy. market: computes what prices earn under the truth. rungs: all prices that the
    policy allows. today [P, 1]: today's prices. uniform [P, 1], or [P, T] where prices are set by hand for one type:
    the best prices found that are otherwise equal for all types. oracle [P, T]: the best prices per type.
    """

    problem: PricingProblem
    market: TrueMarket
    rungs: Rungs
    today: np.ndarray
    uniform: np.ndarray
    oracle: np.ndarray

    @property
    def product_id(self) -> pl.Series:
        """Return the ids of the products [P]."""
        return self.problem.products.product_id

    @property
    def type_id(self) -> pl.Series:
        """Return the ids of the types [T]."""
        return self.problem.segments.segment_id

    def offered(self, price: np.ndarray) -> np.ndarray:
        """Return the list [P, 1] of one price per product [P], or [P, T] where prices are set by hand for one type."""
        return replace(self.market, by_hand=hand_set_prices(self.problem)).paid(price[:, None])

    def best_of(self, is_priced: np.ndarray) -> np.ndarray:
        """Return the best prices [P, T] per type when only products with is_priced [P] may leave today's price."""
        return reference_cells(self.problem, is_priced).price.astype(np.float64)


def benchmark(
    truth: DemandArtefact, catalog: pl.DataFrame, policy: Policy, visits: np.ndarray | None = None
) -> Benchmark:
    """Return the truth priced under the policy; visits [T] in the order of type ids, None for the truth's own.

    Category and availability come from the truth, today's price and cost from the catalog. Oracle and uniform prices
    come from a pricing problem like that of our prices, so all of them obey the same bounds, ladders, families and
    overrides. They keep no constraints on the assortment, which couple all products: with such constraints the regret
    of our prices contains what the constraints cost.
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
    """Return a price table (segment_id, product_id, price in currency) as cents [P, S].

    Cells without a row get today's price [P, 1]. Raises InputError when no row fits.
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
    """Return profit_over_today (a rate), regret (the share of the oracle's profit missed), share_of_attainable_gain.

    The last is the share of the personalisation gain, (profit − uniform) / (oracle − uniform), NaN where the oracle
    does not earn more than uniform prices.
    """
    attainable = oracle - uniform
    return {
        "profit_over_today": profit / today - 1.0,
        "regret": 1.0 - profit / oracle,
        "share_of_attainable_gain": (profit - uniform) / attainable if attainable > 0 else float("nan"),
    }
