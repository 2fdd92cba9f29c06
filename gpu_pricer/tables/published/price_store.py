"""Where the published price table lies: a folder of this machine, or an object store of which the folder is a copy.

Both do the same four things in their own way: have a version's files where readers find them, point readers that know
only Parquet at the current version, say which old versions can go, and remove these.
"""

import json
import math
import shutil
import tempfile
import time
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError, DeltaError

from gpu_pricer.errors import InputError
from gpu_pricer.tables.delta_log import current_run, open_table, published_runs, removals, run_of
from gpu_pricer.tables.files.replacing import IDLE_SECONDS
from gpu_pricer.tables.published.kept_artefacts import kept_artefact, unneeded_in_store
from gpu_pricer.tables.published.promises import promise_files
from gpu_pricer.tables.published.publishing import commit_entry, point_current
from gpu_pricer.tables.published.retention import Retention, outdated, removable, remove_old_versions
from gpu_pricer.tables.stores.bucket import Bucket, Stored, store_error
from gpu_pricer.tables.stores.local_copy import address_of, bring
from gpu_pricer.tables.version.decisions import LOG as DECISIONS
from gpu_pricer.tables.version.decisions import bring_decisions, decision_files
from gpu_pricer.tables.version.names import KEPT, LOCK, PROMISES, SEAL
from gpu_pricer.tables.version.price_version import PriceVersion
from gpu_pricer.tables.version.seal import UNSEALED

POINTER = "_current.json"
"""In an object store, which has no links: names the current version's folder and files."""
DELTA_LOG = "_delta_log"
REMOVING_SECONDS = 600
"""How long after somebody said so an artefact may still be being removed: what is sent meanwhile could go with it."""


class PriceStore(Protocol):
    """Where the published price table lies."""

    def send(self, table: DeltaTable | None, folder: Path, version: PriceVersion) -> None:
        """Have all files of a version in `folder`, and what explains it, where the commit says that they are.

        table: the one that the commit is based on.
        """

    def send_promise(self, run: str) -> None:
        """Have what is kept of a run's promise where other machines find it."""

    def point(self) -> str | None:
        """Point readers that know only Parquet at the current version, and return its run, None without one."""

    def removable(self, retention: Retention) -> list[str]:
        """Return the names of what the rule lets go."""

    def remove_old(self, retention: Retention) -> list[str]:
        """Remove what the rule lets go, and return the names."""


def store_of(prices: Path) -> PriceStore:
    """Return where the table of `prices` lies: in that folder, or at the address that the folder is a copy of."""
    address = address_of(prices)
    return FolderStore(prices) if address is None else BucketStore(prices, Bucket(address))


@dataclass(frozen=True)
class FolderStore:
    """The table in a folder of this machine."""

    prices: Path

    def send(self, table: DeltaTable | None, folder: Path, version: PriceVersion) -> None:
        """Do nothing: the files of a version are written where readers find them."""

    def send_promise(self, run: str) -> None:
        """Do nothing: it was written there."""

    def point(self) -> str | None:
        """Point the link `_current`; see publishing.point_current."""
        return point_current(self.prices)

    def removable(self, retention: Retention) -> list[str]:
        """Return names in the folder; see retention.removable."""
        return removable(self.prices, retention)

    def remove_old(self, retention: Retention) -> list[str]:
        """Delete what `removable` names."""
        return remove_old_versions(self.prices, retention)


@dataclass(frozen=True)
class BucketStore:
    """The table in an object store; prices: the copy of it on this machine.

    Delta's log in the store is all that several machines agree by. Whoever removes versions therefore says so with a
    commit before, so that a publisher who meanwhile goes back to one of them fails and finds it named there.
    """

    prices: Path
    bucket: Bucket

    def send(self, table: DeltaTable | None, folder: Path, version: PriceVersion) -> None:
        """Send the version's files, its artefact, its promise, and what people decided.

        The seal, which names the SHA-256 of every file, is created first: it claims the version's name for these bytes,
        so that no other version can mix with it. Raise InputError if the name is another version's, or was removed.
        """
        run, removed = folder.name, removals(table, self.prices)
        if run in removed:
            raise InputError(
                f"{run} must still be in {self.bucket.address}, found that its files were removed: score again"
            )
        age = time.time() - removed.get(f"{KEPT}/{version.artefact}", 0.0)
        if age < REMOVING_SECONDS:
            raise InputError(
                f"{self.bucket.address}/{KEPT}/{version.artefact} must not be removed while a version that needs it is "
                f"sent, found that somebody began to {age:.0f} seconds ago: run it again in "
                f"{REMOVING_SECONDS / 60:.0f} minutes"
            )
        seal = (folder / SEAL).read_bytes()
        if not self.bucket.create(f"{run}/{SEAL}", seal) and self.bucket.read(f"{run}/{SEAL}") != seal:
            raise InputError(
                f"{folder} must be published as {self.bucket.address}/{run}, found another version there: rename it"
            )
        inner = _files_below(folder, without=(SEAL, LOCK))
        changing = {name for name in inner if name in UNSEALED}
        self._send(f"{run}/", {name: path for name, path in inner.items() if name not in changing}, only_new=True)
        self._send(f"{run}/", {name: inner[name] for name in changing}, only_new=False)
        artefact = kept_artefact(self.prices, version.artefact)
        self._send(f"{KEPT}/{version.artefact}/", _files_below(artefact), only_new=True)
        self.send_promise(run)
        self._send_decisions()
        sent = {f"{run}/{name}" for name in inner} | {f"{run}/{SEAL}"}
        bring(
            self.prices, run, sent.__contains__
        )  # what was sent counts as fetched from now on, so that it goes when the store's goes

    def point(self) -> str | None:
        """Write `_current.json`, again if another publisher committed meanwhile; and point the copy's link."""
        run = current_run(self.prices)
        while run is not None:
            folder = f"{self.bucket.address}/{run}"
            files = [key.rpartition("/")[2] for key in self.bucket.list(run) if _is_table_file(key)]
            content = {"run": run, "folder": folder, "files": files}
            self.bucket.write(POINTER, (json.dumps(content, indent=2) + "\n").encode())
            pointed, run = run, current_run(self.prices)
            if run == pointed:
                break
        with suppress(OSError):  # the link is for jobs on this machine, which refresh it
            point_current(self.prices)
        return run

    def removable(self, retention: Retention) -> list[str]:
        """Return the names of old versions in the store, and of what killed publishers left there for a day.

        Ages are by the store's clock, with this machine's for now. An artefact goes with the last version that needs
        it, once nobody wrote it for a day. Promises stay: the sales that they are compared with come later.
        """
        return self._removable(open_table(self.prices), self.bucket.list(), retention)

    def remove_old(self, retention: Retention) -> list[str]:
        """Remove what `removable` names, from the store and then from the copy, and what died on this machine.

        Raise InputError, with nothing removed, where somebody else commits meanwhile, since that may bring an old
        version back.
        """
        table, found = open_table(self.prices), self.bucket.list()
        names = self._removable(table, found, retention)
        if table is not None and names:
            self._announce(table, names)
            self.bucket.remove([key for key in found if _folder_of(key) in names])
            for name in names:
                shutil.rmtree(self.prices / name, ignore_errors=True)
        remove_old_versions(self.prices, Retention(retention.keep, math.inf))  # other versions go as the store's do
        return names

    def _announce(self, table: DeltaTable, names: Collection[str]) -> None:
        """Say in Delta's log which folders go; raise InputError if somebody committed since the table was opened."""
        try:
            commit_entry(table, {"removed": ",".join(names)})
        except CommitFailedError as error:
            raise InputError(
                f"{self.bucket.address} must stay as it is while old versions go, found that somebody committed "
                "meanwhile: nothing was removed, run it again"
            ) from error
        except (OSError, DeltaError) as error:
            raise InputError(
                f"{self.bucket.address} must be in an object store that answers, found: {store_error(error)}"
            ) from error

    def _removable(self, table: DeltaTable | None, found: dict[str, Stored], retention: Retention) -> list[str]:
        current = run_of(table, self.prices)
        if current is None:
            return []
        written: dict[str, float] = {}
        for key, facts in found.items():
            name, _, inner = key.partition("/")
            if inner:
                written[name] = max(written.get(name, 0.0), facts.last_write)
        runs = published_runs(self.prices)
        commits = sorted(runs.values())

        def replaced_at(run: str) -> float:
            later = [number for number in commits if number > runs[run]]
            entry = found.get(f"{DELTA_LOG}/{later[0]:020d}.json") if later else None
            return 0.0 if entry is None else entry.last_write

        gone = outdated(runs, current, retention, written, replaced_at, time.time())
        unneeded = unneeded_in_store(self.prices, found, runs, without=gone)
        last_write = {name: max(found[key].last_write for key in found if _folder_of(key) == name) for name in unneeded}
        return [*gone, *sorted(name for name in unneeded if last_write[name] < time.time() - IDLE_SECONDS)]

    def send_promise(self, run: str) -> None:
        """Send what is kept of a run's promise."""
        self._send(f"{PROMISES}/", promise_files(self.prices, run), only_new=False)

    def _send_decisions(self) -> None:
        """Send the log of decisions, with what others sent since it was fetched."""
        with tempfile.TemporaryDirectory() as theirs:
            found = self.bucket.list(DECISIONS)
            self.bucket.fetch({key: Path(theirs) / key for key in found}, found)
            bring_decisions(Path(theirs), self.prices)
        self._send(f"{DECISIONS}/", decision_files(self.prices), only_new=False)

    def _send(self, folder: str, files: dict[str, Path], only_new: bool) -> None:
        there = self.bucket.list(folder.rstrip("/")) if only_new else {}
        keyed = {f"{folder}{name}": path for name, path in files.items()}
        self.bucket.send({key: path for key, path in keyed.items() if key not in there})


def _files_below(folder: Path, without: Collection[str] = ()) -> dict[str, Path]:
    """Return the files below a folder by relative path, without unfinished ones."""
    files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    return {name: path for name, path in files.items() if name not in without and not name.endswith(".part")}


def _folder_of(key: str) -> str:
    """Return the version's folder that an object lies in, or the artefact's, as `_artefacts/NAME`."""
    first, *others = key.split("/")
    return f"{first}/{others[0]}" if first == KEPT and len(others) > 1 else first


def _is_table_file(key: str) -> bool:
    return key.count("/") == 1 and key.endswith(".parquet")
