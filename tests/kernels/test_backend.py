"""Which backend is chosen, and what is said about it."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kernels import BackendUnavailable, backend, price_cells, resolve_backend
from tests.kernels.markets import factor_demand, random_inputs

WITHOUT_CUDA = "a CUDA GPU with its driver (run on a GPU node)"


@pytest.fixture
def cuda_is_missing(monkeypatch):
    monkeypatch.setattr(backend, "missing_for_cuda", lambda: WITHOUT_CUDA)
    backend._choose.cache_clear()
    yield
    backend._choose.cache_clear()


def test_cpu_is_always_there():
    assert resolve_backend("cpu") == "cpu"


@pytest.mark.usefixtures("cuda_is_missing")
def test_cuda_without_cuda_says_what_is_missing():
    with pytest.raises(BackendUnavailable) as refusal:
        resolve_backend("cuda")

    assert str(refusal.value) == f"backend 'cuda' needs {WITHOUT_CUDA}; or choose backend 'cpu' or 'auto'"


@pytest.mark.usefixtures("cuda_is_missing")
def test_pricing_on_cuda_never_falls_back_in_silence():
    with pytest.raises(BackendUnavailable, match="a CUDA GPU with its driver"):
        price_cells(factor_demand(0, 2, 3), random_inputs(0, [3]), backend="cuda")


@pytest.mark.usefixtures("cuda_is_missing")
def test_auto_logs_its_choice_once(caplog):
    caplog.set_level(logging.INFO)

    chosen = {resolve_backend("auto") for _ in range(3)}

    assert chosen == {"cpu"}
    assert [record.getMessage() for record in caplog.records] == [f"backend auto: cpu (cuda needs {WITHOUT_CUDA})"]


def test_auto_takes_cuda_where_nothing_is_missing(monkeypatch):
    monkeypatch.setattr(backend, "missing_for_cuda", lambda: "")
    backend._choose.cache_clear()

    assert resolve_backend("auto") == "cuda"

    backend._choose.cache_clear()


def test_another_backend_is_refused():
    with pytest.raises(ValueError, match="backend must be 'auto', 'cpu' or 'cuda'; found 'tpu'"):
        resolve_backend("tpu")


def test_importing_kernels_imports_no_gpu_package():
    code = "import sys, kernels; print(sorted({'cupy', 'numba.cuda', 'torch', 'polars'} & set(sys.modules)))"
    root = Path(backend.__file__).parents[1]
    environment = {**os.environ, "PYTHONPATH": str(root)}

    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
