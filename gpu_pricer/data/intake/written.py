"""The configuration that an inspection ends with: a file of the group `data` that says how each file is read."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from gpu_pricer.data.intake.matching import FoundStatus, TakenFile
from gpu_pricer.data.sources.cells import PERCENT

TABLES = "gpu_pricer.data.sources.files.TableFiles"
CSV = "gpu_pricer.data.sources.csv.CsvFile"
PARQUET = "gpu_pricer.data.sources.parquet.ParquetFile"
ADDED = "gpu_pricer.data.sources.added_file.AddedFile"
STATUS = "gpu_pricer.data.sources.line_status.LineStatus"
GENERAL = "files"
"""The configuration in conf/data that the written one begins with."""


def source_of(files: list[TakenFile]) -> dict[str, Any]:
    """Return the settings of data.source that read the files."""
    contents: dict[str, list[dict[str, Any]]] = {}
    added: dict[str, list[dict[str, Any]]] = {}
    for taken in files:
        if taken.key is None:
            contents.setdefault(taken.table, []).append(_file(_without_added(taken, files)))
        else:
            file = {"_target_": ADDED, "key": taken.key, "file": _file(taken)}
            added.setdefault(taken.table, []).append(file)
    return {"_target_": TABLES, "contents": contents} | ({"added": added} if added else {})


def _without_added(taken: TakenFile, files: list[TakenFile]) -> TakenFile:
    """Return the file without readings of no column where another file adds that column to its table."""
    added = {name for file in files if file.key is not None and file.table == taken.table for name in file.readings}
    readings = {
        name: reading for name, reading in taken.readings.items() if reading.column is not None or name not in added
    }
    return replace(taken, readings=readings)


def _file(taken: TakenFile) -> dict[str, Any]:
    columns = {name: reading.column for name, reading in taken.readings.items()}
    path = str(taken.found.path.resolve())
    found = {"status": taken.status, "in_currency": taken.in_currency}
    status = {name: _status(told) for name, told in found.items() if told is not None}
    if taken.found.separator is None:
        percent = [name for name, reading in taken.readings.items() if reading.kind in PERCENT]
        told = {"percent": percent} if percent else {}
        return {"_target_": PARQUET, "path": path, "columns": columns} | told | status
    kinds = {name: reading.kind for name, reading in taken.readings.items() if reading.column is not None}
    return {
        "_target_": CSV,
        "path": path,
        "separator": taken.found.separator,
        "columns": columns,
        "kinds": kinds,
        "null_words": taken.found.null_words,
    } | status


def _status(found: FoundStatus) -> dict[str, Any]:
    return {"_target_": STATUS, "column": found.column, "sales": found.sales, "left_out": found.left_out}


def settings_text(command: str, settings: dict[str, Any]) -> str:
    """Return the text of the file; command: what writes it again."""
    head = f"# Your files as `{command}` understood them; edit a line to read a column differently.\n"
    body = {"defaults": [GENERAL, "_self_"], **settings}
    return head + yaml.safe_dump(body, sort_keys=False, allow_unicode=True, width=120)


def settings_path(folder: Path, name: str) -> Path:
    """Return where the configuration data=<name> lies in a folder that --config-dir names."""
    return folder / "data" / f"{name}.yaml"
