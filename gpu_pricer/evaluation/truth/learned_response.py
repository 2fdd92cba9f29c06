"""The learned price response against the true one, on the products and users that both have."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from gpu_pricer.evaluation.demand.elasticity import elasticity_rmse, own_elasticity
from gpu_pricer.evaluation.demand.intervals import TAIL
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

    def coverage(self, posterior: pl.DataFrame) -> float:
        """Return the share of the segments × categories whose true mean elasticity lies in its 90 % interval.

        The true elasticity of a segment for a product is that of its members' summed demand; segments whose members
        make no visits are left out. An interval reaches from the 5 % to the 95 % quantile of the posterior's draws
        times the learned mean elasticity.
        """
        demand = self.share @ self.visits.T
        summed = ((self.share * self.true) @ self.visits.T) / np.where(demand > 0, demand, np.nan)
        cells = pl.concat(
            pl.DataFrame(
                {"category_id": self.category_id, "learned": self.learned[:, s], "true": summed[:, s]}
            ).with_columns(segment_id=pl.lit(segment, dtype=self.segment_id.dtype))
            for s, segment in enumerate(self.segment_id)
        )
        cells = cells.filter(~(pl.col("learned").is_nan() | pl.col("true").is_nan()))
        mean = cells.group_by("segment_id", "category_id").agg(pl.col("learned", "true").mean())
        factor = pl.col("log_deviation").cast(pl.Float64).exp()
        interval = posterior.group_by("segment_id", "category_id").agg(
            least=factor.quantile(TAIL, "linear"), most=factor.quantile(1 - TAIL, "linear")
        )
        inside = (pl.col("true") / pl.col("learned")).is_between("least", "most")
        return float(mean.join(interval, on=["segment_id", "category_id"]).select(inside.mean()).item())


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
