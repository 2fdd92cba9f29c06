"""The command that goes on where a job ends, with what the user has said on the line before."""

import shlex
from collections.abc import Sequence

from hydra.core.hydra_config import HydraConfig

OF_LINE = "command-line"
"""How Hydra calls the folder of configurations that --config-dir names."""


def next_command(job: str, *words: str, without: Sequence[str] = ()) -> str:
    """Return the command line of a job with further words, and with those of the present line.

    Without the latter it would read other data, or ask nobody. without: keys, or groups of keys, that the next job has
    no use for. A job that no command line began has no words of its own.
    """
    given: list[str] = []
    if HydraConfig.initialized():
        told = HydraConfig.get()
        folders = [source.path for source in told.runtime.config_sources if source.provider == OF_LINE]
        given = [word for folder in folders for word in ("--config-dir", folder)]
        replaced = {*without, *(_key(word) for word in words)}
        given += [word for word in told.overrides.task if not replaced & {_key(word), _group(word)}]
    return shlex.join(["gpu-pricer", job, *given, *words])


def _key(word: str) -> str:
    return word.partition("=")[0]


def _group(word: str) -> str:
    return _key(word).partition(".")[0]
