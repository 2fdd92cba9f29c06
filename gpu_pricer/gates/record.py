"""What a version's record says of its gates: the numbers, and who accepted which of them for what reason."""

import getpass
import json
import os
import socket
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gpu_pricer.errors import InputError, first_line
from gpu_pricer.gates.outcome import Outcome
from gpu_pricer.tables.files.replacing import replacing_file
from gpu_pricer.tables.version.names import METRICS, PUBLICATION

UNDONE = "undone"
"""In an entry of the record: lines on what events and people changed in the version before, and this one undoes."""


def keep_outcomes(
    folder: Path,
    outcomes: Sequence[Outcome],
    replaces: str | None,
    reason: str | None,
    metrics: dict[str, Any],
    notes: Mapping[str, str | list[str]],
) -> None:
    """Add the outcomes, and the reason for which those not passed are accepted, to the version's record.

    replaces: the run that was published when they were measured. A version that is published again keeps what was said
    before. metrics: of its demand, kept beside so that the next version can be compared; empty if there are none.
    notes: what else to say of the publication, as why it goes back to an older version.
    """
    path = folder / PUBLICATION
    earlier = _earlier(path)
    entry = {
        "checked": datetime.now(UTC).isoformat(timespec="seconds"),
        "by": publisher(),
        "replaces": replaces,
        "accepted": {outcome.gate: reason for outcome in outcomes if not outcome.is_passed},
        "gates": {outcome.gate: _entry(outcome) for outcome in outcomes},
        **notes,
    }
    _write(path, [*earlier, entry])
    if metrics:
        _write(folder / METRICS, metrics)


def _entry(outcome: Outcome) -> dict[str, Any]:
    """Return what the record keeps of one gate."""
    entry = {"found": outcome.found, "limit": outcome.limit, "is_passed": outcome.is_passed}
    return entry | ({"cell": outcome.cell} if outcome.cell else {})


def last_gates(folder: Path) -> dict[str, Any]:
    """Return found, limit and is_passed of each gate at the version's last publication; empty if it has no record."""
    entries = _earlier(folder / PUBLICATION)
    last = entries[-1] if entries else {}
    return dict(last["gates"]) if isinstance(last, dict) and "gates" in last else {}


def last_undone(folder: Path) -> list[str]:
    """Return a line on each kind of change to the version before that this one undid at its last publication."""
    entries = _earlier(folder / PUBLICATION)
    last = entries[-1] if entries else {}
    return [str(line) for line in last.get(UNDONE, [])] if isinstance(last, dict) else []


def _earlier(path: Path) -> list[object]:
    """Return what the record says of earlier publications; InputError if the file holds something else."""
    if not path.is_file():
        return []
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        content = first_line(error)
    if not isinstance(content, list):
        raise InputError(f"{path} must hold a list of publications, found {content!r}: mend it or move it away")
    return content


def publisher() -> str:
    """Return user@host; the number of a user who has no name, as in a container."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def _write(path: Path, content: object) -> None:
    with replacing_file(path) as fresh:
        fresh.write_text(json.dumps(content, indent=2) + "\n")
