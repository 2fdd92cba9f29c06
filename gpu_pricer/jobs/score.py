"""score: demand artefact + catalog + policy -> price table shards."""

import logging
from pathlib import Path

import polars as pl
from hydra.utils import instantiate
from omegaconf import DictConfig

from gpu_pricer.constraints import Frontier, MarketData, rule_costs
from gpu_pricer.constraints.certificate import add_costs, certified_objective
from gpu_pricer.errors import InputError
from gpu_pricer.jobs.backends import backend_of, resolved
from gpu_pricer.jobs.constrained_prices import PreparedConstraints, prepare_constraints, solve_constraints
from gpu_pricer.jobs.fairness_audit import audit_version, require_known_attributes
from gpu_pricer.jobs.frontier import trace_frontier
from gpu_pricer.jobs.progress import progress
from gpu_pricer.jobs.scored_version import empty_version, origin_of, version_folder, write_unpriced
from gpu_pricer.policy import Policy, columns_read, with_rule_columns
from gpu_pricer.pricing import (
    POINT,
    POSTERIOR,
    UNCERTAINTIES,
    PricingProblem,
    Tiling,
    choose_changes,
    match_products,
    problem_of,
    score_shard,
    table_columns,
)
from gpu_pricer.tables.artefact import DemandArtefact, read_artefact
from gpu_pricer.tables.price_version import RECORD, PriceVersion, close_shard, open_shard
from gpu_pricer.tables.priced_products import read_catalog

log = logging.getLogger(__name__)


def inputs(config: DictConfig) -> list[Path]:
    """Return the files that `score` reads."""
    return [Path(config.paths.demand), Path(config.paths.catalog)]


def main(config: DictConfig) -> None:
    """Price every product of a catalog for every segment of a demand artefact.

    Reads   paths.demand    the demand artefact, from `train` or from anywhere
            paths.catalog   product_id, category_id, price, cost; optional availability, and what the policy names
    Writes  paths.shards    the price table's files, and in _record/ run.json (totals) and unpriced.parquet;
                            by default a new folder in paths.prices, which `publish` takes from there;
                            certificate.json if the policy has constraints: what they reach and cost, and the gap
                            to the best profit; fairness.json if fairness.users has protected attributes. The job ends
                            with exit status 3 if the proven gap between two groups of users exceeds
                            fairness.max_gap; `publish` then refuses the version too
            With frontier=units (or another measure) the job writes no prices but the cost of more of the measure:
            paths.work/frontier/units.parquet, and the figure paths.work/plots/frontier_units.svg

    Example: gpu-pricer score policy=profit policy.bounds.max_increase=0.10
    Parts:   gpu-pricer score score.details=[parts,personalised,note]   columns that explain each price
    Costs:   gpu-pricer score score.leave_one_out=true   the cost of each rule, in certificate.json
    Trade:   gpu-pricer score frontier=units   the highest profit at every volume
    Unsure:  gpu-pricer score uncertainty=posterior score.details=[interval]   best on average over the posterior
    Wide:    gpu-pricer score score.layout=wide   a row per product and a column per segment, with prices only
    Array:   gpu-pricer score paths.shards=prices/tonight score.shards=8 score.shard=$SLURM_ARRAY_TASK_ID
    """
    policy, tiling, frontier = (instantiate(config[key]) for key in ("policy", "score", "frontier"))
    uncertainty = _uncertainty(config.uncertainty, tiling, frontier)
    if frontier.measure is not None:
        trace_frontier(config.paths, policy, tiling, frontier, config.backend)
        return
    demand, catalog = Path(config.paths.demand), Path(config.paths.catalog)
    shards, warm_start = (
        None if path is None else Path(path) for path in (config.paths.shards, config.paths.warm_start)
    )
    folder, fairness = version_folder(Path(config.paths.prices), shards, tiling), instantiate(config.fairness)
    require_known_attributes(fairness)
    version = score(
        read_artefact(demand),
        read_catalog(catalog, policy.columns),
        policy,
        tiling,
        folder,
        config.backend,
        None if warm_start is None else warm_start / RECORD,
        uncertainty,
    )
    if version is None:
        return
    if tiling.leave_one_out:
        made_of = read_artefact(demand), read_catalog(catalog, policy.columns), policy
        costs = rule_costs(*made_of, tiling, version.backend, certified_objective(folder / RECORD), uncertainty)
        log.info("what each rule costs is in %s", add_costs(folder / RECORD, costs))
    audit_version(folder, demand, fairness)


def score(
    artefact: DemandArtefact,
    catalog: pl.DataFrame,
    policy: Policy,
    tiling: Tiling,
    folder: Path,
    backend: str,
    warm_start: Path | None = None,
    uncertainty: str = POINT,
) -> PriceVersion | None:
    """Write this process's shards into the folder; return the finished version, or None while other shards are missing.

    warm_start: the record of an earlier version, whose multipliers are the first guess.
    """
    found, origin = resolved(backend), origin_of(artefact, policy, catalog)
    matched = match_products(with_rule_columns(catalog, policy.bounds), artefact)
    market = _market_of(artefact, catalog, policy)
    del catalog  # here and below: a million products take 50 MB of catalog, 110 of matches, 100 of artefact tables
    problem = problem_of(artefact, matched, policy, uncertainty)
    del artefact, matched
    backend = backend_of(problem, backend, found)
    version = empty_version(problem, origin, tiling, folder.name, backend, uncertainty)
    table_columns(problem, tiling.layout, tiling.details)  # refuses unknown columns before anything is written
    constraints = prepare_constraints(problem, policy, market, warm_start, backend)
    del market
    open_shard(folder, tiling.shard)
    write_unpriced(problem.unpriced, folder / RECORD)
    return _write_shards(problem, tiling, folder, version, constraints)


def _market_of(artefact: DemandArtefact, catalog: pl.DataFrame, policy: Policy) -> MarketData:
    """Return the columns of the catalog and the segments that the policy's constraints read."""
    active = policy.active_constraints
    names = {"product_id", *columns_read(active)} if active else set()
    read = catalog.select(name for name in catalog.columns if name in names)
    return MarketData(read, artefact.segments, artefact.info.currency)


def _write_shards(
    problem: PricingProblem,
    tiling: Tiling,
    folder: Path,
    version: PriceVersion,
    constraints: PreparedConstraints | None,
) -> PriceVersion | None:
    """Solve the constraints, if any, price and write this process's shards; return the version as `score` does."""
    segments, products = len(problem.segments.segment_id), len(problem.products.product_id)
    log.info("pricing %d products x %d segments on %s into %s", products, segments, version.backend, folder)
    lagrangian = solve_constraints(constraints, folder / RECORD)
    problem = choose_changes(problem, tiling.all_tiles(problem.products.category_start, segments), version.backend)
    finished = None
    with progress("score", products * segments * len(tiling.own_shards) // tiling.shards) as on_tile:
        for shard in tiling.own_shards:
            files, tally = score_shard(
                problem, tiling, shard, folder, version.metadata, version.backend, on_tile, lagrangian
            )
            finished = close_shard(folder, shard, version.with_files(files, tally))
    if finished is None:
        log.info("wrote shard %s of %d; run.json follows when all are there", tiling.shard, tiling.shards)
    else:
        moved = finished.tally.moved / (finished.tally.rows or 1)
        log.info("wrote %s: %.0f %% of the prices differ from today's", folder, 100 * moved)
    return finished


def _uncertainty(uncertainty: object, tiling: Tiling, frontier: Frontier) -> str:
    """Return the checked uncertainty. Raises InputError where it does not fit the tiling or the frontier."""
    if uncertainty not in UNCERTAINTIES:
        raise InputError(f"uncertainty must be {' or '.join(UNCERTAINTIES)}, found {uncertainty!r}")
    if "interval" in tiling.details and uncertainty == POINT:
        raise InputError("score.details=[interval] needs uncertainty=posterior, found point: set it or leave that out")
    if frontier.measure is not None and uncertainty == POSTERIOR:
        raise InputError(
            f"frontier={frontier.measure} needs uncertainty=point, found posterior: "
            "its multipliers belong to one demand"
        )
    return str(uncertainty)
