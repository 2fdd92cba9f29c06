"""python -m tests.faults [--part NAME] [--limit N] [--seed K]: inflict faults on the jobs, count broken promises.

Each broken promise is a line. The last line is JSON: for each part the number of faults, and of those that
broke a promise (wrong_<part>). Exit status 1 if any did.
"""

import argparse
import importlib
import importlib.util
import json
import os
import sys

PARTS = {
    "kills": "tests.faults.kills",
    "watch_kills": "tests.faults.watch_kills",
    "races": "tests.faults.races",
    "storage_faults": "tests.faults.storage",
    "fuzzed": "tests.faults.fuzz",
    "mutated_versions": "tests.faults.mutated",
    "writer_files": "tests.faults.writer_files",
    "batches": "tests.faults.batches",
}
ONE_THREAD = ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "POLARS_MAX_THREADS", "TOKIO_WORKER_THREADS", "RAYON_NUM_THREADS")
"""Set to 1 before any library is imported: a process is forked without its threads, and many jobs share few cores."""


def main() -> int:
    """Run the parts and print what they found."""
    found_parts = [name for name, module in PARTS.items() if importlib.util.find_spec(module)]
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--part", action="append", choices=found_parts, help="this part only; may be repeated")
    parser.add_argument("--limit", type=int, default=20, help="the number of faults of each part")
    parser.add_argument("--seed", type=int, default=0, help="of the sample of faults")
    given = parser.parse_args()
    os.environ |= dict.fromkeys(ONE_THREAD, "1")
    summary: dict[str, int] = {}
    for name in given.part or found_parts:
        counts = importlib.import_module(PARTS[name]).run(given.limit, given.seed)
        for example in counts.examples:
            print(f"{name}: {example}", flush=True)
        summary |= {name: counts.done, f"wrong_{name}": counts.wrong}
    print(json.dumps(summary))
    return int(any(count for name, count in summary.items() if name.startswith("wrong_")))


if __name__ == "__main__":
    sys.exit(main())
