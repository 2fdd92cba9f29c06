"""Which folders of the price table are removed, and which stay for whoever still reads or writes them."""

import os
import time
from dataclasses import replace

import polars as pl
import pytest

from gpu_pricer.errors import InputError
from gpu_pricer.tables.files.locking import locked
from gpu_pricer.tables.published import retention
from gpu_pricer.tables.published.retention import Retention, remove_old_versions
from gpu_pricer.tables.version.names import LOCK, new_run
from gpu_pricer.versions.publication import keep_published, publish
from tests.tables.published.test_publishing import USUAL, published_rows, rows_of, scored

DAY = 24 * 3600


def age(folder, seconds):
    """Make everything in a folder, and the folder, that old."""
    for path in [*folder.rglob("*"), folder]:
        os.utime(path, (time.time() - seconds,) * 2, follow_symlinks=False)


def runs_in(prices):
    return sorted(path.name for path in prices.iterdir() if not path.name.startswith("_"))


def test_only_the_last_versions_stay(tmp_path):
    runs = [f"run{i}" for i in range(4)]
    for i, run in enumerate(runs):
        publish(tmp_path, scored(tmp_path, run, seed=i), replace(USUAL, keep=2))

    assert sorted(path.name for path in tmp_path.glob("run*")) == runs[2:]
    assert published_rows(tmp_path).equals(rows_of(tmp_path / "run3"))
    assert pl.scan_delta(str(tmp_path), version=2).collect().height == 36


def test_leftovers_go_only_when_old_and_ours(tmp_path):
    names = {"old": "20200101T000000-abc123", "young": new_run(), "part": "20200102T000000-abc123.part"}
    names["foreign"] = "keep-me"
    for key, name in names.items():
        (tmp_path / name).mkdir()
        if key != "young":
            (tmp_path / name / "half.parquet").write_bytes(b"")
            for path in (tmp_path / name / "half.parquet", tmp_path / name):
                os.utime(path, (time.time() - 10**6,) * 2)

    publish(tmp_path, scored(tmp_path, "first"), USUAL)
    before = {path.name for path in tmp_path.iterdir()}

    assert names["young"] in before
    assert names["foreign"] in before
    assert not before & {names["old"], names["part"]}


def test_replaced_version_stays_for_slow_readers(tmp_path):
    publish(tmp_path, scored(tmp_path, "first"), USUAL)
    slow = pl.scan_parquet(tmp_path / "_current/*.parquet")
    publish(tmp_path, scored(tmp_path, "second", seed=1), replace(USUAL, keep=1, keep_hours=24))

    assert slow.collect().height == 36
    age(tmp_path / "_delta_log", 23 * 3600)
    assert remove_old_versions(tmp_path, Retention(1, 24)) == []
    age(tmp_path / "_delta_log", 25 * 3600)
    assert remove_old_versions(tmp_path, Retention(1, 24)) == ["first"]
    assert published_rows(tmp_path).equals(rows_of(tmp_path / "second"))


def test_entry_of_the_log_without_a_version_replaces_none(tmp_path):
    publish(tmp_path, scored(tmp_path, "first"), USUAL)
    keep_published(tmp_path, "first", {"events": "[]"})
    publish(tmp_path, scored(tmp_path, "second", seed=1), replace(USUAL, keep=1, keep_hours=24))
    age(tmp_path / "_delta_log" / f"{1:020d}.json", 25 * 3600)

    assert remove_old_versions(tmp_path, Retention(1, 24)) == []
    assert published_rows(tmp_path).equals(rows_of(tmp_path / "second"))
    with pytest.raises(InputError, match="must still publish first, found second meanwhile: run it again"):
        keep_published(tmp_path, "first", {"events": "[]"})


def test_order_of_publication_counts_and_no_name_or_clock(tmp_path):
    runs = ["20990101T000000-abc123", "20260101T000000-abc123", "20500101T000000-abc123"]
    for seed, run in enumerate(runs):
        publish(tmp_path, scored(tmp_path, run, seed=seed), replace(USUAL, keep=2))
        age(tmp_path / run, (seed - 5) * DAY)  # stamped by hosts whose clocks run ahead

    assert runs_in(tmp_path) == sorted(runs[1:])
    assert published_rows(tmp_path).equals(rows_of(tmp_path / runs[2]))


def test_clock_that_runs_ahead_removes_no_folder_that_is_being_written(tmp_path, monkeypatch):
    publish(tmp_path, scored(tmp_path, "first"), USUAL)
    beside = tmp_path / new_run()
    beside.mkdir()
    age(beside, 60)
    monkeypatch.setattr(time, "time", lambda: 4e9)

    assert remove_old_versions(tmp_path, Retention(1, 0)) == []
    assert beside.exists()


@pytest.mark.parametrize("is_scored", [True, False])
def test_folder_that_a_scorer_holds_stays(tmp_path, is_scored):
    beside = tmp_path / "20200101T000000-abc123"
    (beside / "_record").mkdir(parents=True)
    publish(tmp_path, scored(tmp_path, "first"), USUAL)
    with locked((beside if is_scored else tmp_path) / LOCK, "score this version", shared=True):
        age(beside, 10**6)
        removed = remove_old_versions(tmp_path, Retention(1, 0))

    assert removed == ([] if is_scored else [beside.name])


def test_links_and_copies_of_killed_publishers_go(tmp_path):
    publish(tmp_path, scored(tmp_path, "first"), USUAL)
    (tmp_path / "tonight.1a2b3c4d.part/_record").mkdir(parents=True)
    (tmp_path / "_current.1a2b3c4d").symlink_to("first")
    for path in (tmp_path / "tonight.1a2b3c4d.part", tmp_path / "_current.1a2b3c4d"):
        age(path, 10**6)

    assert remove_old_versions(tmp_path, Retention(5, 24)) == ["_current.1a2b3c4d", "tonight.1a2b3c4d.part"]
    assert rows_of(tmp_path / "first").height == 36


@pytest.mark.parametrize("is_held", [True, False])
def test_lock_that_a_killed_publisher_left_goes_and_a_held_one_stays(tmp_path, is_held):
    publish(tmp_path, scored(tmp_path, "first"), USUAL)
    lock = tmp_path / "first" / LOCK
    lock.write_text("be published by a process that was killed")

    with locked(lock if is_held else tmp_path / "another", "read"):
        removed = remove_old_versions(tmp_path, Retention(5, 24))
        assert lock.exists() is is_held

    assert removed == []


def test_log_entry_that_a_killed_publisher_did_not_commit_goes_after_a_day(tmp_path):
    publish(tmp_path, scored(tmp_path, "first"), USUAL)
    young, old = (tmp_path / "_delta_log" / f"00000000000000000001.json#{number}" for number in (1, 2))
    for path in (young, old):
        path.write_text("{}")
    age(old, 10**6)

    assert remove_old_versions(tmp_path, Retention(5, 24)) == ["_delta_log/00000000000000000001.json#2"]
    assert young.exists()


def test_file_that_vanishes_while_ages_are_told_is_no_failure(tmp_path, monkeypatch):
    publish(tmp_path, scored(tmp_path, "first"), USUAL)
    gone = tmp_path / "first/gone.parquet"
    monkeypatch.setattr(retention.Path, "rglob", lambda path, pattern: [gone])

    assert remove_old_versions(tmp_path, Retention(1, 0)) == []
