"""Scenarios: named changes of a version's policy or catalog, as a command line or a YAML file says them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple, cast

from hydra import compose
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from hydra.utils import instantiate
from omegaconf import OmegaConf
from yaml import YAMLError

from gpu_pricer.errors import InputError, first_line
from gpu_pricer.policy import Policy
from gpu_pricer.policy.policy_copy import policy_of
from gpu_pricer.tables.version.names import FOLDER_NAME

POLICY, EVENTS = "policy", "events"
UNFIT = re.compile(r"[^A-Za-z0-9.]+")
LONGEST = 80
"""Letters of a scenario's name that is made of its changes."""


class Scenario(NamedTuple):
    """A what-if: its name, and its changes as a command line says them, such as policy.bounds.max_increase=0.05."""

    name: str
    changes: list[str]


def scenarios_of(command_line: Sequence[str], named: Any) -> list[Scenario]:
    """Return the scenarios to price; raise InputError for none, or for names and changes that cannot be.

    command_line: the overrides of the command; those that change policy or events belong to every scenario. named: the
    setting whatif.scenarios, a mapping from names to lists of changes, a YAML file of one, or None.
    """
    shared = [text for text in command_line if is_change(_parsed([text])[0])]
    mapping = _read(Path(named)) if isinstance(named, str) else {} if named is None else named
    if not isinstance(mapping, Mapping):
        raise InputError(f"whatif.scenarios must map names to lists of changes, found {named!r}: mend it")
    if not mapping and not shared:
        raise InputError(
            "whatif needs a change, found none: name one such as policy.bounds.max_increase=0.05 or events=FILE, or "
            "several in whatif.scenarios"
        )
    if not mapping:
        return [Scenario(_name_of(shared), shared)]
    return [Scenario(str(name), [*shared, *_changes(str(name), changes)]) for name, changes in mapping.items()]


def is_change(override: Override) -> bool:
    """Return whether an override changes what prices are made of: the policy or the events."""
    key = override.key_or_group
    return key in (POLICY, EVENTS) or key.startswith(f"{POLICY}.")


def changed_policy(base: Policy, scenario: Scenario) -> Policy:
    """Return the base's policy with the scenario's changes; policy=NAME begins from that preset instead.

    Raise InputError for a change that a policy cannot have.
    """
    settings = asdict(base)
    for override in _parsed(scenario.changes):
        if override.key_or_group == POLICY:
            preset = compose("config", [f"{POLICY}={override.value()}"])
            settings = asdict(instantiate(preset.policy))
    config = OmegaConf.create({POLICY: settings})
    OmegaConf.set_struct(config, True)
    for override in _parsed(scenario.changes):
        if override.key_or_group.startswith(f"{POLICY}."):
            OmegaConf.update(config, override.key_or_group, override.value(), merge=True, force_add=override.is_add())
    try:
        return policy_of(cast(dict[str, Any], OmegaConf.to_container(config))[POLICY])
    except (ValueError, TypeError, LookupError) as error:
        raise InputError(
            f"scenario {scenario.name} must leave a valid policy, found: {first_line(error)}: mend it"
        ) from error


def changed_events(scenario: Scenario) -> list[Path]:
    """Return the files or folders of events that the scenario names."""
    return [Path(str(each.value())) for each in _parsed(scenario.changes) if each.key_or_group == EVENTS]


def _changes(name: str, changes: object) -> list[str]:
    """Return the changes of a named scenario; raise InputError for a name or for changes that cannot be."""
    if not FOLDER_NAME.fullmatch(name):
        raise InputError(f"a scenario must be named with letters, digits, '.', '_' and '-', found {name!r}: rename it")
    if not isinstance(changes, Sequence) or isinstance(changes, str) or not changes:
        raise InputError(
            f"scenario {name} must be a list of changes such as [policy.bounds.max_increase=0.05], found {changes!r}"
        )
    texts = [str(change) for change in changes]
    others = [text for text, each in zip(texts, _parsed(texts), strict=True) if not is_change(each)]
    if others:
        raise InputError(
            f"scenario {name} must change policy or events, found {', '.join(others)}: set that for all scenarios on "
            "the command line, or leave it out"
        )
    return texts


def _parsed(texts: Sequence[str]) -> list[Override]:
    """Return changes as Hydra reads them; InputError for one that deletes a key or sets none."""
    try:
        found = OverridesParser.create().parse_overrides([*texts])
    except HydraException as error:
        raise InputError(f"a change must be key=value, found {' '.join(texts)}: {first_line(error)}") from error
    for text, override in zip(texts, found, strict=True):
        if is_change(override) and (override.is_delete() or override.is_sweep_override()):
            raise InputError(f"a change must set one value, found {text}: set the key to null, or name more scenarios")
    return found


def _name_of(changes: Sequence[str]) -> str:
    """Return the name of a scenario that has none, made of the last words of its keys and of its values."""
    words = [change.lstrip("+").removeprefix(f"{POLICY}.").replace("=-", "=minus-") for change in changes]
    words = [word.removeprefix("bounds.").removeprefix("constraints.") for word in words]
    return UNFIT.sub("-", "-".join(words)).strip("-.")[:LONGEST]


def _read(path: Path) -> Any:
    """Return the mapping of a YAML file of scenarios."""
    try:
        return OmegaConf.to_container(OmegaConf.load(path))
    except (OSError, YAMLError) as error:
        raise InputError(
            f"whatif.scenarios must be a mapping or a YAML file of one, found at {path}: {first_line(error)}"
        ) from error
