"""publish: shards -> one atomic new version of the price table."""

import logging
from dataclasses import dataclass
from pathlib import Path

from hydra.utils import instantiate
from omegaconf import DictConfig

from gpu_pricer.checks import require_flag, require_integer
from gpu_pricer.tables.price_version import RUN_RECORD, read_version
from gpu_pricer.tables.publication_gates import Gates, check_files
from gpu_pricer.tables.publishing import (
    bring_inside,
    commit_version,
    current_run,
    newest_version,
    point_current,
    remove_old_versions,
)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Publication:
    """The settings of `publish`.

    dry_run: stop before the commit. keep: number of versions whose files stay. gates: limits that a version must keep.
    """

    dry_run: bool
    keep: int
    gates: Gates

    def __post_init__(self) -> None:
        require_flag("publish.dry_run", self.dry_run)
        require_integer("publish.keep", self.keep, 1)
        if not isinstance(self.gates, Gates):
            raise ValueError(f"publish.gates must be Gates, found {self.gates!r}")


def inputs(config: DictConfig) -> list[Path]:
    """Return the record of the version to publish, which names its files and everything that they were made of."""
    shards, prices = config.paths.shards, Path(config.paths.prices)
    return [(newest_version(prices) if shards is None else Path(shards)) / RUN_RECORD]


def main(config: DictConfig) -> None:
    """Make a scored version the price table, in one transaction, if it passes the gates.

    Reads   paths.shards    a folder that `score` finished; by default the newest in paths.prices
    Writes  paths.prices    a Delta Lake table; _current links to the folder of its current version

    A killed run leaves the published version as it was; run it again. Exit status 3: a gate refused.
    Example: gpu-pricer publish publish.dry_run=true
    """
    shards = None if config.paths.shards is None else Path(config.paths.shards)
    publish(Path(config.paths.prices), shards, instantiate(config.publish))


def publish(prices: Path, shards: Path | None, publication: Publication) -> str:
    """Publish a version unless it is the current one already, and return the run that is current afterwards.

    Unless it is a dry run, the link is pointed at the current version and old versions are removed in either case,
    because an earlier run may have been killed before it did so. A dry run returns the current run, or "" for none.
    """
    folder = newest_version(prices) if shards is None else shards
    version, current = read_version(folder), current_run(prices)
    if version.run == current and read_version(prices / current) == version:
        log.info("%s is the current version already", folder)
    else:
        files = check_files(folder, version, publication.gates)
        if publication.dry_run:
            print(_preview(version.run, current, version.totals()))
            return current or ""
        folder = bring_inside(folder, prices)
        number = commit_version(prices, folder, version, files)
        log.info("published %s as version %d of %s", version.run, number, prices)
    if not publication.dry_run:
        point_current(prices, version.run)
        for name in remove_old_versions(prices, publication.keep):
            log.info("removed %s", prices / name)
    return version.run


def _preview(run: str, current: str | None, totals: dict[str, object]) -> str:
    lines = [f"dry run: {run} passes the gates and would replace {current or 'nothing'}"]
    return "\n".join(lines + [f"  {name}: {value}" for name, value in totals.items()])
