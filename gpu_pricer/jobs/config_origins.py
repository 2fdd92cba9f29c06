"""Where each value of a composed configuration comes from: the last file and line that set it, or the command."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import RunMode

COMMAND = "the command line"


class Origins:
    """The origins of the configuration that Hydra has composed of a primary file and overrides."""

    def __init__(self, config_name: str, overrides: Sequence[str]) -> None:
        loader = GlobalHydra.instance().config_loader()
        folders = [Path(source.path) for source in loader.get_sources() if source.scheme() == "file"]
        self._places: dict[str, str] = {}
        for default in loader.compute_defaults_list(config_name, list(overrides), RunMode.RUN).defaults:
            path = f"{default.config_path}.yaml"
            file = next((folder / path for folder in folders if (folder / path).is_file()), None)
            if file is not None:
                prefix = f"{default.package}." if default.package else ""
                self._places |= {f"{prefix}{key}": f"{_shown(file)}:{line}" for key, line in _lines(file)}
        parsed = OverridesParser.create().parse_overrides(list(overrides))
        values = [entry for entry in parsed if not loader.get_group_options(entry.key_or_group)]
        self._given = {key for entry in values for key in _leaves(entry.key_or_group, entry.value())}

    def of(self, key: str) -> str:
        """Return the file and the line that set the value of a dotted key, or that the command line did."""
        return COMMAND if key in self._given else self._places.get(key, COMMAND)


def _leaves(key: str, value: object) -> Iterator[str]:
    """Yield the dotted keys that an override sets: of a mapping those inside, which are merged with what is there."""
    if isinstance(value, dict) and value:
        for name, entry in value.items():
            yield from _leaves(f"{key}.{name}", entry)
    else:
        yield key


def _shown(file: Path) -> str:
    """Return the path of a file relative to the working folder, or to the folder around `conf`, where it is inside."""
    for folder in (Path.cwd(), Path(__file__).parents[2]):
        if file.is_relative_to(folder):
            return str(file.relative_to(folder))
    return str(file)


def _lines(file: Path) -> Iterator[tuple[str, int]]:
    """Yield the dotted key and the line of everything that a YAML file sets."""
    node = yaml.compose(file.read_text(encoding="utf-8"))
    if node is not None:
        yield from ((key, line) for key, line in _keys(node, "") if key.partition(".")[0] != "defaults")


def _keys(node: yaml.Node, prefix: str) -> Iterator[tuple[str, int]]:
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            key = f"{prefix}{name.value}"
            yield key, name.start_mark.line + 1
            yield from _keys(value, f"{key}.")
