"""The learned price response against the true one, on the products and users that both have."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from gpu_pricer.evaluation.demand.elasticity import elasticity_rmse, own_elasticity
from gpu_pricer.evaluation.demand.intervals import ElasticityIntervals
from gpu_pricer.evaluation.truth.reference_prices import Benchmark
from gpu_pricer.evaluation.truth.segments import CrossTab
from gpu_pricer.pricing.problem.pricing_problem import PricingProblem
from kernels import choice_probabilities


@dataclass(frozen=True)
class Elasticities:
    """Own elasticities of n products at today's prices, for S segments and T types.

    learned [n, S]; true [n, T]; share [n, T]: the true choice probability.
    visits [S, T]: expected visits of users in segment s of type t; segment_id [S]; category_id [n].
    """

    learned: np.ndarray
    true: np.ndarray
    share: np.ndarray
    visits: np.ndarray
    segment_id: pl.Series
    category_id: pl.Series

    def rmse(self) -> float:
        """Return the root mean square error over products on the shelf and users."""
        return elasticity_rmse(self.learned, self.true, self.visits)

    def mean(self) -> float:
        """Return the mean of the learned elasticities over products on the shelf and users."""
        known = ~np.isnan(self.learned).any(axis=1)
        return float((self.learned[known].mean(axis=0) * self.visits.sum(axis=1)).sum() / self.visits.sum())

    def coverage(self, intervals: ElasticityIntervals) -> float:
        """Return the share of the segments × categories whose true elasticity lies in its 90 % interval."""
        return _share_inside(self._true_means("segment_id", "category_id"), intervals.cells, "low", "high")

    def category_coverage(self, intervals: ElasticityIntervals) -> float:
        """Return the share of the categories whose true elasticity lies in its 90 % interval."""
        return _share_inside(self._true_means("category_id"), intervals.categories, "posterior_low", "posterior_high")

    def _true_means(self, *by: str) -> pl.DataFrame:
        """Return the columns `by`, and true: the elasticity of the summed demand of the users who come, weighted."""
        demand = self.share @ self.visits.T
        row, segment = (index.ravel() for index in np.indices(demand.shape))
        cells = pl.DataFrame(
            {
                "category_id": self.category_id.gather(row),
                "segment_id": self.segment_id.gather(segment),
                "demand": demand.ravel(),
                "response": ((self.share * self.true) @ self.visits.T).ravel(),
                "is_known": ~np.isnan(self.learned).ravel(),
            }
        )
        known = cells.filter(pl.col("is_known") & pl.col("response").is_not_nan() & (pl.col("demand") > 0))
        return known.group_by(by).agg(true=pl.col("response").sum() / pl.col("demand").sum())


def _share_inside(true: pl.DataFrame, intervals: pl.DataFrame, low: str, high: str) -> float:
    """Return the share of the rows of both tables whose true elasticity lies between the columns low and high."""
    keys = [name for name in true.columns if name != "true"]
    return float(true.join(intervals, on=keys).select(pl.col("true").is_between(low, high).mean()).item())


def compare_elasticities(
    bench: Benchmark, problem: PricingProblem, category_id: pl.Series, table: CrossTab
) -> Elasticities:
    """Return the elasticities of a learned demand's problem and of the benchmark.

    category_id [P]: the categories of the benchmark's products in the learned demand.
    """
    learned = own_elasticity(
        problem.demand_in_double(), problem.shelf(0, problem.category_count), problem.products.today.astype(np.float64)
    )
    true = own_elasticity(bench.market.demand, bench.market.shelf, bench.today[:, 0])
    share = choice_probabilities(bench.market.demand, bench.market.shelf, bench.today)
    segment = pl.DataFrame({"segment_id": problem.segments.segment_id}).with_row_index("column")
    ids = pl.DataFrame({"segment_id": table.segment_id})
    column = ids.join(segment, on="segment_id", maintain_order="left")["column"].to_numpy()
    row = pl.DataFrame({"product_id": problem.products.product_id}).with_row_index("learned")
    rows = pl.DataFrame({"product_id": bench.product_id}).with_row_index("true").join(row, on="product_id")
    here = rows["true"].to_numpy()
    return Elasticities(
        learned=learned[rows["learned"].to_numpy()][:, column],
        true=true[here],
        share=share[here],
        visits=table.visits,
        segment_id=table.segment_id,
        category_id=category_id.gather(here),
    )
