"""What a version was priced from: copies of its policy, catalog and artefact, by which its prices explain themselves.

The policy, its overrides and the catalog lie in the version's record; the artefact lies beside the versions, once.
"""

import logging
from datetime import date
from pathlib import Path
from typing import NamedTuple

import polars as pl
from hydra.utils import instantiate
from omegaconf import DictConfig

from gpu_pricer.errors import InputError
from gpu_pricer.policy import Policy
from gpu_pricer.policy.policy_copy import POLICY_COPY, read_policy, write_policy
from gpu_pricer.tables.artefact import DemandArtefact, read_artefact, read_segments
from gpu_pricer.tables.files.disk_errors import write_table
from gpu_pricer.tables.files.replacing import replacing_file
from gpu_pricer.tables.priced_products import catalog_fingerprint, read_catalog
from gpu_pricer.tables.published.kept_artefacts import keep_artefact, kept_artefact
from gpu_pricer.tables.version.catalog_copy import find_catalog_copy
from gpu_pricer.tables.version.names import CATALOG_COPY, KEPT, RECORD
from gpu_pricer.tables.version.price_history import recorded_history
from gpu_pricer.tables.version.price_version import PriceVersion
from gpu_pricer.tables.version.version_comparison import Compared
from gpu_pricer.tables.version.version_files import require_files
from gpu_pricer.tables.version.version_record import read_version
from gpu_pricer.versions.priced_catalog import with_history_columns

log = logging.getLogger(__name__)


class Sources(NamedTuple):
    """The demand, the catalog and the policy that a version was priced from."""

    artefact: DemandArtefact
    catalog: pl.DataFrame
    policy: Policy


def keep_sources(folder: Path, version: PriceVersion, demand: Path, catalog: pl.DataFrame, policy: Policy) -> None:
    """Copy what the version in a folder was priced from.

    Raises InputError if the artefact or the file of overrides changed while they were priced.
    """
    keep_settings(folder, version, catalog, policy)
    keep_artefact(demand, folder.parent, version.artefact)


def keep_settings(folder: Path, version: PriceVersion, catalog: pl.DataFrame, policy: Policy) -> None:
    """Copy the policy and the catalog of the version in a folder; InputError if the file of overrides changed."""
    record = folder / RECORD
    write_policy(policy, record)
    kept = read_policy(record)
    if kept is None or kept.fingerprint() != version.policy:
        raise InputError(f"{policy.overrides} must stay as it is while it is priced, found it changed: score again")
    with replacing_file(record / CATALOG_COPY) as fresh:
        write_table(catalog, fresh)


def read_sources(config: DictConfig, folder: Path, version: PriceVersion) -> Sources:
    """Return what the version in a folder was priced from: the copies, or what the configuration names without them.

    Raises InputError unless they are those that the version was priced from.
    """
    demand, catalog_file = source_paths(config, folder, version)
    policy = read_policy(folder / RECORD) or instantiate(config.policy)
    artefact = read_artefact(demand)
    catalog = find_catalog_copy(folder)
    if catalog is None:
        catalog, history = read_catalog(catalog_file, policy.columns), recorded_history(folder)
        if history is not None:
            catalog = with_history_columns(catalog, policy, history, date.fromisoformat(version.day))
    is_kept = (folder / RECORD / POLICY_COPY).is_file()
    settings = str(folder / RECORD / POLICY_COPY) if is_kept else "policy and its overrides"
    _require(settings, policy.fingerprint(), version.policy, version.run)
    _require(str(demand), artefact.fingerprint(), version.artefact, version.run)
    _require(str(catalog_file), catalog_fingerprint(catalog), version.catalog, version.run)
    return Sources(artefact, catalog, policy)


def source_paths(config: DictConfig, folder: Path, version: PriceVersion) -> tuple[Path, Path]:
    """Return where the version's artefact and its catalog lie: the copies, or what the configuration names.

    A what-if has no copy of its artefact; it lies among the published versions.
    """
    catalog = folder / RECORD / CATALOG_COPY
    kept = (kept_artefact(place, version.artefact) for place in (folder.parent, Path(config.paths.prices)))
    return (
        next((demand for demand in kept if demand.is_dir()), Path(config.paths.demand)),
        catalog if catalog.is_file() else Path(config.paths.catalog),
    )


def compared_version(config: DictConfig, folder: Path) -> Compared:
    """Return the version in a folder with its demand's expected visits, without these where its demand is gone.

    Raise InputError where a file of its prices is lost: its products would seem to be gone.
    """
    version = read_version(folder)
    require_files(folder, version)
    demand = source_paths(config, folder, version)[0]
    is_kept = demand.name == version.artefact and demand.parent.name == KEPT
    if not is_kept and (not demand.is_dir() or read_artefact(demand).fingerprint() != version.artefact):
        log.info("no units and profit for %s: its demand artefact was removed", version.run)
        return Compared(folder, None)
    return Compared(folder, read_segments(demand)[0].select(pl.col("segment_id").cast(pl.String), "visits"))


def _require(name: str, found: str, expected: str, run: str) -> None:
    if found != expected:
        raise InputError(
            f"{name} must be what {run} was scored from ({expected}), found another ({found}): "
            "repeat the settings of that run, see run.json of the score job, or score again"
        )
