"""A directory that is replaced as a whole."""

import pytest

from gpu_pricer.errors import InputError
from gpu_pricer.tables.replacing import replacing

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
