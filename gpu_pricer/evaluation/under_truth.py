"""The truth block of metrics.json: what our prices and the baselines' are worth when demand is known."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from gpu_pricer.errors import InputError
from gpu_pricer.evaluation.elasticity import elasticity_rmse, own_elasticity
from gpu_pricer.evaluation.log_log import Pool, fit_elasticities, price_alone
from gpu_pricer.evaluation.offers import Log
from gpu_pricer.evaluation.segments import CrossTab, cross_tab
from gpu_pricer.evaluation.truth import Benchmark, benchmark, exact_demand, exact_offer, gains, price_matrix
from gpu_pricer.policy.policy import Policy
from gpu_pricer.policy.problem import pricing_problem
from gpu_pricer.tables.artefact import DemandArtefact

LOG_LOG: dict[str, Pool] = {"log_log": "product", "log_log_pooled": "category"}


@dataclass(frozen=True)
class Learned:
    """What we made of the log: the artefact, and the price table scored from it, if there is one yet."""

    artefact: DemandArtefact
    prices: pl.DataFrame | None


def evaluate_under_truth(
    truth: DemandArtefact, catalog: pl.DataFrame, policy: Policy, learned: Learned | None, log: Log | None
) -> dict[str, object]:
    """Profits per 1,000 visits in currency, and for every price list what it gains (see truth.gains).

    Keys at the top are those of our prices, those of the others lie under baselines. What needs an artefact,
    a price table or a log that is not there is left out.
    """
    types = _user_segments(truth, "truth", ["user_id", "segment_id", "visits"])
    ours = types if learned is None else _user_segments(learned.artefact, "demand", ["user_id", "segment_id"])
    table = cross_tab(ours, types, truth.segments["segment_id"].sort())
    bench = benchmark(truth, catalog, policy, table.visits.sum(axis=0))
    profit = {
        "today": bench.market.profit(bench.today),
        "best_uniform": bench.market.profit(bench.uniform),
        "oracle": bench.market.profit(bench.oracle),
    }
    if log is not None:
        profit |= {name: bench.market.profit(_log_log_price(bench, log, pool)) for name, pool in LOG_LOG.items()}
    block: dict[str, object] = {}
    if learned is not None:
        block["elasticity_rmse"] = _elasticity_rmse(bench, catalog, policy, learned.artefact, table)
        block["visits_covered"] = table.covered
        if learned.prices is not None:
            price = price_matrix(learned.prices, bench, table.segment_id)
            profit["ours"] = bench.market.profit_of_segments(price, table.visits)
    judged = {
        name: gains(value, profit["today"], profit["best_uniform"], profit["oracle"]) for name, value in profit.items()
    }
    return {"profit_per_1000_visits": profit, **judged.pop("ours", {}), **block, "baselines": judged}


def _user_segments(artefact: DemandArtefact, path: str, columns: list[str]) -> pl.DataFrame:
    table = artefact.user_segments
    found = [] if table is None else table.columns
    if table is None or not set(columns) <= set(found):
        raise InputError(
            f"user_segments.parquet in paths.{path} must hold {', '.join(columns)}, found {found}: "
            "write that table, or remove paths.truth to leave the truth out"
        )
    return table


def _log_log_price(bench: Benchmark, log: Log, pool: Pool) -> np.ndarray:
    ids = pl.DataFrame({"product_id": bench.product_id})
    fitted = ids.join(
        fit_elasticities(log.shelf, log.choices, pool), on="product_id", how="left", maintain_order="left"
    )
    elasticity = fitted["elasticity"].cast(pl.Float64).fill_null(float("nan")).to_numpy()
    return price_alone(elasticity, bench.market.unit_cost, bench.today[:, 0], bench.rungs)[:, None]


def _elasticity_rmse(
    bench: Benchmark, catalog: pl.DataFrame, policy: Policy, artefact: DemandArtefact, table: CrossTab
) -> float:
    """At today's prices, over users and the products on the shelf that both demands know."""
    problem = pricing_problem(artefact, catalog, policy)
    ours = own_elasticity(exact_demand(problem), exact_offer(problem).shelf, problem.today.astype(np.float64))
    true = own_elasticity(bench.market.demand, bench.market.shelf, bench.today[:, 0])
    segment = pl.DataFrame({"segment_id": problem.segment_id}).with_row_index("column")
    column = pl.DataFrame({"segment_id": table.segment_id}).join(segment, on="segment_id", maintain_order="left")[
        "column"
    ]
    row = pl.DataFrame({"product_id": problem.product_id}).with_row_index("ours")
    rows = pl.DataFrame({"product_id": bench.product_id}).with_row_index("true").join(row, on="product_id")
    return elasticity_rmse(
        ours[rows["ours"].to_numpy()][:, column.to_numpy()], true[rows["true"].to_numpy()], table.visits
    )
