"""The records of a version: one of each shard, and run.json, which says that the version is complete.

Every shard writes _record/shard-<i>-of-<n>.json once its files are written; the shard that finishes last joins these
records into _record/run.json, after the audit and the copies of what the version was priced from.
"""

import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from gpu_pricer.checks import require_type
from gpu_pricer.errors import InputError
from gpu_pricer.tables.files.replacing import replacing_file
from gpu_pricer.tables.version.names import RECORD, RUN_RECORD, SEAL
from gpu_pricer.tables.version.price_version import PriceVersion
from gpu_pricer.tables.version.tally import Tally


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
        raise InputError(
            f"{path} must be what `gpu-pricer score` wrote, found: {error}: score again, or if it is of the published "
            "version, go back to another one (gpu-pricer rollback)"
        ) from error
