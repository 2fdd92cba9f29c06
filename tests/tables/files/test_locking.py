"""Lock files: one owner at a time, or several that share, and none once its process has ended."""

import errno
import fcntl
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from gpu_pricer.errors import InputError
from gpu_pricer.tables.files import locking
from gpu_pricer.tables.files.locking import in_turn, is_locked, locked

ROOT = Path(__file__).parents[3]
HOLD = """
import sys, time
from pathlib import Path
from gpu_pricer.tables.files.locking import locked
with locked(Path(sys.argv[1]), "train", shared=sys.argv[2] == "shared"):
    print("held", flush=True)
    time.sleep(100)
"""


@pytest.fixture
def lock(tmp_path, monkeypatch):
    monkeypatch.setattr(locking, "PATIENCE", 0.1)
    return tmp_path / "work/.lock"


def holder(lock, kind):
    """Another process that holds the lock."""
    command = [sys.executable, "-c", HOLD, lock, kind]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    return process


@pytest.fixture
def of_another_user(monkeypatch):
    """of_another_user(path): from now on this process may read the file and not write it, which root always may."""

    def become(path):
        def opened(name, flags, mode=0o777):
            if name == path and path.exists() and flags & os.O_ACCMODE != os.O_RDONLY:
                raise PermissionError(errno.EACCES, "Permission denied", str(name))
            return really(name, flags, mode)

        really = os.open
        monkeypatch.setattr(os, "open", opened)

    return become


def refuse(file, kind):
    raise OSError(errno.ENOLCK, "No locks available")


def acquire(lock, shared=False):
    with locked(lock, "train", shared):
        return True


def test_second_owner_is_told_who_the_first_is(lock):
    with holder(lock, "alone") as process:
        with pytest.raises(InputError) as refused:
            acquire(lock)
        process.kill()

    expected = r"work must be free to train, found it in use: train by process \d+ on \S+ since \S+ \(0 minutes\): wait"
    assert re.search(expected, str(refused.value))


@pytest.mark.parametrize(("theirs", "ours", "is_free"), [("shared", True, True), ("shared", False, False)])
def test_lock_is_shared_only_among_those_who_share(lock, theirs, ours, is_free):
    with holder(lock, theirs) as process:
        if is_free:
            assert acquire(lock, ours)
        else:
            with pytest.raises(InputError, match="found it in use"):
                acquire(lock, ours)
        assert is_locked(lock)
        process.kill()


def test_lock_of_a_killed_process_is_free(lock):
    with holder(lock, "alone") as process:
        process.send_signal(signal.SIGKILL)

    assert not is_locked(lock)
    assert acquire(lock)


def test_lock_of_another_user_guards(lock, of_another_user):
    with holder(lock, "alone") as process:
        of_another_user(lock)
        with pytest.raises(InputError, match=r"found it in use: train by process \d+"):
            acquire(lock)
        assert is_locked(lock)
        process.kill()


def test_lock_that_a_killed_process_of_another_user_left_is_free(lock, of_another_user, caplog):
    with holder(lock, "alone") as process:
        process.send_signal(signal.SIGKILL)
    of_another_user(lock)

    assert not is_locked(lock)
    assert acquire(lock)
    assert not caplog.text
    assert not lock.exists()


def test_nothing_stays_behind(lock):
    with locked(lock, "train"):
        assert is_locked(lock)

    assert not lock.parent.exists()


def test_file_system_without_locks_is_named(lock, monkeypatch, caplog):
    monkeypatch.setattr(fcntl, "flock", refuse)

    assert acquire(lock)
    assert "work cannot be locked against a second job ([Errno 37] No locks available)" in caplog.text


def test_those_who_wait_in_turn_wait_longer_than_patience(lock):
    lock.parent.mkdir()
    ends = []
    with holder(lock, "alone") as process:
        threading.Timer(0.3, lambda: ends.append(process.kill())).start()
        with in_turn(lock):
            assert ends

    assert not lock.exists()


def test_nobody_waits_on_a_file_system_without_locks(lock, monkeypatch, caplog):
    lock.parent.mkdir()
    monkeypatch.setattr(fcntl, "flock", refuse)

    with in_turn(lock):
        assert "so that this task does not wait for others" in caplog.text
