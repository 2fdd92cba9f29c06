"""The configuration of the canonical tables: `history` goes on with it."""

import shlex

import pytest

from tests.data.test_prepare import shop as tables
from tests.jobs.test_history import ARTEFACT, CATALOG, FIRST, night
from tests.shops import lay_out

OWN = ["--config-dir", "own", "data=mine", "split.validation_periods=1", "split.test_periods=1"]


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


def test_history_goes_on_with_the_configuration_of_the_canonical_tables(gpu_pricer, shop):
    assert gpu_pricer("prepare", *OWN, "backend=cpu").status == 0

    line = gpu_pricer("history", "paths.metrics=metrics").out.splitlines()[-1]

    words = [f"--config-dir={shop / 'own'}", *OWN[2:], "paths.metrics=metrics"]
    assert line == f"go on: {shlex.join(['gpu-pricer', 'prepare', *words])}"
    summary = (shop / "work/data/summary.json").read_bytes()
    assert gpu_pricer("prepare", *words).status == 0
    assert (shop / "work/data/summary.json").read_bytes() == summary


def test_words_of_the_line_count_before_those_of_the_record(gpu_pricer, shop):
    assert gpu_pricer("prepare", *OWN).status == 0

    line = gpu_pricer("history", "data=parquet", "data.path=tables", "split.test_periods=2").out.splitlines()[-1]

    assert line == (
        f"go on: gpu-pricer prepare --config-dir={shop / 'own'} split.validation_periods=1 "
        "data=parquet data.path=tables split.test_periods=2"
    )


@pytest.mark.parametrize("record", ["{}", "[]", "{", '{"config": {"paths": {"data": "work/data"}}}'])
def test_a_record_that_names_no_source_says_nothing(gpu_pricer, shop, record):
    (shop / "work/prepare").mkdir()
    (shop / "work/prepare/run.json").write_text(record)

    assert gpu_pricer("history").out.splitlines()[-1] == "go on: gpu-pricer prepare"
