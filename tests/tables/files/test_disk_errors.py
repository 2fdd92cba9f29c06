"""Files that libraries cannot write, and faults that are not the disk's."""

import errno
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from safetensors import SafetensorError
from safetensors.numpy import save_file

from gpu_pricer.tables.files.disk_errors import disk_errors, write_parts, write_table

FULL = Path("/dev/full")


def save(path):
    with disk_errors(path):
        save_file({"appeal": np.zeros((2, 2), np.float32)}, path)


def test_factors_that_the_disk_refuses(tmp_path):
    path = tmp_path / "absent" / "factors.safetensors"

    with pytest.raises(OSError, match="No such file or directory") as refused:
        save(path)

    assert (refused.value.errno, refused.value.filename) == (errno.ENOENT, str(path))


@pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("rows", [1, 100_000])
def test_table_that_a_full_disk_refuses(rows):
    with pytest.raises(OSError, match=r"No space left|it cannot be written") as refused:
        write_table(pl.DataFrame({"price": np.random.default_rng(0).random(rows)}), FULL)

    assert refused.value.filename == str(FULL)


def test_table_whose_end_the_disk_refuses(tmp_path):
    def cut():
        with disk_errors(tmp_path / "prices.parquet"):
            raise pl.exceptions.ComputeError("parquet: File out of specification: Invalid thrift: transport error")

    with pytest.raises(OSError, match="it cannot be written"):
        cut()


@pytest.mark.parametrize("error", [SafetensorError, pl.exceptions.ComputeError])
def test_other_errors_stay_what_they_are(tmp_path, error):
    def fault():
        with disk_errors(tmp_path / "factors"):
            raise error("invalid shape")

    with pytest.raises(error, match="invalid shape"):
        fault()


def numbered(count, rows=1000):
    """So many parts of a table, whose rows are numbered."""
    return (pl.DataFrame({"row": range(k * rows, (k + 1) * rows)}) for k in range(count))


def test_parts_lie_below_each_other_in_one_file(tmp_path):
    path = tmp_path / "rows.parquet"

    assert write_parts(numbered(30), path) == 30_000
    assert pl.read_parquet(path)["row"].equals(pl.Series("row", range(30_000)))


def test_an_error_in_the_making_of_a_part_comes_out_as_it_is(tmp_path):
    def parts():
        yield from numbered(3)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_parts(parts(), tmp_path / "rows.parquet")


@pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")
def test_parts_that_a_full_disk_refuses():
    part = pl.DataFrame({"price": np.random.default_rng(0).random(100_000)})

    with pytest.raises(OSError, match=r"No space left|it cannot be written"):
        write_parts((part for _ in range(30)), FULL)
