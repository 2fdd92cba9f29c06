"""The copy on this machine of the published price table in an object store: what of it is fetched, and when.

Every job has the records, promises and decisions; prices and artefacts come with the versions that are asked for.
"""

import shutil
from functools import partial
from pathlib import Path

from gpu_pricer.errors import InputError
from gpu_pricer.tables.delta_log import current_run
from gpu_pricer.tables.published.publishing import point_current
from gpu_pricer.tables.stores.bucket import Bucket
from gpu_pricer.tables.stores.local_copy import address_of, bring, is_fetched, refresh
from gpu_pricer.tables.version.decisions import LOG as DECISIONS
from gpu_pricer.tables.version.names import KEPT, PROMISES, RECORD, RUN_RECORD, SEAL
from gpu_pricer.tables.version.seal import UNSEALED, require_sealed
from gpu_pricer.tables.version.version_record import read_version

BESIDE = (PROMISES, DECISIONS)
"""The folders beside the versions that a copy holds whole."""


def bring_version(prices: Path, run: str) -> Path:
    """Return the folder of a version with all its files in it, fetched and verified if `prices` is a copy.

    The artefact that it was priced from is fetched too. Raise InputError if the copy has another version of that name,
    which was scored on this machine.
    """
    folder, address = prices / run, address_of(prices)
    if address is None:
        return folder
    if _is_another(prices, Bucket(address), run):
        raise InputError(f"{folder} must be {address}/{run}, found another version of that name: move it away")
    if bring(prices, run, partial(_is_sealed, prices)):
        require_sealed(folder)
    if (folder / RUN_RECORD).is_file():
        bring(prices, f"{KEPT}/{read_version(folder).artefact}")
    return folder


def refresh_copy(prices: Path, with_current: bool) -> None:
    """Let a copy hold the records, promises and decisions of the store, and the current version whole if asked for.

    Versions that were removed from the store are removed from the copy; those that were only scored stay.
    """
    bucket = Bucket(str(address_of(prices)))
    others = [path.parents[1].name for path in prices.glob(f"*/{SEAL}")]
    others = [run for run in others if _is_another(prices, bucket, run)]

    def is_chosen(key: str) -> bool:
        return _is_told(key) and key.partition("/")[0] not in others

    for key in refresh(prices, is_chosen, partial(_is_sealed, prices)):
        run, _, inner = key.partition("/")
        if inner == RUN_RECORD:
            shutil.rmtree(prices / run, ignore_errors=True)
    current = current_run(prices) if with_current else None
    if current is not None:
        bring_version(prices, current)
        point_current(prices)


def _is_another(prices: Path, bucket: Bucket, run: str) -> bool:
    """Return whether the copy has a version that was scored here and the store another one of the same name."""
    seal = prices / run / SEAL
    if not seal.is_file() or is_fetched(prices, f"{run}/{SEAL}"):
        return False
    return bucket.read(f"{run}/{SEAL}") not in (None, seal.read_bytes())


def _is_told(key: str) -> bool:
    folder, _, inner = key.partition("/")
    return folder in BESIDE or inner.startswith(f"{RECORD}/")


def _is_sealed(prices: Path, key: str) -> bool:
    """Return whether the seal of a finished version here names a key, so that it is as in a store with that seal."""
    run, _, inner = key.partition("/")
    return (inner == SEAL or inner not in UNSEALED) and (prices / run / SEAL).is_file()
