"""versions: every version of the price table."""

from dataclasses import astuple, dataclass
from pathlib import Path

from omegaconf import DictConfig
from rich import box
from rich.table import Table

from gpu_pricer.tables.published.version_log import UNKNOWN, VersionEntry, version_entries
from gpu_pricer.tables.stores.local_copy import shown
from gpu_pricer.terminal.scoreboard import wide_console


@dataclass(frozen=True)
class Row:
    """One line of the list; the fields are its columns."""

    version: str
    when: str
    run: str
    status: str
    files: str
    rows: str
    by: str
    policy: str
    gates: str
    note: str


def inputs(config: DictConfig) -> list[Path]:
    """Return no files: the list is of what lies in paths.prices, and reads no price."""
    return []


def main(config: DictConfig) -> None:
    """Print every version in paths.prices: those published, oldest first, then those that were not.

    Reads   paths.prices    Delta's log, and run.json of the versions that it does not list

    version: its number in Delta's log, by which `compare` and `rollback` know it. status: current, superseded,
    unpublished. files: whether they are still there; only then can one go back to it. by: who published it. gates: what
    came of them. note: what else Delta's log says, such as why a gate was accepted.

    Example: gpu-pricer versions
    """
    entries = version_entries(Path(config.paths.prices))
    if not entries:
        print(f"no versions in {shown(Path(config.paths.prices))}")
        return
    table = Table(*(name for name in Row.__dataclass_fields__), box=box.SIMPLE)
    for entry in entries:
        table.add_row(*astuple(_row(entry)))
    wide_console().print(table)


def _row(entry: VersionEntry) -> Row:
    return Row(
        version=UNKNOWN if entry.number is None else str(entry.number),
        when=entry.when.replace("+00:00", "Z"),
        run=entry.run,
        status=entry.status,
        files="kept" if entry.is_kept else "removed",
        rows=f"{int(entry.rows):,}" if entry.rows.isdigit() else entry.rows,
        by=entry.by,
        policy=entry.policy[:8],
        gates=entry.gates,
        note=entry.note,
    )
