"""What a GPU lends to the CUDA loop: memory, streams, matrix products; in numba's simulator NumPy stands in for it."""

import math
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numba import cuda

from kernels.backend import is_simulated

Precision = Literal["float32", "tf32"]
"""How factors of float32 are multiplied. bfloat16 is not offered: CuPy (14.2) accepts it as a compute type and then
multiplies in float32, and a product of bfloat16 arrays would be rounded to bfloat16 on its way out."""


@dataclass(frozen=True)
class Buffer:
    """Memory on the device, flat or in layers, as CuPy and as numba's kernels take it; and its copy on the host."""

    array: Any
    view: Any
    host: np.ndarray

    def on_device(self, *shape: int, layer: Any = ...) -> Any:
        """Return the first elements, of a layer if there are several, in a shape."""
        return self.array[layer][: math.prod(shape)].reshape(shape)

    def part(self, *shape: int, layer: Any = ...) -> tuple[Any, np.ndarray]:
        """Return the same with its copy on the host."""
        return self.on_device(*shape, layer=layer), self.host[layer][: math.prod(shape)].reshape(shape)


class Gpu:
    """CuPy's memory pool, pinned memory, streams and cuBLAS."""

    def __init__(self, precision: Precision) -> None:
        """Multiply in the given precision from now on: CuPy keeps it for the whole process."""
        import cupy
        import cupyx
        from cupy._core import _routines_linalg as compute  # no public name but an environment variable, CUPY_TF32
        from numba.cuda.core import config

        config.CUDA_LOW_OCCUPANCY_WARNINGS = 0  # a tile's last chunk, or a small tile, may well leave the GPU half idle
        self._cupy, self._pinned = cupy, cupyx.empty_pinned
        kind = compute.COMPUTE_TYPE_TF32 if precision == "tf32" else compute.COMPUTE_TYPE_DEFAULT
        compute.set_compute_type(np.float32, kind)

    def buffer(self, shape: tuple[int, ...], dtype: Any, has_host: bool = True) -> Buffer:
        """Return new memory; without has_host its copy on the host is empty. Raises MemoryError, as CuPy does."""
        array = self._cupy.empty(shape, dtype)
        # Without `sync`, for every kernel argument that comes from CuPy numba waits until the stream is idle.
        host = self._pinned(shape, dtype) if has_host else np.empty((*shape[:-1], 0), dtype)
        return Buffer(array, cuda.as_cuda_array(array, sync=False), host)

    def upload(self, array: np.ndarray) -> Any:
        """Return CuPy's copy of an array."""
        return self._cupy.asarray(array)

    def for_kernels(self, array: np.ndarray) -> Any:
        """Return numba's copy of an array, of records too, which CuPy does not know."""
        return cuda.to_device(array)

    def read(self, array: Any) -> np.ndarray:
        """Return what such an array holds now."""
        return array.copy_to_host()

    def settle(self) -> None:
        """Wait until every upload has arrived."""
        self._cupy.cuda.Device().synchronize()

    def new_stream(self) -> tuple[Any, Any]:
        """Return a stream for CuPy, and the same for numba."""
        stream = self._cupy.cuda.Stream(non_blocking=True)
        return stream, cuda.external_stream(stream.ptr)

    def on(self, stream: Any) -> AbstractContextManager[Any]:
        """Send what is done inside the `with` block to the stream."""
        return stream

    def multiply(self, left: Any, right: Any, out: Any) -> None:
        """Fill out with a matrix product."""
        self._cupy.matmul(left, right, out=out)

    def send(self, part: tuple[Any, np.ndarray], stream: Any) -> None:
        """Copy a part of a buffer from the host, without waiting."""
        device, host = part
        if host.size:
            device.set(host, stream=stream)

    def fetch(self, part: tuple[Any, np.ndarray], stream: Any) -> None:
        """Copy a part of a buffer to the host, without waiting."""
        device, host = part
        if host.size:
            device.get(stream=stream, out=host, blocking=False)

    def wait(self, stream: Any) -> None:
        """Wait until everything sent to the stream is done."""
        stream.synchronize()


class Simulated:
    """The same with NumPy, where everything is done at once; the precision is that of NumPy."""

    def buffer(self, shape: tuple[int, ...], dtype: Any, has_host: bool = True) -> Buffer:
        """Return new memory, filled with what would be noticed if it were read before it is written."""
        garbage = np.nan if np.dtype(dtype).kind == "f" else -77
        array = np.full(shape, garbage, dtype)
        return Buffer(array, array, np.full(shape if has_host else (*shape[:-1], 0), garbage, dtype))

    def upload(self, array: np.ndarray) -> Any:
        """Return a copy of an array."""
        return array.copy()

    def for_kernels(self, array: np.ndarray) -> Any:
        """Return a copy; of records as the simulator reads them, by attribute."""
        return array.view(np.recarray).copy() if array.dtype.names else array.copy()

    def read(self, array: Any) -> np.ndarray:
        """Return the array itself."""
        return array

    def settle(self) -> None:
        """Nothing is under way."""

    def new_stream(self) -> tuple[Any, Any]:
        """Return what the simulator takes for a stream."""
        return 0, 0

    def on(self, stream: Any) -> AbstractContextManager[Any]:
        """Return a `with` block that does nothing."""
        return nullcontext(stream)

    def multiply(self, left: Any, right: Any, out: Any) -> None:
        """Fill out with a matrix product."""
        np.matmul(left, right, out=out)

    def send(self, part: tuple[Any, np.ndarray], stream: Any) -> None:
        """Copy a part of a buffer from the host."""
        device, host = part
        device[...] = host

    def fetch(self, part: tuple[Any, np.ndarray], stream: Any) -> None:
        """Copy a part of a buffer to the host."""
        device, host = part
        host[...] = device

    def wait(self, stream: Any) -> None:
        """Nothing is under way."""


Device = Gpu | Simulated


def new_device(precision: Precision) -> Device:
    """Return the GPU, or what stands in for it in the simulator."""
    return Simulated() if is_simulated() else Gpu(precision)
