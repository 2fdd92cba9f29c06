"""rollback: an older version -> the price table again."""

from pathlib import Path
from typing import cast

from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from gpu_pricer.errors import InputError
from gpu_pricer.gates import Evidence
from gpu_pricer.jobs.pricing_day import pricing_day
from gpu_pricer.tables.delta_log import current_run
from gpu_pricer.tables.published.version_log import find_version
from gpu_pricer.tables.version.names import METRICS_FILE, RUN_RECORD
from gpu_pricer.versions.publication import in_force_from, publish

OPERANDS = ("rollback.to",)


def inputs(config: DictConfig) -> list[Path]:
    """Return the record of the version to publish again."""
    return [_version(config) / RUN_RECORD]


def main(config: DictConfig) -> None:
    """Publish an older version again, as a new commit: Delta's log keeps all that was published in between.

    Reads   paths.prices    the version that rollback.to names: its run, or its number in `gpu-pricer versions`
    Writes  paths.prices    one Delta transaction, and the link _current

    The version passes through the same transaction and the same gates as by `publish`; publish.accept lets it pass
    some of them. rollback.reason, which must be given, stays in Delta's log and in the version's record. A version
    whose files were removed is refused. `score` goes on from today's catalog as before.

    Example: gpu-pricer rollback 3 rollback.reason='wrong costs in version 4'
    """
    reason = config.rollback.reason
    if not (isinstance(reason, str) and reason.strip()):
        raise InputError(f"rollback.reason must say why, found {reason!r}: set rollback.reason='WHY'")
    folder, prices = _version(config), Path(config.paths.prices)
    if folder.name == current_run(prices):
        raise InputError(
            f"rollback must name a version that is not the current one, found {folder.name}: see gpu-pricer versions"
        )
    settings = config.publish
    if settings.accept and settings.reason is None:
        settings = cast(DictConfig, OmegaConf.merge(settings, {"reason": reason}))
    publication = instantiate(settings, _convert_="all")
    evidence = Evidence(Path(config.paths.work) / METRICS_FILE, instantiate(config.fairness).max_gap)
    publish(
        prices,
        folder,
        publication,
        evidence,
        in_force_from(pricing_day(config)) | {"action": "rollback", "reason": reason},
    )


def _version(config: DictConfig) -> Path:
    """Return the folder of the version to publish again; raise InputError unless it lies in paths.prices."""
    if config.rollback.to is None:
        raise InputError("rollback needs a version, found none: gpu-pricer rollback VERSION, see gpu-pricer versions")
    prices = Path(config.paths.prices)
    folder = find_version(prices, str(config.rollback.to))
    if folder.parent.resolve() != prices.resolve():
        raise InputError(f"rollback.to must be a version in {prices}, found {folder}: publish it with paths.shards")
    return folder
