"""config shows what a job reads and where each value was set."""

import ast
from pathlib import Path

import pytest
import yaml
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from gpu_pricer.jobs import JOBS
from gpu_pricer.jobs.config import READS, SHARED

ROOT = Path(__file__).parents[2]


def line_of(file, text):
    """The origin that is the first line of a configuration file that begins with the text."""
    lines = (ROOT / "conf" / file).read_text().splitlines()
    return next(f"conf/{file}:{number}" for number, line in enumerate(lines, 1) if line.strip().startswith(text))


def shown(out, key):
    """What stands in the first line of a key: its value and its origin."""
    line = next(line for line in out.splitlines() if line.strip().startswith(f"{key}: "))
    value, _, origin = line.strip().removeprefix(f"{key}: ").partition("  # ")
    return value.strip(), origin


def test_every_value_has_the_file_and_the_line_that_set_it_last(gpu_pricer):
    ended = gpu_pricer("config", "train", "model=tiny", "seed=7", "train.response.fit={passes: 3}")

    assert (ended.status, ended.said) == (0, [])
    assert shown(ended.out, "taste_width") == ("4", line_of("model/tiny.yaml", "taste_width"))
    assert shown(ended.out, "hidden") == ("32", line_of("model/two_tower.yaml", "hidden"))
    assert shown(ended.out, "data") == ("work/data", line_of("config.yaml", "data: ${"))
    assert shown(ended.out, "seed") == ("7", "the command line")
    assert shown(ended.out, "passes") == ("3", "the command line")
    assert shown(ended.out, "tolerance")[1].startswith("conf/train/default.yaml:")


def test_experiments_and_own_folders_are_origins_too(gpu_pricer, tmp_path):
    (tmp_path / "own/experiment").mkdir(parents=True)
    spring = "# @package _global_\npolicy:\n  bounds:\n    max_increase: 0.01\n"
    (tmp_path / "own/experiment/spring.yaml").write_text(spring)

    ended = gpu_pricer("config", "score", "experiment=spring", "--config-dir", "own")

    assert shown(ended.out, "max_increase") == ("0.01", "own/experiment/spring.yaml:4")
    assert "\ntrain:" not in ended.out


def test_what_is_printed_is_the_configuration_as_yaml(gpu_pricer):
    ended = gpu_pricer("config", "experiment=grocery_benchmark")

    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        expected = OmegaConf.to_container(compose("config", ["experiment=grocery_benchmark"]), resolve=True)
    del expected["job"]
    assert yaml.safe_load(ended.out) == expected


def test_an_unknown_job_is_refused(gpu_pricer):
    ended = gpu_pricer("config", "trian")

    assert ended.status == 2
    assert ended.said[0].startswith("gpu-pricer config: job must be one of inspect, prepare, train, ")


MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts): ast.parse(path.read_text())
    for path in (ROOT / "gpu_pricer").rglob("*.py")
    if path.relative_to(ROOT).parts[1] != "process"  # which serves every job, and asks which one it is
}
FUNCTIONS = {
    f"{module}.{node.name}": (module, node)
    for module, tree in MODULES.items()
    for node in tree.body
    if isinstance(node, ast.FunctionDef)
}


def imported_by(module):
    """The full names of what a module imports, by their names in it."""
    imports = (node for node in ast.walk(MODULES[module]) if isinstance(node, ast.ImportFrom))
    return {alias.asname or alias.name: f"{node.module}.{alias.name}" for node in imports for alias in node.names}


def full_name(called, module):
    """The full name of a function or a module's function that is called in a module, "" for any other call."""
    known = imported_by(module)
    if isinstance(called, ast.Name):
        return known.get(called.id, f"{module}.{called.id}")
    is_of_module = isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name)
    return f"{known.get(called.value.id)}.{called.attr}" if is_of_module else ""


def is_config(node):
    return isinstance(node, ast.Name) and node.id == "config"


def keys_named(nodes):
    return {node.attr for node in nodes if isinstance(node, ast.Attribute) and is_config(node.value)}


def keys_read(name, seen):
    """The attributes of `config` that a function names, and those that it hands `config` to; seen: functions done."""
    if name in seen or name not in FUNCTIONS:
        return set()
    seen.add(name)
    module, function = FUNCTIONS[name]
    nodes = [*ast.walk(function)]
    keys = keys_named(nodes)
    for call in (node for node in nodes if isinstance(node, ast.Call)):
        if any(is_config(node) for given in (*call.args, *call.keywords) for node in ast.walk(given)):
            keys |= keys_read(full_name(call.func, module), seen)
    return keys


@pytest.mark.parametrize("job", JOBS)
def test_a_job_shows_every_key_that_it_and_what_it_calls_name(job):
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        known = {*compose("config")}
    module, seen = f"gpu_pricer.jobs.{job}", set()

    read = keys_named(ast.walk(MODULES[module])) | keys_read(f"{module}.inputs", seen)
    read |= keys_read(f"{module}.main", seen)

    assert {*READS[job]} <= known
    assert read & known <= {*READS[job], *SHARED}


def test_a_job_shows_no_key_that_it_does_not_read(gpu_pricer):
    out = gpu_pricer("config", "whatif").out

    assert "\nwhatif:" in out
    assert not any(line.startswith("day:") for line in out.splitlines())
