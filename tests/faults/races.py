"""Publishers, requeued shards and readers of one price table, all at once.

Each of the versions has the prices of one of a few catalogs. What a reader sees must be one of these, whole.
"""

import hashlib
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import polars as pl
from deltalake import DeltaTable

from gpu_pricer.errors import InputError, Refused
from gpu_pricer.pricing.tiling import Tiling
from gpu_pricer.tables.version.names import RUN_RECORD
from gpu_pricer.tables.version.seal import seal
from gpu_pricer.versions.priced_catalog import PricedCatalog
from gpu_pricer.versions.publication import Publication, publish
from gpu_pricer.versions.scored_version import score
from tests.faults.counts import Counts
from tests.gates.limits import NOBODY, OFF
from tests.markets import a_policy, catalog_of, small_artefact

PUBLISHERS, SHARDS, READERS = 4, 4, 8
ROUND = 50
"""Commits to one table: each publishing reads the whole log, which in production grows by one a night."""
EXAMPLES = 30
PAUSE, LONGEST_REST = 0.5, 5.0
"""The most seconds that a reader or a scorer waits before it looks whether somebody has committed, and that it rests
without a commit: on a machine with few cores, threads that never rest would leave the publishers next to nothing."""
STAY = 6.0
"""Seconds that the files of a replaced version stay: a reader that takes less than half of them must not fail."""
KEEP = Publication(dry_run=False, keep=2, keep_hours=STAY / 3600, gates=OFF, accept=[], reason=None, approval=NOBODY)
CATALOGS = 5
ARTEFACT = small_artefact(21, segments=3, products=12, categories=4)
KEY = ("product_id", "segment_id")


def run(limit: int, seed: int) -> Counts:
    """Return the counts over `limit` commits; wrong is all that a thread did not expect. Progress is on stderr."""
    done, read, wrong = 0, 0, []
    while done < limit:
        with tempfile.TemporaryDirectory() as folder:
            table = _Race(Path(folder), min(ROUND, limit - done), seed + done)
            table.run()
            done, wrong, read = done + table.commits, wrong + table.faults, read + table.reads
            print(f"races: {done} commits, {read} reads, {len(wrong)} wrong", file=sys.stderr, flush=True)
    return Counts("races", done, len(wrong), tuple(wrong[:EXAMPLES]))


class _Race:
    """One price table, and the threads that work on it until it has so many commits."""

    def __init__(self, prices: Path, limit: int, seed: int) -> None:
        self.prices, self.limit, self.seed = prices, limit, seed
        self.commits, self.reads, self.faults = 0, 0, []
        self.whole = {self._digest(self._scored(prices / f"sole{i}", i, None)) for i in range(CATALOGS)}
        self.is_over = threading.Event()
        publish(prices, prices / "sole0", KEEP)

    def run(self) -> None:
        """Let all threads work, then look at what lies in the folders."""
        works = [self._publish] * PUBLISHERS + [self._score] * SHARDS + [self._read] * READERS
        threads = [threading.Thread(target=self._repeat, args=(work, i)) for i, work in enumerate(works)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self._expect(self.commits, DeltaTable(str(self.prices)).version(), "commits in the log")
        for folder in self.prices.glob("[!_]*/"):
            others = [path.name for path in folder.glob("*.parquet") if not path.name.startswith(f"{folder.name}-")]
            self._expect([], others, f"files of other runs in {folder.name}")

    def _repeat(self, work: Callable[[random.Random, int], None], number: int) -> None:
        rng = random.Random(self.seed * 100 + number)
        while not self.is_over.is_set():
            try:
                work(rng, number)
            except Exception as error:
                self.faults.append(f"{work.__name__}: {type(error).__name__}: {error}"[:400])
            if work != self._publish:
                self._rest(rng)
            if self.commits >= self.limit or len(self.faults) > EXAMPLES:
                self.is_over.set()

    def _rest(self, rng: random.Random) -> None:
        """Wait until somebody has committed, and then a moment that is not the same for all."""
        commits, end = self.commits, time.monotonic() + LONGEST_REST
        self.is_over.wait(PAUSE * rng.random())
        while self.commits == commits and time.monotonic() < end and not self.is_over.is_set():
            self.is_over.wait(PAUSE * rng.random())

    def _publish(self, rng: random.Random, number: int) -> None:
        """Publish one of the finished versions; another thread may have it, or the table."""
        finished = sorted(path.parent.parent for path in self.prices.glob(f"[!_]*/{RUN_RECORD}"))
        before = DeltaTable(str(self.prices)).version()
        try:
            publish(self.prices, rng.choice(finished), KEEP)
        except (InputError, Refused) as error:
            self._expect(1, len(str(error).splitlines()), f"lines of {error}")
        self.commits = max(self.commits, before, DeltaTable(str(self.prices)).version())

    def _score(self, rng: random.Random, number: int) -> None:
        """Score one shard of the version that all shards work at now; a shard may be requeued at any time."""
        current = self.commits // 3
        try:
            self._scored(self.prices / f"night{current}", current % CATALOGS, number % SHARDS)
        except InputError as error:
            expected = ("must be a new folder, found the published version", "must be free to score", "another task")
            self._expect(True, any(words in str(error) for words in expected), f"refusal of a shard: {error}")

    def _scored(self, folder: Path, catalog: int, shard: int | None) -> Path:
        """Score as the job does, and seal the version if this shard was its last one."""
        tiling = Tiling("long", 9, 1 if shard is None else SHARDS, shard, 1)
        priced = PricedCatalog(catalog_of(ARTEFACT, catalog))
        if score(ARTEFACT, priced, a_policy(), tiling, folder, "cpu") is not None:
            seal(folder)
        return folder

    def _read(self, rng: random.Random, number: int) -> None:
        """Read the whole table, as a reader of Delta by Polars or as one of plain Parquet by DuckDB."""
        begun = time.monotonic()
        try:
            table = self._rows(number)
        except Exception:
            if time.monotonic() - begun < STAY / 2:
                raise
            return  # nothing was promised to a reader as slow as this one
        self.reads += 1
        self._expect(True, _digest_of(table) in self.whole, f"rows of one version, found a mixture of {table.height}")

    def _rows(self, number: int) -> pl.DataFrame:
        if number % 2:
            return pl.scan_delta(str(self.prices)).collect()
        files = (self.prices / "_current").resolve() / "*.parquet"
        return duckdb.connect().sql(f"select * from read_parquet('{files}')").pl()

    def _digest(self, folder: Path) -> str:
        return _digest_of(pl.read_parquet(folder / "*.parquet"))

    def _expect(self, expected: object, found: object, what: str) -> None:
        if found != expected:
            self.faults.append(f"{what}: expected {expected}, found {found}")


def _digest_of(table: pl.DataFrame) -> str:
    return hashlib.sha256(table.sort(KEY).write_csv().encode()).hexdigest()
