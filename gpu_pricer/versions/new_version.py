"""A new version's folder: it is completed when the version is finished, and removed when the version fails."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
from hydra.utils import instantiate
from omegaconf import DictConfig

from gpu_pricer.errors import Refused
from gpu_pricer.policy import Policy
from gpu_pricer.tables.version.price_version import PriceVersion
from gpu_pricer.versions.fairness_audit import audit_version, require_known_attributes
from gpu_pricer.versions.repriced_version import Base
from gpu_pricer.versions.version_sources import keep_sources, source_paths


@contextmanager
def finished_or_absent(folder: Path, is_new: bool = True) -> Iterator[None]:
    """If the block fails or a signal ends it, remove the version's folder, if it is new.

    A folder that paths.shards names keeps the other tasks' shards; without its record nothing publishes it. A version
    that was refused stays, because its certificate or its audit says why.
    """
    try:
        yield
    except Refused:
        raise
    except BaseException:
        if is_new:
            shutil.rmtree(folder, ignore_errors=True)
        raise


def completion_from(
    base: Base, config: DictConfig, folder: Path, catalog: pl.DataFrame, policy: Policy
) -> Callable[[PriceVersion], None]:
    """Return what completes a version in a folder, made from `base`: it keeps copies of its sources and audits it.

    catalog, policy: those that the version is priced from. InputError unless the users' table has the protected
    attributes.
    """
    fairness = instantiate(config.fairness)
    require_known_attributes(fairness)
    demand, _ = source_paths(config, base.folder, base.version)

    def complete(version: PriceVersion) -> None:
        """Complete the finished version; raise Refused where the audit finds too wide a gap."""
        keep_sources(folder, version, demand, catalog, policy)
        audit_version(folder, demand, fairness)

    return complete
