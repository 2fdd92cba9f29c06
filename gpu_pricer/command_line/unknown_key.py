"""What to say of an override whose key the configuration does not have, and of one that adds a key nobody reads."""

import difflib
import re
from collections.abc import Iterator, Sequence

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from omegaconf import OmegaConf

from gpu_pricer import CONF
from gpu_pricer.errors import InputError

GROUPS = {path.name for path in CONF.iterdir() if path.is_dir()}
ELSEWHERE = ("--config-dir", "-cd", "--config-path", "-cp", "--config-name", "-cn")
"""The flags of Hydra that bring files of other folders, in which a job of the user's own may look for further keys."""
REFUSED = re.compile(r"Could not override '([^']+)'")


def unknown_key(job: str, error: Exception, overrides: Sequence[str]) -> str | None:
    """Return one line on the key that Hydra did not find, None where it refused the overrides for something else."""
    found = REFUSED.match(str(error))
    if found is None:
        return None
    key = found[1]
    keys = _keys([word for word in overrides if word.partition("=")[0].lstrip("+~") != key])
    if keys is None:
        return None
    inner = getattr(error.__cause__, "full_key", key)
    if inner != key and isinstance(keys.get(key), dict):
        return (
            f"{inner} must be a key of the configuration, found none of that name: mend it, or write +{inner}=… for a "
            f"key more, and ~{key}.KEY for one that must go"
        )
    above, near = key.rpartition(".")[0], difflib.get_close_matches(key, keys, n=1)
    if near in ([], [above]) and isinstance(keys.get(above), dict):
        return f"{key} must be a key of the configuration, or added to it with a plus sign: write +{key}=…"
    return f"{key} must be a key of the configuration, found none of that name: {_hint(job, near)}"


def require_place(job: str, overrides: Sequence[str]) -> None:
    """Raise InputError for a key with a plus sign that is added where no job looks for further keys."""
    added = [word.partition("=")[0].lstrip("+") for word in overrides if word.startswith("+")]
    keys = _keys([word for word in overrides if not word.startswith("+")]) if added else None
    if keys is None:
        return
    for key in added:
        if not _is_read(key, keys):
            hint = _hint(job, difflib.get_close_matches(key, keys, n=1))
            raise InputError(f"+{key} must add a key where a job looks for further ones, found none there: {hint}")


def _is_read(key: str, keys: dict[str, object]) -> bool:
    """Return whether a job reads a key that is added to these keys.

    Jobs look into what has a _target_, which refuses names that it does not know, and where names are free: in an empty
    mapping, or in one whose entries all have a _target_.
    """
    if key in keys or key.partition("@")[0] in GROUPS or key.startswith("hydra."):
        return True
    above = [keys.get(key.rsplit(".", count)[0]) for count in range(1, key.count(".") + 1)]
    if any(_has_target(place) for place in above):
        return True
    return bool(above) and isinstance(above[0], dict) and all(_has_target(entry) for entry in above[0].values())


def _has_target(entry: object) -> bool:
    return isinstance(entry, dict) and "_target_" in entry


def _hint(job: str, near: list[str]) -> str:
    return f"did you mean {near[0]}?" if near else f"gpu-pricer {job} --cfg job prints all keys"


def _keys(overrides: list[str]) -> dict[str, object] | None:
    """Return the groups, and the dotted keys of the configuration with their values; None where it has other faults.

    An override with a comma may be a sweep, which is more than one configuration; it is left out.
    """
    overrides = [word for word in overrides if "," not in word]
    GlobalHydra.instance().clear()
    try:
        with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
            config = OmegaConf.to_container(hydra.compose("config", overrides), resolve=False)
    except HydraException:
        return None
    return dict.fromkeys(GROUPS) | dict(_entries(config))


def _entries(entry: object, key: str = "") -> Iterator[tuple[str, object]]:
    """Yield the dotted key and the value of every entry of nested mappings."""
    if isinstance(entry, dict):
        for name, value in entry.items():
            inner = f"{key}.{name}" if key else str(name)
            yield inner, value
            yield from _entries(value, inner)
