"""Files and directories that are replaced as a whole."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gpu_pricer.errors import InputError
from gpu_pricer.tables.files import replacing as replacing_module
from gpu_pricer.tables.files.replacing import replacing, replacing_file, whole_or_absent

OURS = ("table.parquet",)
ROOT = Path(__file__).parents[3]
WRITE = """
import sys, time
from pathlib import Path
from gpu_pricer.tables.files.replacing import replacing_file
with replacing_file(Path(sys.argv[1])) as fresh:
    fresh.write_text("half")
    print(fresh.name, flush=True)
    time.sleep(100)
"""


def write(directory, text):
    with replacing(directory, OURS) as fresh:
        (fresh / "table.parquet").write_text(text)


def test_the_new_directory_takes_the_place_of_the_old_one(tmp_path):
    write(tmp_path / "data", "old")
    write(tmp_path / "data", "new")

    assert (tmp_path / "data" / "table.parquet").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_a_failed_write_leaves_the_old_directory_whole(tmp_path):
    write(tmp_path / "data", "old")

    with pytest.raises(TypeError):
        write(tmp_path / "data", 0)

    assert (tmp_path / "data" / "table.parquet").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def write_half(path):
    with replacing_file(path) as fresh:
        fresh.write_text("half")
        raise KeyboardInterrupt


def test_a_failed_file_leaves_the_old_one_and_no_other(tmp_path):
    (tmp_path / "table.json").write_text("old")

    with pytest.raises(KeyboardInterrupt):
        write_half(tmp_path / "table.json")

    assert (tmp_path / "table.json").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["table.json"]


@pytest.fixture
def no_exchange(monkeypatch):
    """A file system that cannot exchange two directories."""
    monkeypatch.setattr(replacing_module, "exchange", lambda one, other: False)


def test_a_file_system_without_exchanges_needs_two_renames_and_the_log_says_so(tmp_path, no_exchange, caplog):
    caplog.set_level("INFO")
    write(tmp_path / "data", "old")
    write(tmp_path / "data", "new")

    assert (tmp_path / "data" / "table.parquet").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["data"]
    assert "data cannot be exchanged in one step on its file system" in caplog.text


def test_the_directory_is_there_at_every_moment(tmp_path, monkeypatch):
    write(tmp_path / "data", "old")

    def refuse(path, target):
        raise AssertionError(f"{path} was renamed: between two renames there is no directory")

    monkeypatch.setattr(type(tmp_path), "rename", refuse)
    write(tmp_path / "data", "new")

    assert (tmp_path / "data" / "table.parquet").read_text() == "new"


@pytest.mark.parametrize("is_there", [True, False])
def test_a_link_to_another_file_system_stays_a_link(tmp_path, is_there):
    (tmp_path / "scratch").mkdir()
    for name in ("data", "table.json"):
        (tmp_path / name).symlink_to(tmp_path / "scratch" / name)
    if is_there:
        write(tmp_path / "scratch/data", "old")
        (tmp_path / "scratch/table.json").write_text("old")

    write(tmp_path / "data", "new")
    with replacing_file(tmp_path / "table.json") as fresh:
        fresh.write_text("new")

    assert [(tmp_path / name).is_symlink() for name in ("data", "table.json")] == [True, True]
    assert (tmp_path / "scratch/data/table.parquet").read_text() == "new"
    assert (tmp_path / "scratch/table.json").read_text() == "new"


def test_files_are_on_the_disk_before_they_replace_others(tmp_path, monkeypatch):
    done = []
    monkeypatch.setattr(replacing_module, "sync", lambda path: done.append(("sync", path.name)))
    monkeypatch.setattr(replacing_module, "sync_tree", lambda path: done.append(("sync", path.name)))
    replace, rename = type(tmp_path).replace, type(tmp_path).rename

    def noting(move):
        return lambda path, target: (done.append(("move", path.name)), move(path, target))

    monkeypatch.setattr(type(tmp_path), "replace", noting(replace))
    monkeypatch.setattr(type(tmp_path), "rename", noting(rename))
    with replacing_file(tmp_path / "table.json") as fresh:
        fresh.write_text("new")
    write(tmp_path / "data", "new")

    parent = ("sync", tmp_path.name)
    part = fresh.name
    assert done == [("sync", part), ("move", part), parent, ("sync", "data.new"), ("move", "data.new"), parent]


def test_an_interruption_between_the_renames_puts_the_old_directory_back(tmp_path, monkeypatch, no_exchange):
    write(tmp_path / "data", "old")
    rename = type(tmp_path).rename

    def interrupted(path, target):
        if path.name == "data.new":
            raise KeyboardInterrupt
        return rename(path, target)

    monkeypatch.setattr(type(tmp_path), "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "data", "new")

    assert (tmp_path / "data" / "table.parquet").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_a_run_killed_between_the_renames_loses_nothing(tmp_path):
    write(tmp_path / "data", "old")
    (tmp_path / "data").rename(tmp_path / "data.old")

    with pytest.raises(TypeError):
        write(tmp_path / "data", 0)

    assert (tmp_path / "data" / "table.parquet").read_text() == "old"


def test_foreign_files_are_never_deleted(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "thesis.txt").write_text("years of work")

    with pytest.raises(InputError, match=r"found thesis\.txt: name another directory"):
        write(tmp_path / "data", "new")

    assert (tmp_path / "data" / "thesis.txt").exists()


@pytest.fixture
def writer(tmp_path):
    """Another process that has written half of table.json, and the path where it did."""
    command = [sys.executable, "-c", WRITE, str(tmp_path / "table.json")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        yield process, tmp_path / process.stdout.readline().strip()
        process.kill()


def test_what_a_killed_writer_left_goes_when_the_file_is_written_again(tmp_path, writer):
    process, half = writer
    process.kill()
    process.wait()
    assert half.read_text() == "half"

    with replacing_file(tmp_path / "table.json") as fresh:
        fresh.write_text("new")

    assert [path.name for path in tmp_path.iterdir()] == ["table.json"]


def test_what_another_writer_has_begun_stays(tmp_path, writer):
    with replacing_file(tmp_path / "table.json") as fresh:
        fresh.write_text("new")

    assert writer[1].read_text() == "half"


def test_what_a_writer_on_another_machine_left_goes_after_a_day(tmp_path):
    young, old = (tmp_path / f"table.json.{name}.part" for name in ("0123456789ab", "1a2b3c4d"))
    for path in (young, old):
        path.write_text("half")
    os.utime(old, (time.time() - 100_000,) * 2)

    with replacing_file(tmp_path / "table.json") as fresh:
        fresh.write_text("new")

    assert sorted(path.name for path in tmp_path.iterdir()) == ["table.json", young.name]


def link_in_vain(path):
    with whole_or_absent(path):
        path.symlink_to("first")
        raise KeyboardInterrupt


def test_a_link_to_a_folder_that_a_failed_block_made_is_removed(tmp_path):
    (tmp_path / "first").mkdir()

    with pytest.raises(KeyboardInterrupt):
        link_in_vain(tmp_path / "link")

    assert [path.name for path in tmp_path.iterdir()] == ["first"]


def test_replaced_directory_goes_even_where_the_disk_cannot_be_synced(tmp_path, monkeypatch):
    write(tmp_path / "data", "old")

    def full(path):
        raise OSError("no room")

    monkeypatch.setattr(replacing_module, "sync", full)
    with pytest.raises(OSError, match="no room"):
        write(tmp_path / "data", "new")

    assert (tmp_path / "data" / "table.parquet").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_full_disk_is_said_with_the_file(tmp_path):
    with (
        pytest.raises(OSError, match=r"No space left on device: '.*table\.json'"),
        replacing_file(tmp_path / "table.json"),
    ):
        Path("/dev/full").write_text("more than there is room for")

    assert not [*tmp_path.iterdir()]
