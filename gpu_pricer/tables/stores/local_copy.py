"""The copy on this machine of a folder of an object store, which jobs read and write in its place.

`_copy.json` in the copy names the address; a folder without that file is no copy. Beside the copy lies for each fetched
object a file with the tag of its content, so that only what changed is fetched again. What the store never had, as of a
version that was scored and not published yet, is not replaced or removed.
"""

import hashlib
import json
import re
import secrets
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from gpu_pricer.errors import InputError
from gpu_pricer.tables.files.replacing import replacing_file
from gpu_pricer.tables.stores.address import parse_address
from gpu_pricer.tables.stores.bucket import Bucket, Stored

COPIES = "stores"
"""In the work folder."""
COPY = "_copy.json"
TAGS = ".tags"
"""Ends the name of the folder beside a copy that has the tags; a file each, so that processes share a copy."""


def copy_folder(work: Path, address: str) -> Path:
    """Return where the copy of an address lies in the work folder; raise InputError for what is no address."""
    kind, bucket, prefix = parse_address(address)
    whole = f"{kind}://{bucket}/{prefix}"
    readable = re.sub(r"[^A-Za-z0-9.-]+", "-", f"{bucket}-{prefix}").strip("-")
    return work / COPIES / f"{readable}-{hashlib.sha256(whole.encode()).hexdigest()[:8]}"


def address_of(folder: Path) -> str | None:
    """Return the address that the folder is a copy of, None for a folder that is none."""
    path = folder / COPY
    if not path.is_file():
        return None
    try:
        return str(json.loads(path.read_text())["address"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} must say what the folder is a copy of, found: {error}: remove the folder") from error


def shown(folder: Path) -> str:
    """Return how people know the folder: by its address if it is a copy, else by its path."""
    return address_of(folder) or str(folder)


def begin_copy(folder: Path, address: str) -> None:
    """Make the folder a copy of the address, if it is not yet, without fetching anything."""
    if address_of(folder) is None:
        folder.mkdir(parents=True, exist_ok=True)
        with replacing_file(folder / COPY) as fresh:
            fresh.write_text(json.dumps({"address": address}) + "\n")


def never(key: str) -> bool:
    """Return False: nothing that was written here is known to be what the store has."""
    return False


def refresh(folder: Path, is_chosen: Callable[[str], bool], is_sent: Callable[[str], bool] = never) -> set[str]:
    """Let a copy hold the chosen objects as they are now; return the keys of those that have gone since.

    The files of these are removed. is_sent: see bring.
    """
    bucket, tags = Bucket(str(address_of(folder))), _tags(folder)
    found = bucket.list()
    gone = tags.keys() - found.keys()
    for key in gone:
        (folder / key).unlink(missing_ok=True)
        _tag_file(folder, key).unlink(missing_ok=True)
    _fetch(folder, bucket, {key: facts for key, facts in found.items() if is_chosen(key)}, tags, is_sent)
    return gone


def bring(folder: Path, inner: str, is_sent: Callable[[str], bool] = never) -> bool:
    """Let a copy hold the objects below an inner folder; return whether the store has any.

    is_sent: whether the store has the content of a file that was written here; such a file is not fetched.
    """
    bucket = Bucket(str(address_of(folder)))
    found = bucket.list(inner)
    _fetch(folder, bucket, found, _tags(folder), is_sent)
    return bool(found)


def is_fetched(folder: Path, key: str) -> bool:
    """Return whether the copy has a file from the store, and not only from this machine."""
    return _tag_file(folder, key).is_file()


def _fetch(
    folder: Path, bucket: Bucket, objects: dict[str, Stored], tags: dict[str, str], is_sent: Callable[[str], bool]
) -> None:
    """Fetch what the copy does not have yet or has with another content; take over what was sent from here, if
    it is as large.

    A file counts as fetched from before it is written, in case the process is killed.
    """
    own = {key for key in objects if key not in tags and is_sent(key) and (folder / key).exists()}
    theirs = {key: facts for key, facts in objects.items() if key not in own}
    changed = [key for key, facts in theirs.items() if tags.get(key) != facts.tag or not _has(folder / key, facts)]
    _write_tags(folder, [(key, "") for key in changed])
    bucket.fetch({key: folder / key for key in changed}, objects)
    known = [*changed, *(key for key in own if _has(folder / key, objects[key]))]
    _write_tags(folder, [(key, objects[key].tag) for key in known])


def _has(path: Path, facts: Stored) -> bool:
    return path.is_file() and path.stat().st_size == facts.size


def _tag_file(folder: Path, key: str) -> Path:
    return folder.with_name(f"{folder.name}{TAGS}") / key


def _tags(folder: Path) -> dict[str, str]:
    top = _tag_file(folder, "")
    files = (path for path in top.rglob("*") if path.is_file() and path.suffix != ".part")
    tags = {}
    for path in files:
        with suppress(FileNotFoundError):  # another process that shares the copy noticed that the object has gone
            tags[path.relative_to(top).as_posix()] = path.read_text()
    return tags


def _write_tags(folder: Path, tags: Iterable[tuple[str, str]]) -> None:
    for key, tag in tags:
        path = _tag_file(folder, key)
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
        fresh.write_text(tag)
        fresh.replace(path)
