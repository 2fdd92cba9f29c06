"""The memory of the jobs by the line of the log: the real job on two logs, and what `train` reads of it."""

import os
import subprocess
import sys

import pytest

from tests.bench.large_log import LogSize, write_log
from tests.bench.scale import KIB, ROOT, run_job

FEW, MANY = 100_000, 500_000
MOST_BYTES, MOST_BYTES_READ, MOST_BYTES_OF_MEMBERS = 130, 100, 60
"""For each further line of the log: a machine of 24 GiB is to price 100 million of them, with 150 for each."""
READ = """
from pathlib import Path
from gpu_pricer.network.encoding.loading import EncodingConfig, load_choice_data
from gpu_pricer.network.encoding.tensor_files import TensorFiles
from gpu_pricer.tables.periods import Split
data = load_choice_data(Path("work/data"), EncodingConfig(5, 0.7), Split(0, 3, 3), TensorFiles(Path("work")))
"""
MEMBERS = """
import torch
from gpu_pricer.network.model.demand_network import DemandNetwork
from gpu_pricer.network.segments import members as module
from gpu_pricer.network.segments.members import Members, period_to_price
from tests.network.small import NETWORK

module.USERS = 500  # fewer than in both logs, so that a block takes as much memory in each

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1])

network, before = DemandNetwork(data, NETWORK).eval(), resident()
members, most = Members(network, period_to_price(network)), 0
with torch.no_grad():
    for block in members.blocks():
        for users in members.blocks_of_users():
            members.demand(block, users)
            most = max(most, resident())
print(most - before)
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


def ran(script, folder):
    """Run the script in the folder, in a process of its own, and return what it printed and its peak of memory."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", script]
    process = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE)
    said = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.stdout.close()
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return said, usage.ru_maxrss * KIB


def test_train_reads_choices_and_histories_in_few_bytes_for_a_line(logs):
    assert bytes_per_line(*(ran(READ, folder)[1] for folder, _ in logs)) <= MOST_BYTES_READ


def test_the_demand_of_all_members_takes_few_bytes_for_a_line(logs):
    pages = [int(ran(READ + MEMBERS, folder)[0]) for folder, _ in logs]

    assert bytes_per_line(*(count * os.sysconf("SC_PAGE_SIZE") for count in pages)) <= MOST_BYTES_OF_MEMBERS
