"""Which version `publish` takes: the one that is named, or the last that `score` finished for the work folder."""

import json
import shutil

import pytest

from gpu_pricer.jobs import score
from gpu_pricer.tables.artefact import write_artefact
from gpu_pricer.tables.delta_log import current_run
from gpu_pricer.versions.last_scored import last_scored
from tests.markets import catalog_of, small_artefact

ARTEFACT = small_artefact(31, segments=3, products=12, categories=4)
DEMAND = "paths.demand=work/demand"
CATALOG = "paths.catalog=work/data/products.parquet"


@pytest.fixture
def shop(gpu_pricer, tmp_path):
    """A folder where `score` has finished the version `night` for the work folder `work`."""
    write_artefact(ARTEFACT, tmp_path / "work/demand")
    (tmp_path / "work/data").mkdir()
    catalog_of(ARTEFACT).write_parquet(tmp_path / "work/data/products.parquet")
    assert gpu_pricer("score", "paths.shards=prices/night", "backend=cpu").status == 0
    return tmp_path


def scored(gpu_pricer, *overrides):
    """Score once more, with success."""
    ended = gpu_pricer("score", "backend=cpu", *overrides)
    assert ended.status == 0, ended.said


def published(gpu_pricer, shop, *overrides):
    """Publish with success, and return the run that is current then and the log."""
    ended = gpu_pricer("publish", *overrides)
    assert ended.status == 0, ended.said
    return current_run(shop / "prices"), ended.log


def test_newer_version_of_another_work_folder_is_not_published(gpu_pricer, shop):
    scored(gpu_pricer, "paths.work=study", DEMAND, CATALOG, "policy=growth")

    run, log = published(gpu_pricer, shop)

    assert run == "night"
    assert "the last version scored for work is prices/night" in log[0]


def test_what_if_outside_the_table_is_published_only_by_name(gpu_pricer, shop):
    scored(gpu_pricer, "paths.shards=what-if/dearer", "policy.bounds.max_increase=0.3")

    assert published(gpu_pricer, shop)[0] == "night"
    assert published(gpu_pricer, shop, "paths.shards=what-if/dearer")[0] == "dearer"


def test_leftover_of_a_killed_copy_is_not_published(gpu_pricer, shop):
    leftover = shop / "prices/late.part"
    shutil.copytree(shop / "prices/night", leftover)
    record = leftover / "_record/run.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | {"created": "2999-01-01T00:00:00+00:00"}))

    assert published(gpu_pricer, shop)[0] == "night"


def test_version_that_was_replaced_is_published_again_only_by_name(gpu_pricer, refused, shop):
    published(gpu_pricer, shop)
    scored(gpu_pricer, "paths.work=study", DEMAND, CATALOG)
    published(gpu_pricer, shop, "paths.work=study")

    said = refused("publish")

    assert "the last one scored, prices/night, was published and then replaced by" in said
    assert "name the version to publish with paths.shards" in said
    assert published(gpu_pricer, shop, "paths.shards=prices/night")[0] == "night"


def test_work_folder_without_a_scored_version_is_told_so(refused, shop):
    said = refused("publish", "paths.work=elsewhere")

    assert "a version must have been scored for elsewhere into prices, found none" in said


def test_record_of_the_job_that_cannot_be_written_is_no_failure_of_publishing(gpu_pricer, shop):
    (shop / "work/publish").write_text("a file where the folder of run.json should be")

    run, log = published(gpu_pricer, shop)

    assert run == "night"
    assert "publish is done, but its record could not be written" in log[-1]


def test_version_that_is_gone_is_told_so(gpu_pricer, refused, shop):
    shutil.rmtree(shop / "prices/night")

    assert "prices/night must hold a finished _record/run.json" in refused("publish")


def test_shards_count_as_a_version_once_all_are_there(gpu_pricer, shop):
    for shard in (1, 0):
        scored(gpu_pricer, "paths.shards=prices/array", "score.shards=2", f"score.shard={shard}")
        expected = "night" if shard else "array"
        assert last_scored(shop / "work", shop / "prices").name == expected


def test_run_publishes_what_it_scored(gpu_pricer, shop, monkeypatch):
    main = score.main

    def overtaken(config):
        """Another scoring for the same work folder ends right after ours."""
        added = main(config)
        (shop / "work/score/version.json").write_text(json.dumps({"run": "night"}))
        return added

    monkeypatch.setattr(score, "main", overtaken)
    ended = gpu_pricer("run", "run.steps=[score,publish]", "backend=cpu")

    assert ended.status == 0, ended.said
    assert current_run(shop / "prices") not in (None, "night")


def test_run_of_one_shard_is_refused_before_it_begins(refused, shop):
    said = refused("run", "run.steps=[score,publish]", "score.shards=2", "score.shard=0", "paths.shards=prices/array")

    assert "run publishes all that it scores, found score.shard=0" in said
