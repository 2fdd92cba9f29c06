"""No key of conf/ is set in vain: the code reads each one beyond checking its value."""

import ast
from pathlib import Path

import pytest
import yaml
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

ROOT = Path(__file__).parents[1]
FILES = sorted(path for path in (ROOT / "conf").rglob("*.yaml"))
OF_HYDRA = ("_target_", "_convert_", "defaults", "hydra")


def names_read(sources):
    """Every name that the sources read as an attribute or look up as a text, checks in __post_init__ left out."""
    found = set()
    for source in sources:
        tree = ast.parse(source)
        checks = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == "__post_init__"]
        checked = {id(inner) for check in checks for inner in ast.walk(check)}
        for node in ast.walk(tree):
            if id(node) in checked:
                continue
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                found.add(node.attr)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found |= {*node.value.split(".")} if node.value.replace(".", "").replace("_", "").isalnum() else set()
    return found


def keys_set(node, path=""):
    """The dotted keys that a file sets, but those that are only names: of the entries of a mapping of objects."""
    names = [name for name in node if name not in OF_HYDRA]
    entries = [node[name] for name in names]
    are_objects = len(entries) > 0 and all(isinstance(entry, dict) and "_target_" in entry for entry in entries)
    for name, entry in zip(names, entries, strict=True):
        key = f"{path}.{name}".lstrip(".")
        if not (are_objects and "_target_" not in node and path):
            yield key
        if isinstance(entry, dict) and not is_named_by_users(key):
            yield from keys_set(entry, key)


def is_named_by_users(key):
    """Whether the key's entries have names of the user's choice, such as folds."""
    return key.rpartition(".")[2] in ("baselines", "folds", "constraints", "category_ladders", "accept")


def unread(keys, names):
    return [key for key in keys if key.rpartition(".")[2] not in names]


@pytest.fixture(scope="module")
def names():
    return names_read(path.read_text() for path in sorted((ROOT / "gpu_pricer").rglob("*.py")))


@pytest.mark.parametrize("file", FILES, ids=lambda path: str(path.relative_to(ROOT / "conf")))
def test_every_key_is_read(file, names):
    assert unread(keys_set(yaml.safe_load(file.read_text()) or {}), names) == []


def test_a_key_that_is_only_checked_counts_as_unread():
    source = "class A:\n  def __post_init__(self):\n    check(self.width)\n  def area(self):\n    return self.height\n"

    assert unread(keys_set({"a": {"width": 1, "height": 2}}), names_read([source, "config.a"])) == ["a.width"]


def leaves(node, path=""):
    """The dotted keys and the values of a file."""
    for name, entry in node.items():
        key = f"{path}.{name}".lstrip(".")
        if isinstance(entry, dict) and entry:
            yield from leaves(entry, key)
        else:
            yield key, entry


@pytest.mark.parametrize("file", sorted((ROOT / "conf/experiment").glob("*.yaml")), ids=lambda path: path.stem)
def test_an_experiment_sets_only_what_it_changes(file):
    content = yaml.safe_load(file.read_text())
    choices = [pair for entry in content.pop("defaults", []) for pair in entry.items()]
    groups = [f"{key.removeprefix('override /')}={name}" for key, name in choices]

    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        without = compose("config", groups)

    assert [key for key, value in leaves(content) if OmegaConf.select(without, key) == value] == []
