"""The frontier of a measure, traced by `score`, which then writes no prices, or by `report` around a version."""

import logging
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
from omegaconf import DictConfig

from gpu_pricer.constraints.certificate import MET
from gpu_pricer.constraints.certificate_file import CERTIFICATE
from gpu_pricer.constraints.constrained_problem import ConstrainedProblem, MarketData
from gpu_pricer.constraints.frontier import Frontier, frontier_table, row_at_today, trace_points
from gpu_pricer.constraints.linear_constraints import objective_weights
from gpu_pricer.errors import UNREADABLE, InputError, Refused, first_line
from gpu_pricer.evaluation.frontier_plot import draw_frontier
from gpu_pricer.policy.policy import Policy
from gpu_pricer.pricing import POINT
from gpu_pricer.pricing.problem.pricing_problem import pricing_problem
from gpu_pricer.pricing.tiling import Tiling
from gpu_pricer.tables.artefact import read_artefact
from gpu_pricer.tables.files.disk_errors import write_table
from gpu_pricer.tables.files.replacing import replacing_file
from gpu_pricer.tables.priced_products import catalog_fingerprint
from gpu_pricer.tables.version.names import RECORD
from gpu_pricer.tables.version.price_version import PriceVersion
from gpu_pricer.versions.backends import backend_of, resolved
from gpu_pricer.versions.priced_catalog import read_priced_catalog
from gpu_pricer.versions.version_sources import Sources

log = logging.getLogger(__name__)

FRONTIERS = "frontier"
"""In paths.work: a table per measure. Its metadata has the fingerprints SOURCES of what it was traced from, and under
TRACED which frontier was asked for."""

SOURCES = ("artefact", "catalog", "policy")
TRACED = "traced"


def trace_frontier(
    paths: DictConfig, policy: Policy, tiling: Tiling, frontier: Frontier, backend: str, day: date
) -> None:
    """Write the frontier of a measure, for prices that are set on a day, as a table and a figure into the work folder.

    Raise InputError where the policy or the tiling does not go with a frontier, and Refused where the policy's
    constraints cannot be met together.
    """
    _require_traceable(policy, tiling, frontier)
    artefact = read_artefact(Path(paths.demand))
    catalog = read_priced_catalog(Path(paths.catalog), policy, Path(paths.prices), day).catalog
    start = None if paths.warm_start is None else Path(paths.warm_start) / RECORD
    write_frontier(Sources(artefact, catalog, policy), frontier, Path(paths.work), backend, start)
    log.info("frontier=%s writes no prices", frontier.measure)


def trace_frontier_of(
    folder: Path, version: PriceVersion, sources: Sources, frontier: Frontier, work: Path, backend: str
) -> None:
    """Write the frontier around the prices of a version into the work folder, unless the same one is there.

    Raise InputError where there is none around such prices, see frontier_obstacle.
    """
    if _is_recorded(work, version, frontier):
        return
    obstacle = frontier_obstacle(version, sources.policy)
    if obstacle is not None:
        raise InputError(f"frontier={frontier.measure} cannot be traced of {version.run}: {obstacle}")
    has_start = bool(sources.policy.active_constraints) and (folder / RECORD / CERTIFICATE).is_file()
    write_frontier(sources, frontier, work, backend, folder / RECORD if has_start else None)


def frontier_obstacle(version: PriceVersion, policy: Policy) -> str | None:
    """Return why no frontier can be traced around a version's prices, None where one can."""
    if policy.coupling_rules:
        return f"the rule {policy.coupling_rules[0]} ties prices together"
    if version.uncertainty != POINT:
        return f"it was priced with uncertainty={version.uncertainty}, and a frontier belongs to one demand"
    return None


def write_frontier(sources: Sources, frontier: Frontier, work: Path, backend: str, start: Path | None) -> None:
    """Trace a frontier and write its table and its figure into the work folder.

    The table's metadata names the sources, so that nobody shows it beside prices made from others. start: a version's
    record, from whose multipliers the search starts. Raise Refused where the policy's constraints cannot be met
    together.
    """
    found = resolved(backend)
    artefact, catalog, policy = sources
    problem = pricing_problem(artefact, catalog, policy)
    market = MarketData(catalog, artefact.segments, artefact.info.currency)
    backend = backend_of(problem, backend, found)
    constrained = ConstrainedProblem(problem, policy.active_constraints, market, backend)
    table = frontier_table(_rows(constrained, objective_weights(policy.objective), frontier, start))
    path = work / FRONTIERS / f"{frontier.measure}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    made_of = (artefact.fingerprint(), catalog_fingerprint(catalog), policy.fingerprint())
    with replacing_file(path) as fresh:
        write_table(table, fresh, dict(zip(SOURCES, made_of, strict=True)) | {TRACED: repr(frontier)})
    figure = work / "plots" / f"frontier_{frontier.measure}.svg"
    draw_frontier(figure, table, str(frontier.measure), market.currency)
    log.info("wrote %s and %s", path, figure)


def recorded_frontiers(work: Path, version: PriceVersion) -> dict[str, pl.DataFrame]:
    """Return the tables of the frontiers in a work folder that were traced from a version's own sources, by measure."""
    made_of = {name: getattr(version, name) for name in SOURCES}
    found = {}
    for path in sorted((work / FRONTIERS).glob("*.parquet")):
        try:
            if made_of.items() <= pl.read_parquet_metadata(path).items():
                found[path.stem] = pl.read_parquet(path)
        except UNREADABLE as error:
            raise InputError(
                f"{path} must be a whole Parquet file, found: {first_line(error)}: remove it, or trace it again"
            ) from error
    return found


def _is_recorded(work: Path, version: PriceVersion, frontier: Frontier) -> bool:
    """Return whether this frontier was traced from the version's own sources, with as many points and as far."""
    path = work / FRONTIERS / f"{frontier.measure}.parquet"
    is_of_version = str(frontier.measure) in recorded_frontiers(work, version)
    return is_of_version and pl.read_parquet_metadata(path).get(TRACED) == repr(frontier)


def _rows(
    constrained: ConstrainedProblem, objective: np.ndarray, frontier: Frontier, record: Path | None
) -> list[dict[str, object]]:
    """Return the rows of the frontier's table: today's prices, then its points."""
    start = None if record is None else constrained.read_start(record)
    rows = [row_at_today(constrained, objective)]
    for prices, row in trace_points(constrained, objective, frontier, start):
        if prices.certificate.status != MET:
            raise Refused(
                "a frontier needs policy.constraints that can be met together, found that they cannot be: "
                f"{'; '.join(prices.certificate.shortfalls())}: loosen them or widen the bounds"
            )
        rows.append(row)
        log.info("frontier of %s: %d of %d points", frontier.measure, len(rows) - 1, frontier.points)
    return rows


def _require_traceable(policy: Policy, tiling: Tiling, frontier: Frontier) -> None:
    """Raise InputError beside rules that couple cells, or where only a part of the assortment is to be priced."""
    if policy.coupling_rules:
        raise InputError(
            f"frontier={frontier.measure} cannot be traced beside bounds.{policy.coupling_rules[0]}: set it to null"
        )
    if tiling.shard is not None or tiling.leave_one_out:
        raise InputError(
            f"frontier={frontier.measure} is of the whole assortment and writes no prices, found score.shard or "
            "score.leave_one_out set: leave them out"
        )
