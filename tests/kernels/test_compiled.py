"""How functions are compiled: all in one way, so that each process loads what another one has stored."""

import pytest
from numba import config
from numba.core.registry import cpu_target

from kernels.compiled import HAS_AVX512


@pytest.mark.skipif(not HAS_AVX512, reason="kernels choose features of processors with AVX-512 only")
def test_numba_compiles_for_the_features_that_kernels_chose():
    _, _, features = cpu_target.target_context.codegen().magic_tuple()

    assert features == config.CPU_FEATURES
