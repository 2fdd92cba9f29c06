"""What a session keeps of conf/ is what Hydra composes, and no command changes it for the next."""

import shutil

import pytest
from hydra import compose, initialize_config_dir
from hydra.errors import ConfigCompositionException
from omegaconf import OmegaConf, open_dict

from gpu_pricer import CONF

COMMANDS = (
    (),
    ("policy=profit", "seed=3", "policy.bounds.max_increase=0.05", "hydra.job.chdir=false"),
    ("policy=profit", "seed=4", "+policy.constraints.floor={measure: units, at_least: 0.9}", "~evaluate.baselines"),
    ("data=parquet", "data.path=raw", "model=tiny"),
)


def composed(folder, overrides):
    with initialize_config_dir(str(folder), version_base="1.3"):
        return compose("config", list(overrides), return_hydra_config=True)


def text_of(config):
    """The configuration as text, without the folder that it is of."""
    with open_dict(config):
        del config.hydra.runtime.config_sources
    return OmegaConf.to_yaml(config)


@pytest.mark.parametrize("overrides", COMMANDS)
def test_a_kept_configuration_is_what_hydra_composes(tmp_path, overrides):
    shutil.copytree(CONF, tmp_path / "conf")  # of which nothing is kept

    kept = [text_of(composed(CONF, overrides)) for _ in range(2)]

    assert kept == [text_of(composed(tmp_path / "conf", overrides))] * 2


def test_what_a_command_changes_is_not_kept():
    first = composed(CONF, ["model=tiny"])
    first.train.segments.count = 99

    assert composed(CONF, ["model=tiny"]).train.segments.count != 99


@pytest.mark.parametrize("override", ["model=no_such", "no_such=1", "evaluate.no_such=1"])
def test_what_hydra_refuses_is_refused_again(override):
    for _ in range(2):
        with pytest.raises(ConfigCompositionException, match="no_such"):
            composed(CONF, [override])


def test_a_file_of_another_folder_is_read_anew(tmp_path):
    shutil.copytree(CONF, tmp_path / "conf")
    tiny = tmp_path / "conf/model/tiny.yaml"
    before = composed(tmp_path / "conf", ["model=tiny"])

    tiny.write_text(f"{tiny.read_text()}\nnew_key: 1\n")

    assert "new_key" not in before.model
    assert composed(tmp_path / "conf", ["model=tiny"]).model.new_key == 1


def test_a_file_that_is_added_to_a_folder_beside_conf_is_read(tmp_path):
    own = ["data=own", f"hydra.searchpath=[file://{tmp_path}]"]
    file = tmp_path / "data/own.yaml"
    file.parent.mkdir()
    file.write_text("defaults: [parquet, _self_]\npath: first\n")
    before = [composed(CONF, own).data.path for _ in range(2)]

    file.write_text("defaults: [parquet, _self_]\npath: second\n")

    assert before == ["first", "first"]
    assert composed(CONF, own).data.path == "second"
    with pytest.raises(ConfigCompositionException, match="other"):
        composed(CONF, ["data=other", *own[1:]])
    file.rename(file.with_name("other.yaml"))
    assert composed(CONF, ["data=other", *own[1:]]).data.path == "second"


def test_defaults_of_a_file_that_change_are_followed(tmp_path):
    own = ["data=own", f"hydra.searchpath=[file://{tmp_path}]"]
    file = tmp_path / "data/own.yaml"
    file.parent.mkdir()
    file.write_text("defaults: [parquet, _self_]\n")
    before = composed(CONF, own).data

    file.write_text("defaults: [synthetic, _self_]\n")

    assert "weeks" not in before.source
    assert "weeks" in composed(CONF, own).data.source
