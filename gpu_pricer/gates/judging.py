"""All gates at once: what a version is measured by before it may be published."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import polars as pl

from gpu_pricer.gates.continuity import continuity_outcomes
from gpu_pricer.gates.evidence import Evidence, held_out_outcomes, proof_outcomes, sales_outcomes
from gpu_pricer.gates.moves import published_outcomes, single_move_outcomes, today_outcomes
from gpu_pricer.gates.outcome import Outcome
from gpu_pricer.gates.published import Published
from gpu_pricer.gates.settings import Gates
from gpu_pricer.gates.taught_prices import taught_prices
from gpu_pricer.policy.policy_copy import read_policy
from gpu_pricer.policy.price_range import move_range
from gpu_pricer.tables.version.names import RECORD
from gpu_pricer.tables.version.price_moves import price_moves
from gpu_pricer.tables.version.price_version import PriceVersion
from gpu_pricer.tables.version.version_files import FileFacts, categories_of, checked_files


class Judged(NamedTuple):
    """What Delta needs to know of a version's files, and the outcome of every gate that is on."""

    files: list[FileFacts]
    outcomes: list[Outcome]


def judge_version(
    folder: Path, version: PriceVersion, gates: Gates, published: Published | None, evidence: Evidence
) -> Judged:
    """Return the facts of the version's files and the outcomes of the gates; the files are read one at a time.

    published: None before the first publication, when nothing is compared with it. Raise InputError or Refused where
    the files break the contract of the price table, whatever the gates are.
    """
    policy = read_policy(folder / RECORD)
    limits = None if policy is None else partial(move_range, policy.bounds)
    taught = taught_prices(folder, version)
    files, parts = [], []
    for facts, grid in checked_files(folder, version):
        files.append(facts)
        before = None if published is None else published.prices_for(grid)
        known = None if taught is None else taught.of(grid.product_id)
        parts.append(price_moves(grid, limits, before, gates.far, known))
    moves = pl.concat(parts)

    def outcomes() -> Iterator[Outcome]:
        """Yield the outcome of every gate in the order in which they are shown."""
        yield from today_outcomes(moves, gates, has_policy=policy is not None)
        yield from single_move_outcomes(moves, gates.max_single_move)
        yield from proof_outcomes(folder, policy, gates, evidence.max_gap)
        if published is not None:
            yield from continuity_outcomes(folder, version, moves["product_id"], published, gates)
            yield from published_outcomes(moves, gates, categories_of(folder))
            yield from sales_outcomes(version, published, gates)
            yield from held_out_outcomes(folder, version, published, gates, evidence.metrics)

    return Judged(files, [*outcomes()])
