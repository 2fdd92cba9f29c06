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


def keys_in(module):
    """The keys of the configuration that a module of the jobs names as attributes of `config`."""
    tree = ast.parse((ROOT / f"gpu_pricer/jobs/{module}.py").read_text())
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "config"
    }


@pytest.mark.parametrize("job", JOBS)
def test_a_job_shows_every_key_that_its_module_names(job):
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        known = {*compose("config")}

    assert {*READS[job]} <= known
    assert keys_in(job) & known <= {*READS[job], *SHARED}
