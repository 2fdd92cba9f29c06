"""The part of `score` that shows what more of a measure costs, and writes no prices."""

import logging
from pathlib import Path

from omegaconf import DictConfig

from gpu_pricer.constraints.certificate import MET
from gpu_pricer.constraints.constrained_problem import Planner
from gpu_pricer.constraints.frontier import Frontier, table_of, today_row, trace
from gpu_pricer.constraints.linear_constraints import weights_of
from gpu_pricer.errors import InputError, Refused
from gpu_pricer.evaluation.frontier_plot import draw_frontier
from gpu_pricer.jobs.backends import backend_of, resolved
from gpu_pricer.policy.policy import Policy
from gpu_pricer.pricing.problem.pricing_problem import pricing_problem
from gpu_pricer.pricing.tiling import Tiling
from gpu_pricer.tables.artefact import read_artefact
from gpu_pricer.tables.price_version import RECORD
from gpu_pricer.tables.priced_products import read_catalog
from gpu_pricer.tables.replacing import replacing_file

log = logging.getLogger(__name__)


def trace_frontier(paths: DictConfig, policy: Policy, tiling: Tiling, frontier: Frontier, backend: str) -> None:
    """Write the frontier of a measure as a table and a figure into the work folder.

    InputError where the policy has rules that no multiplier can steer prices under, Refused where its constraints
    cannot be met together.
    """
    _require_whole(policy, tiling, frontier)
    found = resolved(backend)
    artefact, catalog = read_artefact(Path(paths.demand)), read_catalog(Path(paths.catalog), policy.columns)
    problem = pricing_problem(artefact, catalog, policy)
    currency = artefact.info.currency
    planner = Planner(problem, policy.asked, catalog, artefact.segments, currency, backend_of(problem, backend, found))
    start = None if paths.warm_start is None else planner.read_start(Path(paths.warm_start) / RECORD)
    objective = weights_of(policy.objective)
    rows = [today_row(planner, objective)]
    for plan, row in trace(planner, objective, frontier, start):
        if plan.certificate.status != MET:
            raise Refused(
                "a frontier needs policy.constraints that can be met together, found that they cannot be: "
                f"{'; '.join(plan.certificate.shortfalls())}: loosen them or widen the bounds"
            )
        rows.append(row)
        log.info("frontier of %s: %d of %d points", frontier.measure, len(rows) - 1, frontier.points)
    path = Path(paths.work) / "frontier" / f"{frontier.measure}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing_file(path) as fresh:
        table_of(rows).write_parquet(fresh)
    figure = Path(paths.work) / "plots" / f"frontier_{frontier.measure}.svg"
    draw_frontier(figure, table_of(rows), str(frontier.measure), currency)
    log.info("wrote %s and %s; frontier=%s writes no prices", path, figure, frontier.measure)


def _require_whole(policy: Policy, tiling: Tiling, frontier: Frontier) -> None:
    if policy.unsteerable:
        raise InputError(
            f"frontier={frontier.measure} cannot be traced beside bounds.{policy.unsteerable[0]}: set it to null"
        )
    if tiling.shard is not None or tiling.leave_one_out:
        raise InputError(
            f"frontier={frontier.measure} is of the whole assortment and writes no prices, found score.shard or "
            "score.leave_one_out set: leave them out"
        )
