"""The Delta table in paths.prices: ours, or refused before anything is lost."""

import os
import time
from datetime import UTC, date, datetime

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake

from gpu_pricer.errors import InputError
from gpu_pricer.pricing.tiling import Tiling
from gpu_pricer.tables.delta_log import current_run, log_entries, published_runs, removals
from gpu_pricer.tables.published.promises import DAY, publications
from gpu_pricer.tables.published.publishing import commit_notes
from gpu_pricer.tables.published.version_log import version_entries
from gpu_pricer.tables.stores.local_copy import begin_copy
from gpu_pricer.versions.publication import publish
from gpu_pricer.versions.scored_version import version_folder
from tests.tables.published.test_publishing import USUAL, published_rows, rows_of, scored

ONE = Tiling("long", 9, 1, None, 1)


def test_foreign_table_is_neither_replaced_nor_scored_beside(tmp_path):
    write_deltalake(tmp_path / "prices", pl.DataFrame({"customer": [1]}).to_arrow())
    version = scored(tmp_path, "first")

    for use in (
        lambda: publish(tmp_path / "prices", version, USUAL),
        lambda: version_folder(tmp_path / "prices", None, ONE),
        lambda: version_folder(tmp_path / "prices", tmp_path / "prices/tonight", ONE),
    ):
        with pytest.raises(InputError, match=r"must hold the published price table, .* found a Delta table of part-"):
            use()

    assert pl.read_delta(str(tmp_path / "prices")).to_dict(as_series=False) == {"customer": [1]}
    assert version_folder(tmp_path / "prices", tmp_path / "what-if", ONE) == tmp_path / "what-if"


STOPPED = OSError("Generic S3 error: Error performing GET http://shop/prices/_delta_log in 60.1s - operation timed out")


@pytest.mark.parametrize(
    ("asked", "read"),
    [
        ("history", published_runs),
        ("history", version_entries),
        ("history", publications),
        ("history", lambda prices: removals(DeltaTable(str(prices)), prices)),
        ("get_add_actions", current_run),
    ],
)
def test_a_store_that_stops_answering_is_named_with_what_to_do(tmp_path, monkeypatch, asked, read):
    publish(tmp_path, scored(tmp_path, "first"), USUAL)
    table = DeltaTable(str(tmp_path))
    monkeypatch.setattr("gpu_pricer.tables.delta_log.open_table", lambda prices: table)
    begin_copy(tmp_path, "s3://shop/prices")
    monkeypatch.setattr(DeltaTable, asked, lambda self: (_ for _ in ()).throw(STOPPED))
    for name in ("tables.published.version_log", "tables.published.promises"):
        monkeypatch.setattr(f"gpu_pricer.{name}.open_table", lambda prices: table)

    with pytest.raises(
        InputError, match=r"^s3://shop/prices must be in an object store that answers, found: .*: check"
    ):
        read(tmp_path)


def test_rows_that_another_program_appended_are_not_replaced_in_silence(tmp_path):
    publish(tmp_path, scored(tmp_path, "first"), USUAL)
    write_deltalake(tmp_path, rows_of(tmp_path / "first").head(1).to_arrow(), mode="append")

    with pytest.raises(InputError, match=r"found a Delta table of part-.*another program wrote it"):
        publish(tmp_path, scored(tmp_path, "second", seed=1), USUAL)

    DeltaTable(str(tmp_path)).restore(0)
    assert publish(tmp_path, tmp_path / "second", USUAL) == "second"
    assert published_rows(tmp_path).equals(rows_of(tmp_path / "second"))


def restore_by_time(prices):
    """Restore what was the table at the time of the first commit."""
    table = DeltaTable(str(prices))
    table.restore(datetime.fromtimestamp(table.history()[-1]["timestamp"] / 1000, UTC))


def restore_a_restoration(prices):
    """Restore the first version, then the second, then the first again, by the number of its restoration."""
    for number in (0, 1, 2):
        DeltaTable(str(prices)).restore(number)


@pytest.mark.parametrize(
    ("restore", "runs"),
    [
        (lambda prices: DeltaTable(str(prices)).restore(0), ["first", "second", "first"]),
        (restore_by_time, ["first", "second", "first"]),
        (restore_a_restoration, ["first", "second", "first", "second", "first"]),
    ],
)
def test_a_restored_version_is_current_and_in_force_again(tmp_path, restore, runs):
    for run, day in (("first", date(2026, 1, 5)), ("second", date(2026, 1, 6))):
        publish(tmp_path, scored(tmp_path, run, seed=len(run)), USUAL, notes={DAY: day.isoformat()})
    today = datetime.now(UTC).date()

    restore(tmp_path)

    entries, known = version_entries(tmp_path), publications(tmp_path)
    assert [entry.run for entry in entries] == [each.run for each in known] == runs
    assert [entry.status for entry in entries] == ["superseded"] * (len(runs) - 1) + ["current"]
    assert (entries[-1].number, entries[-1].run) == (len(runs) - 1, current_run(tmp_path))
    assert entries[-1].note.startswith("action: restore of ")
    assert (entries[-1].rows, entries[-1].policy) == (entries[0].rows, entries[0].policy)
    assert [(each.since, each.until) for each in known[:2]] == [
        (date(2026, 1, 5), date(2026, 1, 6)), (date(2026, 1, 6), known[2].since),
    ]  # fmt: skip
    assert known[2].since >= today
    assert (known[-1].until, known[-1].currency) == (None, known[0].currency)
    assert published_runs(tmp_path) == {run: max(n for n, each in enumerate(runs) if each == run) for run in runs}


def test_entries_older_than_a_month_stay_where_delta_makes_a_checkpoint(tmp_path):
    publish(tmp_path, scored(tmp_path, "first"), USUAL)
    a_month_ago = time.time() - 40 * 24 * 3600
    for number in range(1, 102):  # Delta makes a checkpoint of every hundredth entry
        commit_notes(tmp_path, DeltaTable(str(tmp_path)), {"events": f"{number}.parquet"})
        for path in (tmp_path / "_delta_log").glob("*.json"):
            os.utime(path, (a_month_ago, a_month_ago))

    publish(tmp_path, scored(tmp_path, "second", seed=1), USUAL)

    assert list((tmp_path / "_delta_log").glob("*.checkpoint.parquet")), "this test needs a checkpoint"
    assert published_runs(tmp_path) == {"first": 0, "second": 102}
    table = DeltaTable(str(tmp_path))
    assert [entry["version"] for entry in log_entries(table, tmp_path)] == list(range(103))
    assert table.metadata().configuration["delta.enableExpiredLogCleanup"] == "false"


def test_broken_log_is_said_in_one_line(tmp_path):
    publish(tmp_path, scored(tmp_path, "first"), USUAL)
    (tmp_path / "_delta_log/00000000000000000000.json").write_text("{")

    with pytest.raises(InputError, match=r"must hold a whole Delta table or none, found: .* restore .*_delta_log"):
        current_run(tmp_path)


def test_nothing_published_is_no_run(tmp_path):
    assert current_run(tmp_path) is None
    assert published_runs(tmp_path) == {}
