"""The system calls by which a job changes files, found by strace, and how strace makes one of them fail or fatal."""

import re
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

NAMING = ("rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat", "unlink", "unlinkat", "rmdir",
          "mkdir", "mkdirat")  # fmt: skip
WRITING = ("write", "writev", "pwrite64", "ftruncate", "fallocate", "copy_file_range", "sendfile", "fsync", "fdatasync")
OPENING = "openat"
CHANGES = (*NAMING, *WRITING, OPENING)

CALL = re.compile(r"(?P<thread>\d+) +(?P<call>\w+)\((?P<words>.*)")
WORKING = re.compile(r"AT_FDCWD<[^>]*>")
QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
OPENS_TO_WRITE = re.compile(r"O_WRONLY|O_RDWR|O_CREAT")


@dataclass(frozen=True)
class Point:
    """The call of that name that a thread makes as its `number`-th, and what it was about in the traced run.

    is_alone: no thread's call of that name and number was about anything but the folder. strace counts by thread, and
    an error that a thread meets as it wakes another one is none of the storage's.
    """

    call: str
    number: int
    about: str
    is_alone: bool


def require_strace() -> None:
    """Raise FileNotFoundError without strace."""
    if shutil.which("strace") is None:
        raise FileNotFoundError("faults are inflicted by strace, found none: apt-get install strace")


def strace_command(log: Path, *inject: str) -> list[str]:
    """Return the words that make strace note all changes of files in a log, and inject what is said."""
    faults = [f"--inject={fault}" for fault in inject]
    return ["--decode-fds=path", "--string-limit=200", f"--trace={','.join(CHANGES)}", f"--output={log}", *faults]


def points_of(log: Path, folder: Path) -> list[Point]:
    """Return the changes that a traced job made in the folder, in order; several threads may share a number."""
    numbers: Counter[tuple[str, str]] = Counter()
    changes: dict[tuple[str, int], str] = {}
    elsewhere = set()
    for thread, call, words in _calls(log.read_text(errors="replace").splitlines()):
        numbers[thread, call] += 1
        place = call, numbers[thread, call]
        if is_change_in(folder, call, words):
            changes.setdefault(place, WORKING.sub("", words).replace(f"{folder}/", "")[:100])
        else:
            elsewhere.add(place)
    return [Point(*place, about, place not in elsewhere) for place, about in changes.items()]


def injected(log: Path, folder: Path) -> int:
    """Return how many calls in the folder strace made fail; -1 if it made one fail that was about something else."""
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.endswith("(INJECTED)")]
    calls = [*_calls(lines)]
    if len(calls) < len(lines) or not all(touches(folder, call, words) for _, call, words in calls):
        return -1
    return len(calls)


def _calls(lines: Iterable[str]) -> Iterator[Sequence[str]]:
    for line in lines:
        match = CALL.match(line)
        if match:
            yield match.groups()


def is_change_in(folder: Path, call: str, words: str) -> bool:
    """Return whether a call changes something in the folder, in which the job works."""
    return touches(folder, call, words) and (call != OPENING or bool(OPENS_TO_WRITE.search(words)))


def touches(folder: Path, call: str, words: str) -> bool:
    """Return whether a call is about a file in the folder."""
    words = WORKING.sub("", words)
    if f"<{folder}/" in words or f"<{folder}>" in words:
        return True
    paths = QUOTED.findall(words) if call in (*NAMING, OPENING) else []
    return any(not path.startswith("/") or path.startswith(f"{folder}/") for path in paths)
