"""reprice: events -> a new version of the price table, of the published one."""

import hashlib
import json
import logging
import os
import time
from pathlib import Path
from typing import NamedTuple, NoReturn

from hydra.utils import instantiate
from omegaconf import DictConfig

from gpu_pricer.checks import require_flag, require_number
from gpu_pricer.errors import InputError
from gpu_pricer.gates import Evidence
from gpu_pricer.jobs.pricing_day import pricing_day
from gpu_pricer.process.run_record import run_job
from gpu_pricer.tables.delta_log import current_run, log_entries, open_table
from gpu_pricer.tables.events import changed_products, event_files, passed_over, read_events, updated_catalog
from gpu_pricer.tables.unlikely_events import unlikely_events
from gpu_pricer.tables.version.names import METRICS_FILE, new_run
from gpu_pricer.tables.version.version_record import read_version
from gpu_pricer.versions.forgotten_events import REPRICE
from gpu_pricer.versions.new_version import completion_from, finished_or_absent
from gpu_pricer.versions.publication import in_force_from, keep_published, publish
from gpu_pricer.versions.repriced_version import Base, catalog_of_base, reprice, require_repriceable
from gpu_pricer.versions.version_sources import read_sources

log = logging.getLogger(__name__)

TAKEN = "events"
"""In Delta's log, of an entry made by reprice: the files of events that it contains, as a JSON list of texts."""


class EventFile(NamedTuple):
    """A file of events and the text by which Delta's log knows it: its name and the beginning of its SHA-256."""

    path: Path
    mark: str


def inputs(config: DictConfig) -> list[Path]:
    """Return the files of events; the version that they change is named in Delta's log."""
    return _files(config)


def main(config: DictConfig) -> dict[str, object] | None:
    """Publish what events change of the published version: prices of the categories that they touch.

    Reads   events          a Parquet file or a folder of them, one row per change of a product; see docs/operations.md
            paths.prices    the published version, with the policy, the catalog and the demand that it was priced from
    Writes  paths.prices    a new version, published in one transaction if it passes the gates of `publish`

    The prices equal those of a full `score` on the catalog after the events, bit for bit. Files of the version without
    a touched category are carried over without being read. Under policy.constraints the version's multipliers stay, and
    certificate.json says what that costs; beyond reprice.max_violation or reprice.max_gap_increase, and under
    policy.bounds.max_changes, everything is priced again. Each file of events is taken once: Delta's log lists those
    that each version contains. Files that change no product make no version, and are listed all the same. Prices are
    those of the version's policy; that of the configuration does not count.

    With watch=true the job looks into the folder again and again, takes what has come as one version, and ends with a
    signal, or with the status of the first version that cannot be made. Files must get there by renaming.

    Example: gpu-pricer reprice events=incoming
             gpu-pricer reprice events=incoming watch=true
    """
    if _is_watch(config):
        _watch(config)
    fresh = _fresh(config, _files(config))
    _warn_of_passed_over(config, set())
    if not fresh:
        print("no new events")
        return None
    return _Batch(fresh).main(config)


class _Batch(NamedTuple):
    """The job on files of events that no published version contains."""

    files: list[EventFile]

    def inputs(self, config: DictConfig) -> list[Path]:
        return [file.path for file in self.files]

    def main(self, config: DictConfig) -> dict[str, object] | None:
        folder = _publish_with(config, self.files)
        return None if folder is None else {"version": str(folder)}


def _is_watch(config: DictConfig) -> bool:
    """Return whether to watch a folder; raise InputError for settings that are not valid."""
    try:
        require_flag("watch", config.watch)
        require_number("watch_seconds", config.watch_seconds, above=0)
    except ValueError as error:
        raise InputError(f"{error}: mend it") from error
    if config.watch and not (config.events is not None and Path(str(config.events)).is_dir()):
        raise InputError(f"watch=true needs a folder of events, found events={config.events}: set events=FOLDER")
    return bool(config.watch)


def _watch(config: DictConfig) -> NoReturn:
    """Publish a version for the files that have come, again and again, until a signal or a refusal ends the job.

    What comes while a version is made waits for the next one, all of it together, so that a watch that is behind makes
    larger versions, not more of them. Each version leaves a record and metrics, as a job does.
    """
    seen: set[tuple[str, int, int]] = set()
    told: set[str] = set()
    while True:
        _warn_of_passed_over(config, told)
        try:
            states, fresh = _look(config, seen)
        except FileNotFoundError as error:
            if error.filename is None or os.path.lexists(error.filename):
                raise
            continue  # somebody took an old file out of the folder between two steps of the look
        if fresh:
            run_job("reprice", _Batch(fresh), config)
        else:
            time.sleep(config.watch_seconds)
        seen = states


def _look(config: DictConfig, seen: set[tuple[str, int, int]]) -> tuple[set[tuple[str, int, int]], list[EventFile]]:
    """Return the states of the files in the folder, and those that were not taken yet; none if all states are `seen`.

    A state is the path, the time of the last write and the size. Raise FileNotFoundError if a file goes meanwhile.
    """
    files = _files(config)
    states = {(str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in files}
    return states, [] if states <= seen else _fresh(config, files)


def _warn_of_passed_over(config: DictConfig, told: set[str]) -> None:
    """Log what lies in the folder of events and is never read; told: the names that were said, to which it adds."""
    others = [name for name in passed_over(Path(str(config.events))) if name not in told]
    if others:
        log.warning(
            "%d files in %s are no events, such as %s: events are Parquet files whose names end in .parquet",
            len(others), config.events, others[0],
        )  # fmt: skip
        told.update(others)


def _fresh(config: DictConfig, files: list[Path]) -> list[EventFile]:
    """Return those of the files that were not taken yet."""
    taken = taken_events(Path(config.paths.prices))
    marked = [_marked(path) for path in files]
    for file in marked:
        if file.mark in taken:
            log.info("%s was processed already", file.path)
    return [file for file in marked if file.mark not in taken]


def taken_events(prices: Path) -> set[str]:
    """Return the marks of the files of events that were taken, as Delta's log lists them."""
    history = log_entries(open_table(prices), prices)
    return {mark for entry in history for mark in json.loads(entry.get(TAKEN, "[]"))}


def _files(config: DictConfig) -> list[Path]:
    if config.events is None:
        raise InputError("reprice needs events, found none: set events=FILE_OR_FOLDER")
    return event_files(Path(str(config.events)))


def _marked(path: Path) -> EventFile:
    with path.open("rb") as file:
        return EventFile(path, f"{path.name}:{hashlib.file_digest(file, 'sha256').hexdigest()[:16]}")


def _publish_with(config: DictConfig, files: list[EventFile]) -> Path | None:
    """Price and publish a version with the events of the files; return its folder, which stays if gates refuse it.

    Events that change no product make no version: the log lists their files, and None is returned.
    """
    prices = Path(config.paths.prices)
    base, tiling = _base(config, prices), instantiate(config.score)
    require_repriceable(base, tiling)
    events = read_events([file.path for file in files])
    catalog = updated_catalog(base.sources.catalog, events)
    for line in unlikely_events(base.sources.catalog, catalog, base.sources.artefact.products["category_id"]):
        log.warning("%s: check whether the events are right", line)
    publication = instantiate(config.publish, _convert_="all")
    taken = {"action": REPRICE, "base": base.version.run, TAKEN: json.dumps([file.mark for file in files])}
    if changed_products(base.sources.catalog, catalog).is_empty():
        if not publication.dry_run:
            keep_published(prices, base.version.run, taken)
        print(f"no new version: the events change no product of {base.version.run}")
        return None
    priced = catalog_of_base(base, catalog, base.sources.policy)
    folder = prices / new_run()
    complete = completion_from(base, config, folder, priced.catalog, base.sources.policy)
    with finished_or_absent(folder):
        reprice(base, priced, folder, tiling, instantiate(config.reprice), complete)
    evidence = Evidence(Path(config.paths.work) / METRICS_FILE, instantiate(config.fairness).max_gap)
    publish(prices, folder, publication, evidence, in_force_from(pricing_day(config)) | taken, base.version.run)
    return folder


def _base(config: DictConfig, prices: Path) -> Base:
    """Return the published version; raise InputError without one."""
    run = current_run(prices)
    if run is None:
        raise InputError(f"{prices} must hold a published version for events to change, found none: publish one first")
    folder = prices / run
    version = read_version(folder)
    return Base(folder, version, read_sources(config, folder, version))
