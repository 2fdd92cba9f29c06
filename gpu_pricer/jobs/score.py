"""score: demand artefact + catalog + policy -> price table shards."""

import logging
from collections.abc import Callable
from pathlib import Path

import polars as pl
from hydra.utils import instantiate
from omegaconf import DictConfig

from gpu_pricer.constraints import Frontier, add_costs, certified_objective, rule_costs
from gpu_pricer.errors import InputError
from gpu_pricer.gates.fairness import Fairness
from gpu_pricer.jobs.pricing_day import pricing_day
from gpu_pricer.pricing import POINT, POSTERIOR, UNCERTAINTIES, Tiling
from gpu_pricer.tables.artefact import read_artefact, require_artefact
from gpu_pricer.tables.version.names import RECORD
from gpu_pricer.tables.version.price_version import PriceVersion
from gpu_pricer.versions.fairness_audit import audit_version, require_known_attributes
from gpu_pricer.versions.last_scored import remember_scored
from gpu_pricer.versions.new_version import finished_or_absent
from gpu_pricer.versions.priced_catalog import warn_of_idle_rules, warn_of_segment_prices
from gpu_pricer.versions.scored_inputs import ScoredInputs
from gpu_pricer.versions.scored_version import Search, score, version_folder
from gpu_pricer.versions.shard_plan import shard_part
from gpu_pricer.versions.version_sources import keep_sources

log = logging.getLogger(__name__)


def inputs(config: DictConfig) -> list[Path]:
    """Return the files that `score` reads."""
    return [Path(config.paths.demand), Path(config.paths.catalog)]


def main(config: DictConfig) -> dict[str, object] | None:
    """Price every product of a catalog for every segment of a demand artefact.

    Reads   paths.demand    the demand artefact, from `train` or from anywhere
            paths.catalog   product_id, category_id, price, cost; optional availability, and what the policy names
                            and vat_rate where data.catalog.price_includes_vat=true, or where `prepare` wrote it
            paths.prices    the history of prices, in the published version, if a rule of the policy counts days
    Writes  paths.shards    the price table's files, and in _record/ run.json (totals), unpriced.parquet and copies of
                            the policy and the catalog; a copy of the artefact lies in _artefacts/ beside that folder;
                            by default a new folder in paths.prices. `publish` takes the last version in
                            paths.prices that was finished for paths.work, one that lies elsewhere only by name;
                            SHA256SUMS, by which `publish` knows that no file has changed since;
            certificate.json if the policy has constraints: what they reach and cost, and the gap
                            to the best profit; and lagrangian.json with iterates.parquet, from which `explain`
                            derives prices under constraints;
            fairness.json   if fairness.users has protected attributes. The job ends with exit status 3 if the part
                            of a gap between two groups of users that is more than chance exceeds
                            fairness.max_gap; `publish` then refuses the version too
            With frontier=units (or another measure) the job writes no prices but the cost of more of the measure:
            paths.work/frontier/units.parquet, and the figure paths.work/plots/frontier_units.svg

    Example: gpu-pricer score policy=profit policy.bounds.max_increase=0.10   the default is policy=balanced
    Parts:   gpu-pricer score score.details=[parts,personalised,note]   columns that explain each price
    Costs:   gpu-pricer score score.leave_one_out=true   the cost of each rule, in certificate.json
    Trade:   gpu-pricer score frontier=units   the highest profit at every volume
    Unsure:  gpu-pricer score policy=profit uncertainty=posterior score.details=[interval]   best on average over the
             posterior
    Wide:    gpu-pricer score score.layout=wide   a row per product and a column per segment, with prices only
    Array:   gpu-pricer score paths.shards=prices/tonight score.shards=8 score.shard=$SLURM_ARRAY_TASK_ID
    """
    tiling, frontier, day = instantiate(config.score), instantiate(config.frontier), pricing_day(config)
    policy = instantiate(config.policy).on(day)
    uncertainty = _uncertainty(config.uncertainty, tiling, frontier)
    if frontier.measure is not None:
        from gpu_pricer.versions.frontier import trace_frontier  # which draws a figure, and prices need none

        trace_frontier(config.paths, policy, tiling, frontier, config.backend, day)
        return None
    shards, warm_start = (
        None if path is None else Path(path) for path in (config.paths.shards, config.paths.warm_start)
    )
    folder, fairness = version_folder(Path(config.paths.prices), shards, tiling), instantiate(config.fairness)
    require_known_attributes(fairness)
    demand = Path(config.paths.demand)
    require_artefact(demand)
    sources = ScoredInputs(
        demand,
        Path(config.paths.catalog),
        Path(config.paths.prices),
        policy,
        day,
        config.data.catalog.price_includes_vat,
    )
    warn_of_segment_prices(sources.catalog, sources.prices)
    part = shard_part(folder, sources, tiling, uncertainty)
    priced = sources.read_catalog(part)
    if part is None:  # one shard may lack the products that a rule is about; the plan of all has warned
        warn_of_idle_rules(priced.catalog, policy.bounds)
    search = Search(None if warm_start is None else warm_start / RECORD, uncertainty)
    complete = _completion(folder, sources, priced.catalog if part is None else None, tiling, fairness)
    with finished_or_absent(folder, is_new=shards is None):
        version = score(sources.read_demand(part), priced, policy, tiling, folder, config.backend, search, complete)
    if version is None:
        return None
    remember_scored(Path(config.paths.work), Path(config.paths.prices), folder)
    return {"version": str(folder)}


def _completion(
    folder: Path, sources: ScoredInputs, catalog: pl.DataFrame | None, tiling: Tiling, fairness: Fairness
) -> Callable[[PriceVersion], None]:
    """Return what completes the version: copies of its sources, the cost of each rule if asked for, and the audit.

    catalog: None where this process read only a part of it.
    """
    demand, policy = sources.demand, sources.policy

    def complete(version: PriceVersion) -> None:
        """Complete the finished version; raise Refused where the audit finds too wide a gap."""
        whole = sources.read_whole_catalog(version.catalog) if catalog is None else catalog
        keep_sources(folder, version, demand, whole, policy)
        if tiling.leave_one_out:
            made_of, objective = (read_artefact(demand), whole, policy), certified_objective(folder / RECORD)
            costs = rule_costs(*made_of, tiling, version.backend, objective, version.uncertainty)
            log.info("what each rule costs is in %s", add_costs(folder / RECORD, costs))
        audit_version(folder, demand, fairness)

    return complete


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
