"""Safetensors files that cannot be written, and faults that are not the disk's."""

import errno

import numpy as np
import pytest
from safetensors import SafetensorError
from safetensors.numpy import save_file

from gpu_pricer.tables.safetensors_file import writing_safetensors


def save(path):
    with writing_safetensors(path):
        save_file({"appeal": np.zeros((2, 2), np.float32)}, path)


def test_what_the_disk_refuses_is_an_error_of_the_disk(tmp_path):
    path = tmp_path / "absent" / "factors.safetensors"

    with pytest.raises(OSError, match="No such file or directory") as refused:
        save(path)

    assert (refused.value.errno, refused.value.filename) == (errno.ENOENT, str(path))


def test_other_errors_stay_what_they_are(tmp_path):
    def fault():
        with writing_safetensors(tmp_path / "factors.safetensors"):
            raise SafetensorError("Error while serializing: invalid shape")

    with pytest.raises(SafetensorError, match="invalid shape"):
        fault()
