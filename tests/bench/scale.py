"""Peak memory and seconds of each job as the sales log grows, as one line of JSON.

    python -m tests.bench.scale [--lines N] [--products N] [--segments N] [--through JOB]

The real commands price a synthetic log (tests/bench/large_log.py) of a million lines, then of four times as many, up to
--lines. --segments: of the users; 0: as the program chooses. --through: the last job that runs. The line has, for each
number of lines and job, the peak of the job's memory in GiB, its seconds and its core-seconds; largest_lines: of the
largest log that all jobs went through; memory_bytes_per_line: the largest slope of a job's peak between the smallest
and the largest log; seconds_exponent: the power of the lines by which the seconds of all jobs together grow, and
core_seconds_exponent: that of core-seconds, which a machine that others keep busy tells too; seconds_per_million_lines:
those of the largest log. Where a job fails, the line says in `stopped` which one, and why.
"""

import argparse
import math
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from kernels.compiling import TYPES, compile_loops
from tests.bench.large_log import LogSize, write_log
from tests.bench.timing import report, rounded, say

SMALLEST, FACTOR = 1_000_000, 4
PRODUCTS = 100_000
JOBS = ("prepare", "train", "score", "publish")
GIB, KIB = 2**30, 2**10
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class JobRun:
    """What a job took; reason: the last line that it said, if it failed."""

    peak_bytes: int
    seconds: float
    core_seconds: float
    reason: str | None


def main() -> None:
    """Run the jobs on one log after the other, and print the line."""
    given = _arguments()
    peaks: dict[int, dict[str, float]] = {}
    seconds: dict[int, dict[str, float]] = {}
    core_seconds: dict[int, dict[str, float]] = {}
    stopped = None
    jobs = JOBS[: JOBS.index(given.through) + 1]
    if "score" in jobs:
        compile_loops(TYPES, is_continuous=False)
    for lines in _sizes(given.lines):
        runs = job_runs(LogSize(lines, given.products), given.segments, jobs)
        failed = [f"{job} of {lines} lines: {run.reason}" for job, run in runs.items() if run.reason is not None]
        if failed:
            stopped = failed[0]
            break
        peaks[lines] = {job: run.peak_bytes / GIB for job, run in runs.items()}
        seconds[lines] = {job: run.seconds for job, run in runs.items()}
        core_seconds[lines] = {job: run.core_seconds for job, run in runs.items()}
    report(
        market=asdict(LogSize(max(peaks, default=0), given.products)),
        peak_gib={str(lines): rounded(found) for lines, found in peaks.items()},
        seconds={str(lines): rounded(found) for lines, found in seconds.items()},
        core_seconds={str(lines): rounded(found) for lines, found in core_seconds.items()},
        stopped=stopped,
        **(_growth(peaks, seconds, core_seconds) if peaks else {}),
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.scale", description=__doc__)
    parser.add_argument("--lines", type=int, default=4 * SMALLEST)
    parser.add_argument("--products", type=int, default=PRODUCTS)
    parser.add_argument("--segments", type=int, default=0)
    parser.add_argument("--through", choices=JOBS, default=JOBS[-1])
    return parser.parse_args()


def _sizes(largest: int) -> list[int]:
    """Return the numbers of lines, each FACTOR times the one before."""
    return [SMALLEST * FACTOR**k for k in range(32) if SMALLEST * FACTOR**k <= largest]


def job_runs(size: LogSize, segments: int, jobs: Sequence[str]) -> dict[str, JobRun]:
    """Return what each job took on a new log, up to the first that failed."""
    runs: dict[str, JobRun] = {}
    with TemporaryDirectory() as text:
        folder = Path(text)
        start = perf_counter()
        write_log(size, folder)
        say(f"{size.lines} lines, {size.products} products: written in {perf_counter() - start:.0f} s")
        overrides = ["data=parquet", f"data.path={folder}"]
        overrides += [f"segments.count={segments}"] if segments else []
        for job in jobs:
            runs[job] = run_job(job, overrides, folder)
            run = runs[job]
            say(f"  {job}: {run.peak_bytes / GIB:.3g} GiB, {run.seconds:.3g} s, {run.core_seconds:.3g} core-seconds")
            if run.reason is not None:
                say(f"  {run.reason}")
                break
    return runs


def run_job(job: str, overrides: list[str], folder: Path) -> JobRun:
    """Run the job in the folder, in a process of its own, and return what it took."""
    command = [sys.executable, "-m", "gpu_pricer", job, *overrides, "quiet=true"]
    said = folder / f"{job}.err"
    start = perf_counter()
    with said.open("wb") as file:
        process = subprocess.Popen(
            command, cwd=folder, stdout=subprocess.DEVNULL, stderr=file, env=os.environ | {"PYTHONPATH": str(ROOT)}
        )
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    took = perf_counter() - start
    last = said.read_text(errors="replace").strip().splitlines()[-1:] or [f"status {process.returncode}"]
    core_seconds = usage.ru_utime + usage.ru_stime
    return JobRun(usage.ru_maxrss * KIB, took, core_seconds, last[0] if process.returncode else None)


def _growth(
    peaks: dict[int, dict[str, float]], seconds: dict[int, dict[str, float]], core_seconds: dict[int, dict[str, float]]
) -> dict[str, object]:
    """Return the figures of the line that are told by the smallest and the largest log."""
    small, large = min(peaks), max(peaks)
    found: dict[str, object] = {
        "largest_lines": large,
        "seconds_per_million_lines": round(sum(seconds[large].values()) / large * 1e6, 2),
    }
    if small < large:
        slopes = {job: (peaks[large][job] - peaks[small][job]) * GIB / (large - small) for job in peaks[large]}
        found["memory_bytes_per_line_by_job"] = rounded(slopes)
        found["memory_bytes_per_line"] = round(max(slopes.values()), 1)
        found["seconds_exponent"] = _exponent(seconds, small, large)
        found["core_seconds_exponent"] = _exponent(core_seconds, small, large)
    return found


def _exponent(seconds: dict[int, dict[str, float]], small: int, large: int) -> float:
    """Return the power of the lines by which the seconds of all jobs together grow from the small to the large log."""
    totals = {lines: sum(seconds[lines].values()) for lines in (small, large)}
    return round(math.log(totals[large] / totals[small]) / math.log(large / small), 3)


if __name__ == "__main__":
    main()
