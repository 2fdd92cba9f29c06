"""certificate.json in the record of a version that was scored under constraints: what it is called, and its reader."""

import json
from pathlib import Path
from typing import Any

from gpu_pricer.errors import InputError, first_line

CERTIFICATE = "certificate.json"
"""The file of a version's record that holds the multipliers and what is proved of the prices."""


def read_certificate(record: Path) -> dict[str, Any]:
    """Return the content of the certificate in a version's record; InputError if there is none, or no whole one."""
    path = record / CERTIFICATE
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(
            f"{path} must be what `gpu-pricer score` wrote, found: {first_line(error)}: restore it, or score again"
        ) from error
    if not isinstance(content, dict):
        raise InputError(
            f"{path} must be what `gpu-pricer score` wrote, found no object of JSON: restore it, or score again"
        )
    return content


def find_certificate(record: Path) -> dict[str, Any]:
    """Return the content of the certificate in a version's record, empty where it has none; else as read_certificate.

    A version that was scored without limits on the assortment has none.
    """
    return read_certificate(record) if (record / CERTIFICATE).is_file() else {}
