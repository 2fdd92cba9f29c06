"""The command that goes on where a job ends, with what the user has said on the line before."""

import shlex
from collections.abc import Iterable, Sequence

from hydra.core.hydra_config import HydraConfig

CONFIG_DIR = "--config-dir"
OF_LINE = "command-line"
"""How Hydra calls the folder of configurations that --config-dir names."""


def next_command(job: str, *words: str, without: Sequence[str] = (), earlier: Sequence[str] = ()) -> str:
    """Return the command line of a job with further words, and with those of the present line.

    Without the latter it would read other data, or ask nobody. without: keys, or groups of keys, that the next job has
    no use for. earlier: words of an earlier line, which count where the present line says nothing of their keys. A job
    that no command line began has no words of its own.
    """
    present = line_words()
    given = [*_others(earlier, map(_key, present)), *present]
    return shlex.join(["gpu-pricer", job, *_others(given, [*without, *map(_key, words)]), *words])


def line_words() -> list[str]:
    """Return --config-dir=FOLDER, if given, and the overrides of the present line."""
    if not HydraConfig.initialized():
        return []
    told = HydraConfig.get()
    folders = [source.path for source in told.runtime.config_sources if source.provider == OF_LINE]
    return [*(f"{CONFIG_DIR}={folder}" for folder in folders), *told.overrides.task]


def group_of(word: str) -> str:
    """Return the first part of the key that a word sets, adds or removes."""
    return _key(word).partition(".")[0].lstrip("+~")


def _others(words: Iterable[str], keys: Iterable[str]) -> list[str]:
    """Return the words of other keys and groups than these."""
    replaced = {*keys}
    return [word for word in words if not replaced & {_key(word), group_of(word)}]


def _key(word: str) -> str:
    return word.partition("=")[0]
