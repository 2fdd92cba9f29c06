"""The Delta table in paths.prices: ours, or refused before anything is lost."""

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake

from gpu_pricer.errors import InputError
from gpu_pricer.pricing.tiling import Tiling
from gpu_pricer.tables.delta_log import current_run, published_runs, removals
from gpu_pricer.tables.published.promises import publications
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


def test_broken_log_is_said_in_one_line(tmp_path):
    publish(tmp_path, scored(tmp_path, "first"), USUAL)
    (tmp_path / "_delta_log/00000000000000000000.json").write_text("{")

    with pytest.raises(InputError, match=r"must hold a whole Delta table or none, found: .* restore .*_delta_log"):
        current_run(tmp_path)


def test_nothing_published_is_no_run(tmp_path):
    assert current_run(tmp_path) is None
    assert published_runs(tmp_path) == {}
