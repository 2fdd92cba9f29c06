"""A copy of a policy beside the prices that it made: every setting as JSON, and the file of prices set by hand."""

import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypeVar

from gpu_pricer.errors import InputError, first_line
from gpu_pricer.policy.bounds import Bounds
from gpu_pricer.policy.ladder import Ladder
from gpu_pricer.policy.objective import Objective
from gpu_pricer.policy.policy import Policy
from gpu_pricer.tables.files.replacing import replacing_file

Part = TypeVar("Part", Objective, Bounds, Ladder)

POLICY_COPY = "policy.json"
OVERRIDES_COPY = "overrides"
"""The name of the copied file without its ending, which stays: .parquet or .csv."""


def write_policy(policy: Policy, folder: Path) -> None:
    """Write the policy, and the file of its overrides if there is one, into a folder."""
    source = policy.overrides_file
    if source is not None:
        name = f"{OVERRIDES_COPY}{source.suffix}"
        with replacing_file(folder / name) as fresh:
            shutil.copyfile(source, fresh)
        policy = replace(policy, overrides=name)
    with replacing_file(folder / POLICY_COPY) as fresh:
        fresh.write_text(json.dumps(asdict(policy), indent=2) + "\n")


def read_policy(folder: Path) -> Policy | None:
    """Return the policy that write_policy wrote into a folder, None if there is none; InputError if it is broken."""
    path = folder / POLICY_COPY
    if not path.is_file():
        return None
    try:
        settings = json.loads(path.read_text())
        overrides = settings["overrides"]
        return policy_of(settings | {"overrides": None if overrides is None else str(folder / Path(overrides).name)})
    except (OSError, ValueError, LookupError, TypeError) as error:
        found = first_line(error)
        raise InputError(
            f"{path} must be the policy that `gpu-pricer score` wrote, found: {found}: score again"
        ) from error


def policy_of(settings: dict[str, Any]) -> Policy:
    """Return the policy with these settings, as asdict gives them; ValueError, TypeError or LookupError for others."""
    return Policy(
        objective=_part(Objective, "objective", settings),
        bounds=_part(Bounds, "bounds", settings),
        ladder=None if settings["ladder"] is None else _part(Ladder, "ladder", settings),
        category_ladders=settings["category_ladders"],
        overrides=settings["overrides"],
        constraints=settings["constraints"],
        on_infeasible=settings["on_infeasible"],
    )


def _part(kind: type[Part], name: str, settings: dict[str, Any]) -> Part:
    """Return the part of a policy that has a name, made of its settings."""
    if not isinstance(settings[name], dict):
        raise ValueError(f"policy.{name} must be a mapping, found {settings[name]!r}")
    return kind(**settings[name])
