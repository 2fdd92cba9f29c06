"""Nights on a real Slurm: the chain of jobs ends in what one process publishes, also where jobs are killed."""

import os
import signal
import time

import pytest

from tests.cluster.local_slurm import can_start, local_slurm
from tests.cluster.nights import checkout, published

pytestmark = pytest.mark.skipif(not can_start(), reason="needs root and Slurm: apt-get install slurm-wlm munge")


@pytest.fixture(scope="module")
def cluster():
    with local_slurm() as running:
        yield running


def kill_a_task(cluster, job):
    """Send SIGKILL to a process of the job's step as soon as there is one."""
    deadline = time.monotonic() + 300
    while not (found := cluster.processes(job)):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.kill(found[0], signal.SIGKILL)


def test_two_nights_publish_what_one_process_does(cluster, tmp_path):
    shop = checkout(tmp_path / "shop", cluster)
    first = shop.night(tasks=2)
    assert cluster.ended(first["outcome"]) == "COMPLETED", shop.said()
    second = shop.night(tasks=2)
    kill_a_task(cluster, second["train"])

    assert cluster.ended(second["history"]) == "COMPLETED", shop.said()

    shop.run("paths.work=alone", "paths.prices=alone/prices")
    assert published(tmp_path / "shop/prices") == published(tmp_path / "shop/alone/prices")
    assert len(list((tmp_path / "shop/prices").glob("2*"))) == 2
    assert (tmp_path / "shop/work/outcome/run.json").is_file()
    assert len(list((tmp_path / "shop/work/group_prices.parquet").glob("*.parquet"))) == 2


def test_night_whose_training_fails_publishes_nothing_and_leaves_no_job(cluster, tmp_path):
    shop = checkout(tmp_path / "shop", cluster)

    jobs = shop.night("train.segments.count=0")

    assert cluster.ended(jobs["publish"]) == "CANCELLED", shop.said()
    assert not (tmp_path / "shop/prices").exists()
    assert "count must be a whole number of at least 1, found 0" in shop.said()
