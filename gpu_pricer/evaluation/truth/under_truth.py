"""The block truth of metrics.json: the profits of our prices and of reference prices under the true demand."""

from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from gpu_pricer.errors import InputError
from gpu_pricer.evaluation.demand.catalog_demand import CatalogDemand
from gpu_pricer.evaluation.demand.intervals import elasticity_intervals
from gpu_pricer.evaluation.held_out import Log
from gpu_pricer.evaluation.profit import TrueMarket
from gpu_pricer.evaluation.truth.learned_response import compare_elasticities
from gpu_pricer.evaluation.truth.log_log import Pool, fit_elasticities, price_alone
from gpu_pricer.evaluation.truth.reference_prices import Benchmark, benchmark, gains, price_matrix
from gpu_pricer.evaluation.truth.segments import CrossTab, cross_tab
from gpu_pricer.evaluation.truth.true_types import true_types_price
from gpu_pricer.policy.policy import Policy
from gpu_pricer.pricing.problem.pricing_problem import pricing_problem
from gpu_pricer.tables.artefact import DemandArtefact

LEAST_GAIN = 1e-9  # of today's profit; a smaller attainable gain is rounding error
LOG_LOG: dict[str, Pool] = {"log_log": "product", "log_log_pooled": "category"}


@dataclass(frozen=True)
class Learned:
    """The results of training and scoring.

    artefact: the learned demand. prices: the price table scored from it, None if there is none yet.
    naive: the artefact before the correction of its price response for endogeneity, None without that correction.
    """

    artefact: DemandArtefact
    prices: pl.DataFrame | None
    naive: DemandArtefact | None


def evaluate_under_truth(
    truth: DemandArtefact, catalog: pl.DataFrame, policy: Policy, learned: Learned | None, log: Log | None
) -> dict[str, object]:
    """Return the block: profits per 1,000 visits in currency, and the gains of every price list (see gains).

    The keys at the top are those of our prices; those of the other lists are under baselines. Entries that need a
    missing artefact, price table or log are left out. All lists keep to the learned artefact's range of supported
    prices, so that ours are free of no bound that the oracle's obey.
    """
    if learned is not None:
        truth = _with_support_of(truth, learned.artefact)
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
        profit |= {name: bench.market.profit(log_log_price(bench, log, pool)) for name, pool in LOG_LOG.items()}
        if truth.info.outside_option:
            price = true_types_price(truth, catalog, policy, log.shelf, log.choices)
            profit["true_types"] = bench.market.profit(price)
    block: dict[str, object] = {}
    if learned is not None:
        block |= _response(bench, catalog, policy, learned, table) | {"visits_covered": table.covered}
        if learned.prices is not None:
            price = price_matrix(learned.prices, bench.product_id, bench.today, table.segment_id)
            profit["ours"] = bench.market.profit_of_segments(price, table.visits)
            predicted = _predicted_profit(learned.artefact, catalog, policy, learned.prices, table)
            block |= {"optimism_gap": predicted / profit["ours"] - 1.0}
            if log is not None:
                block["gain_share"] = _gain_shares(bench, price, log, table)
    judged = {
        name: gains(value, profit["today"], profit["best_uniform"], profit["oracle"]) for name, value in profit.items()
    }
    return {"profit_per_1000_visits": profit, **judged.pop("ours", {}), **block, "baselines": judged}


def _with_support_of(truth: DemandArtefact, learned: DemandArtefact) -> DemandArtefact:
    """Return the truth with the supported prices of the learned artefact, where that knows the product."""
    ends = ("min_price", "max_price")
    ours = learned.products.drop_nulls("product_id").select("product_id", *ends)
    products = truth.products.join(ours, on="product_id", how="left", suffix="_ours", maintain_order="left")
    supported = products.with_columns(pl.coalesce(f"{end}_ours", end).alias(end) for end in ends)
    return replace(truth, products=supported.select(truth.products.columns))


def _response(
    bench: Benchmark, catalog: pl.DataFrame, policy: Policy, learned: Learned, table: CrossTab
) -> dict[str, object]:
    """Return elasticity_rmse and mean_elasticity of the learned artefact, and what its intervals hold.

    With a posterior, elasticity_coverage_90 of the segments × categories and category_coverage_90 of the categories.
    The key naive holds the same entries of the naive artefact, if there is one.
    """
    ids = pl.DataFrame({"product_id": bench.product_id})
    category_id = ids.join(catalog, on="product_id", how="left", maintain_order="left")["category_id"]

    def judged(artefact: DemandArtefact) -> dict[str, object]:
        """Return the scores of an artefact's elasticities against those of the truth."""
        demand = CatalogDemand.of(artefact, catalog, policy)
        found = compare_elasticities(bench, demand.problem, category_id, table)
        block: dict[str, object] = {"elasticity_rmse": found.rmse(), "mean_elasticity": found.mean()}
        intervals = elasticity_intervals(demand)
        if intervals is not None:
            block["elasticity_coverage_90"] = found.coverage(intervals)
            block["category_coverage_90"] = found.category_coverage(intervals)
        return block

    return judged(learned.artefact) | ({"naive": judged(learned.naive)} if learned.naive is not None else {})


def _predicted_profit(
    artefact: DemandArtefact, catalog: pl.DataFrame, policy: Policy, prices: pl.DataFrame, table: CrossTab
) -> float:
    """Return the profit per 1,000 visits, in currency, that the artefact expects of the prices, for table.visits."""
    problem = pricing_problem(artefact, catalog, policy)
    column = pl.DataFrame({"segment_id": table.segment_id}).with_row_index("row")
    joined = pl.DataFrame({"segment_id": problem.segments.segment_id}).join(
        column, on="segment_id", how="left", maintain_order="left"
    )
    visits = np.append(table.visits.sum(axis=1), 0.0)[joined["row"].fill_null(len(column)).to_numpy()]
    market = TrueMarket.of(problem, visits)
    today = problem.products.today.astype(np.float64)[:, None]
    return market.profit(price_matrix(prices, problem.products.product_id, today, problem.segments.segment_id))


def _gain_shares(bench: Benchmark, price: np.ndarray, log: Log, table: CrossTab) -> dict[str, float]:
    """Return for warm and cold products the profit gained over the profit attainable, NaN where none is attainable.

    Cold products are those that never sold. All other products stay at today's prices.
    """
    sold = log.choices["product_id"].drop_nulls().unique()
    is_warm = bench.product_id.is_in(sold.implode()).to_numpy() & bench.market.shelf.on_shelf
    today = bench.market.profit(bench.today)
    shares = {}
    for name, is_priced in (("warm", is_warm), ("cold", ~is_warm & bench.market.shelf.on_shelf)):
        if is_priced.any():
            ours = bench.market.profit_of_segments(np.where(is_priced[:, None], price, bench.today), table.visits)
            attainable = bench.market.profit(bench.best_of(is_priced)) - today
            has_gain = attainable > LEAST_GAIN * abs(today)
            shares[name] = (ours - today) / attainable if has_gain else float("nan")
    return shares


def _user_segments(artefact: DemandArtefact, path: str, columns: list[str]) -> pl.DataFrame:
    """Return the artefact's user_segments. Raises InputError unless the table has these columns."""
    table = artefact.user_segments
    found = [] if table is None else table.columns
    if table is None or not set(columns) <= set(found):
        raise InputError(
            f"user_segments.parquet in paths.{path} must hold {', '.join(columns)}, found {found}: "
            "write that table, or remove paths.truth to leave the truth out"
        )
    return table


def log_log_price(bench: Benchmark, log: Log, pool: Pool) -> np.ndarray:
    """Return the legal prices [P, 1] in cents that are best for log-log demand of each product alone.

    The shape is [P, T] where prices are set by hand for one type.
    """
    ids = pl.DataFrame({"product_id": bench.product_id})
    fitted = ids.join(
        fit_elasticities(log.shelf, log.choices, pool), on="product_id", how="left", maintain_order="left"
    )
    elasticity = fitted["elasticity"].cast(pl.Float64).fill_null(float("nan")).to_numpy()
    alone = price_alone(elasticity, bench.market.unit_cost, bench.today[:, 0], bench.rungs)
    return bench.offered(bench.rungs.with_common_prices(alone))
