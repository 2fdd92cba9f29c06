"""What the disk refuses to write is an OSError, as with every other file, whichever library writes it."""

import errno
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import polars as pl
from safetensors import SafetensorError

from gpu_pricer.errors import InputError

NUMBER = re.compile(r"\(os error (\d+)\)")
"""How Rust names the system's error in the text of its own."""
NO_NUMBER = "transport error"
"""What Polars says where the disk refuses the end of a Parquet file."""


@contextmanager
def disk_errors(path: Path) -> Iterator[Path]:
    """Yield the path for Polars or safetensors to write to; raise OSError where the disk refuses that."""
    try:
        yield path
    except (SafetensorError, pl.exceptions.ComputeError) as error:
        match = NUMBER.search(str(error))
        if match is None and NO_NUMBER not in str(error):
            raise
        number = errno.EIO if match is None else int(match[1])
        reason = "it cannot be written" if match is None else os.strerror(number)
        raise OSError(number, reason, str(path)) from error


def write_table(table: pl.DataFrame, path: Path, metadata: Mapping[str, str] | None = None) -> None:
    """Write the table as a Parquet file with metadata of its own; raise OSError where the disk refuses that."""
    with disk_errors(path):
        table.write_parquet(path, metadata=None if metadata is None else dict(metadata))


def require_writable(folder: Path, key: str) -> None:
    """Raise InputError unless files can be written in the folder, or where it would be made; nothing is left there.

    key: of the configuration, which names the folder. A file is tried, since no question about rights answers for root,
    for a disk that is mounted read-only and for one of another machine.
    """
    place = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        raise InputError(
            f"{key} must lie where files can be written, found {error.strerror} in {place.absolute()}: set {key} to "
            "another folder, or mend the rights"
        ) from error
