"""publish: from the command line to a published table."""

import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from gpu_pricer.tables.artefact import write_artefact
from tests.markets import catalog_of, small_artefact

ROOT = Path(__file__).parents[2]


@pytest.fixture
def paths(tmp_path):
    """The overrides that point every job at a small market."""
    artefact = small_artefact(31, segments=3, products=12, categories=4)
    write_artefact(artefact, tmp_path / "demand")
    catalog_of(artefact).write_parquet(tmp_path / "products.parquet")
    where = {"work": "work", "demand": "demand", "catalog": "products.parquet", "prices": "prices"}
    return [f"paths.{key}={tmp_path / name}" for key, name in where.items()]


def run(*arguments):
    """The finished process of one job, on the CPU so that nothing depends on the machine."""
    command = [sys.executable, "-m", "gpu_pricer", *arguments, "backend=cpu"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_scored_version_is_published(paths, tmp_path):
    for job in ("score", "publish"):
        done = run(job, *paths)
        assert done.returncode == 0, done.stderr

    table = pl.scan_delta(str(tmp_path / "prices")).collect()
    assert table.height == 36
    assert table.equals(pl.read_parquet(tmp_path / "prices/_current/*.parquet"))


def test_wide_version_is_published_after_a_long_one(gpu_pricer, paths, tmp_path):
    for layout in ("long", "wide"):
        for job in ("score", "publish"):
            ended = gpu_pricer(job, *paths, f"score.layout={layout}", "publish=unguarded", "backend=cpu")
            assert ended.status == 0, ended.said

    table = pl.scan_delta(str(tmp_path / "prices")).collect()
    assert table.columns == ["product_id", "today_price", "price_s0", "price_s1", "price_s2"]
    assert table.equals(pl.read_parquet(tmp_path / "prices/_current/*.parquet"))
    assert pl.scan_delta(str(tmp_path / "prices"), version=0).collect().height == 36


def test_gate_refuses_with_status_three_and_one_line(gpu_pricer, paths, tmp_path):
    gpu_pricer("score", *paths, "backend=cpu")

    refused = gpu_pricer("publish", *paths, "publish.gates.max_share_moved=0", "backend=cpu")

    assert refused.status == 3
    (line,) = refused.said
    assert line.startswith("gpu-pricer publish: the share of prices moved must be at most 0, found ")
    assert not (tmp_path / "prices/_delta_log").exists()


@pytest.mark.parametrize(("day", "is_said"), [("2026-11-29", True), ("2026-11-30", False)])
def test_version_of_an_earlier_day_than_the_published_one_is_said(gpu_pricer, paths, tmp_path, day, is_said):
    late = f"paths.shards={tmp_path / 'prices/late'}"
    for job in (("score", late, f"day={day}"), ("score", "day=2026-11-30"), ("publish",)):
        assert gpu_pricer(*job, *paths, "backend=cpu").status == 0
    published = (tmp_path / "prices/_current").readlink()

    ended = gpu_pricer("publish", late, *paths)

    assert ended.status == 0, ended.said
    assert [line.partition("publication: ")[2] for line in ended.log if "WARNING" in line] == is_said * [
        f"{tmp_path / 'prices/late'} has prices of {day} and replaces those of 2026-11-30, {published}: if an earlier "
        "night only ends later, go back with gpu-pricer rollback"
    ]


def test_table_that_lost_its_log_is_refused(gpu_pricer, paths, tmp_path):
    for job in ("score", "publish"):
        assert gpu_pricer(job, *paths).status == 0
    shutil.rmtree(tmp_path / "prices/_delta_log")
    gpu_pricer("score", *paths)

    ended = gpu_pricer("publish", *paths)

    assert ended.status == 2
    assert "must have the log of what was published (_delta_log) beside _current, found none" in ended.said[0]
    assert (tmp_path / "prices/_current").exists()


@pytest.mark.parametrize(
    ("override", "said"),
    [
        (
            "policy.bounds.max_decrease=2",
            "bounds.max_decrease must be a number of at least -100 and at most 1, found 2",
        ),
        ("policy.ladder.endings=[1.5]", "ladder.endings must be below 1.00, found 1.5"),
        ("+policy.limits={}", "unexpected keyword argument 'limits'"),
        ("score.layout=tall", "score.layout must be long or wide, found 'tall'"),
        ("score.writers=0", "score.writers must be a whole number of at least 1, found 0"),
    ],
)
def test_bad_setting_ends_with_status_two_and_one_line(gpu_pricer, paths, override, said):
    failed = gpu_pricer("score", *paths, override, "backend=cpu")

    assert failed.status == 2
    (line,) = failed.said
    assert said in line
