"""The seal of a scored version: the SHA-256 of each of its files, by which `publish` knows that none has changed.

The file has the form of GNU's sha256sum, so that `sha256sum --check _record/SHA256SUMS` verifies a version by hand.
"""

import re
from collections.abc import Iterable
from pathlib import Path

from gpu_pricer.errors import InputError
from gpu_pricer.tables.files.durable import checksum, checksums
from gpu_pricer.tables.files.replacing import replacing_file
from gpu_pricer.tables.version.names import APPROVALS, LOCK, METRICS, PUBLICATION, SEAL

LINE = re.compile(r"(?P<sum>[0-9a-f]{64})  (?P<name>.+)")
EXAMPLES = 3

UNSEALED = (SEAL, LOCK, PUBLICATION, METRICS, APPROVALS)
"""Files of a version that change after it is scored: `publish` keeps there what its gates found and who approved."""


def seal(folder: Path) -> None:
    """Write the seal of a finished version; whatever changes in the folder afterwards, UNSEALED apart, breaks it.

    The sums are of what `score` wrote, as it is still in memory, so that `publish`, which reads the disk, sees what
    the disk lost too. They take a second per gigabyte (one core of an Intel Xeon, 2026-11).
    Another task of an array may score its shard again meanwhile: what it changes is read once more. Raise InputError if
    a file vanishes, since that task then seals the version.
    """
    try:
        before = None
        while before != (now := _states(folder)):
            before, text = now, _text(_sums(folder, from_disk=False))
            with replacing_file(folder / SEAL) as fresh:
                fresh.write_text(text)
    except FileNotFoundError as error:
        raise InputError(
            f"{folder} must stay as it is until it is sealed, found that another task removed {error.filename}: let "
            "that task finish"
        ) from error


def require_sealed(folder: Path) -> None:
    """Raise InputError unless the folder holds the files that its seal lists, byte for byte, and no others."""
    path, found = folder / SEAL, _sums(folder, from_disk=True)
    if not path.is_file() or path.is_symlink():
        raise InputError(
            f"{folder} must hold {SEAL}, which `score` writes last, found none: wait for it, or score again"
        )
    content = path.read_bytes()
    if content == _text(found).encode():
        return
    listed = _listed(content)
    changed = sorted(name for name in listed | found if listed.get(name) != found.get(name))
    raise InputError(
        f"{folder} must be as `score` left it, byte for byte, found {len(changed) or 1} of its files changed, missing "
        f"or added, such as {', '.join(changed[:EXAMPLES]) or SEAL}: restore them, or score again"
    )


def require_unchanged(folder: Path, names: Iterable[str]) -> None:
    """Raise InputError unless the named files of the version in a folder are those that its seal lists, byte for byte.

    names: the files' paths in the folder.
    """
    path = folder / SEAL
    listed = _listed(path.read_bytes()) if path.is_file() else {}
    for name in names:
        file = folder / name
        if not file.is_file() or checksum(file, from_disk=True) != listed.get(name):
            raise InputError(
                f"{file} must be as `score` left it, byte for byte, found another than {SEAL} lists: restore it, or "
                "score again"
            )


def has_file(folder: Path, name: str) -> bool:
    """Return whether the version in a folder has a file; raise InputError if its seal lists the file and it is lost.

    name: the file's path in the folder. A folder without a seal, such as one that is being scored, lists nothing.
    """
    if (folder / name).is_file():
        return True
    path = folder / SEAL
    if path.is_file() and name in _listed(path.read_bytes()):
        raise InputError(
            f"{folder / name} must be there, since {SEAL} lists it, found none: restore it, or roll back to a version "
            "before"
        )
    return False


def _listed(content: bytes) -> dict[str, str]:
    """Return the SHA-256 of each file that a seal lists, by the file's path in the folder; content: of the seal."""
    lines = map(LINE.fullmatch, content.decode(errors="replace").splitlines())
    return {line["name"]: line["sum"] for line in lines if line}


def _sums(folder: Path, from_disk: bool) -> dict[str, str]:
    """Return the SHA-256 of every file by its path in the folder, without links, those of UNSEALED and their `.part`s.

    A killed `publish` leaves such a part; the next one removes it.
    """
    sums = checksums(folder, from_disk)
    return {name: sum_ for name, sum_ in sums.items() if not _is_unsealed(name) and not (folder / name).is_symlink()}


def _is_unsealed(name: str) -> bool:
    return name in UNSEALED or (name.endswith(".part") and name.startswith(UNSEALED))


def _states(folder: Path) -> dict[str, tuple[int, ...]]:
    """Return what changes with every file that is written: its number, size and time."""
    paths = [path for path in folder.rglob("*") if path not in (folder / SEAL, folder / LOCK) and not path.is_dir()]
    states = {str(path): path.lstat() for path in paths}
    return {name: (state.st_ino, state.st_size, state.st_mtime_ns) for name, state in states.items()}


def _text(sums: dict[str, str]) -> str:
    return "".join(f"{sums[name]}  {name}\n" for name in sorted(sums))
