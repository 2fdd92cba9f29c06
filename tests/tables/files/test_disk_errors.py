"""Files that libraries cannot write, and faults that are not the disk's."""

import errno
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from safetensors import SafetensorError
from safetensors.numpy import save_file

from gpu_pricer.tables.files.disk_errors import disk_errors, write_table

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
