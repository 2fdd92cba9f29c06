"""The CUDA kernels compiled without a GPU: that they compile, and what the machine code needs."""

import importlib.util
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from kernels import price_cells, price_totals
from kernels.backend import is_simulated
from tests.kernels.markets import factor_demand, nested, random_inputs

MOST_REGISTERS = {np.float32: 64, np.float64: 96}
"""A multiprocessor has 65,536: with 64 each, 1,024 threads can take turns to hide what they wait for."""

MOST_SHARED = 48 * 1024
"""Bytes that a block gets without special request, which numba does not make."""


@pytest.fixture(params=[(8, 0), (9, 0)], ids=["sm_80", "sm_90"])
def capability(request, monkeypatch):
    """A compute capability to compile for (A100, H100); skips where that is impossible."""
    if is_simulated():
        pytest.skip("the simulator compiles nothing")
    for module in ("numba_cuda", "cuda.bindings"):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"compiling needs the package numba-cuda[cu12]: no module {module}")
    from numba.cuda import dispatcher

    device = SimpleNamespace(compute_capability=request.param)
    monkeypatch.setattr(dispatcher, "get_current_device", lambda: device)  # asked about by functions that are called
    return request.param


@pytest.fixture
def ptxas():
    """The assembler's path; skips without one."""
    wheel = importlib.util.find_spec("nvidia.cuda_nvcc")
    if wheel is None or not wheel.submodule_search_locations:
        pytest.skip("assembling needs ptxas from the package nvidia-cuda-nvcc-cu12, which numba-cuda[cu12] brings")
    return Path(wheel.submodule_search_locations[0]) / "bin" / "ptxas"


class Launches(dict):
    """Stands in for the functions that return kernels: keeps what each would be launched with, by name."""

    def record(self, name):
        """Return such a function."""
        return lambda *_: Launch(self, name)


@dataclass(frozen=True)
class Launch:
    """Stands in for a kernel."""

    launches: Launches
    name: str

    def __getitem__(self, _):
        return lambda *arguments: self.launches.update({self.name: arguments})


@pytest.fixture
def ptx_of(capability, monkeypatch):
    """ptx_of("totals_kernel", np.float32, 128) is the PTX of totals_kernel(128) as a float32 tile launches it."""
    import numba
    from numba import cuda as compiler

    from kernels import pricing
    from kernels.cuda import device_memory, stream_buffers, tile_loop

    launches = Launches()
    monkeypatch.setattr(tile_loop, "new_device", lambda _: device_memory.SimulatedGpu())
    monkeypatch.setattr(pricing, "resolve_backend", lambda name: name)
    kernels = {
        name: getattr(stream_buffers, name)
        for name in ("price_kernel", "nested_kernel", "totals_kernel", "bound_kernel")
    }
    for name in kernels:
        monkeypatch.setattr(stream_buffers, name, launches.record(name))

    def ptx(name, real, *how):
        demand, inputs, visits = factor_demand(0, 2, 2, real=real), nested(random_inputs(0, [2]), 0.5), np.ones(2)
        price_totals(demand, inputs, visits, "cuda")
        price_cells(demand, inputs, "cuda", visits)
        kernel = kernels[name](*how)
        signature = tuple(map(numba.typeof, launches[name]))
        return compiler.compile(kernel.py_func, signature, device=False, abi="numba", cc=capability, output="ptx")[0]

    return ptx


def instructions(ptx):
    """Return the PTX's instructions; fails when there is nothing to look at."""
    found = [line.strip() for line in ptx.splitlines() if line.strip().endswith(";")]
    assert len(found) > 50, "no instructions parsed"
    return found


@dataclass(frozen=True)
class Needs:
    """What a thread or block needs, registers aside in bytes."""

    registers: int
    shared: int
    stack: int
    spilled: int


def assemble(ptx, capability, ptxas, directory):
    """Return what the assembler says the kernel needs; fails where it says nothing."""
    (directory / "kernel.ptx").write_text(ptx)
    command = [ptxas, "-v", f"--gpu-name=sm_{capability[0]}{capability[1]}", "-o", "kernel.cubin", "kernel.ptx"]
    said = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=True).stderr
    registers = re.findall(r"Used (\d+) registers", said)
    frame = re.findall(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", said)
    assert len(registers) == len(frame) == 1, f"one kernel expected, ptxas says: {said}"
    stack, *spilled = map(int, frame[0])
    shared = sum(map(int, re.findall(r"(\d+) bytes smem", said)))
    return Needs(int(registers[0]), shared, stack, sum(spilled))


@pytest.mark.parametrize("longest", [0, 16, 64])
def test_the_pricing_kernel_computes_in_float32(ptx_of, longest):
    found = instructions(ptx_of("price_kernel", np.float32, np.dtype(np.float32), 64, longest))

    assert sum(".f32" in line for line in found) > 100
    assert [line for line in found if re.search(r"\.f64\b", line)] == []


@pytest.mark.parametrize(("longest", "space"), [(0, "global"), (64, "shared")])
def test_the_pricing_kernel_knows_where_its_rows_are(ptx_of, longest, space):
    """Where the compiler has lost sight of it, loads name no space, and take longer."""
    found = instructions(ptx_of("price_kernel", np.float32, np.dtype(np.float32), 64, longest))
    loads = re.findall(r"\bld\.(?:(\w+)\.)?f32", "\n".join(found))

    assert space in loads
    assert set(loads) <= {"global", "param", space}


@pytest.mark.parametrize(("real", "longest"), [(np.float32, 0), (np.float32, 64), (np.float64, 0), (np.float64, 32)])
def test_the_pricing_kernel_fits_the_machine(ptx_of, capability, ptxas, tmp_path, real, longest):
    needs = assemble(ptx_of("price_kernel", real, np.dtype(real), 64, longest), capability, ptxas, tmp_path)

    assert needs.registers <= MOST_REGISTERS[real]
    assert needs.shared == 64 * 3 * longest * np.dtype(real).itemsize <= MOST_SHARED
    assert (needs.stack, needs.spilled) == (0, 0)


def test_the_kernel_of_nested_categories_computes_in_float32(ptx_of):
    found = instructions(ptx_of("nested_kernel", np.float32, np.dtype(np.float32), 64))

    assert sum(".f32" in line for line in found) > 100
    assert [line for line in found if re.search(r"\.f64\b", line)] == []


@pytest.mark.parametrize("real", [np.float32, np.float64])
def test_the_kernel_of_nested_categories_fits_the_machine(ptx_of, capability, ptxas, tmp_path, real):
    needs = assemble(ptx_of("nested_kernel", real, np.dtype(real), 64), capability, ptxas, tmp_path)

    assert needs.registers <= 2 * MOST_REGISTERS[real]
    assert needs.shared == 0
    assert (needs.stack, needs.spilled) == (0, 0)


@pytest.mark.parametrize("name", ["totals_kernel", "bound_kernel"])
def test_the_kernels_that_add_up_fit_the_machine(ptx_of, capability, ptxas, tmp_path, name):
    needs = assemble(ptx_of(name, np.float32, 128), capability, ptxas, tmp_path)

    assert needs.registers <= MOST_REGISTERS[np.float32]
    assert 0 < needs.shared <= MOST_SHARED
    assert (needs.stack, needs.spilled) == (0, 0)


@pytest.mark.parametrize("name", ["totals_kernel", "bound_kernel"])
def test_the_kernels_that_add_up_do_so_in_one_order(ptx_of, name):
    found = instructions(ptx_of(name, np.float32, 128))

    assert any("bar.sync" in line for line in found)
    assert not any(line.startswith(("atom", "red")) for line in found)


def test_the_gate_fails_when_it_has_nothing_to_look_at():
    with pytest.raises(AssertionError, match="no instructions parsed"):
        instructions("// empty\n")
