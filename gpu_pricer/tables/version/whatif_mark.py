"""The mark of a what-if: a scored version that shows what would be, and that nothing publishes."""

import json
from collections.abc import Sequence
from pathlib import Path

from gpu_pricer.errors import InputError
from gpu_pricer.tables.files.replacing import replacing_file
from gpu_pricer.tables.version.names import RECORD

WHATIF = f"{RECORD}/whatif.json"
"""In a what-if's record: the run that it changes, and the changes."""


def mark_whatif(folder: Path, base: str, changes: Sequence[str]) -> None:
    """Mark the version in a folder as a what-if; base: the run that it changes."""
    with replacing_file(folder / WHATIF) as fresh:
        fresh.write_text(json.dumps({"base": base, "changes": [*changes]}, indent=2) + "\n")


def require_no_whatif(folder: Path) -> None:
    """Raise InputError for a what-if, wherever it lies."""
    if (folder / WHATIF).is_file():
        raise InputError(
            f"a what-if is not published, found {folder}: to publish prices with its changes ({folder / WHATIF}), give "
            "these to gpu-pricer score"
        )
