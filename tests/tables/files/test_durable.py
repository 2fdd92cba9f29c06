"""Exchanges of folders, and checksums of copies."""

import ctypes
import errno

import pytest

from gpu_pricer.tables.files import durable
from gpu_pricer.tables.files.durable import checksums, exchange, sync_tree
from gpu_pricer.tables.version.code import code_fingerprint


@pytest.fixture
def two(tmp_path):
    """Two folders with a file each, which holds the folder's name."""
    folders = tmp_path / "one", tmp_path / "other"
    for folder in folders:
        folder.mkdir()
        (folder / "name").write_text(folder.name)
    return folders


def test_exchanged_folders_hold_what_the_other_held(two):
    one, other = two

    assert exchange(one, other)

    assert [(folder / "name").read_text() for folder in two] == ["other", "one"]


def test_exchange_with_nothing_is_an_error(two, tmp_path):
    with pytest.raises(FileNotFoundError):
        exchange(two[0], tmp_path / "none")


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOSYS])
def test_file_system_without_exchanges_is_told_apart(two, monkeypatch, number):
    class Library:
        def renameat2(self, *arguments):
            ctypes.set_errno(number)
            return -1

    monkeypatch.setattr(durable.ctypes, "CDLL", lambda name, use_errno: Library())

    assert not exchange(*two)
    assert [(folder / "name").read_text() for folder in two] == ["one", "other"]


def test_checksums_tell_a_changed_byte(two):
    before = checksums(two[0])
    (two[0] / "name").write_text("onf")

    assert before.keys() == {"name"}
    assert checksums(two[0]) != before


@pytest.mark.parametrize("from_disk", [True, False])
def test_checksums_read_the_disk_where_they_are_to(two, monkeypatch, from_disk):
    dropped = []
    monkeypatch.setattr(durable.os, "posix_fadvise", lambda *arguments: dropped.append(arguments[-1]))

    checksums(two[0], from_disk)

    assert dropped == ([durable.os.POSIX_FADV_DONTNEED] if from_disk else [])


def test_every_file_and_folder_is_synchronised(two, monkeypatch):
    (two[0] / "below").mkdir()
    (two[0] / "below/file").write_text("x")
    found = []
    monkeypatch.setattr(durable, "sync", lambda path: found.append(path.name))

    sync_tree(two[0])

    assert found == ["file", "below", "name", "one"]


def test_code_has_one_fingerprint_that_a_changed_file_changes(tmp_path, monkeypatch):
    from gpu_pricer.tables.version import code

    (tmp_path / "module.py").write_text("a = 1")
    monkeypatch.setattr(code, "PACKAGES", (tmp_path,))
    first = code_fingerprint.__wrapped__()
    assert first == code_fingerprint.__wrapped__()

    (tmp_path / "module.py").write_text("a = 2")

    assert code_fingerprint.__wrapped__() != first
