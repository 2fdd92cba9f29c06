"""Tensors of a large log in files, whose pages leave memory while nothing reads them."""

import mmap
import os
from pathlib import Path
from tempfile import TemporaryFile
from typing import TypeVar

import torch
from torch import Tensor

from gpu_pricer.network.encoding.on_device import OnDevice

LARGE = 1 << 20  # bytes; a smaller tensor stays where it is

Record = TypeVar("Record", bound=OnDevice)


class TensorFiles:
    """Files without names in a folder, which end with the process, and the tensors that lie in them.

    Training reads choices and histories in turn with the market's log, which is as large: beside each other they would
    take twice the memory. The system reads a page again when it is needed, mostly from its cache of the disk.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._pages: dict[int, mmap.mmap] = {}
        """By address of the tensor."""

    def hold(self, record: Record) -> Record:
        """Return the record with every large tensor in a file, set aside; OSError where the disk has no room for it.

        A tensor that lies in a file stays in it.
        """
        return record.each(self._held)

    def set_aside(self) -> None:
        """Let the pages of all tensors leave this process's memory, until they are read again."""
        for pages in self._pages.values():
            pages.madvise(mmap.MADV_DONTNEED)

    def _held(self, values: Tensor) -> Tensor:
        if values.nbytes < LARGE or values.data_ptr() in self._pages:
            return values
        self.folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=self.folder) as file:
            try:
                os.posix_fallocate(file.fileno(), 0, values.nbytes)  # else a full disk would kill the process
            except OSError as error:
                raise OSError(error.errno, error.strerror, str(self.folder)) from error
            pages = mmap.mmap(file.fileno(), values.nbytes)
        held = torch.frombuffer(pages, dtype=values.dtype).view(values.shape)
        held.copy_(values)
        self._pages[held.data_ptr()] = pages
        pages.madvise(mmap.MADV_DONTNEED)
        return held
