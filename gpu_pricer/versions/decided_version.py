"""A version with the prices that people decided on: those of its base version except the rejected and overridden ones.

Nothing is optimised again, so that all other prices are those that people saw, bit for bit: the tiles of the base are
solved under its own multipliers, and the decided prices are inserted. The certificate then says what the limits on the
assortment reach, and how far the prices are from the best ones that include the decided ones.
"""

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from gpu_pricer.constraints import ConstrainedProblem, MarketData, objective_weights
from gpu_pricer.constraints.certificate import MISSED
from gpu_pricer.constraints.certificate_file import read_certificate
from gpu_pricer.constraints.lagrangian_record import RecordedLagrangian, read_lagrangian, write_lagrangian
from gpu_pricer.errors import InputError
from gpu_pricer.policy import Policy, with_rule_columns
from gpu_pricer.pricing import PricingProblem, Tiling, choose_changes, match_products, problem_of, score_tiles
from gpu_pricer.pricing.tiles.decided_cells import at_decided_prices
from gpu_pricer.pricing.tiles.lagrangian import LagrangianWeights
from gpu_pricer.pricing.tiles.solved_tile import SolvedTile, solve_tile
from gpu_pricer.process.progress import progress
from gpu_pricer.tables.files.locking import locked
from gpu_pricer.tables.price_table import collect_prices, scan_prices
from gpu_pricer.tables.version.decisions import write_decided
from gpu_pricer.tables.version.finished_files import remove_leftovers
from gpu_pricer.tables.version.names import LOCK, RECORD, file_name
from gpu_pricer.tables.version.price_history import recorded_history, write_history
from gpu_pricer.tables.version.price_version import PriceVersion
from gpu_pricer.tables.version.version_record import close_shard, open_shard
from gpu_pricer.versions.repriced_version import Base
from gpu_pricer.versions.scored_version import empty_version, finish, origin_of, write_unpriced

log = logging.getLogger(__name__)

BASE = "base.json"
"""In the record of a decided version: the run whose proposals were decided on."""
MOST_NAMED = 3
"""Products that a warning names."""


class Problems(NamedTuple):
    """The problem that the base's prices solve, the one that fixes the decided prices, and the decided rows in it."""

    before: PricingProblem
    after: PricingProblem
    decided: np.ndarray


def write_decided_version(
    base: Base,
    policy: Policy,
    decided: pl.DataFrame,
    folder: Path,
    tiling: Tiling,
    complete: Callable[[PriceVersion], None],
) -> PriceVersion:
    """Write the version of the base's prices with the decided ones into a new folder.

    policy: see decided_policy. decided: the decisions that change prices, as in tables.decisions. tiling: how files are
    cut; layout and details must be the base's. complete: see `score`. InputError where the base's other prices are not
    found again, as by other code.
    """
    artefact, catalog, before = base.sources
    problems = _problems(base, policy, decided)
    problem, backend = problems.after, base.version.backend
    version = empty_version(
        problem, origin_of(artefact, policy, catalog), tiling, folder.name, backend, base.version.uncertainty
    )
    version = replace(version, day=base.version.day, warm_start=base.version.warm_start)
    market = MarketData(catalog, artefact.segments, artefact.info.currency)
    recorded = None
    if before.active_constraints:
        recorded = read_lagrangian(base.folder / RECORD, problems.before, before.objective, market)
    record = folder / RECORD
    with locked(folder / LOCK, "score this version", shared=True):
        open_shard(folder, None)
        remove_leftovers(folder, None, ())
        write_unpriced(problem.unpriced, record)
        history = recorded_history(base.folder)
        if history is not None:
            write_history(history, folder)
        write_decided(decided, folder)
        (record / BASE).write_text(json.dumps({"run": base.version.run}) + "\n")
        if recorded is not None:
            _certify(problems, recorded, market, policy, base, record)
        lagrangian = None if recorded is None else recorded.weights
        finished = close_shard(folder, 0, _write(problems, lagrangian, tiling, folder, version))
        assert finished is not None  # there is one shard
        _require_same(base.folder, folder, decided["product_id"])
        finish(folder, finished, complete)
    return finished


def base_run(folder: Path) -> str | None:
    """Return the run whose proposals were decided on for the version in a folder, None for a version as scored."""
    path = folder / RECORD / BASE
    return str(json.loads(path.read_text())["run"]) if path.is_file() else None


def _problems(base: Base, policy: Policy, decided: pl.DataFrame) -> Problems:
    artefact, catalog, before = base.sources
    made = [
        problem_of(
            artefact, match_products(with_rule_columns(catalog, one.bounds), artefact), one, base.version.uncertainty
        )
        for one in (before, policy)
    ]
    ids = made[0].products.product_id.cast(pl.String)
    return Problems(made[0], made[1], ids.is_in(decided["product_id"].implode()).arg_true().to_numpy())


def _write(
    problems: Problems, lagrangian: LagrangianWeights | None, tiling: Tiling, folder: Path, version: PriceVersion
) -> PriceVersion:
    before, problem, decided = problems
    segments, start = len(problem.segments.segment_id), problem.products.category_start
    before = choose_changes(before, tiling.all_tiles(start, segments), version.backend)

    def solve(first: int, last: int) -> SolvedTile:
        return at_decided_prices(solve_tile(before, first, last, version.backend, lagrangian), problem, decided)

    tiles = {file_name(folder.name, 0, n): tile for n, tile in enumerate(tiling.tiles(0, start, segments))}
    with progress("review", segments * len(problem.products.product_id)) as done:
        tallies = score_tiles(
            problem, tiling, tiles, folder, version.metadata, lambda name, tally: done(tally.rows), solve
        )
    return version.with_files(tallies)


def _certify(
    problems: Problems, recorded: RecordedLagrangian, market: MarketData, policy: Policy, base: Base, record: Path
) -> None:
    """Write the certificate and the Lagrangian of the decided prices into the version's record."""
    before, problem, decided = problems
    lagrangian = recorded.weights
    summary = read_certificate(base.folder / RECORD)
    constrained = ConstrainedProblem(problem, policy.active_constraints, market, base.version.backend)
    eased = np.array([summary["constraints"][name]["relaxed"] for name in constrained.on_sums], np.bool_)
    at = partial(
        _prices, ConstrainedProblem(before, policy.active_constraints, market, base.version.backend), lagrangian
    )

    def after(categories: tuple[int, int]) -> np.ndarray:
        price, products = at(categories).copy(), problem.product_slice(*categories)
        mine = decided[(decided >= products.start) & (decided < products.stop)]
        price[mine - products.start] = problem.limits.low[mine, None]
        return price

    start = constrained.read_start(base.folder / RECORD)
    certificate, lowered = constrained.certify(objective_weights(policy.objective), lagrangian, start, at, after, eased)
    relaxed = {name: _decided_in(problem, decided, is_lowered) for name, is_lowered in lowered.items()}
    told = {"base": base.version.run, "products": len(decided), "objective_before": summary["objective"]}
    replace(certificate, summary=certificate.summary | {"decided": told | {"relaxed": relaxed}}).write(record)
    write_lagrangian(recorded, problem.products.product_id, record)
    for name, ids in relaxed.items():
        more = f" and {len(ids) - MOST_NAMED} more" if len(ids) > MOST_NAMED else ""
        log.warning(
            "a limit is relaxed by the decisions about %s%s: %s",
            ", ".join(ids[:MOST_NAMED]), more, certificate.shortfall(name),
        )  # fmt: skip
    if certificate.status == MISSED:
        log.warning("limits were missed before the decisions: %s", "; ".join(certificate.shortfalls()))


def _decided_in(problem: PricingProblem, decided: np.ndarray, is_chosen: np.ndarray) -> list[str]:
    """Return the ids as text of the decided products in the chosen categories, bool [G]."""
    category = np.searchsorted(problem.products.category_start, decided, side="right") - 1
    return problem.products.product_id.cast(pl.String).gather(decided[is_chosen[category]]).to_list()


def _prices(constrained: ConstrainedProblem, lagrangian: LagrangianWeights, categories: tuple[int, int]) -> np.ndarray:
    return constrained.subproblems.best_prices(lagrangian, categories)


def _require_same(before: Path, after: Path, decided: pl.Series) -> None:
    """Raise InputError unless every other price of the two versions is the same."""
    key = [pl.col(name).cast(pl.String) for name in ("product_id", "segment_id")]
    tables = [
        scan_prices(folder).select(*key, "price").filter(~pl.col("product_id").is_in(decided.implode()))
        for folder in (before, after)
    ]
    others = (
        tables[0]
        .join(tables[1], on=["product_id", "segment_id", "price"], how="anti")
        .head(1)
        .pipe(collect_prices, before)
    )
    if others.height:
        raise InputError(
            f"{before} must have the prices that its record leads to, found others, as {others.row(0)}: score again"
        )
