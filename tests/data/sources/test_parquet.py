"""The user's own directory of tables."""

from datetime import datetime

import polars as pl
import pytest

from gpu_pricer.data.sources.parquet import ParquetDirectory
from gpu_pricer.errors import InputError


def test_tables_are_found_as_files_or_folders(tmp_path):
    pl.DataFrame({"user_id": [1]}).write_parquet(tmp_path / "users.parquet")
    (tmp_path / "products.parquet").mkdir()
    pl.DataFrame({"product_id": [1]}).write_parquet(tmp_path / "products.parquet" / "part-0.parquet")
    (tmp_path / "notes.txt").write_text("not ours")

    tables = ParquetDirectory(str(tmp_path), None).tables()

    assert sorted(tables) == ["products", "users"]
    assert tables["users"].origin == str(tmp_path / "users.parquet")


def test_missing_directory_is_refused(tmp_path):
    with pytest.raises(
        InputError, match=r"data.path must be a directory, found no directory at .*shop: set data.path=DIR"
    ):
        ParquetDirectory(str(tmp_path / "shop"), None).tables()


def test_truncated_table_is_refused(tmp_path):
    (tmp_path / "users.parquet").write_bytes(b"PAR1")

    with pytest.raises(InputError, match=r"users.parquet must be a whole Parquet file"):
        ParquetDirectory(str(tmp_path), None).tables()


@pytest.mark.parametrize("path", ["", None, 7])
def test_path_must_be_given(path):
    with pytest.raises(InputError, match=r"data.path must be the directory of your tables, found"):
        ParquetDirectory(path, None)


def of_time(folder, zone, time_zone):
    """The transactions of a folder whose one time is 6 o'clock in UTC, written in a zone."""
    time = pl.Series("time", [datetime(2026, 8, 17, 6)]).dt.replace_time_zone("UTC").dt.convert_time_zone(zone)
    time.to_frame().write_parquet(folder / "transactions.parquet")
    return ParquetDirectory(str(folder), time_zone).tables()["transactions"]


@pytest.mark.parametrize("written", ["UTC", "Asia/Tokyo"])
def test_times_with_a_zone_are_put_on_the_clock_of_the_stores(tmp_path, written):
    table = of_time(tmp_path, written, "America/Los_Angeles")

    assert table.rows.collect()["time"].to_list() == [datetime(2026, 8, 16, 23)]
    assert table.in_utc == ()


@pytest.mark.parametrize(("written", "hour", "in_utc"), [("UTC", 6, ("time",)), ("Asia/Tokyo", 15, ())])
def test_times_with_a_zone_stay_on_its_clock_without_another(tmp_path, written, hour, in_utc):
    table = of_time(tmp_path, written, None)

    assert table.rows.collect()["time"].to_list() == [datetime(2026, 8, 17, hour)]
    assert table.in_utc == in_utc


@pytest.mark.parametrize("zone", ["America/Los_Angels", "", "PST time", "*"])
def test_a_time_zone_that_does_not_exist_is_refused(tmp_path, zone):
    with pytest.raises(InputError, match=r"data.time_zone must be a time zone such as .* or null, found "):
        ParquetDirectory(str(tmp_path), zone)
