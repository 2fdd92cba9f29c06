"""Many faults, one after the other, of each site in turn."""

import random
import sys
from collections.abc import Callable, Sequence
from typing import TypeVar

from tests.faults.counts import Counts

Fault = TypeVar("Fault")
SAID_EVERY = 50


def sample(by_scene: Sequence[list[Fault]], limit: int, seed: int) -> list[Fault]:
    """Return so many faults in random order, of each site in turn, in random order too, while it has any left."""
    rng = random.Random(seed)
    shuffled = [rng.sample(faults, len(faults)) for faults in rng.sample(by_scene, len(by_scene))]
    turns = range(max(map(len, shuffled)))
    return [faults[turn] for turn in turns for faults in shuffled if turn < len(faults)][:limit]


def strike(name: str, faults: Sequence[Fault], inflict: Callable[[Fault], list[str] | None]) -> Counts:
    """Return the counts of the faults that `inflict` brought about; it returns the promises that one broke.

    None: the job ended before it came to the fault. Broken promises and progress are said on standard error. SIGINT
    ends the faults early.
    """
    done, wrong = 0, []
    for tried, fault in enumerate(faults, 1):
        try:
            broken = inflict(fault)
        except KeyboardInterrupt:
            break
        done += broken is not None
        if broken:
            wrong.append(f"{fault}: {'; '.join(broken)}")
            print(f"{name}: {wrong[-1]}", file=sys.stderr, flush=True)
        if tried % SAID_EVERY == 0:
            print(f"{name}: {tried} of {len(faults)} tried, {len(wrong)} wrong", file=sys.stderr, flush=True)
    return Counts(name, done, len(wrong), tuple(wrong[:20]))
