"""The memory of the jobs by the line of the log: the real job on two logs, and what `train` reads of it."""

import os
import subprocess
import sys

import pytest

from tests.bench.large_log import LogSize, write_log
from tests.bench.scale import KIB, ROOT, run_job

FEW, MANY = 100_000, 500_000
MOST_BYTES = 150
"""For each further line of the log: a machine of 24 GiB is to price 100 million of them."""
READ = """
from pathlib import Path
from gpu_pricer.network.encoding.loading import EncodingConfig, load_choice_data
from gpu_pricer.network.encoding.teaching import TeachingRule
from gpu_pricer.network.encoding.tensor_files import TensorFiles
from gpu_pricer.tables.periods import Split
config = EncodingConfig(5, TeachingRule(0.7, 50_000, 0.2))
load_choice_data(Path("work/data"), config, Split(0, 3, 3), TensorFiles(Path("work")))
"""


@pytest.fixture(scope="module")
def logs(tmp_path_factory):
    """The folders of a short and a long log that `prepare` has read, and what it took for each."""
    folders = [tmp_path_factory.mktemp(name) for name in ("few", "many")]
    for lines, folder in zip((FEW, MANY), folders, strict=True):
        write_log(LogSize(lines, products=2_000), folder)
    return [(folder, run_job("prepare", ["data=parquet", f"data.path={folder}"], folder)) for folder in folders]


def bytes_per_line(few, many):
    return (many - few) / (MANY - FEW)


def test_prepare_takes_few_bytes_for_a_line(logs):
    few, many = (run for _, run in logs)

    assert (few.reason, many.reason) == (None, None)
    assert bytes_per_line(few.peak_bytes, many.peak_bytes) <= MOST_BYTES


def test_train_reads_choices_and_histories_in_few_bytes_for_a_line(logs):
    peaks = []
    for folder, _ in logs:
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        process = subprocess.Popen([sys.executable, "-c", READ], cwd=folder, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        peaks.append(usage.ru_maxrss * KIB)

    assert bytes_per_line(*peaks) <= MOST_BYTES
