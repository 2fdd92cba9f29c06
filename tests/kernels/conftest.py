"""Fixtures of the kernels' tests."""

import pytest

from tests.kernels.cuda.with_cuda import cut, keep_types, require_cuda


@pytest.fixture
def cuda(monkeypatch):
    """The CUDA loop with TINY settings; skips, or fails under GPU_PRICER_REQUIRE_CUDA=1, where it cannot run."""
    require_cuda()
    from kernels.cuda import tile_loop as cuda

    keep_types(monkeypatch)
    cut(cuda, monkeypatch)
    return cuda
