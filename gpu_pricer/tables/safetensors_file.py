"""Writing safetensors files: what the disk refuses is an OSError, as with every other file."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

NUMBER = re.compile(r"\(os error (\d+)\)")
"""How Rust names the system's error in the text of its own."""


@contextmanager
def writing_safetensors(path: Path) -> Iterator[Path]:
    """Yield the path for the block to write to; raise OSError where the disk refuses that."""
    try:
        yield path
    except SafetensorError as error:
        match = NUMBER.search(str(error))
        if match is None:
            raise
        number = int(match[1])
        raise OSError(number, os.strerror(number), str(path)) from error
