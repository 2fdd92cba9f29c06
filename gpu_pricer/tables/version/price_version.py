"""One scored version of the price table: a folder of files, and a run.json that says that it is complete.

The folder holds the table's files and the folder `_record`, which pyarrow, Spark and Delta's vacuum ignore because of
its underscore. Every shard writes _record/shard-<i>-of-<n>.json once its files are written; the shard that finishes
last joins these records into _record/run.json, after the audit and the copies of what the version was priced from.
"""

import json
import math
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from gpu_pricer.checks import require_type
from gpu_pricer.errors import InputError
from gpu_pricer.tables.files.replacing import replacing_file

RECORD = "_record"
RUN_RECORD = f"{RECORD}/run.json"
LOCK = f"{RECORD}/lock"
"""Shared by those who score the version, and held alone by the one who publishes it."""
SEAL = f"{RECORD}/SHA256SUMS"
"""Written last, by `seal`."""
FAIRNESS = f"{RECORD}/fairness.json"
PUBLICATION = f"{RECORD}/publication.json"
METRICS = f"{RECORD}/metrics.json"
DECIDED, APPROVALS = f"{RECORD}/decisions.parquet", f"{RECORD}/approvals.parquet"
"""What people decided: the decisions that the version's prices contain, and all that let it be published."""
CATALOG_COPY = "catalog.parquet"
"""In the record: what pricing read of the catalog."""
CONTRACT = "1.1"
"""The version of the price table's contract (tables.price_contract) that a table written now keeps."""
FILE_METADATA = (
    "run",
    "layout",
    "currency",
    "valid_from",
    "artefact",
    "policy",
    "catalog",
    "uncertainty",
    "contract",
)
"""The keys of the metadata of every file."""
RUN_ID = re.compile(r"\d{8}T\d{6}-[0-9a-f]{6}")
FOLDER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class Tally:
    """Sums over a part of the price table.

    products: all products; on_shelf: those on the shelf; moved_on_shelf, raised_on_shelf, held_on_shelf: as below, but
    of these alone; no_rung: those on the shelf without a rung in their bounds.
    rows: all prices; moved: those that differ from today's; beyond_moves: those for which a rule that outranks the
    limits on moves, such as the margin over a given cost, overruled one; move, absolute_move: sums of relative moves.
    raised: prices above today's; held: those that a bound keeps from the price that would be best without it.
    units_today, units_new: expected units of a period's visits at today's and at the new prices.
    revenue_new: expected revenue at the new prices; base_revenue_new: of the same units at today's prices, in currency,
    with VAT where prices include it. net_revenue_new: expected revenue at the new prices after VAT.
    Units, revenue and profit are those that the stock can serve, if the policy limits units to it.
    profit_today, profit_new: expected profit of a period's visits at today's and at the new prices, in currency, after
    VAT where prices include it.
    """

    products: int
    rows: int
    moved: int
    raised: int
    held: int
    beyond_moves: int
    move: float
    absolute_move: float
    on_shelf: int
    moved_on_shelf: int
    raised_on_shelf: int
    held_on_shelf: int
    no_rung: int
    units_today: float
    units_new: float
    revenue_new: float
    net_revenue_new: float
    base_revenue_new: float
    profit_today: float
    profit_new: float

    @property
    def price_index(self) -> float | None:
        """The revenue over what the same units bring at today's prices (Paasche); None without sales."""
        return self.revenue_new / self.base_revenue_new if self.base_revenue_new > 0 else None

    @classmethod
    def sum(cls, tallies: Iterable["Tally"]) -> "Tally":
        """Return the sum of every field; sums of floats are exactly rounded, so that the order does not matter."""
        columns = [astuple(tally) for tally in tallies] or [(0,) * len(fields(cls))]
        return cls(*(_sum(column) for column in zip(*columns, strict=True)))


class Moves(NamedTuple):
    """Prices of products on the shelf: shown: all of them; raised, lowered, kept: against today's; held: by a bound."""

    shown: int
    raised: int
    lowered: int
    kept: int
    held: int

    def share(self, count: int) -> float:
        """Return a count as a share of all prices shown, 0 where there are none."""
        return count / (self.shown or 1)


@dataclass(frozen=True)
class PriceVersion:
    """What was scored, from what and how; the shards of one version differ only in files and tally.

    run: the id. created, day, valid_from: ISO time of scoring, the day on which the prices were set, and the first day
    of the demand that they are for. artefact, policy, catalog:
    fingerprints of the sources; code, warm_start: those of the program and of the multipliers that the search began
    with, "" for none. layout, details, backend, uncertainty: as configured or chosen. includes_vat: whether prices
    include VAT, so that profit is after it. segments, shards, unpriced:
    numbers of segments, of shards, and of products without a price. contract: the version of the table's contract, ""
    for a version from before there was one. files: names. origins: the run that wrote each
    file; one that is not `run` was carried over. file_tallies: the sums over each file, and tally over all of them.
    """

    run: str
    created: str
    day: str
    layout: str
    currency: str
    valid_from: str
    artefact: str
    policy: str
    catalog: str
    code: str
    warm_start: str
    details: list[str]
    backend: str
    uncertainty: str
    contract: str
    includes_vat: bool
    segments: int
    shards: int
    unpriced: int
    files: list[str]
    origins: list[str]
    file_tallies: list[Tally]
    tally: Tally

    @property
    def metadata(self) -> dict[str, str]:
        """The metadata that every file of the version carries."""
        return {name: getattr(self, name) for name in FILE_METADATA if name != "contract" or self.contract}

    @property
    def common(self) -> dict[str, object]:
        """What all shards of one version have in common."""
        names = ("segments", "details", "code", "warm_start")
        return {**self.metadata, **{name: getattr(self, name) for name in names}}

    def with_files(
        self, tallies: Mapping[str, Tally], origins: Mapping[str, str] = MappingProxyType({})
    ) -> "PriceVersion":
        """Return the version with these files and their sums, by name; origins: the runs of those carried over."""
        return replace(
            self,
            files=[*tallies],
            origins=[origins.get(name, self.run) for name in tallies],
            file_tallies=[*tallies.values()],
            tally=Tally.sum(tallies.values()),
        )

    @property
    def moves(self) -> Moves:
        """What becomes of the prices of products on the shelf, which alone anybody sees."""
        shown, tally = self.tally.on_shelf * self.segments, self.tally
        moved, raised = tally.moved_on_shelf, tally.raised_on_shelf
        return Moves(shown, raised, moved - raised, shown - moved, tally.held_on_shelf)

    @property
    def profit_name(self) -> str:
        """What the version's profit is called."""
        return f"profit{self.after_vat}"

    @property
    def after_vat(self) -> str:
        """What follows the word profit or revenue where they are after VAT, else nothing."""
        return " after VAT" if self.includes_vat else ""

    @property
    def tallies(self) -> dict[str, Tally]:
        """The sums over each file by its name; empty for a version that was written before they were recorded."""
        return dict(zip(self.files, self.file_tallies, strict=False))

    def metadata_of(self, name: str) -> dict[str, str]:
        """The metadata that a file carries: a carried one has those of the run that wrote it, from another catalog.

        Of a carried file the contract may also be an earlier one.
        """
        origin = self.origins[self.files.index(name)]
        if origin == self.run:
            return self.metadata
        shared = {key: value for key, value in self.metadata.items() if key not in ("catalog", "contract")}
        return shared | {"run": origin}

    def totals(self) -> dict[str, object]:
        """Return the tally as shares and means, and units and profit at today's and the new prices."""
        tally, rows = self.tally, self.tally.rows or 1
        return {
            "share_moved": tally.moved / rows,
            "mean_move": tally.move / rows,
            "mean_absolute_move": tally.absolute_move / rows,
            "share_without_rung": tally.no_rung / (tally.on_shelf or 1),
            "profit_per_period": {"today": tally.profit_today, "new": tally.profit_new},
            "price_index": tally.price_index,
            "units_per_period": {"today": tally.units_today, "new": tally.units_new},
        }


def _sum(values: Sequence[Any]) -> Any:
    return sum(values) if all(isinstance(value, int) for value in values) else math.fsum(values)


def new_run() -> str:
    """Return a run id that sorts by time and that no other process draws."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"


def file_name(run: str, shard: int, tile: int) -> str:
    """Return the name of one file of the price table."""
    return f"{run}-{shard:05d}-{tile:05d}.parquet"


def open_shard(folder: Path, shard: int | None) -> None:
    """Prepare the folder for one shard, or for all if None: what says that an earlier attempt is complete goes."""
    (folder / RECORD).mkdir(parents=True, exist_ok=True)
    for path in (folder / SEAL, folder / RUN_RECORD):
        path.unlink(missing_ok=True)
    number = "" if shard is None else f"{shard:05d}-"
    for path in (folder / RECORD).glob(f"shard-{number}*"):
        path.unlink()


def close_shard(folder: Path, shard: int, part: PriceVersion) -> PriceVersion | None:
    """Record that one shard is complete; return the joined version, still without a record, once all are, else None.

    Raise InputError if another shard was scored from a different artefact, catalog or policy, by other code or with
    other settings.
    """
    record = folder / RECORD
    _write_json(record / f"shard-{shard:05d}-of-{part.shards:05d}.json", part)
    found = [record / f"shard-{i:05d}-of-{part.shards:05d}.json" for i in range(part.shards)]
    if not all(path.exists() for path in found):
        return None
    try:
        parts = [_read_json(path) for path in found]
    except InputError:
        if all(path.exists() for path in found):
            raise
        return None  # another task began its shard again, and joins the shards when it is done
    for path, other in zip(found, parts, strict=True):
        differing = [name for name, value in part.common.items() if other.common[name] != value]
        if differing:
            theirs, ours = ({name: version.common[name] for name in differing} for version in (other, part))
            raise InputError(
                "every shard must be scored from the same artefact, catalog and policy, by the same code and with the "
                f"same settings, found {path} with {theirs} and this one with {ours}: score them again into a new "
                "folder"
            )
    origins = {name: origin for other in parts for name, origin in zip(other.files, other.origins, strict=True)}
    return part.with_files({name: tally for other in parts for name, tally in other.tallies.items()}, origins)


def finish_version(folder: Path, version: PriceVersion) -> None:
    """Write the record of a version of which everything else is there, so that it can be published."""
    _write_json(folder / RUN_RECORD, version)


def read_version(folder: Path) -> PriceVersion:
    """Return the finished version in a folder; raise InputError if shards are missing."""
    if (folder / RUN_RECORD).is_file():
        return _read_json(folder / RUN_RECORD)
    done = sorted(path.name for path in (folder / RECORD).glob("shard-*-of-*.json"))
    raise InputError(
        f"{folder} must hold a finished {RUN_RECORD}, found {', '.join(done) or 'no finished shard'}: "
        "run `gpu-pricer score` (every shard of it) first"
    )


def _tally(content: dict[str, Any]) -> Tally:
    later = ("beyond_moves", "raised", "held", "moved_on_shelf", "raised_on_shelf", "held_on_shelf")
    content = dict.fromkeys((*later, "revenue_new", "base_revenue_new"), 0) | content
    content.setdefault("net_revenue_new", content["revenue_new"])  # before it was counted, no price included VAT
    tally = Tally(**content)
    _require_types(asdict(tally), Tally)
    return tally


def _require_types(record: dict[str, Any], kind: type[PriceVersion] | type[Tally]) -> None:
    for field in fields(kind):
        if field.type not in (Tally, list[Tally]):
            require_type(field.name, record[field.name], field.type)


def _write_json(path: Path, version: PriceVersion) -> None:
    content = asdict(version) | {"totals": version.totals()}
    with replacing_file(path) as fresh:
        fresh.write_text(json.dumps(content, indent=2) + "\n")


def _read_json(path: Path) -> PriceVersion:
    try:
        # what versions had that were written before these keys existed
        before = {
            "layout": "long", "uncertainty": "point", "code": "", "warm_start": "", "details": [], "contract": "",
            "includes_vat": False,
        }  # fmt: skip
        content = before | json.loads(path.read_text())
        content.setdefault("day", content["created"][:10])
        require_type("files", content["files"], list[str])
        content.setdefault("origins", [content["run"]] * len(content["files"]))
        content["file_tallies"] = [_tally(entry) for entry in content.get("file_tallies", [])]
        content["tally"] = _tally(content["tally"])
        _require_types(content, PriceVersion)
        return PriceVersion(**{field.name: content[field.name] for field in fields(PriceVersion)})
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"{path} must be what `gpu-pricer score` wrote, found: {error}: score again") from error
