"""Random batches of events, one after the other: each version must equal a full run on the catalog after it."""

import logging
import sys
import tempfile
from pathlib import Path

from tests.faults.counts import Counts
from tests.jobs.event_chains import COUPLING, POLICIES, Chain, rows_of

ROUND = 25
"""Batches of one chain, after which a new one begins with another policy."""
EXAMPLES = 20


def run(limit: int, seed: int) -> Counts:
    """Return the counts of so many batches, on chains of every policy that couples no categories, in turn.

    SIGINT ends them early.
    """
    logging.getLogger("gpu_pricer").setLevel(logging.ERROR)
    done, wrong = 0, []
    names = [name for name in POLICIES if name not in COUPLING]
    try:
        while done < limit:
            name, number = names[done // ROUND % len(names)], seed + done
            with tempfile.TemporaryDirectory(prefix="batches-") as folder:
                chain = Chain(Path(folder), name, number)
                for batch in range(min(ROUND, limit - done)):
                    full, done = chain.advance(), done + 1
                    if not rows_of(chain.base.folder).equals(rows_of(full.folder)):
                        wrong.append(f"batch {batch} of the chain of {name} with seed {number} differs from a full run")
            print(f"batches: {done} of {limit}, {len(wrong)} wrong", file=sys.stderr, flush=True)
    except KeyboardInterrupt:
        pass
    return Counts("batches", done, len(wrong), tuple(wrong[:EXAMPLES]))
