"""versions: every version of the price table."""

from dataclasses import astuple, dataclass
from pathlib import Path

from omegaconf import DictConfig
from rich import box
from rich.table import Table

from gpu_pricer.tables.published.version_log import UNKNOWN, VersionEntry, damage_of, version_entries
from gpu_pricer.tables.stores.local_copy import shown
from gpu_pricer.terminal.printing import print_tables


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

    Reads   paths.prices    Delta's log, run.json of the versions, and the ends of their files

    version: its number in Delta's log, by which `compare` and `rollback` know it. status: current, superseded,
    unpublished. files: kept, removed, or damaged, where one is lost or cut off; one can go back only to a version whose
    files are kept. by: who published it. gates: what came of them. note: what is damaged, and what else Delta's log
    says, such as why a gate was accepted.

    Example: gpu-pricer versions
    """
    prices = Path(config.paths.prices)
    entries = version_entries(prices)
    if not entries:
        print(f"no versions in {shown(prices)}")
        return
    table = Table(*(name for name in Row.__dataclass_fields__), box=box.SIMPLE)
    for entry in entries:
        table.add_row(*astuple(_row(entry, damage_of(prices, entry))))
    print_tables(table)


def _row(entry: VersionEntry, damage: str) -> Row:
    """Return the line of a version; damage: what is lost of its files, "" for nothing."""
    files = "damaged" if damage else "kept" if entry.is_kept else "removed"
    return Row(
        version=UNKNOWN if entry.number is None else str(entry.number),
        when=entry.when.replace("+00:00", "Z"),
        run=entry.run,
        status=entry.status,
        files=files,
        rows=f"{int(entry.rows):,}" if entry.rows.isdigit() else entry.rows,
        by=entry.by,
        policy=entry.policy[:8],
        gates=entry.gates,
        note="; ".join(dict.fromkeys(filter(None, (damage, entry.note)))),
    )
