"""A small sample of the faults, and proof that the harness sees a broken promise."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.__main__ import ONE_THREAD

ROOT = Path(__file__).parents[2]
PATIENCE = 1200  # seconds; the first job in a checkout compiles kernels
LEFT_BEHIND = """
from gpu_pricer.tables.files import replacing
from tests.faults import kills, fault_sites
replacing._remove_parts = lambda path: None
kills.fault_sites = lambda: fault_sites.fault_sites(("assign",))
counts = kills.run(15, 0)
print(counts.wrong, counts.examples)
"""

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed, which inflicts faults")


def told(*words):
    """What python WORDS prints, in a process of its own, since one that has started threads cannot be forked."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | dict.fromkeys(ONE_THREAD, "1")
    done = subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.stdout, done.stderr
    return done


def test_sample_of_faults_breaks_no_promise():
    """The sample of this seed has a kill or a storage fault at each of the eleven sites, and four full disks."""
    parts = ("kills", "storage_faults")  # in one process, which lays out the sites of both once
    done = told("-m", "tests.faults", *(f"--part={part}" for part in parts), "--limit", "7", "--seed", "95")

    found = json.loads(done.stdout.splitlines()[-1])
    for part in parts:
        assert found[f"wrong_{part}"] == 0, done.stdout
        assert found[part] >= 5  # a job may end before it comes to a point, whose number threads can shift
    assert done.returncode == 0


def test_harness_sees_what_a_killed_writer_left():
    found = told("-c", LEFT_BEHIND).stdout

    assert int(found.split()[0]) > 0, found
    assert "left over: work/assign/run.json" in found or "left over: out.parquet" in found
