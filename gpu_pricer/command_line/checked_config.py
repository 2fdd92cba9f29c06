"""The keys that every job reads, checked before the job begins."""

import re
from collections.abc import Iterator

from omegaconf import DictConfig, OmegaConf

from gpu_pricer.errors import InputError
from gpu_pricer.process.local_copies import STORED, STORED_AS
from gpu_pricer.tables.stores.address import SCHEMES, is_address, parse_address, without_credentials

ADDRESSES = ("product", "segment", "logger.store")
"""The keys whose values may look like the address of an object store: ids, and the address of a logger's server."""
URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
"""How addresses of object stores begin, such as s3://bucket; as a path they would name a local folder `s3:`."""
OPTIONAL_PATHS = ("shards", "warm_start", "metrics")


def checked_config(config: DictConfig) -> DictConfig:
    """Return the configuration; raise InputError if a key that every job reads is not valid."""
    if not isinstance(config.quiet, bool):
        raise InputError(f"quiet must be true or false, found {config.quiet!r}: set quiet=true")
    if type(config.seed) is not int or config.seed < 0:
        raise InputError(f"seed must be a whole number from 0, found {config.seed!r}: set seed=0")
    for name, value in config.paths.items():
        if not (isinstance(value, str) and value) and not (name in OPTIONAL_PATHS and value is None):
            raise InputError(f"paths.{name} must be a path, found {value!r}: set paths.{name}=PATH")
    stored = [str(OmegaConf.select(config, key)) for key in STORED]
    for key, text in _texts(OmegaConf.to_container(config, resolve=True)):
        if key in STORED_AS and text in stored and is_address(text):
            parse_address(text)
        elif key not in ADDRESSES and URL.match(text):
            stores = f", or at an address that begins with {SCHEMES}" if key in STORED else ""
            raise InputError(
                f"{key} must lie in a folder of this machine{stores}, found {without_credentials(text)!r}: mount the "
                f"object store or copy its files, and set {key}=PATH"
            )
    return config


def _texts(entry: object, key: str = "") -> Iterator[tuple[str, str]]:
    """Yield the dotted key and the text of every text in a configuration."""
    if isinstance(entry, str):
        yield key, entry
    elif isinstance(entry, dict | list):
        entries = entry.items() if isinstance(entry, dict) else enumerate(entry)
        for name, value in entries:
            yield from _texts(value, f"{key}.{name}".removeprefix("."))
