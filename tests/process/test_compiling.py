"""Kernels are compiled beside a job, once, and a job goes on where that fails."""

import logging
import subprocess
import sys
import time

import numba
import pytest

from gpu_pricer.process import compiling
from gpu_pricer.process.compiling import compiled_beside


@pytest.fixture
def beside(tmp_path, monkeypatch, caplog):
    """Run this Python code in place of the compiler, on a machine that has compiled nothing."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    caplog.set_level(logging.INFO)
    return lambda code: monkeypatch.setattr(compiling, "COMMAND", [sys.executable, "-c", code])


def test_who_needs_the_kernels_waits_until_they_are_compiled(beside, tmp_path):
    beside(f"import time; time.sleep(0.3); open({str(tmp_path / 'done')!r}, 'w')")

    with compiled_beside() as wait:
        assert not (tmp_path / "done").exists()
        wait()
        wait()

        assert (tmp_path / "done").exists()


def test_job_that_ends_before_stops_the_compiler(beside):
    beside("import time; time.sleep(60)")
    began = time.monotonic()

    with pytest.raises(KeyboardInterrupt), compiled_beside():
        raise KeyboardInterrupt

    assert time.monotonic() - began < 30


def test_failure_is_said_and_the_job_goes_on(beside, caplog):
    beside("raise OSError('no space left')")

    with compiled_beside() as wait:
        wait()

    assert caplog.messages[-1] == "the kernels were not compiled (OSError: no space left): the first call compiles them"


def test_compiled_kernels_are_not_compiled_again(beside, tmp_path, monkeypatch, caplog):
    beside("raise OSError")
    monkeypatch.setattr(compiling, "is_compiled", lambda: True)

    with compiled_beside() as wait:
        wait()

    assert not caplog.messages


def test_command_names_the_types_that_the_compiler_knows():
    shown = subprocess.run([*compiling.COMMAND[:3], "--help"], check=True, capture_output=True, text=True).stdout

    assert compiling.COMMAND[1:3] == ["-m", "kernels.compiling"]
    assert all(name in shown for name in compiling.COMMAND[3:])
