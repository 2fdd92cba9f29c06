"""The files of a shard that are finished, by which a scoring that was interrupted goes on where it was.

`_record/finished-<shard>.jsonl` says in its first line what the shard's files are made of, and then in a line for each
finished file its size, SHA-256 and sums. It goes once the shard is complete.
"""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gpu_pricer.tables.files.durable import checksum
from gpu_pricer.tables.files.replacing import replacing_file
from gpu_pricer.tables.version.names import RECORD
from gpu_pricer.tables.version.tally import Tally


@dataclass(frozen=True)
class FinishedFiles:
    """The sums over each finished file of a shard, by name, and the journal that lists them."""

    journal: Path
    tallies: dict[str, Tally]

    def add(self, name: str, tally: Tally) -> None:
        """Record that a file of the shard is finished."""
        self.tallies[name] = tally
        with self.journal.open("a") as file:
            file.write(_line(self.journal.parents[1] / name, tally))

    def forget(self) -> None:
        """Remove the journal, once all files of the shard are there."""
        self.journal.unlink(missing_ok=True)


def finished_files(folder: Path, shard: int, made_of: Mapping[str, object]) -> FinishedFiles:
    """Return the files that an earlier attempt at the shard finished of the same sources, and renew the journal.

    made_of: all that the files' bytes depend on, as JSON. A file counts if it has the size and the SHA-256 that it had
    when it was finished.
    """
    journal = folder / RECORD / f"finished-{shard:05d}.jsonl"
    head = hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()
    found = _verified(folder, _entries(journal, head))
    with replacing_file(journal) as fresh:
        fresh.write_text(
            "".join([json.dumps(head) + "\n", *(_line(folder / name, tally) for name, tally in found.items())])
        )
    return FinishedFiles(journal, found)


def remove_leftovers(folder: Path, shard: int | None, finished: Collection[FinishedFiles]) -> None:
    """Remove what an earlier attempt at the shard, all shards if None, left besides the finished files."""
    kept = {path for own in finished for path in (own.journal, *(folder / name for name in own.tallies))}
    number = "" if shard is None else f"{shard:05d}"
    for path in (*folder.glob(f"{folder.name}-{number}*"), *(folder / RECORD).glob(f"finished-{number}*")):
        if path not in kept:
            path.unlink(missing_ok=True)


def _entries(journal: Path, head: str) -> dict[str, dict[str, Any]]:
    """Return what the journal says of each file by name; nothing where it is of other sources, or none.

    A process that is killed may leave half a line at the end.
    """
    try:
        lines = [json.loads(line) for line in journal.read_text().splitlines(keepends=True) if line.endswith("\n")]
        return {entry["name"]: entry for entry in lines[1:]} if lines[:1] == [head] else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _verified(folder: Path, entries: Mapping[str, dict[str, Any]]) -> dict[str, Tally]:
    found = {}
    for name, entry in entries.items():
        path = folder / name
        if path.is_file() and _facts(path, from_disk=True).items() <= entry.items():
            found[name] = Tally(**entry["tally"])
    return found


def _line(path: Path, tally: Tally) -> str:
    return json.dumps({"name": path.name, **_facts(path, from_disk=False), "tally": asdict(tally)}) + "\n"


def _facts(path: Path, from_disk: bool) -> dict[str, object]:
    return {"size": path.stat().st_size, "sha256": checksum(path, from_disk)}
