"""The user's own directory of tables."""

import polars as pl
import pytest

from gpu_pricer.data.sources.parquet import ParquetDirectory
from gpu_pricer.errors import InputError


def test_tables_are_found_as_files_or_folders(tmp_path):
    pl.DataFrame({"user_id": [1]}).write_parquet(tmp_path / "users.parquet")
    (tmp_path / "products.parquet").mkdir()
    pl.DataFrame({"product_id": [1]}).write_parquet(tmp_path / "products.parquet" / "part-0.parquet")
    (tmp_path / "notes.txt").write_text("not ours")

    tables = ParquetDirectory(str(tmp_path)).tables()

    assert sorted(tables) == ["products", "users"]
    assert tables["users"].origin == str(tmp_path / "users.parquet")


def test_missing_directory_is_refused(tmp_path):
    with pytest.raises(
        InputError, match=r"data.path must be a directory, found no directory at .*shop: set data.path=DIR"
    ):
        ParquetDirectory(str(tmp_path / "shop")).tables()


def test_truncated_table_is_refused(tmp_path):
    (tmp_path / "users.parquet").write_bytes(b"PAR1")

    with pytest.raises(InputError, match=r"users.parquet must be a whole Parquet file"):
        ParquetDirectory(str(tmp_path)).tables()


@pytest.mark.parametrize("path", ["", None, 7])
def test_path_must_be_given(path):
    with pytest.raises(InputError, match=r"data.path must be the directory of your tables, found"):
        ParquetDirectory(path)
