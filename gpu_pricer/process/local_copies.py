"""What a job reads from an object store is fetched before it begins, and its paths name the copies then."""

from pathlib import Path
from typing import cast

from omegaconf import DictConfig, OmegaConf

from gpu_pricer.errors import InputError
from gpu_pricer.process.ending import is_helper
from gpu_pricer.tables.stores.address import is_address
from gpu_pricer.tables.stores.local_copy import begin_copy, copy_folder, refresh

STORED = ("paths.prices", "data.path")
"""The keys whose values may be addresses of object stores."""
STORED_AS = (*STORED, "data.source.path")
"""These keys, and the one that repeats data.path."""
READS_RAW = ("prepare", "run")
READS_PRICES = ("score", "evaluate", "publish", "rollback", "report", "explain", "compare", "whatif", "run")
READS_LOG = ("versions", "vacuum", "outcome", "history", "assign")
"""The jobs that read of the published table what Delta's log and the records say; they fetch prices that they need."""
NOT_YET = ("review", "explore", "reprice")
"""The jobs whose decisions and events are for one folder that all who work with them share."""


def with_local_copies(job: str, config: DictConfig) -> DictConfig:
    """Return the configuration with local copies in place of addresses; what the job reads is fetched.

    Raise InputError where a store does not answer, or where the job needs its prices in a folder of this machine.
    """
    addresses = {key: str(OmegaConf.select(config, key)) for key in STORED}
    addresses = {key: address for key, address in addresses.items() if is_address(address)}
    if not addresses or job == "config":
        return config
    if job in NOT_YET and "paths.prices" in addresses:
        raise InputError(
            f"{job} needs paths.prices in a folder of this machine, found {addresses['paths.prices']}: publish from "
            "there to the store with gpu-pricer publish"
        )
    config = cast(DictConfig, config.copy())
    for key, address in addresses.items():
        folder = copy_folder(Path(config.paths.work), address)
        begin_copy(folder, address.rstrip("/"))
        OmegaConf.update(config, key, str(folder))
    if not is_helper():
        _fetch(job, config, addresses)
    return config


def _fetch(job: str, config: DictConfig, addresses: dict[str, str]) -> None:
    if "data.path" in addresses and _reads_raw(job, config):
        refresh(Path(config.data.path), lambda key: True)
    if "paths.prices" in addresses and job in (*READS_PRICES, *READS_LOG):
        from gpu_pricer.tables.published.price_copy import refresh_copy  # and Numba with it, for few runs

        refresh_copy(Path(config.paths.prices), with_current=job in READS_PRICES)


def _reads_raw(job: str, config: DictConfig) -> bool:
    return job in READS_RAW and (job != "run" or "prepare" in config.run.steps)
