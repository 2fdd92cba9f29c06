"""How the CUDA loop cuts a tile, and where it keeps its rows: in the simulator or on a GPU."""

import numpy as np
import pytest

from kernels import price_cells
from tests.kernels.cuda.with_cuda import QUIET, assert_equally_good, assert_same_totals, cut, on_both, visits_of
from tests.kernels.markets import factor_demand, random_inputs

pytestmark = [pytest.mark.gpu, pytest.mark.simulator, *QUIET]


@pytest.mark.parametrize("shared_bytes", [0, 48, 192, 10_000])
def test_rows_may_lie_in_shared_memory_or_in_the_scratch(cuda, monkeypatch, shared_bytes):
    inputs, demand = random_inputs(4, [1, 6, 3]), factor_demand(4, 6, 10)
    expected = price_cells(demand, inputs, backend="cuda")
    cut(cuda, monkeypatch, shared_bytes=shared_bytes)

    found = price_cells(demand, inputs, backend="cuda")

    assert_equally_good(demand, inputs, expected, found)


@pytest.mark.parametrize("chunk_cells", [1, 7, 30, 1000])
def test_any_cut_into_chunks_gives_the_same(cuda, monkeypatch, chunk_cells):
    inputs, demand = random_inputs(5, [2, 0, 4, 1]), factor_demand(5, 9, 7)
    cut(cuda, monkeypatch, chunk_cells=chunk_cells)

    cpu, gpu = on_both(demand, inputs, visits=visits_of(9))

    assert_equally_good(demand, inputs, cpu, gpu)
    assert_same_totals(cpu.totals, gpu.totals)


@pytest.mark.parametrize("sizes", [[3, 0, 2, 5], [0], [0, 0], [4]])
@pytest.mark.parametrize("segments", [1, 9])
@pytest.mark.parametrize("chunk_cells", [1, 8, 12, 100])
def test_chunks_cover_every_category_and_segment_once(cuda, sizes, segments, chunk_cells):
    start = np.concatenate([[0], np.cumsum(sizes)])
    seen = np.zeros((len(sizes), segments), int)

    for chunk in cuda.chunks_of(start, segments, chunk_cells, threads=2):
        end = chunk.category + chunk.categories
        seen[chunk.category : end, chunk.segment : chunk.segment + chunk.segments] += 1
        assert chunk.product == start[chunk.category]
        assert chunk.products == start[end] - start[chunk.category]
        assert chunk.cells <= max(chunk_cells, 2 * max(sizes)) or chunk.categories == 1

    assert (seen == 1).all()


@pytest.mark.parametrize(("sizes", "segments"), [([], 4), ([0, 0], 4), ([2, 1], 0)])
def test_a_tile_without_cells_is_priced(cuda, sizes, segments):
    gpu = price_cells(factor_demand(2, segments, sum(sizes)), random_inputs(2, sizes), backend="cuda")

    assert gpu.price.shape == (sum(sizes), segments)
    assert (gpu.category_value == 0).all()


@pytest.fixture
def memory(cuda, monkeypatch):
    """Let the device run out of memory for buffers of more than memory["cells"]."""
    from kernels.cuda import device_memory

    device, limit = type(device_memory.new_device("float32")), {"cells": 20}
    lend = device.buffer

    def buffer(self, shape, *arguments, **options):
        if shape[-1] > limit["cells"]:
            raise MemoryError
        return lend(self, shape, *arguments, **options)

    monkeypatch.setattr(device, "buffer", buffer)
    cuda._say_smaller.cache_clear()
    return limit


def test_out_of_memory_halves_the_chunks_and_goes_on(cuda, memory, monkeypatch, caplog):
    inputs, demand = random_inputs(5, [2, 4, 1]), factor_demand(5, 9, 7)
    cut(cuda, monkeypatch, chunk_cells=64)

    for _ in range(2):
        cpu, gpu = on_both(demand, inputs)
        assert_equally_good(demand, inputs, cpu, gpu)

    message = "the GPU has too little memory left; going on with chunks of {} cells"
    assert caplog.messages == [message.format(32), message.format(16)]  # once each, although both tiles met it


def test_memory_for_not_even_one_block_is_an_error(cuda, memory):
    memory["cells"] = 3

    with pytest.raises(MemoryError):
        price_cells(factor_demand(5, 9, 7), random_inputs(5, [2, 4, 1]), backend="cuda")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"chunk_cells": 0}, "chunk_cells must be positive; found 0"),
        ({"sum_threads": 12}, "sum_threads must be a power of 2; found 12"),
        ({"precision": "bf16"}, r"precision must be one of \('float32', 'tf32'\); found bf16"),
    ],
)
def test_settings_that_make_no_sense_are_refused(cuda, settings, message):
    with pytest.raises(ValueError, match=message):
        cuda.LaunchSettings(**settings)
