"""The check for a first run on a GPU, in the simulator."""

import json
import sys
from functools import partial

import pytest

from tests.bench import gpu_check
from tests.bench.grocery_markets import MarketSize
from tests.kernels.cuda.with_cuda import keep_types, require_cuda


def test_without_a_gpu_the_check_says_so_in_one_line(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["gpu_check"])
    monkeypatch.setattr(gpu_check, "missing_for_cuda", lambda: "a CUDA GPU with its driver")
    monkeypatch.setattr(gpu_check, "is_simulated", lambda: False)

    with pytest.raises(SystemExit) as stopped:
        gpu_check.main()

    said = capsys.readouterr()
    assert stopped.value.code == 2
    assert (said.out, said.err) == ("", "gpu_check has nothing to measure: CUDA needs a CUDA GPU with its driver\n")


@pytest.mark.gpu
@pytest.mark.simulator
@pytest.mark.filterwarnings("ignore:Grid size")
def test_the_check_answers_every_question(monkeypatch):
    require_cuda()
    from kernels.cuda import tile_loop as cuda

    keep_types(monkeypatch)
    monkeypatch.setattr(cuda, "LaunchSettings", partial(cuda.LaunchSettings, threads=4, sum_threads=4))
    monkeypatch.setattr(gpu_check, "SAMPLE", 6)
    monkeypatch.setattr(gpu_check, "CUTS", {"in_scratch": {"shared_bytes": 0}})

    found = gpu_check.check(MarketSize(6, 2, category_size=3), repeats=1, small=([2, 1], 2))

    assert set(json.loads(json.dumps(found))) == {
        "market", "parity", "same_bits", "end_to_end", "chunk", "settings", "tf32"
    }  # fmt: skip
    assert found["parity"]["passed"]
    assert found["same_bits"] == {"again": True, "in_other_chunks": True}
    assert abs(found["tf32"]["regret"]) < 1e-3
    assert found["chunk"]["float32"]["kernel_ms"] > 0
