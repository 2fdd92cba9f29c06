"""publish: shards -> one atomic new version of the price table."""

import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import polars as pl
from deltalake.exceptions import DeltaError
from hydra.utils import instantiate
from omegaconf import DictConfig

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
from gpu_pricer.gates.published import Published, read_published
from gpu_pricer.process.ending import held_back
from gpu_pricer.tables.delta_log import current_run, open_table, published_runs, run_of
from gpu_pricer.tables.files.locking import locked
from gpu_pricer.tables.published.kept_artefacts import bring_artefact
from gpu_pricer.tables.published.price_copy import bring_version
from gpu_pricer.tables.published.price_store import store_of
from gpu_pricer.tables.published.promises import DAY, keep_promise
from gpu_pricer.tables.published.publishing import (
    bring_inside,
    commit_version,
    require_name,
)
from gpu_pricer.tables.published.retention import Retention
from gpu_pricer.tables.stores.local_copy import shown
from gpu_pricer.tables.version.decisions import bring_decisions, read_decided, write_decided
from gpu_pricer.tables.version.price_version import APPROVALS, LOCK, RUN_RECORD, PriceVersion, read_version
from gpu_pricer.tables.version.seal import require_sealed
from gpu_pricer.tables.version.whatif_mark import require_no_whatif
from gpu_pricer.versions.last_scored import last_scored
from gpu_pricer.versions.priced_catalog import pricing_day

log = logging.getLogger(__name__)

PUBLISHING = "_publishing.lock"
"""In paths.prices: held by the publisher."""
NO_EVIDENCE = Evidence()


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


def inputs(config: DictConfig) -> list[Path]:
    """Return the record of the version to publish, which names its files and everything that they were made of."""
    return [_version_to_publish(config) / RUN_RECORD]


def main(config: DictConfig) -> None:
    """Make a scored version the price table, in one transaction, if it passes the gates.

    Reads   paths.shards    a folder that `score` finished; by default the version in paths.prices that `score` last
                            finished for paths.work, unless it was published and then replaced
    Writes  paths.prices    a Delta Lake table; _current links to the folder of its current version

    Approval  with publish.approval.asks=all, or some, people must have decided on the prices that move: see
            gpu-pricer review --help; rejected prices stay as today's, others are set by hand

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
    evidence = Evidence(Path(config.paths.work) / "metrics.json", instantiate(config.fairness).max_gap)
    publish(Path(config.paths.prices), folder, publication, evidence, in_force_from(config))


def in_force_from(config: DictConfig) -> dict[str, str]:
    """Return the note of the day from which prices that are published now are in force: `day`, by default today."""
    return {DAY: pricing_day(config.day).isoformat()}


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
        store, table, version = store_of(prices), open_table(prices), read_version(folder)
        current = run_of(table, prices)
        if current is not None:
            bring_version(prices, current)
        if version.run == current and read_version(prices / current) == version:
            log.info("%s is the current version already", folder)
            return current if publication.dry_run else _follow(prices, publication)
        if replaces not in (None, current):
            raise InputError(
                f"{folder} must replace {replaces}, found that {current} was published meanwhile: run it again"
            )
        require_sealed(folder)
        published = _published(prices, current, publication.gates)
        files, outcomes = judge_version(folder, version, publication.gates, published, evidence)
        approved = _approved(prices, folder, version, publication.approval)
        outcomes += [] if approved.outcome is None else [approved.outcome]
        _refuse(folder, outcomes, publication.accept)
        if publication.dry_run:
            print(_preview(version.run, current, version.totals(), outcomes))
            return current or ""
        bring_version(prices, version.run)
        inside = bring_inside(folder, prices, version)
        if not bring_artefact(folder.parent, prices, version.artefact):
            log.warning("%s has no copy of its artefact: its prices are explained only beside paths.demand", folder)
        bring_decisions(folder.parent, prices)
        metrics = known_metrics(folder, version, published, evidence.metrics)
        keep_outcomes(inside, outcomes, current, publication.reason, metrics, notes)
        if not approved.decided.is_empty():
            write_decided(approved.decided, inside, APPROVALS)
        if not keep_promise(prices, inside, version):
            log.info(
                "what %s promises is not kept: it needs score.layout=long, a copy of its demand, and sales", version.run
            )
        told = {**_notes(version, outcomes, publication.reason), **_decisions(approved.decided), **notes}
        store.send(table, inside, version)
        with held_back():  # a signal between the two would leave readers of the link with the old version
            number = commit_version(prices, table, inside, version, files, told)
            log.info("published %s as version %d of %s", version.run, number, shown(prices))
            with suppress(OSError, InputError, DeltaError):  # tried again below, where a failure is said
                store.point()
        try:
            return _follow(prices, publication)
        except (OSError, InputError, DeltaError) as error:
            # No failure of the job, since readers of Delta see the new version.
            log.warning("%s is published, but not all followed: %s: publish it again", version.run, first_line(error))
            return version.run


def _follow(prices: Path, publication: Publication) -> str:
    """Point readers at the current version, remove old versions, and return the current run."""
    store = store_of(prices)
    run = store.point()
    for name in store.remove_old(Retention(publication.keep, publication.keep_hours)):
        log.info("removed %s/%s", shown(prices), name)
    return str(run)


def _published(prices: Path, current: str | None, gates: Gates) -> Published | None:
    """Return the version to compare with, None before the first publication or where no gate compares."""
    if current is None:
        log.info("%s has no published version to compare with", shown(prices))
    return read_published(prices, current) if current is not None and gates.has_comparison else None


def _approved(prices: Path, folder: Path, version: PriceVersion, approval: Approval) -> Approved:
    """Return what people decided of the version; one that was published before, as by a rollback, asks nobody again."""
    if version.run in published_runs(prices):
        return Approved(None, read_decided(folder, APPROVALS))
    return approval_outcome(prices, folder, version, approval)


def _decisions(decided: pl.DataFrame) -> dict[str, str]:
    """Return what Delta's log is to say of people's decisions about the version."""
    return {} if decided.is_empty() else {"decisions": told_of(decided)}


def _refuse(folder: Path, outcomes: list[Outcome], accept: list[str]) -> None:
    """Raise Refused with a line for each gate that is neither passed nor accepted; log those that are accepted."""
    failed = [outcome for outcome in outcomes if not outcome.is_passed]
    lines = [outcome.refusal(folder) for outcome in failed if outcome.gate not in accept]
    if lines:
        raise Refused(*lines)
    for outcome in failed:
        log.warning("accepted: %s, found %s%s", outcome.rule, outcome.found, outcome.detail)


def _notes(version: PriceVersion, outcomes: list[Outcome], reason: str | None) -> dict[str, str]:
    """Return what Delta's log is to say of the publication: who, how many rows, its gates, and why any was accepted."""
    accepted = [outcome.gate for outcome in outcomes if not outcome.is_passed]
    gates = f"{len(outcomes) - len(accepted)} passed" + (f", {len(accepted)} accepted" if accepted else "")
    told = {"by": publisher(), "rows": str(version.tally.rows), "gates": gates}
    return told | ({"accepted": ", ".join(accepted), "reason": str(reason)} if accepted else {})


def _preview(run: str, current: str | None, totals: dict[str, object], outcomes: list[Outcome]) -> str:
    lines = [f"dry run: {run} passes the gates and would replace {current or 'nothing'}"]
    lines += [f"  {name}: {value}" for name, value in totals.items()]
    return "\n".join([*lines, "gates:", *(outcome.preview() for outcome in outcomes)])
