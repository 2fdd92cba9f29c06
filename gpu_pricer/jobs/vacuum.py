"""vacuum: remove the files of old versions."""

import logging
from pathlib import Path

from hydra.utils import instantiate
from omegaconf import DictConfig

from gpu_pricer.tables.files.locking import locked
from gpu_pricer.tables.published.price_store import store_of
from gpu_pricer.tables.published.retention import Retention
from gpu_pricer.tables.stores.local_copy import shown
from gpu_pricer.versions.publication import PUBLISHING

log = logging.getLogger(__name__)


def inputs(config: DictConfig) -> list[Path]:
    """Return no files: no price is read."""
    return []


def main(config: DictConfig) -> None:
    """Remove the files of old versions, and what killed jobs left, by the rules by which `publish` does.

    Writes  paths.prices    without the versions that neither publish.keep nor publish.keep_hours keeps

    The current version stays in any case, and Delta's log goes on listing those that were removed. With
    publish.dry_run=true the job names what it would remove, and removes nothing.

    Example: gpu-pricer vacuum publish.keep=2 publish.dry_run=true
    """
    publication, prices = instantiate(config.publish, _convert_="all"), Path(config.paths.prices)
    retention = Retention(publication.keep, publication.keep_hours)
    with locked(prices / PUBLISHING, "vacuum"):
        store = store_of(prices)
        names = store.removable(retention) if publication.dry_run else store.remove_old(retention)
    for name in names:
        print(f"{'would remove' if publication.dry_run else 'removed'} {shown(prices)}/{name}")
    if not names:
        print(f"nothing to remove in {shown(prices)}")
