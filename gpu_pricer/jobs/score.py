"""score: demand artefact + catalog + policy -> price table shards."""

import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import polars as pl
from hydra.utils import instantiate
from omegaconf import DictConfig

from gpu_pricer.constraints.certificate import add_costs, certified_objective
from gpu_pricer.constraints.constrained_problem import MarketData
from gpu_pricer.constraints.frontier import Frontier
from gpu_pricer.constraints.rule_costs import rule_costs
from gpu_pricer.errors import InputError
from gpu_pricer.jobs.backends import backend_of, resolved
from gpu_pricer.jobs.constrained_prices import prepare_constraints, solve_constraints
from gpu_pricer.jobs.fairness_audit import audit_version, require_known_attributes
from gpu_pricer.jobs.frontier import trace_frontier
from gpu_pricer.jobs.progress import progress
from gpu_pricer.policy.constraint import columns_read
from gpu_pricer.policy.policy import Policy
from gpu_pricer.policy.rule_columns import with_rule_columns
from gpu_pricer.pricing.problem.matching import match_products
from gpu_pricer.pricing.problem.posterior_draws import POINT, POSTERIOR, UNCERTAINTIES
from gpu_pricer.pricing.problem.pricing_problem import PricingProblem, problem_of
from gpu_pricer.pricing.scoring import score_shard, table_columns
from gpu_pricer.pricing.tiles.solving import choose_changes
from gpu_pricer.pricing.tiling import Tiling
from gpu_pricer.tables.artefact import DemandArtefact, DemandInfo, read_artefact
from gpu_pricer.tables.price_version import (
    FOLDER_NAME,
    RECORD,
    PriceVersion,
    Tally,
    close_shard,
    new_run,
    open_shard,
)
from gpu_pricer.tables.priced_products import catalog_fingerprint, read_catalog
from gpu_pricer.tables.publishing import published_runs
from gpu_pricer.tables.replacing import replacing_file

log = logging.getLogger(__name__)


class Origin(NamedTuple):
    """What a version is made of: the demand, and fingerprints of artefact, policy and catalog."""

    demand: DemandInfo
    artefact: str
    policy: str
    catalog: str


def inputs(config: DictConfig) -> list[Path]:
    """What `score` reads."""
    return [Path(config.paths.demand), Path(config.paths.catalog)]


def main(config: DictConfig) -> None:
    """Price every product of a catalog for every segment of a demand artefact.

    Reads   paths.demand    the demand artefact, from `train` or from anywhere
            paths.catalog   product_id, category_id, price, cost; optional availability, and what the policy names
    Writes  paths.shards    the price table's files, and in _record/ run.json (totals) and unpriced.parquet;
                            by default a new folder in paths.prices, which `publish` takes from there;
                            certificate.json if the policy has constraints: what they reach, cost and leave to gain;
                            fairness.json if fairness.users has protected attributes. Exit status 3: they pay too
                            differently (fairness.max_gap), and `publish` refuses the version too
            With frontier=units (or another measure) no prices at all, but what more of it costs:
            paths.work/frontier/units.parquet, and as a figure paths.work/plots/frontier_units.svg

    Example: gpu-pricer score policy=profit policy.bounds.max_increase=0.10
    Parts:   gpu-pricer score score.details=[parts,personalised,note]   why each price is what it is
    Costs:   gpu-pricer score score.leave_one_out=true   what each rule costs, in certificate.json
    Trade:   gpu-pricer score frontier=units   the most profit for every volume
    Unsure:  gpu-pricer score uncertainty=posterior score.details=[interval]   best on average over the posterior
    Wide:    gpu-pricer score score.layout=wide   a row per product and a column per segment, prices alone
    Array:   gpu-pricer score paths.shards=prices/tonight score.shards=8 score.shard=$SLURM_ARRAY_TASK_ID
    """
    policy, tiling, frontier = (instantiate(config[key]) for key in ("policy", "score", "frontier"))
    uncertainty = _uncertainty(config.uncertainty, tiling, frontier)
    if frontier.measure is not None:
        trace_frontier(config.paths, policy, tiling, frontier, config.backend)
        return
    demand, catalog = Path(config.paths.demand), Path(config.paths.catalog)
    shards = None if config.paths.shards is None else Path(config.paths.shards)
    folder = _own_folder(Path(config.paths.prices), shards, tiling)
    fairness, columns = instantiate(config.fairness), policy.columns
    require_known_attributes(fairness)
    warm_start = None if config.paths.warm_start is None else Path(config.paths.warm_start) / RECORD
    whole = score(
        read_artefact(demand),
        read_catalog(catalog, columns),
        policy,
        tiling,
        folder,
        config.backend,
        warm_start,
        uncertainty,
    )
    if whole is None:
        return
    if tiling.leave_one_out:
        made_of = read_artefact(demand), read_catalog(catalog, columns), policy
        costs = rule_costs(*made_of, tiling, whole.backend, certified_objective(folder / RECORD), uncertainty)
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
    """Write this process's shards into the folder; the whole version, or None while others are missing."""
    found = resolved(backend)
    origin = Origin(artefact.info, artefact.fingerprint(), policy.fingerprint(), catalog_fingerprint(catalog))
    matched = match_products(with_rule_columns(catalog, policy.bounds), artefact)
    wanted = {"product_id", *columns_read(policy.active_constraints)} if policy.active_constraints else set()
    read = catalog.select(name for name in catalog.columns if name in wanted)
    segments_table = artefact.segments
    del catalog  # here and below: a million products take 50 MB of catalog, 110 of matches, 100 of artefact tables
    problem = problem_of(artefact, matched, policy, uncertainty)
    del artefact, matched
    backend = backend_of(problem, backend, found)
    version = _empty_version(problem, origin, tiling, folder.name, backend, uncertainty)
    table_columns(problem, tiling.layout, tiling.details)  # refuses what has none before anything is written
    segments, products = len(problem.segments.segment_id), len(problem.products.product_id)
    market = MarketData(read, segments_table, origin.demand.currency)
    constraints = prepare_constraints(problem, policy, market, warm_start, backend)
    del read, market
    log.info("pricing %d products x %d segments on %s into %s", products, segments, backend, folder)
    open_shard(folder, tiling.shard)
    _write_unpriced(problem.unpriced, folder / RECORD)
    lagrangian = solve_constraints(constraints, folder / RECORD)
    del constraints
    problem = choose_changes(problem, tiling.all_tiles(problem.products.category_start, segments), backend)
    whole = None
    with progress("score", products * segments * len(tiling.own_shards) // tiling.shards) as on_tile:
        for shard in tiling.own_shards:
            files, tally = score_shard(problem, tiling, shard, folder, version.metadata, backend, on_tile, lagrangian)
            whole = close_shard(folder, shard, version.with_files(files, tally))
    if whole is None:
        log.info("wrote shard %s of %d; run.json follows when all are there", tiling.shard, tiling.shards)
    else:
        moved = whole.tally.moved / (whole.tally.rows or 1)
        log.info("wrote %s: %.0f %% of the prices differ from today's", folder, 100 * moved)
    return whole


def _own_folder(prices: Path, shards: Path | None, tiling: Tiling) -> Path:
    """Where to write; never into a version that was published."""
    if shards is None:
        if tiling.shard is not None:
            raise InputError(
                "score.shard needs paths.shards, so that every shard goes into the same folder, found null: "
                "set it, for example to prices/tonight"
            )
        return prices / new_run()
    folder = shards.resolve()
    if not FOLDER_NAME.fullmatch(folder.name):
        raise InputError(
            "the folder of paths.shards must be named with letters, digits, '.', '_' and '-', "
            f"found {folder.name!r}: choose another, it becomes part of every file name"
        )
    if folder.parent == prices.resolve() and folder.name in published_runs(prices):
        raise InputError(f"paths.shards must be a new folder, found the published version {folder}: name another")
    return shards


def _uncertainty(uncertainty: object, tiling: Tiling, frontier: Frontier) -> str:
    """What prices allow for; InputError where it is unknown, or goes not with what is asked for."""
    if uncertainty not in UNCERTAINTIES:
        raise InputError(f"uncertainty must be {' or '.join(UNCERTAINTIES)}, found {uncertainty!r}")
    if "interval" in tiling.details and uncertainty == POINT:
        raise InputError("score.details=[interval] needs uncertainty=posterior, found point: set it or leave that out")
    if frontier.measure is not None and uncertainty == POSTERIOR:
        raise InputError(
            f"frontier={frontier.measure} needs uncertainty=point, found posterior: its multipliers steer one demand"
        )
    return str(uncertainty)


def _empty_version(
    problem: PricingProblem, origin: Origin, tiling: Tiling, run: str, backend: str, uncertainty: str
) -> PriceVersion:
    return PriceVersion(
        run=run,
        created=datetime.now(UTC).isoformat(),
        layout=tiling.layout,
        currency=origin.demand.currency,
        valid_from=origin.demand.pricing_period,
        artefact=origin.artefact,
        policy=origin.policy,
        catalog=origin.catalog,
        backend=backend,
        uncertainty=uncertainty,
        segments=len(problem.segments.segment_id),
        shards=tiling.shards,
        unpriced=problem.unpriced.height,
        files=[],
        tally=Tally.sum([]),
    )


def _write_unpriced(unpriced: pl.DataFrame, folder: Path) -> None:
    """In the record, so that <version>/*.parquet is the price table and nothing else."""
    with replacing_file(folder / "unpriced.parquet") as fresh:
        unpriced.write_parquet(fresh)
    if unpriced.height:
        log.warning("%d products cannot be priced, see %s", unpriced.height, folder / "unpriced.parquet")
