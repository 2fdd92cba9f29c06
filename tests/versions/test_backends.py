"""What is said of a backend before it is used."""

import logging

import numba

from gpu_pricer.versions.backends import resolved
from kernels.compiled import compiled


def twice(number):
    return 2 * number


def test_first_run_says_that_it_compiles_and_the_next_one_does_not(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    caplog.set_level(logging.INFO)

    resolved("cpu")
    compiled()(twice)(3)
    resolved("cpu")

    assert [record.getMessage() for record in caplog.records] == [
        "the first run compiles the kernels for this machine, which takes a minute or two"
    ]
