"""The part of `score` that shows what more of a measure costs, and writes no prices."""

import logging
from datetime import date
from pathlib import Path

from omegaconf import DictConfig

from gpu_pricer.constraints.certificate import MET
from gpu_pricer.constraints.constrained_problem import ConstrainedProblem, MarketData
from gpu_pricer.constraints.frontier import Frontier, frontier_table, row_at_today, trace_points
from gpu_pricer.constraints.linear_constraints import objective_weights
from gpu_pricer.errors import InputError, Refused
from gpu_pricer.evaluation.frontier_plot import draw_frontier
from gpu_pricer.jobs.backends import backend_of, resolved
from gpu_pricer.jobs.priced_catalog import read_priced_catalog
from gpu_pricer.policy.policy import Policy
from gpu_pricer.pricing.problem.pricing_problem import pricing_problem
from gpu_pricer.pricing.tiling import Tiling
from gpu_pricer.tables.artefact import read_artefact
from gpu_pricer.tables.disk_errors import write_table
from gpu_pricer.tables.price_version import RECORD
from gpu_pricer.tables.replacing import replacing_file

log = logging.getLogger(__name__)


def trace_frontier(
    paths: DictConfig, policy: Policy, tiling: Tiling, frontier: Frontier, backend: str, day: date
) -> None:
    """Write the frontier of a measure, for prices that are set on a day, as a table and a figure into the work folder.

    Raise InputError where the policy or the tiling does not go with a frontier, and Refused where the policy's
    constraints cannot be met together.
    """
    _require_traceable(policy, tiling, frontier)
    found = resolved(backend)
    artefact = read_artefact(Path(paths.demand))
    catalog = read_priced_catalog(Path(paths.catalog), policy, Path(paths.prices), day).catalog
    problem = pricing_problem(artefact, catalog, policy)
    market = MarketData(catalog, artefact.segments, artefact.info.currency)
    backend = backend_of(problem, backend, found)
    constrained = ConstrainedProblem(problem, policy.active_constraints, market, backend)
    start = None if paths.warm_start is None else constrained.read_start(Path(paths.warm_start) / RECORD)
    objective = objective_weights(policy.objective)
    rows = [row_at_today(constrained, objective)]
    for prices, row in trace_points(constrained, objective, frontier, start):
        if prices.certificate.status != MET:
            raise Refused(
                "a frontier needs policy.constraints that can be met together, found that they cannot be: "
                f"{'; '.join(prices.certificate.shortfalls())}: loosen them or widen the bounds"
            )
        rows.append(row)
        log.info("frontier of %s: %d of %d points", frontier.measure, len(rows) - 1, frontier.points)
    path = Path(paths.work) / "frontier" / f"{frontier.measure}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing_file(path) as fresh:
        write_table(frontier_table(rows), fresh)
    figure = Path(paths.work) / "plots" / f"frontier_{frontier.measure}.svg"
    draw_frontier(figure, frontier_table(rows), str(frontier.measure), market.currency)
    log.info("wrote %s and %s; frontier=%s writes no prices", path, figure, frontier.measure)


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
