"""What to say of an override whose key the configuration does not have."""

import difflib
import re
from collections.abc import Iterator, Sequence

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from omegaconf import OmegaConf

from gpu_pricer import CONF

REFUSED = re.compile(r"Could not override '([^']+)'")


def unknown_key(job: str, error: Exception, overrides: Sequence[str]) -> str | None:
    """Return one line on the key that Hydra did not find, None where it refused the overrides for something else."""
    found = REFUSED.match(str(error))
    if found is None:
        return None
    key = found[1]
    others = [word for word in overrides if word.partition("=")[0].lstrip("+~") != key]
    keys = _keys([word for word in others if "," not in word])  # which would be a sweep
    if keys is None:
        return None
    above, near = key.rpartition(".")[0], difflib.get_close_matches(key, keys, n=1)
    if near in ([], [above]) and isinstance(keys.get(above), dict):
        return f"{key} must be a key of the configuration, or added to it with a plus sign: write +{key}=…"
    hint = f"did you mean {near[0]}?" if near else f"gpu-pricer {job} --cfg job prints all keys"
    return f"{key} must be a key of the configuration, found none of that name: {hint}"


def _keys(overrides: list[str]) -> dict[str, object] | None:
    """Return the groups, and the dotted keys of the configuration with their values; None where it has other faults."""
    GlobalHydra.instance().clear()
    try:
        with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
            config = OmegaConf.to_container(hydra.compose("config", overrides), resolve=False)
    except HydraException:
        return None
    return {path.name: None for path in CONF.iterdir() if path.is_dir()} | dict(_entries(config))


def _entries(entry: object, key: str = "") -> Iterator[tuple[str, object]]:
    """Yield the dotted key and the value of every entry of nested mappings."""
    if isinstance(entry, dict):
        for name, value in entry.items():
            inner = f"{key}.{name}" if key else str(name)
            yield inner, value
            yield from _entries(value, inner)
