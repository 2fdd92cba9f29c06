"""Files of a shard that an interrupted scoring had finished: what counts as finished, and what goes."""

from dataclasses import fields

import pytest

from gpu_pricer.tables.version.finished_files import finished_files, remove_leftovers
from gpu_pricer.tables.version.names import RECORD
from gpu_pricer.tables.version.tally import Tally

TALLY = Tally(*range(len(fields(Tally))))
SOURCES = {"policy": "abc", "tiles": {"run-00002-00000.parquet": (0, 3)}}
FIRST, SECOND = "run-00002-00000.parquet", "run-00002-00001.parquet"


@pytest.fixture
def folder(tmp_path):
    """A version's folder in which an attempt at shard 2 finished two files."""
    version = tmp_path / "run"
    (version / RECORD).mkdir(parents=True)
    done = finished_files(version, 2, SOURCES)
    for name in (FIRST, SECOND):
        (version / name).write_bytes(name.encode())
        done.add(name, TALLY)
    return version


def test_next_attempt_finds_finished_files_with_their_sums(folder):
    assert finished_files(folder, 2, SOURCES).tallies == {FIRST: TALLY, SECOND: TALLY}
    assert finished_files(folder, 2, SOURCES).tallies == {FIRST: TALLY, SECOND: TALLY}  # and so does the one after it


def test_files_of_other_sources_or_of_another_shard_do_not_count(folder):
    assert finished_files(folder, 1, SOURCES).tallies == {}
    assert finished_files(folder, 2, SOURCES | {"policy": "abd"}).tallies == {}
    assert finished_files(folder, 2, SOURCES).tallies == {}  # for the attempt before began anew


@pytest.mark.parametrize("content", [b"half", SECOND.encode()[::-1], None], ids=["shorter", "as long", "gone"])
def test_file_that_is_not_what_was_finished_does_not_count(folder, content):
    (folder / SECOND).unlink() if content is None else (folder / SECOND).write_bytes(content)

    assert finished_files(folder, 2, SOURCES).tallies == {FIRST: TALLY}


@pytest.mark.parametrize("cut", [1, 30, 300])
def test_line_that_a_killed_process_did_not_end_does_not_count(folder, cut):
    journal = folder / RECORD / "finished-00002.jsonl"
    journal.write_bytes(journal.read_bytes()[:-cut])

    assert finished_files(folder, 2, SOURCES).tallies == {FIRST: TALLY}


def test_journal_that_is_none_counts_for_nothing(folder):
    (folder / RECORD / "finished-00002.jsonl").write_bytes(b"\xff\n[1\n")

    assert finished_files(folder, 2, SOURCES).tallies == {}


def test_only_finished_files_of_the_shard_stay(folder):
    done = finished_files(folder, 2, SOURCES)
    for name in ("run-00002-00009.parquet", "run-00002-00001.parquet.part", "run-00003-00000.parquet"):
        (folder / name).touch()
    finished_files(folder, 3, SOURCES)

    remove_leftovers(folder, 2, [done])
    assert {path.name for path in folder.glob("*.parquet*")} == {FIRST, SECOND, "run-00003-00000.parquet"}

    remove_leftovers(folder, None, [done])
    assert {path.name for path in folder.glob("*.parquet*")} == {FIRST, SECOND}
    assert [path.name for path in (folder / RECORD).iterdir()] == ["finished-00002.jsonl"]

    done.forget()
    assert not [*(folder / RECORD).iterdir()]
