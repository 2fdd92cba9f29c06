"""What the CUDA loop needs of a GPU: memory, streams and matrix products.

CuPy provides them. In numba's simulator NumPy takes its place.
"""

import math
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numba import cuda

from kernels.backend import is_simulated

Precision = Literal["float32", "tf32"]
"""How factors of float32 are multiplied. bfloat16 is not among them: CuPy (14.2) accepts it as a compute type but then
multiplies in float32, and the product of two bfloat16 arrays would itself be rounded to bfloat16."""

CHECKED_CUPY = "14.2"
"""The release of CuPy whose private switch for TF32 `set_precision` was checked with."""


@dataclass(frozen=True)
class Buffer:
    """Memory on the device, [size] or [layers, size], and the memory on the host that it is copied to and from.

    array: as CuPy takes it; view: the same memory as numba's kernels take it
    host: pinned memory of the same shape, or None where nothing is copied
    """

    array: Any
    view: Any
    host: np.ndarray | None

    def on_device(self, *shape: int, layer: Any = ...) -> Any:
        """Return the first elements on the device in the given shape, of one layer if there are several."""
        return self.array[layer][: math.prod(shape)].reshape(shape)

    def part(self, *shape: int, layer: Any = ...) -> tuple[Any, np.ndarray]:
        """Return the first elements on the device and those on the host, in the given shape."""
        assert self.host is not None, "this buffer is not copied"
        return self.on_device(*shape, layer=layer), self.host[layer][: math.prod(shape)].reshape(shape)


class Gpu:
    """CuPy's memory pool, pinned memory, streams and cuBLAS."""

    def __init__(self, precision: Precision) -> None:
        """Take the GPU; from now on CuPy multiplies in the given precision, in the whole process."""
        import cupy
        import cupyx
        from numba.cuda.core import config

        config.CUDA_LOW_OCCUPANCY_WARNINGS = 0  # a tile's last chunk, or a small tile, may well leave the GPU half idle
        self._cupy, self._pinned = cupy, cupyx.empty_pinned
        set_precision(precision)

    def buffer(self, shape: tuple[int, ...], dtype: Any, has_host: bool = True) -> Buffer:
        """Return new memory, which is never copied if has_host is false. Raises MemoryError if too little is left."""
        array = self._cupy.empty(shape, dtype)
        # sync=False, because numba otherwise waits for an idle stream at every kernel argument that comes from CuPy.
        host = self._pinned(shape, dtype) if has_host else None
        return Buffer(array, cuda.as_cuda_array(array, sync=False), host)

    def upload(self, array: np.ndarray) -> Any:
        """Return a copy on the device for CuPy; call settle() before a stream uses the copy."""
        return self._cupy.asarray(array)

    def for_kernels(self, array: np.ndarray) -> Any:
        """Return a copy on the device for numba's kernels; the array may hold records, which CuPy does not know."""
        return cuda.to_device(array)

    def read(self, array: Any) -> np.ndarray:
        """Return the present content of an array that for_kernels returned."""
        return array.copy_to_host()

    def settle(self) -> None:
        """Wait until every upload has arrived."""
        self._cupy.cuda.Device().synchronize()

    def new_stream(self) -> tuple[Any, Any]:
        """Return a new stream as CuPy takes it, and the same stream as numba takes it."""
        stream = self._cupy.cuda.Stream(non_blocking=True)
        return stream, cuda.external_stream(stream.ptr)

    def on(self, stream: Any) -> AbstractContextManager[Any]:
        """Return a context in which CuPy sends its work to the stream."""
        return stream

    def multiply(self, left: Any, right: Any, out: Any) -> None:
        """Fill out [n, m] with the matrix product of left [n, D] and right [D, m]."""
        self._cupy.matmul(left, right, out=out)

    def send(self, part: tuple[Any, np.ndarray], stream: Any) -> None:
        """Copy a part of a buffer from host to device, without waiting."""
        device, host = part
        if host.size:
            device.set(host, stream=stream)

    def fetch(self, part: tuple[Any, np.ndarray], stream: Any) -> None:
        """Copy a part of a buffer from device to host, without waiting."""
        device, host = part
        if host.size:
            device.get(stream=stream, out=host, blocking=False)

    def wait(self, stream: Any) -> None:
        """Wait until everything sent to the stream is done."""
        stream.synchronize()


class SimulatedGpu:
    """The methods of Gpu, done by NumPy in numba's simulator: each does its work at once, in NumPy's precision."""

    def buffer(self, shape: tuple[int, ...], dtype: Any, has_host: bool = True) -> Buffer:
        """Return memory filled with values that would be noticed if they were read before they are written."""
        garbage = np.nan if np.dtype(dtype).kind == "f" else -77
        array = np.full(shape, garbage, dtype)
        return Buffer(array, array, np.full(shape, garbage, dtype) if has_host else None)

    def upload(self, array: np.ndarray) -> Any:
        """Return a copy of an array."""
        return array.copy()

    def for_kernels(self, array: np.ndarray) -> Any:
        """Return a copy; records become a recarray, because the simulator reads their fields as attributes."""
        return array.view(np.recarray).copy() if array.dtype.names else array.copy()

    def read(self, array: Any) -> np.ndarray:
        """Return the array itself, which is its present content."""
        return array

    def settle(self) -> None:
        """Return at once, because every upload has arrived."""

    def new_stream(self) -> tuple[Any, Any]:
        """Return two placeholders for a stream, which the simulator accepts."""
        return 0, 0

    def on(self, stream: Any) -> AbstractContextManager[Any]:
        """Return a context that does nothing."""
        return nullcontext(stream)

    def multiply(self, left: Any, right: Any, out: Any) -> None:
        """Fill out [n, m] with the matrix product of left [n, D] and right [D, m]."""
        np.matmul(left, right, out=out)

    def send(self, part: tuple[Any, np.ndarray], stream: Any) -> None:
        """Copy a part of a buffer from host to device."""
        device, host = part
        device[...] = host

    def fetch(self, part: tuple[Any, np.ndarray], stream: Any) -> None:
        """Copy a part of a buffer from device to host."""
        device, host = part
        host[...] = device

    def wait(self, stream: Any) -> None:
        """Return at once, because everything is done."""


Device = Gpu | SimulatedGpu


def new_device(precision: Precision) -> Device:
    """Return the GPU, or in the simulator what takes its place."""
    return SimulatedGpu() if is_simulated() else Gpu(precision)


def set_precision(precision: Precision) -> None:
    """Let CuPy multiply float32 matrices in the given precision from now on, in the whole process.

    This function uses a private switch of CuPy. The only public way is the environment variable CUPY_TF32, which CuPy
    reads once, at its first product, whereas here each call may set another precision. Raises ImportError where CuPy no
    longer has the switch.
    """
    try:
        from cupy._core._routines_linalg import COMPUTE_TYPE_DEFAULT, COMPUTE_TYPE_TF32, set_compute_type
    except ImportError as missing:
        import cupy

        raise ImportError(
            f"the CUDA backend needs cupy._core._routines_linalg.set_compute_type, as in CuPy {CHECKED_CUPY}; "
            f"found CuPy {cupy.__version__} without it; install CuPy {CHECKED_CUPY} or choose backend 'cpu'"
        ) from missing
    set_compute_type(np.float32, COMPUTE_TYPE_TF32 if precision == "tf32" else COMPUTE_TYPE_DEFAULT)
