"""Worker processes that run contestants together, each worker on its own part of the categories."""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from unittest.mock import patch

import numpy as np

from tests.bench.grocery_markets import Market, MarketSize, grocery_market
from tests.bench.timing import say, seconds_of

Pass = Callable[[], Iterator[np.ndarray]]
"""One pass over a market: yields the prices of one tile after the other, int32 [tile, S], in one buffer."""

THREAD_COUNTS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")

TRIES = 3
"""Passes with each tile width, of which the fastest counts."""


class Unavailable(RuntimeError):
    """A contestant cannot run on this machine; the message says why."""


@dataclass(frozen=True)
class Contestant:
    """prepare(market, categories a tile) returns its pass; tiles: the tile widths to choose from."""

    prepare: Callable[[Market, int], Pass]
    size: MarketSize
    tiles: tuple[int, ...] = (0,)


class Crew:
    """Processes with so many threads each, that hold the same contestants; a context manager."""

    def __init__(self, workers: int, threads: int, contestants: Mapping[str, Contestant]) -> None:
        self.missing: dict[str, str] = {}
        self._pipes: list[Connection] = []
        self._processes = []
        context = get_context("spawn")
        for index in range(workers):
            ours, theirs = context.Pipe()
            process = context.Process(target=_work, args=(theirs, contestants, index, workers), daemon=True)
            with patch.dict(os.environ, dict.fromkeys(THREAD_COUNTS, str(threads))):  # read as the process is born
                process.start()
            theirs.close()  # so that a worker that dies ends the wait for it
            self._pipes.append(ours)
            self._processes.append(process)
        for pipe in self._pipes:
            self.missing |= pipe.recv()

    def __enter__(self) -> "Crew":
        return self

    def __exit__(self, *_: object) -> None:
        for pipe in self._pipes:
            pipe.send(None)
        for process in self._processes:
            process.join()

    def run(self, name: str, passes: int) -> None:
        """Let every worker run its passes at the same time; return when the last one is done."""
        for pipe in self._pipes:
            pipe.send((name, passes))
        for pipe in self._pipes:
            pipe.recv()


def _work(pipe: Connection, contestants: Mapping[str, Contestant], index: int, workers: int) -> None:
    passes, missing = {}, {}
    for name, contestant in contestants.items():
        market = grocery_market(contestant.size).part(index, workers)
        try:
            passes[name] = _fastest(name, {tile: contestant.prepare(market, tile) for tile in contestant.tiles})
        except Unavailable as reason:
            missing[name] = str(reason)
    pipe.send(missing)
    while (order := pipe.recv()) is not None:
        name, repeats = order
        run_all(passes[name], repeats)
        pipe.send(name)


def run_all(one_pass: Pass, repeats: int) -> None:
    """Run the pass to its end, that many times."""
    for _ in range(repeats):
        for _ in one_pass():
            pass


def _fastest(name: str, passes: Mapping[int, Pass]) -> Pass:
    """Return the pass with the best tile width, by the fastest of a few tries."""
    seconds = {}
    for tile, one_pass in passes.items():
        seconds[tile] = min(seconds_of(lambda _, n, todo=one_pass: run_all(todo, n), name, 1) for _ in range(TRIES))
    best = min(seconds, key=lambda tile: seconds[tile])
    if len(passes) > 1:
        say(f"{name}: {best} categories a tile")
    return passes[best]
