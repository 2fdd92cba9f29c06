"""python -m tests.cluster [--kills N] [--night NAME]: disturb nights on a Slurm of this machine.

In each night something happens to its jobs; what the night publishes must equal what one process publishes without
Slurm. The last line is JSON: for each night whether it does, and how often jobs were disturbed. Exit status 1 if one
does not.
"""

import argparse
import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.cluster.local_slurm import DONE, Cluster, can_start, local_slurm
from tests.cluster.nights import Checkout, checkout, published

REFITTING = "price response of"
"""What training logs once the network is learned and the price response is estimated."""
Jobs = dict[str, str]


def undisturbed(shop: Checkout, jobs: Jobs, kills: int) -> int:
    """Disturb nothing."""
    return 0


def node_lost(shop: Checkout, jobs: Jobs, kills: int) -> int:
    """Declare the first node lost while it scores, and give it back after the jobs have moved."""
    cluster = shop.cluster
    _await_process(cluster, jobs["score"])
    cluster.command("scontrol", "update", "nodename=n1", "state=down", "reason=lost")
    time.sleep(10)
    if "State=DOWN" in cluster.command("scontrol", "show", "node", "n1"):  # a node that answers may be back by itself
        cluster.command("scontrol", "update", "nodename=n1", "state=resume")
    return 1


def time_up_in_training(shop: Checkout, jobs: Jobs, kills: int) -> int:
    """Send what Slurm sends before the time limit as soon as training has begun."""
    _await_process(shop.cluster, jobs["train"])
    _await_checkpoint(shop)
    shop.cluster.command("scancel", "--signal=USR1", jobs["train"])
    return 1


def time_up_in_refit(shop: Checkout, jobs: Jobs, kills: int) -> int:
    """The same while the price response is estimated."""
    log = shop.folder / f"slurm-{jobs['train']}.log"
    _await(lambda: log.exists() and REFITTING in log.read_text())
    shop.cluster.command("scancel", "--signal=USR1", jobs["train"])
    return 1


def killed(shop: Checkout, jobs: Jobs, kills: int) -> int:
    """Send SIGKILL to a running process of any job of the night, again and again after a random while."""
    chance, done = random.Random(0), 0
    while done < kills and not {*shop.cluster.state(jobs["publish"]).split()} & {*DONE}:
        time.sleep(chance.uniform(1, 8))
        found = [process for job in jobs.values() for process in shop.cluster.processes(job)]
        if found:
            os.kill(chance.choice(found), signal.SIGKILL)
            done += 1
    return done


NIGHTS: dict[str, Callable[[Checkout, Jobs, int], int]] = {
    night.__name__: night for night in (undisturbed, node_lost, time_up_in_training, time_up_in_refit, killed)
}


def _await(holds: Callable[[], object], longest: float = 600) -> None:
    deadline = time.monotonic() + longest
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {longest} s for a job to come where it is to be disturbed")
        time.sleep(0.05)


def _await_process(cluster: Cluster, job: str) -> None:
    _await(lambda: cluster.processes(job))


def _await_checkpoint(shop: Checkout) -> None:
    _await(lambda: (shop.folder / "work/train/checkpoints/last.ckpt").exists())


def main() -> int:
    """Run the nights and print what they published."""
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description=__doc__)
    parser.add_argument("--night", action="append", choices=[*NIGHTS], help="this night only; may be repeated")
    parser.add_argument("--kills", type=int, default=20, help="how often the night `killed` kills a process")
    given = parser.parse_args()
    if not can_start():
        parser.error("needs root and Slurm: apt-get install slurm-wlm munge")
    summary: dict[str, object] = {}
    with TemporaryDirectory() as folder, local_slurm() as cluster:
        alone = checkout(Path(folder, "alone"), cluster)
        alone.run()
        expected = published(alone.folder / "prices")
        for name in given.night or NIGHTS:
            shop = checkout(Path(folder, name), cluster)
            jobs = shop.night()
            disturbed = NIGHTS[name](shop, jobs, given.kills)
            state = cluster.ended(jobs["publish"], longest=3600)
            is_equal = state == "COMPLETED" and published(shop.folder / "prices") == expected
            if not is_equal:
                print(f"{name}: publish is {state}\n{shop.said()}", flush=True)
            summary |= {name: is_equal, f"disturbed_{name}": disturbed}
    print(json.dumps(summary))
    return int(not all(summary[name] for name in given.night or NIGHTS))


if __name__ == "__main__":
    sys.exit(main())
