"""The version of the price table that `score` writes: its folder, its sources and its record."""

import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import polars as pl

from gpu_pricer.errors import InputError
from gpu_pricer.policy import Policy
from gpu_pricer.pricing import PricingProblem, Tiling
from gpu_pricer.tables.artefact import DemandArtefact, DemandInfo
from gpu_pricer.tables.price_version import FOLDER_NAME, PriceVersion, Tally, new_run
from gpu_pricer.tables.priced_products import catalog_fingerprint
from gpu_pricer.tables.publishing import published_runs
from gpu_pricer.tables.replacing import replacing_file

log = logging.getLogger(__name__)


class Origin(NamedTuple):
    """The sources of a version: the demand's demand.json, and the fingerprints of artefact, policy and catalog."""

    demand: DemandInfo
    artefact: str
    policy: str
    catalog: str


def origin_of(artefact: DemandArtefact, policy: Policy, catalog: pl.DataFrame) -> Origin:
    """Return the sources of a version that is priced from these."""
    return Origin(artefact.info, artefact.fingerprint(), policy.fingerprint(), catalog_fingerprint(catalog))


def version_folder(prices: Path, shards: Path | None, tiling: Tiling) -> Path:
    """Return the folder to write into. Raises InputError for a published version or a name that is not allowed."""
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


def empty_version(
    problem: PricingProblem, origin: Origin, tiling: Tiling, run: str, backend: str, uncertainty: str
) -> PriceVersion:
    """Return the record of the version before any price is written."""
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


def write_unpriced(unpriced: pl.DataFrame, folder: Path) -> None:
    """Write the products without a price into the record, so that <version>/*.parquet has only the price table."""
    with replacing_file(folder / "unpriced.parquet") as fresh:
        unpriced.write_parquet(fresh)
    if unpriced.height:
        log.warning("%d products cannot be priced, see %s", unpriced.height, folder / "unpriced.parquet")
