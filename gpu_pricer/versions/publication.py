"""The publication of a version: its gates, its record, and the one transaction that makes it the price table."""

import logging
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any

import polars as pl
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from gpu_pricer.checks import require_flag, require_integer, require_number
from gpu_pricer.errors import InputError, Refused, first_line
from gpu_pricer.gates import (
    GATES,
    Approval,
    Evidence,
    Gates,
    Outcome,
    approval_outcome,
    judge_version,
    keep_outcomes,
    known_metrics,
    publisher,
    told_of,
)
from gpu_pricer.gates.approval import Approved
from gpu_pricer.gates.continuity import withdrawn_outcomes
from gpu_pricer.gates.published import Published, read_published
from gpu_pricer.gates.record import UNDONE
from gpu_pricer.process.ending import held_back
from gpu_pricer.tables.artefact import moved_users
from gpu_pricer.tables.delta_log import open_table, published_runs, run_of
from gpu_pricer.tables.files.locking import locked
from gpu_pricer.tables.published.kept_artefacts import bring_artefact, kept_artefact
from gpu_pricer.tables.published.price_copy import bring_version
from gpu_pricer.tables.published.price_store import store_of
from gpu_pricer.tables.published.promises import DAY, keep_promise
from gpu_pricer.tables.published.publishing import CURRENT, bring_inside, commit_notes, commit_version, require_name
from gpu_pricer.tables.published.retention import Retention
from gpu_pricer.tables.stores.local_copy import shown
from gpu_pricer.tables.version.decisions import bring_decisions, read_decided, write_decided
from gpu_pricer.tables.version.names import APPROVALS, LOCK
from gpu_pricer.tables.version.price_version import PriceVersion
from gpu_pricer.tables.version.seal import require_sealed
from gpu_pricer.tables.version.version_comparison import different_segments
from gpu_pricer.tables.version.version_files import FileFacts
from gpu_pricer.tables.version.version_record import read_version
from gpu_pricer.tables.version.whatif_mark import require_no_whatif
from gpu_pricer.versions.forgotten_decisions import forgotten_decisions
from gpu_pricer.versions.forgotten_events import forgotten_events

log = logging.getLogger(__name__)

PUBLISHING = "_publishing.lock"
"""In paths.prices: held by the publisher."""
NO_EVIDENCE = Evidence()
MANY_MOVED = 0.1
"""Share of the users: where more are in other segments than before, a publication warns."""


@dataclass(frozen=True)
class Publication:
    """The settings of `publish`.

    dry_run: stop before the commit. keep: number of versions whose files stay. keep_hours: how long the files of a
    version stay for slow readers after it was replaced. gates: limits that a version must keep. accept: gates that
    this version need not pass. reason: why, for its record; None where nothing is accepted. approval: what people
    decide on before.
    """

    dry_run: bool
    keep: int
    keep_hours: float
    gates: Gates
    accept: list[str]
    reason: str | None
    approval: Approval

    def __post_init__(self) -> None:
        require_flag("publish.dry_run", self.dry_run)
        require_integer("publish.keep", self.keep, 1)
        require_number("publish.keep_hours", self.keep_hours, least=0)
        if not isinstance(self.gates, Gates):
            raise ValueError(f"publish.gates must be Gates, found {self.gates!r}")
        if not isinstance(self.approval, Approval):
            raise ValueError(f"publish.approval must be an Approval, found {self.approval!r}")
        if not isinstance(self.accept, list) or not {*self.accept} <= {*GATES}:
            raise ValueError(f"publish.accept must be a list of gates ({', '.join(GATES)}), found {self.accept!r}")
        has_reason = isinstance(self.reason, str) and bool(self.reason.strip())
        if has_reason != bool(self.accept) or not (has_reason or self.reason is None):
            raise ValueError(
                "publish.accept and publish.reason must be given together, the gates and a text that says why, "
                f"found {self.accept!r} and {self.reason!r}"
            )


@dataclass(frozen=True)
class Judged:
    """What was found before a version may replace `current`, None for the first: its files, its gates, its approval.

    metrics: of its demand, which the next version is compared with. undone: a line on the changes by events, and one on
    those by people, to the current version that it undoes.
    """

    current: str | None
    files: list[FileFacts]
    outcomes: list[Outcome]
    approved: Approved
    metrics: dict[str, Any]
    undone: list[str]

    @property
    def accepted(self) -> list[str]:
        """Return the gates that the version did not pass."""
        return [outcome.gate for outcome in self.outcomes if not outcome.is_passed]


def in_force_from(day: date) -> dict[str, str]:
    """Return the note of the day from which prices that are published now are in force."""
    return {DAY: day.isoformat()}


def publish(
    prices: Path,
    folder: Path,
    publication: Publication,
    evidence: Evidence = NO_EVIDENCE,
    notes: Mapping[str, str] = MappingProxyType({}),
    replaces: str | None = None,
) -> str:
    """Publish a version unless it is the current one already, and return the run that is current afterwards.

    The gates compare the version with the table that the commit is based on: where somebody else commits after that,
    nothing is published. Unless it is a dry run, the link is pointed at the current version and old versions are
    removed in either case, because an earlier run may have been killed before it did so. A dry run returns the current
    run, or "" for none. notes: what else the version's record and Delta's log are to say of this publication. replaces:
    the run that must be the current one, None for any.
    Raises InputError while another publisher works on `prices`, or the version is still being scored; Refused with a
    line for every gate that is neither passed nor accepted.
    """
    require_name(folder, read_version(folder))
    require_no_whatif(folder)
    with locked(prices / PUBLISHING, "publish"), locked(folder / LOCK, "be published"):
        table, version = open_table(prices), read_version(folder)
        current = run_of(table, prices)
        if current is not None:
            bring_version(prices, current)
        if version.run == current and read_version(prices / current) == version:
            log.warning("%s is the current version already: nothing was scored since it was published", folder)
            return current if publication.dry_run else _follow(prices, publication)
        if replaces not in (None, current):
            raise InputError(
                f"{folder} must replace {replaces}, found that {current} was published meanwhile: run it again"
            )
        kept = None if "action" in notes else table  # an action, such as a rollback, is meant to undo changes
        judged = _judge(prices, folder, version, (current, kept), publication, evidence)
        if current is not None and publication.gates.has_comparison:
            _warn_of_segments(prices, current, folder, version)
            _tell_of_moved_users(prices, current, folder, version)
            _warn_of_earlier_day(prices, current, folder, version)
        for line in judged.undone:
            log.warning("%s", line)
        if publication.dry_run:
            print(_preview(version, judged))
            return current or ""
        inside = _bring(prices, folder, version)
        _record(prices, inside, version, judged, publication.reason, notes)
        _commit(prices, table, inside, version, judged.files, {**_told(version, judged, publication.reason), **notes})
        try:
            return _follow(prices, publication)
        except (OSError, InputError, DeltaError) as error:
            # No failure of the job, since readers of Delta see the new version.
            log.warning(
                "%s is published, but a later step failed: %s: publish it again", version.run, first_line(error)
            )
            return version.run


def keep_published(prices: Path, run: str, notes: Mapping[str, str]) -> None:
    """Write notes into Delta's log without a new version; raise InputError unless the run is still the current one."""
    with locked(prices / PUBLISHING, "publish"):
        table = open_table(prices)
        current = run_of(table, prices)
        if table is None or current != run:
            raise InputError(f"{prices} must still publish {run}, found {current} meanwhile: run it again")
        commit_notes(prices, table, notes)


def _judge(
    prices: Path,
    folder: Path,
    version: PriceVersion,
    replaced: tuple[str | None, DeltaTable | None],
    publication: Publication,
    evidence: Evidence,
) -> Judged:
    """Return what gates and people say of a sealed version; raise Refused unless all of it is passed or accepted.

    replaced: the current run, None for none, and the table where the version must not undo what events and people
    changed in it.
    """
    require_sealed(folder)
    current, table = replaced
    published = _published(prices, current, publication.gates)
    files, outcomes = judge_version(
        folder, version, _gates_for(prices, version, publication.gates), published, evidence
    )
    approved = _approved(prices, folder, version, publication.approval)
    outcomes += [] if approved.outcome is None else [approved.outcome]
    undone = []
    if table is not None and published is not None:
        events = forgotten_events(prices, table, folder)
        undone = [line for line in (events.line, _forgotten_decisions(published, folder, approved.decided)) if line]
        outcomes += withdrawn_outcomes(events.returned, publication.gates)
    _refuse(folder, outcomes, publication.accept)
    metrics = known_metrics(folder, version, published, evidence.metrics)
    return Judged(current, files, outcomes, approved, metrics, undone)


def _forgotten_decisions(published: Published, folder: Path, decided: pl.DataFrame) -> str | None:
    """Return forgotten_decisions of a version. A damaged published version is replaced all the same."""
    try:
        return forgotten_decisions(published.folder, folder, decided)
    except InputError:
        return None


def _gates_for(prices: Path, version: PriceVersion, gates: Gates) -> Gates:
    """Return the gates for a version; one that was published before, as by a rollback, may know older sales."""
    return replace(gates, no_older_sales=None) if version.run in published_runs(prices) else gates


def _bring(prices: Path, folder: Path, version: PriceVersion) -> Path:
    """Bring the version, its artefact and the decisions about it into `prices`, and return its folder there."""
    bring_version(prices, version.run)
    inside = bring_inside(folder, prices, version)
    if not bring_artefact(folder.parent, prices, version.artefact):
        log.warning("%s has no copy of its artefact: its prices can be explained only with paths.demand", folder)
    bring_decisions(folder.parent, prices)
    return inside


def _record(
    prices: Path, inside: Path, version: PriceVersion, judged: Judged, reason: str | None, notes: Mapping[str, str]
) -> None:
    """Write into the version's record what its gates and people said, and keep what it promises."""
    keep_outcomes(inside, judged.outcomes, judged.current, reason, judged.metrics, {**notes, UNDONE: judged.undone})
    if not judged.approved.decided.is_empty():
        write_decided(judged.approved.decided, inside, APPROVALS)
    if not keep_promise(prices, inside, version):
        log.info(
            "no promise is stored for %s: it needs score.layout=long, a copy of its demand, and sales", version.run
        )


def _commit(
    prices: Path,
    table: DeltaTable | None,
    inside: Path,
    version: PriceVersion,
    files: list[FileFacts],
    told: Mapping[str, str],
) -> None:
    """Make the version the table. told: what Delta's log is to say of it."""
    store = store_of(prices)
    store.send(table, inside, version)
    with held_back():  # a signal between the two would leave readers of the link with the old version
        number = commit_version(prices, table, inside, version, files, told)
        log.info("published %s as version %d of %s", version.run, number, shown(prices))
        with suppress(OSError, InputError, DeltaError):  # tried again by _follow, where a failure is said
            store.point()


def _follow(prices: Path, publication: Publication) -> str:
    """Point readers at the current version, remove old versions, and return the current run."""
    store = store_of(prices)
    run = store.point()
    for name in store.remove_old(Retention(publication.keep, publication.keep_hours)):
        log.info("removed %s/%s", shown(prices), name)
    return str(run)


def _published(prices: Path, current: str | None, gates: Gates) -> Published | None:
    """Return the version to compare with, None before the first publication or where no gate compares."""
    if current is None and os.path.lexists(prices / CURRENT):
        raise InputError(
            f"{prices} must have the log of what was published (_delta_log) beside {CURRENT}, found none: restore it, "
            f"or remove {CURRENT} too where the table is to begin anew"
        )
    if current is None:
        log.info("%s has no published version to compare with", shown(prices))
    return read_published(prices, current) if current is not None and gates.has_comparison else None


def _approved(prices: Path, folder: Path, version: PriceVersion, approval: Approval) -> Approved:
    """Return what people decided of the version; one that was published before, as by a rollback, asks nobody again."""
    if version.run in published_runs(prices):
        return Approved(None, read_decided(folder, APPROVALS))
    return approval_outcome(prices, folder, version, approval)


def _warn_of_segments(prices: Path, current: str, folder: Path, version: PriceVersion) -> None:
    """Log which segments the version has prices for and the published one has not, and the other way round."""
    gone, new = (", ".join(ids) or "none" for ids in different_segments(prices / current, folder))
    if gone != new:
        log.warning(
            "%s has other segments than %s (gone: %s; new: %s): whoever reads its prices needs its users' segments, %s",
            folder, current, gone, new, kept_artefact(prices, version.artefact) / "user_segments.parquet",
        )  # fmt: skip


def _tell_of_moved_users(prices: Path, current: str, folder: Path, version: PriceVersion) -> None:
    """Log how many users the version's artefact places in other segments than the published one's, if any."""
    try:
        before = kept_artefact(prices, read_version(prices / current).artefact)
        moved, both = moved_users(before, kept_artefact(folder.parent, version.artefact))
    except InputError:  # of a damaged version or artefact, which whole ones may replace
        return
    if moved:
        log.log(
            logging.WARNING if moved > MANY_MOVED * both else logging.INFO,
            "%s of %s users are in other segments than under %s: the prices that they see may move by more than those "
            "of a segment, which the gates compare",
            f"{moved:,}", f"{both:,}", current,
        )  # fmt: skip


def _warn_of_earlier_day(prices: Path, current: str, folder: Path, version: PriceVersion) -> None:
    """Log that a version, which was never published, is of a day before that of the published one, if it is."""
    try:
        day = read_version(prices / current).day
    except InputError:  # what became of the published version's record does not keep a whole one from replacing it
        return
    if version.day < day and version.run not in published_runs(prices):
        log.warning(
            "%s has prices of %s and replaces those of %s, %s: if an earlier night only ends later, go back with "
            "gpu-pricer rollback",
            folder, version.day, day, current,
        )  # fmt: skip


def _refuse(folder: Path, outcomes: list[Outcome], accept: list[str]) -> None:
    """Raise Refused with a line for each gate that is neither passed nor accepted; log those that are accepted."""
    failed = [outcome for outcome in outcomes if not outcome.is_passed]
    lines = [outcome.refusal(folder) for outcome in failed if outcome.gate not in accept]
    if lines:
        raise Refused(*lines)
    for outcome in failed:
        log.warning("accepted: %s, found %s%s", outcome.rule, outcome.found, outcome.detail)


def _told(version: PriceVersion, judged: Judged, reason: str | None) -> dict[str, str]:
    """Return what Delta's log is to say: who publishes, how many rows, gates, why any was accepted, and decisions."""
    gates = f"{len(judged.outcomes) - len(judged.accepted)} passed"
    gates += f", {len(judged.accepted)} accepted" if judged.accepted else ""
    told = {"by": publisher(), "rows": str(version.tally.rows), "gates": gates}
    told |= {"accepted": ", ".join(judged.accepted), "reason": str(reason)} if judged.accepted else {}
    decided = judged.approved.decided
    return told | ({} if decided.is_empty() else {"decisions": told_of(decided)})


def _preview(version: PriceVersion, judged: Judged) -> str:
    lines = [f"dry run: {version.run} passes the gates and would replace {judged.current or 'nothing'}"]
    lines += [f"  {name}: {value}" for name, value in version.totals().items()]
    return "\n".join([*lines, "gates:", *(outcome.preview() for outcome in judged.outcomes)])
