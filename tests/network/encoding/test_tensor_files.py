"""Tensors in files: their values stay, and their pages leave memory."""

import errno
import os
from pathlib import Path

import pytest
import torch

from gpu_pricer.network.encoding.loading import load_choice_data
from gpu_pricer.network.encoding.on_device import OnDevice
from gpu_pricer.network.encoding.tensor_files import LARGE, TensorFiles
from tests.canonical import SPLIT, write_canonical
from tests.network.small import ENCODING

MIB = 1 << 20


def resident_bytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Values(OnDevice):
    def __init__(self, tensor):
        self.tensor = tensor

    def each(self, change):
        return Values(change(self.tensor))


def test_what_is_set_aside_takes_no_memory_and_keeps_its_values(tmp_path):
    files = TensorFiles(tmp_path / "new")
    held = files.hold(Values(torch.arange(16 * MIB))).tensor
    total = int(held.sum())
    read = resident_bytes()

    files.set_aside()

    assert read - resident_bytes() > 0.9 * held.nbytes
    assert int(held.sum()) == total == 16 * MIB * (16 * MIB - 1) // 2
    assert list((tmp_path / "new").iterdir()) == []


def test_what_is_written_after_it_was_set_aside_stays(tmp_path):
    files = TensorFiles(tmp_path)
    held = files.hold(Values(torch.zeros(LARGE))).tensor

    held += 1
    files.set_aside()

    assert bool((held == 1).all())


def test_a_small_tensor_stays_where_it_is(tmp_path):
    small = torch.zeros(3)

    assert TensorFiles(tmp_path).hold(Values(small)).tensor is small


def test_a_tensor_that_lies_in_a_file_stays_there(tmp_path):
    files = TensorFiles(tmp_path)
    held = files.hold(Values(torch.zeros(LARGE)))

    assert files.hold(held).tensor is held.tensor


def test_a_disk_without_room_is_named(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", refuse)

    with pytest.raises(OSError, match="No space left on device") as raised:
        TensorFiles(tmp_path).hold(Values(torch.zeros(LARGE)))

    assert raised.value.filename == str(tmp_path)


def test_data_in_files_are_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr("gpu_pricer.network.encoding.tensor_files.LARGE", 1)
    write_canonical(tmp_path / "data")

    inside = load_choice_data(tmp_path / "data", ENCODING, SPLIT, TensorFiles(tmp_path))

    assert inside.fingerprint() == load_choice_data(tmp_path / "data", ENCODING, SPLIT).fingerprint()


def test_data_that_lie_in_files_are_set_aside(tmp_path, monkeypatch):
    monkeypatch.setattr("gpu_pricer.network.encoding.tensor_files.LARGE", 1)
    write_canonical(tmp_path / "data", users=1_000)
    data = load_choice_data(tmp_path / "data", ENCODING, SPLIT, TensorFiles(tmp_path))
    fingerprint, read = data.fingerprint(), resident_bytes()

    data.set_aside()

    assert read - resident_bytes() > sum(tensor.nbytes for tensor in data.history.tensors()) / 2
    assert data.fingerprint() == fingerprint
