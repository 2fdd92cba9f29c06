"""publish: shards -> one atomic new version of the price table."""

import logging
from pathlib import Path

from hydra.utils import instantiate
from omegaconf import DictConfig

from gpu_pricer.errors import InputError
from gpu_pricer.gates import Evidence
from gpu_pricer.jobs.pricing_day import pricing_day
from gpu_pricer.jobs.review import as_decided_before, proposes_what_was_decided
from gpu_pricer.tables.delta_log import current_run, published_runs
from gpu_pricer.tables.version.names import METRICS_FILE, RUN_RECORD
from gpu_pricer.versions.last_scored import last_scored
from gpu_pricer.versions.publication import in_force_from, publish

log = logging.getLogger(__name__)


def inputs(config: DictConfig) -> list[Path]:
    """Return the record of the version to publish, which names its files and everything that they were made of."""
    return [_version_to_publish(config) / RUN_RECORD]


def main(config: DictConfig) -> None:
    """Make a scored version the price table, in one transaction, if it passes the gates.

    Reads   paths.shards    a folder that `score` finished; by default the version in paths.prices that `score` last
                            finished for paths.work, unless it was published and then replaced
    Writes  paths.prices    a Delta Lake table; _current links to the folder of its current version

    Approval  with publish.approval.asks=all, or some, people must have decided on the prices that move: see
            gpu-pricer review --help; rejected prices stay as today's, others are set by hand. Where nobody is
            asked and the version proposes prices that people rejected or overrode in an earlier one, a version that
            keeps to these decisions is made, and published in its place

    Gates   publish.gates measures the version, by itself and against the published one. A line names every gate that
            it does not pass, its number and its limit, and nothing is published. publish.accept lets a version that
            paths.shards names pass them once; the version's record, _record/publication.json, and Delta's log keep the
            reason

    A killed run leaves the published version as it was; run it again. Exit status 3: gates refused.
    Example: gpu-pricer publish publish.dry_run=true
    Accept:  gpu-pricer publish paths.shards=prices/tonight publish.accept=[max_mean_move] publish.reason='new costs'
    """
    publication = instantiate(config.publish, _convert_="all")
    if publication.accept and config.paths.shards is None:
        raise InputError(
            f"publish.accept must be for a version that somebody has looked at, found {', '.join(publication.accept)} "
            "without a version: name it with paths.shards"
        )
    folder = _version_to_publish(config)
    if config.paths.shards is None:
        log.info("the last version scored for %s is %s", config.paths.work, folder)
    if publication.dry_run and proposes_what_was_decided(config, folder):
        log.warning(
            "%s proposes prices that people decided about earlier: without dry_run a version that keeps to their "
            "decisions is made of it, and judged; nothing is judged now",
            folder,
        )
        return
    decided = as_decided_before(config, folder)
    if publication.accept and decided != folder:
        raise InputError(
            f"publish.accept must be for a version that somebody has looked at, found {folder}, in place of which "
            f"{decided} keeps to earlier decisions: look at it, and name it with paths.shards"
        )
    folder = decided
    evidence = Evidence(Path(config.paths.work) / METRICS_FILE, instantiate(config.fairness).max_gap)
    publish(Path(config.paths.prices), folder, publication, evidence, in_force_from(pricing_day(config)))


def _version_to_publish(config: DictConfig) -> Path:
    """Return the folder that paths.shards names, by default the last that `score` finished for the work folder.

    Raises InputError where that one was published and then replaced, so that nothing undoes the replacement unasked.
    """
    if config.paths.shards is not None:
        return Path(config.paths.shards)
    prices = Path(config.paths.prices)
    folder, current = last_scored(Path(config.paths.work), prices), current_run(prices)
    if folder.name != current and folder.name in published_runs(prices):
        raise InputError(
            "the version to publish must be one that was not published before, found that the last one scored, "
            f"{folder}, was published and then replaced by {current}: name the version to publish with paths.shards"
        )
    return folder
