"""What people decided about proposed prices: a log beside the versions that only grows, and a version's own copies.

The log is one file of JSON lines for each version that was looked at. A decision is about a proposal, the prices of a
product in that version and today's price; it holds for every later version that proposes the same.
"""

import io
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from gpu_pricer.errors import UNREADABLE, InputError, first_line
from gpu_pricer.tables.files.disk_errors import write_table
from gpu_pricer.tables.files.durable import sync
from gpu_pricer.tables.files.locking import locked
from gpu_pricer.tables.files.replacing import replacing_file
from gpu_pricer.tables.version.names import DECIDED, FOLDER_NAME

LOG = "_decisions"
"""In the folder of the versions; the underscore keeps Delta's vacuum away."""
ACCEPT, REJECT, OVERRIDE, REOPEN = "accept", "reject", "override", "reopen"
DECISIONS = (ACCEPT, REJECT, OVERRIDE, REOPEN)
"""Take the proposed prices; keep today's; set one price in all segments; take back what was decided before."""
CHANGES = (REJECT, OVERRIDE)
"""The decisions after which a version needs other prices than the proposed ones."""


@dataclass(frozen=True)
class Decision:
    """One line of the log.

    when: ISO time in UTC. who: a user's name. run: the version that was looked at. product_id: as text. proposal: see
    tables.proposals. decision: one of DECISIONS. price: in currency, of an override, else None. note: why, or "".
    """

    when: str
    who: str
    run: str
    product_id: str
    proposal: str
    decision: str
    price: float | None
    note: str


SCHEMA = pl.Schema({name: pl.Float64 if name == "price" else pl.String for name in Decision.__dataclass_fields__})


def now() -> str:
    """Return the time of a decision."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def append_decisions(prices: Path, decisions: Sequence[Decision]) -> None:
    """Add decisions on one version to the log in `prices`; they are on the disk when the function returns.

    What a killed writer left of a line goes first. Raise InputError while another process writes.
    """
    if not decisions:
        return
    [run] = {decision.run for decision in decisions}
    folder = prices / LOG
    if not FOLDER_NAME.fullmatch(run):
        raise InputError(f"the version that is decided about must be named like a run, found {run!r}")
    lines = "".join(json.dumps(asdict(decision), ensure_ascii=False) + "\n" for decision in decisions).encode()
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / ".lock", "record decisions"):
        file = os.open(folder / f"{run}.jsonl", os.O_RDWR | os.O_CREAT, 0o666)
        try:
            end = _end_of_lines(file)
            os.ftruncate(file, end)
            os.lseek(file, end, os.SEEK_SET)
            while lines:
                lines = lines[os.write(file, lines) :]
            os.fsync(file)
        finally:
            os.close(file)
        sync(folder)


def _end_of_lines(file: int) -> int:
    """Return the size of the file without an unfinished last line."""
    size, block = os.fstat(file).st_size, 2**16
    end = size
    while end > 0:
        first = max(end - block, 0)
        at = os.pread(file, end - first, first).rfind(b"\n")
        if at >= 0:
            return first + at + 1
        end = first
    return 0


def read_decisions(*places: Path) -> pl.DataFrame:
    """Return the log in one folder of versions, or those in several as one, oldest first.

    An unfinished last line of a file is no decision. InputError for a broken line.
    """
    parts = [_read(path) for prices in places for path in decision_files(prices).values()]
    log = pl.concat([SCHEMA.to_frame(), *parts])
    return log.unique(maintain_order=True).sort("when", maintain_order=True)


def bring_decisions(versions: Path, prices: Path) -> None:
    """Add to the log in `prices` what the one beside other versions says and it does not."""
    fresh = read_decisions(versions).join(read_decisions(prices), on=SCHEMA.names(), how="anti", nulls_equal=True)
    for part in fresh.partition_by("run", maintain_order=True):
        append_decisions(prices, [*each(part)])


def decision_files(prices: Path) -> dict[str, Path]:
    """Return the files of the log by name."""
    return {path.name: path for path in sorted((prices / LOG).glob("*.jsonl"))}


def _read(path: Path) -> pl.DataFrame:
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if not whole:
        return SCHEMA.to_frame()
    try:
        table = pl.read_ndjson(io.BytesIO(whole), schema=SCHEMA)
    except UNREADABLE as error:
        raise InputError(f"{path} must hold a decision in every line, found: {first_line(error)}: mend it") from error
    needed = [name for name in SCHEMA if name != "price"]
    is_whole = pl.all_horizontal(pl.col(needed).is_not_null()) & pl.col("decision").is_in(DECISIONS)
    broken = table.with_row_index("line", 1).filter(~is_whole)
    if broken.height:
        raise InputError(
            f"{path} must hold a decision in every line, found line {broken['line'][0]} without: mend it or remove it"
        )
    return table


def standing_decisions(log: pl.DataFrame) -> pl.DataFrame:
    """Return the last decision about each proposal of a product, without those that were taken back."""
    last = log.group_by("product_id", "proposal", maintain_order=True).agg(pl.all().last())
    return last.select(SCHEMA.names()).filter(pl.col("decision") != REOPEN)


def write_decided(decided: pl.DataFrame, folder: Path, name: str = DECIDED) -> None:
    """Write decisions into the record of the version in a folder: those that its prices contain, or all approvals."""
    with replacing_file(folder / name) as fresh:
        write_table(decided.select(SCHEMA.names()), fresh)


def read_decided(folder: Path, name: str = DECIDED) -> pl.DataFrame:
    """Return what write_decided wrote, no rows without the file."""
    path = folder / name
    if not path.is_file():
        return SCHEMA.to_frame()
    try:
        return pl.read_parquet(path).cast(SCHEMA)
    except UNREADABLE as error:
        raise InputError(
            f"{path} must be a whole table of decisions, found: {first_line(error)}: review again"
        ) from error


def each(decisions: pl.DataFrame) -> Iterator[Decision]:
    """Yield the rows of a table of decisions."""
    return (Decision(**row) for row in decisions.select(SCHEMA.names()).iter_rows(named=True))
