"""Hydra reads conf/ once for each choice of its files in a session of tests, and each command gets a copy.

A copy comes out of a pickle, in a sixth of the time that copy.deepcopy takes for a configuration.
"""

import copy
import os
import pickle
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TextIO

import pytest
from hydra._internal import config_loader_impl
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import IConfigRepository
from hydra._internal.defaults_list import DefaultsList
from hydra.core import utils
from hydra.core.default_element import ResultDefault
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, ListConfig, OmegaConf

from gpu_pricer import CONF


def parse_texts_once(patch: pytest.MonkeyPatch) -> None:
    """Let OmegaConf parse a text once, whatever file holds it."""
    load, parsed = OmegaConf.load, dict[str, bytes]()

    def load_once(file: TextIO | str | Path) -> DictConfig | ListConfig:
        if isinstance(file, str | Path):
            return load(file)
        text = file.read()
        if text not in parsed:
            file.seek(0)
            parsed[text] = pickle.dumps(load(file))
        return pickle.loads(parsed[text])

    patch.setattr(OmegaConf, "load", load_once)


def join_files_once(patch: pytest.MonkeyPatch) -> None:
    """Let Hydra find and merge the chosen files once; the values that a command sets come after that.

    What it found is found again while no test changes a file of a folder other than conf/.
    """
    choose, merge = config_loader_impl.create_defaults_list, ConfigLoaderImpl._compose_config_from_defaults_list
    chosen, merged = dict[tuple, DefaultsList](), dict[tuple, bytes]()

    def choose_once(
        repo: IConfigRepository, config_name: str | None, overrides_list: list[Override], *flags: bool, **named: bool
    ) -> DefaultsList:
        groups = [repo.group_exists(override.key_or_group) for override in overrides_list]
        choices = [override for override, is_group in zip(overrides_list, groups, strict=True) if is_group]
        options = (config_name, flags, *named.items())
        key = (*options, *(override.input_line for override in choices), *sources_of(repo))
        if key not in chosen:
            chosen[key] = choose(repo, config_name, choices, *flags, **named)
        found = copy.copy(chosen[key])
        found.config_overrides = list(values_of(overrides_list, groups))
        return found

    def merge_once(self: ConfigLoaderImpl, defaults: list[ResultDefault], repo: IConfigRepository) -> DictConfig:
        files = ((default.config_path, default.package, default.primary) for default in defaults)
        key = (*files, *sources_of(repo))
        if key not in merged:
            merged[key] = pickle.dumps(merge(self, defaults=defaults, repo=repo))
        return pickle.loads(merged[key])

    patch.setattr(config_loader_impl, "create_defaults_list", choose_once)
    patch.setattr(ConfigLoaderImpl, "_compose_config_from_defaults_list", merge_once)


def copy_by_pickle(patch: pytest.MonkeyPatch) -> None:
    """Let Hydra copy a composed configuration, which it does twice a command, through a pickle."""
    patch.setattr(utils, "copy", SimpleNamespace(deepcopy=lambda config: pickle.loads(pickle.dumps(config))))


def sources_of(repo: IConfigRepository) -> Iterator[tuple]:
    """Yield where files come from or, of a folder other than conf/, which a test may change, all that it holds."""
    for source in repo.get_sources():
        if source.scheme() != "file" or source.path == str(CONF):
            yield source.scheme(), source.path
            continue
        for folder, folders, names in os.walk(source.path, followlinks=True):
            files = [Path(folder, name) for name in names if name.endswith(".yaml")]
            yield *folders, *names, *(path.read_bytes() for path in files if path.is_file())


def values_of(overrides: Iterable[Override], groups: Iterable[bool]) -> Iterable[Override]:
    """Return the overrides that choose no file, as Hydra tells them."""
    for override, is_group in zip(overrides, groups, strict=True):
        if not override.is_sweep_override() and (not is_group or isinstance(override.value(), dict)):
            yield override
