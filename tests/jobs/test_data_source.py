"""The configuration of the canonical tables: `history` goes on with it, and `prepare` says if it replaces it."""

import shlex

import pytest

from tests.data.test_prepare import shop as tables
from tests.jobs.test_history import ARTEFACT, CATALOG, FIRST, night
from tests.shops import lay_out

OWN = ["--config-dir", "own", "data=mine", "split.validation_periods=1", "split.test_periods=1"]
SYNTHETIC = ["data=synthetic", "data.source.people.users=50", "data.source.assortment.products=8",
             "data.source.assortment.categories=2", "data.source.weeks=10"]  # fmt: skip


@pytest.fixture
def shop(tmp_path):
    """A folder with a published version, raw tables, and the configuration data=mine that reads them."""
    night(lay_out(tmp_path, ARTEFACT, CATALOG), "first", FIRST, CATALOG)
    for name in ("own/data", "tables"):
        (tmp_path / name).mkdir(parents=True)
    for name, table in tables().items():
        table.write_parquet(tmp_path / f"tables/{name}.parquet")
    (tmp_path / "own/data/mine.yaml").write_text("defaults: [parquet, _self_]\npath: tables\n")
    return tmp_path


def replaced(ended):
    """What the log says of tables that were prepared with another configuration."""
    assert (ended.status, ended.said) == (0, [])
    return [line for line in ended.log if "was prepared with" in line]


def test_history_goes_on_with_the_configuration_of_the_canonical_tables(gpu_pricer, shop):
    assert gpu_pricer("prepare", *OWN, "backend=cpu").status == 0

    line = gpu_pricer("history", "paths.metrics=metrics").out.splitlines()[-1]

    words = [f"--config-dir={shop / 'own'}", *OWN[2:], "paths.metrics=metrics"]
    assert line == f"go on: {shlex.join(['gpu-pricer', 'prepare', *words])}"
    summary = (shop / "work/data/summary.json").read_bytes()
    assert replaced(gpu_pricer("prepare", *words)) == []
    assert (shop / "work/data/summary.json").read_bytes() == summary


def test_words_of_the_line_count_before_those_of_the_record(gpu_pricer, shop):
    assert gpu_pricer("prepare", *OWN).status == 0

    line = gpu_pricer("history", "data=parquet", "data.path=tables", "split.test_periods=2").out.splitlines()[-1]

    assert line == (
        f"go on: gpu-pricer prepare --config-dir={shop / 'own'} split.validation_periods=1 "
        "data=parquet data.path=tables split.test_periods=2"
    )


def test_prepare_warns_where_it_replaces_the_tables_of_another_source(gpu_pricer, shop):
    assert replaced(gpu_pricer("prepare", *OWN)) == []

    (warning,) = replaced(gpu_pricer("prepare", *SYNTHETIC))

    again = ["gpu-pricer", "prepare", f"--config-dir={shop / 'own'}", *OWN[2:]]
    assert " WARNING " in warning
    assert warning.endswith(
        f"work/data was prepared with data=mine, and data=synthetic replaces its tables: for the former run "
        f"{shlex.join(again)}"
    )
    assert len(replaced(gpu_pricer(*again[1:]))) == 1


@pytest.mark.parametrize("changed", ["seed=1", "data.last_period=2024-01-29", "data.path=later", "paths.data=other"])
def test_other_settings_of_the_same_source_are_no_other_source(gpu_pricer, shop, changed):
    assert gpu_pricer("prepare", *OWN).status == 0
    (shop / "later").symlink_to(shop / "tables")

    assert replaced(gpu_pricer("prepare", *OWN, changed)) == []
    assert replaced(gpu_pricer("prepare", *OWN)) == []


def test_another_folder_is_nobodys_tables(gpu_pricer, shop):
    assert gpu_pricer("prepare", *OWN).status == 0

    assert replaced(gpu_pricer("prepare", *SYNTHETIC, "paths.data=other")) == []


@pytest.mark.parametrize("record", ["{}", "[]", "{", '{"config": {"paths": {"data": "work/data"}}}'])
def test_a_record_that_names_no_source_says_nothing(gpu_pricer, shop, record):
    (shop / "work/prepare").mkdir()
    (shop / "work/prepare/run.json").write_text(record)

    assert gpu_pricer("history").out.splitlines()[-1] == "go on: gpu-pricer prepare"
