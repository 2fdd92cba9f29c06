"""CuPy's private switch for TF32: that of the installed CuPy, and what is said where it is missing."""

import importlib
import sys
from types import ModuleType

import numpy as np
import pytest

from kernels.cuda.device_memory import CHECKED_CUPY, set_precision


@pytest.fixture
def cupy_without_switch(monkeypatch):
    """A stand-in for a CuPy whose private modules have moved."""
    cupy = ModuleType("cupy")
    cupy.__version__ = "99.1.0"
    for name in [name for name in sys.modules if name.startswith("cupy.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "cupy", cupy)


@pytest.mark.parametrize(("precision", "kind"), [("tf32", "COMPUTE_TYPE_TF32"), ("float32", "COMPUTE_TYPE_DEFAULT")])
def test_precision_reaches_the_switch_of_the_installed_cupy(precision, kind):
    """Checked with CuPy 14.2.0 (device_memory.CHECKED_CUPY)."""
    cupy = pytest.importorskip("cupy", reason="needs the package cupy-cuda12x; checked with CuPy 14.2.0")
    if precision == "tf32" and not cupy.cuda.is_available():
        pytest.skip("CuPy asks the GPU whether it knows TF32, and there is none")
    switch = importlib.import_module("cupy._core._routines_linalg")

    set_precision(precision)

    assert switch.get_compute_type(np.float32) == getattr(switch, kind)
    set_precision("float32")


@pytest.mark.usefixtures("cupy_without_switch")
def test_cupy_without_the_switch_is_refused_with_the_release_that_has_it():
    with pytest.raises(ImportError) as refusal:
        set_precision("float32")

    assert CHECKED_CUPY == "14.2"
    assert str(refusal.value) == (
        "the CUDA backend needs cupy._core._routines_linalg.set_compute_type, as in CuPy 14.2; "
        "found CuPy 99.1.0 without it; install CuPy 14.2 or choose backend 'cpu'"
    )
