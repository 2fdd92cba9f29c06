"""A directory that is replaced as a whole."""

import pytest

from gpu_pricer.errors import InputError
from gpu_pricer.tables.replacing import replacing, replacing_file

OURS = ("table.parquet",)


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


def test_an_interruption_between_the_renames_puts_the_old_directory_back(tmp_path, monkeypatch):
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
