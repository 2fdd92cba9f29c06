"""What cutting `gpu-pricer score` into tasks costs, as one line of JSON.

    python -m tests.bench.shards [--products N] [--segments N] [--tasks N] [--repeats N]

One process with a thread for each core, and --tasks processes at once with a thread each, write the same table on the
same cores, in turns. overhead: seconds of the tasks over those of the one process, less one, the start of the commands
included; overhead_core_seconds: the same of what all cores spent. Medians.
"""

import os
import subprocess
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

from tests.bench.grocery_markets import MarketSize
from tests.bench.memory import write_inputs
from tests.bench.timing import ROUNDS, arguments, report, rounded

PRODUCTS, SEGMENTS, TASKS = 1_000_000, 200, 4
THREADS = ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "POLARS_MAX_THREADS")
ROOT = Path(__file__).parents[2]


def main() -> None:
    """Measure, and print the line."""
    given = arguments(products=PRODUCTS, segments=SEGMENTS, tasks=TASKS, repeats=ROUNDS)
    counts = (1, given.tasks)
    found: dict[int, list[tuple[float, float]]] = {tasks: [] for tasks in counts}
    with TemporaryDirectory() as text:
        folder = Path(text)
        write_inputs(MarketSize(given.products, given.segments), folder)
        for number in range(given.repeats):
            for tasks in counts:
                found[tasks].append(_score(folder, tasks, f"table-{number}-{tasks}"))
    wall, cores = ({tasks: median(each[k] for each in found[tasks]) for tasks in counts} for k in (0, 1))
    report(
        market={"products": given.products, "segments": given.segments},
        tasks=given.tasks,
        seconds=rounded({str(tasks): wall[tasks] for tasks in counts}),
        core_seconds=rounded({str(tasks): cores[tasks] for tasks in counts}),
        overhead=round(wall[given.tasks] / wall[1] - 1, 3),
        overhead_core_seconds=round(cores[given.tasks] / cores[1] - 1, 3),
    )


def _score(folder: Path, tasks: int, name: str) -> tuple[float, float]:
    """Return the seconds, and the seconds of all cores, in which so many tasks at once write a new table."""
    paths = {"demand": "demand", "catalog": "products.parquet", "prices": "prices", "work": "work", "shards": name}
    overrides = [f"paths.{key}={folder / path}" for key, path in paths.items()]
    command = [sys.executable, "-m", "gpu_pricer", "score", "policy=profit", "backend=cpu", "quiet=true", *overrides]
    threads = dict.fromkeys(THREADS, str(os.cpu_count() if tasks == 1 else 1))
    start, spent = perf_counter(), 0.0
    jobs = [
        subprocess.Popen(
            [*command, f"score.shards={tasks}", f"score.shard={number}"],
            cwd=ROOT, env=os.environ | threads, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        for number in range(tasks)
    ]  # fmt: skip
    for job in jobs:
        _, status, usage = os.wait4(job.pid, 0)
        job.returncode = os.waitstatus_to_exitcode(status)
        spent += usage.ru_utime + usage.ru_stime
    took = perf_counter() - start
    failed = [job.returncode for job in jobs if job.returncode]
    if failed:
        raise RuntimeError(f"score must end with status 0, found {failed}")
    return took, spent


if __name__ == "__main__":
    main()
