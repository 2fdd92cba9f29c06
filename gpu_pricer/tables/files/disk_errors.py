"""What the disk refuses to write is an OSError, as with every other file, whichever library writes it."""

import errno
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from queue import Full, Queue

import polars as pl
from polars.io.plugins import register_io_source
from safetensors import SafetensorError

from gpu_pricer.errors import InputError

NUMBER = re.compile(r"\(os error (\d+)\)")
"""How Rust names the system's error in the text of its own."""
NO_NUMBER = "transport error"
"""What Polars says where the disk refuses the end of a Parquet file."""
POLL_SECONDS = 0.1
"""How soon a writer that failed is noticed."""


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


def share(path: Path) -> None:
    """Give a file to those who may read its folder; safetensors makes it for its owner alone, whatever the umask."""
    path.chmod(path.parent.stat().st_mode & 0o666)


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


def write_parts(parts: Iterator[pl.DataFrame], path: Path, metadata: Mapping[str, str] | None = None) -> int:
    """Write the parts below each other as one Parquet file, in the memory of a few of them, and return the rows.

    There must be at least one part. Raise OSError where the disk refuses the file. The parts are made in the calling
    thread while another one writes: a signal, which only the main thread hears, need not wait for the last part.
    """
    first, rows = next(parts), 0
    waiting: Queue[pl.DataFrame | None] = Queue(1)

    def read(*_: object) -> Iterator[pl.DataFrame]:
        while (part := waiting.get()) is not None:
            yield part

    with ThreadPoolExecutor(1) as threads, disk_errors(path):
        rows_of_parts = register_io_source(read, schema=first.schema)
        written = threads.submit(
            rows_of_parts.sink_parquet, path, metadata=None if metadata is None else dict(metadata)
        )
        try:
            for part in chain([first], parts):
                rows += part.height
                if not _put(waiting, part, written):
                    break
        finally:
            _put(waiting, None, written)
        written.result()
    return rows


def _put(waiting: "Queue[pl.DataFrame | None]", part: pl.DataFrame | None, written: "Future[None]") -> bool:
    """Put a part into the queue as soon as it has room, and return whether its reader still reads."""
    while not written.done():
        try:
            waiting.put(part, timeout=POLL_SECONDS)
            return True
        except Full:
            continue
    return False
