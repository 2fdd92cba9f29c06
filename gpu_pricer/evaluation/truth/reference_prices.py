"""What ours are compared with when the truth is known: today's, the best uniform and the oracle's prices."""

from dataclasses import dataclass, fields, replace

import numpy as np
import polars as pl

from gpu_pricer.errors import InputError
from gpu_pricer.evaluation.profit.rungs import Rungs, legal_rungs
from gpu_pricer.evaluation.profit.uniform import best_uniform_price
from gpu_pricer.evaluation.profit.value import TrueMarket
from gpu_pricer.policy.policy import Policy
from gpu_pricer.pricing.problem.pricing_problem import PricingProblem, pricing_problem
from gpu_pricer.tables.artefact import DemandArtefact
from kernels import Demand, PricingInputs, Shelf, price_cells


@dataclass(frozen=True)
class Benchmark:
    """A market whose truth is known, for P products sorted by category and T types; prices are in cents.

    today, uniform [P, 1] and oracle [P, T]: today's prices, the best found that are equal for all types, and
    the best per type; rungs: all prices that the policy allows, offer: the same for the kernels.
    """

    market: TrueMarket
    product_id: pl.Series
    type_id: pl.Series
    rungs: Rungs
    inputs: PricingInputs
    today: np.ndarray
    uniform: np.ndarray
    oracle: np.ndarray

    def best_of(self, is_priced: np.ndarray) -> np.ndarray:
        """The best prices [P, T] per type when only the products is_priced [P] may leave today's."""
        today = self.today[:, 0]
        low, high = (np.where(is_priced, limit, today) for limit in (self.inputs.low, self.inputs.high))
        inputs = replace(self.inputs, low=low, high=high)
        return price_cells(self.market.demand, inputs).price.astype(np.float64)


def benchmark(
    truth: DemandArtefact, catalog: pl.DataFrame, policy: Policy, visits: np.ndarray | None = None
) -> Benchmark:
    """Price the truth itself under the policy; visits [T], by sorted type id, default to the truth's own.

    Category and availability are the truth's, today's price and cost the catalog's. Oracle and uniform prices
    share one policy with ours, so no difference of theirs comes from the bounds.
    """
    known = truth.products.select("product_id", "category_id", "availability").drop_nulls("product_id")
    problem = pricing_problem(truth, catalog.drop("category_id", "availability").join(known, on="product_id"), policy)
    demand, inputs = exact_demand(problem), exact_offer(problem)
    market = TrueMarket(
        demand=demand,
        shelf=inputs.shelf,
        unit_cost=100.0 * problem.products.cost,
        units_per_choice=problem.products.units_per_choice,
        visits=problem.segments.visits if visits is None else visits,
    )
    rungs, today = legal_rungs(inputs), problem.products.today.astype(np.float64)
    oracle = price_cells(demand, inputs).price.astype(np.float64)
    starts = [today, oracle @ market.visits / market.visits.sum(), (inputs.low + inputs.high) / 2]
    return Benchmark(
        market=market,
        product_id=problem.products.product_id,
        type_id=problem.segments.segment_id,
        rungs=rungs,
        inputs=inputs,
        today=today[:, None],
        uniform=best_uniform_price(market, rungs, starts)[:, None],
        oracle=oracle,
    )


def exact_demand(problem: PricingProblem) -> Demand:
    """The whole problem's demand in float64."""
    demand = problem.demand.tile(0, len(problem.products.product_id))
    return replace(demand, **{field.name: getattr(demand, field.name).astype(np.float64) for field in fields(demand)})


def exact_offer(problem: PricingProblem) -> PricingInputs:
    """The whole problem's offer in float64."""
    products = len(problem.products.product_id)
    return PricingInputs(
        shelf=Shelf(
            problem.products.category_start,
            problem.products.reference_price,
            problem.products.is_on_shelf,
            problem.has_outside_option,
        ),
        unit_cost=problem.products.effective_cost,
        weight=problem.products.units_per_choice,
        low=problem.limits.low.astype(np.float64),
        high=problem.limits.high.astype(np.float64),
        ladder=np.zeros(products, np.int32),
        ladders=problem.limits.ladders,
    )


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
    cents = (cells["price"].cast(pl.Float64) * 100).round().to_numpy()
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
