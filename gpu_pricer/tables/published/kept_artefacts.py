"""The demand artefacts that versions were priced from, kept once each beside the versions, under their fingerprints."""

import os
import secrets
import shutil
from collections.abc import Collection
from pathlib import Path

from gpu_pricer.errors import InputError
from gpu_pricer.tables.artefact import read_artefact, write_artefact
from gpu_pricer.tables.files.durable import sync, sync_tree
from gpu_pricer.tables.files.replacing import whole_or_absent
from gpu_pricer.tables.version.names import KEPT, RUN_RECORD
from gpu_pricer.tables.version.version_record import read_version


def kept_artefact(versions: Path, fingerprint: str) -> Path:
    """Return where the artefact of that fingerprint lies among the versions, if it is kept there."""
    return versions / KEPT / fingerprint


def keep_artefact(demand: Path, versions: Path, fingerprint: str) -> None:
    """Copy the artefact in `demand` beside the versions, without its network; an artefact that is there is not copied.

    Raise InputError if the artefact in `demand` no longer has the fingerprint.
    """
    place = kept_artefact(versions, fingerprint)
    if _is_renewed(place):
        return
    artefact = read_artefact(demand)
    found = artefact.fingerprint()
    if found != fingerprint:
        raise InputError(
            f"{demand} must stay as it is while it is priced ({fingerprint}), found another artefact ({found}): score "
            "again"
        )
    fresh = place.with_name(f"{fingerprint}.{secrets.token_hex(4)}.part")
    with whole_or_absent(fresh):
        write_artefact(artefact, fresh)
        _place(fresh, place)


def bring_artefact(versions: Path, prices: Path, fingerprint: str) -> bool:
    """Copy a kept artefact from among other versions into `prices`; return whether it is there then."""
    source, place = kept_artefact(versions, fingerprint), kept_artefact(prices, fingerprint)
    if _is_renewed(place) or not source.is_dir():
        return place.is_dir()
    fresh = place.with_name(f"{fingerprint}.{secrets.token_hex(4)}.part")
    with whole_or_absent(fresh):
        shutil.copytree(source, fresh)
        sync_tree(fresh)
        _place(fresh, place)
    return True


def unneeded_artefacts(prices: Path, without: Collection[str] = ()) -> list[Path]:
    """Return the kept artefacts, and leftovers of killed copies, that no finished version in `prices` was priced from.

    without: names of versions that need none any more. A version whose record cannot be read needs none, since it
    cannot be explained.
    """
    needed = set()
    for path in prices.iterdir():
        if path.name not in without and (path / RUN_RECORD).is_file():
            try:
                needed.add(read_version(path).artefact)
            except InputError:
                continue
    return [path for path in prices.glob(f"{KEPT}/*") if path.name not in needed]


def unneeded_in_store(prices: Path, keys: Collection[str], runs: Collection[str], without: Collection[str]) -> set[str]:
    """Return the folders of kept artefacts in an object store that no version there needs, as `_artefacts/NAME`.

    prices: the copy of the store; keys: of the objects there. runs: that were published. without: names of versions
    that go. Nothing where the copy lacks the record of a version that is in the store, as one that came since.
    """
    there = {key.partition("/")[0] for key in keys if key.endswith(RUN_RECORD)} - {*without}
    known = {run for run in there if (prices / run / RUN_RECORD).is_file()}
    if not there & {*runs} <= known:
        return set()
    needed = {read_version(prices / run).artefact for run in known}
    kept = {key.split("/")[1] for key in keys if key.startswith(f"{KEPT}/") and key.count("/") > 1}
    return {f"{KEPT}/{name}" for name in kept - needed}


def _is_renewed(place: Path) -> bool:
    """Return whether the artefact is there, with its time set to now, so that it counts as young."""
    if not place.is_dir():
        return False
    os.utime(place)
    return True


def _place(fresh: Path, place: Path) -> None:
    """Move a whole copy to its place; if another process was first, the two are equal and this one goes."""
    try:
        fresh.rename(place)
    except OSError:
        if not place.is_dir():
            raise
        shutil.rmtree(fresh)
    sync(place.parent)
