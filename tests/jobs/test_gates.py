"""publish and run at the gates: one line for each that is not passed, nothing lost, one version accepted at a time."""

import json
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable

from gpu_pricer.tables.artefact import write_artefact
from gpu_pricer.tables.delta_log import current_run, published_runs
from gpu_pricer.versions import publication as job
from gpu_pricer.versions.publication import Publication
from tests.gates.limits import NOBODY, OFF
from tests.markets import catalog_of, small_artefact
from tests.shops import copied, lay_out, run_job

ARTEFACT = small_artefact(31, segments=3, products=12, categories=4)
RUNS = ("first", "second")
STRICT = ("publish.gates.max_share_moved=0.01", "publish.gates.max_mean_move=0.001")
ACCEPTED = "publish.accept=[max_share_moved,max_mean_move]"


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    """A folder with a published version, and the next one scored after the costs rose."""
    folder = lay_out(tmp_path_factory.mktemp("scored"), ARTEFACT, catalog_of(ARTEFACT))
    first, second = (("score", "policy=profit", f"paths.shards=prices/{run}", "backend=cpu") for run in RUNS)
    assert [run_job(folder, *job) for job in (first, ("publish",))] == [0, 0]
    risen = catalog_of(ARTEFACT).with_columns(cost=pl.col("cost") * 1.05)
    risen.write_parquet(folder / "work/data/products.parquet")
    assert run_job(folder, *second) == 0
    return folder


@pytest.fixture
def shop(scored, tmp_path):
    """A copy of that folder, as working directory of the gpu_pricer fixture."""
    return copied(scored, tmp_path)


def publications(shop, run):
    return json.loads((shop / "prices" / run / "_record/publication.json").read_text())


def test_every_gate_that_is_not_passed_has_its_line_and_nothing_is_published(gpu_pricer, shop):
    ended = gpu_pricer("publish", *STRICT)

    assert ended.status == 3
    assert len(ended.said) == 2
    assert ended.said[0].startswith("gpu-pricer publish: the share of prices moved must be at most 0.01, found 1.0000")
    assert ended.said[1].startswith("gpu-pricer publish: the mean size of the moves must be at most 0.001, found 0.")
    assert "paths.shards=prices/second publish.accept=[max_mean_move] publish.reason=WHY" in ended.said[1]
    assert current_run(shop / "prices") == "first"
    assert not (shop / "prices/second/_record/publication.json").exists()
    assert gpu_pricer("publish").status == 0


def test_accepted_version_is_published_once_and_its_record_says_why(gpu_pricer, shop):
    reason = "publish.reason='new costs, agreed by the buyers'"

    assert gpu_pricer("publish", *STRICT, "paths.shards=prices/second", ACCEPTED, reason).status == 0

    [entry] = publications(shop, "second")
    why = "new costs, agreed by the buyers"
    assert entry["accepted"] == {"max_share_moved": why, "max_mean_move": why}
    assert entry["replaces"] == "first"
    assert entry["by"]
    assert entry["gates"]["max_mean_move"]["limit"] == 0.001
    assert entry["gates"]["max_mean_move"]["found"] > 0.001
    assert entry["gates"]["max_share_missing"] == {"found": 0, "limit": 0.05, "is_passed": True}
    latest = DeltaTable(str(shop / "prices")).history(1)[0]
    assert (latest["accepted"], latest["reason"]) == ("max_share_moved, max_mean_move", why)
    gpu_pricer("score", "paths.shards=prices/third", "backend=cpu")
    assert gpu_pricer("publish", *STRICT).status == 3


def test_version_that_is_published_again_keeps_what_was_said_before(gpu_pricer, shop):
    for run in ("second", "first", "second"):
        assert gpu_pricer("publish", f"paths.shards=prices/{run}").status == 0

    assert [entry["replaces"] for entry in publications(shop, "second")] == ["first", "first"]
    assert [entry["replaces"] for entry in publications(shop, "first")] == [None, "second"]


def test_first_publication_has_nothing_to_be_compared_with(shop):
    [entry] = publications(shop, "first")

    assert {"max_mean_move", "max_share_beyond_moves"} <= set(entry["gates"])
    assert not {"max_share_missing", "same_columns", "max_share_far", "max_loss_increase"} & set(entry["gates"])


def test_dry_run_says_what_every_gate_found(gpu_pricer, shop):
    ended = gpu_pricer("publish", "publish.dry_run=true")

    assert "  max_share_missing: found 0, limit 0.05\n" in ended.out
    assert "  same_currency: found USD, limit USD\n" in ended.out
    assert not (shop / "prices/second/_record/publication.json").exists()


def test_gates_hold_for_the_table_that_is_replaced(gpu_pricer, shop, monkeypatch):
    """Another publisher, whom no lock stops, commits after the gates were passed."""
    judge = job.judge_version
    gpu_pricer("score", "paths.shards=prices/third", "backend=cpu")

    def overtaken(*arguments):
        judged = judge(*arguments)
        with monkeypatch.context() as patched:
            patched.setattr(job, "judge_version", judge)
            patched.setattr(job, "PUBLISHING", "_other.lock")
            job.publish(Path("prices"), Path("prices/third"), Publication(False, 5, 24, OFF, [], None, NOBODY))
        return judged

    monkeypatch.setattr(job, "judge_version", overtaken)

    ended = gpu_pricer("publish", "paths.shards=prices/second")

    assert ended.status == 2
    assert "only one publisher may commit" in ended.said[-1]
    assert current_run(shop / "prices") == "third"
    assert "second" not in published_runs(shop / "prices")


def test_shorter_log_stops_the_publication_and_delays_no_rollback(gpu_pricer, shop):
    assert gpu_pricer("publish").status == 0
    first = date.fromisoformat(ARTEFACT.info.pricing_period)
    lost = replace(ARTEFACT.info, pricing_period=(first - timedelta(21)).isoformat())
    write_artefact(replace(ARTEFACT, info=lost), shop / "work/demand")
    assert gpu_pricer("score", "paths.shards=prices/short", "backend=cpu").status == 0

    refused = gpu_pricer("publish")
    accepted = gpu_pricer(
        "publish", "paths.shards=prices/short", "publish.accept=[no_older_sales]", "publish.reason='a new log'"
    )

    assert (refused.status, len(refused.said), accepted.status) == (3, 1, 0)
    assert "the sales behind the version must reach as far as those behind second" in refused.said[0]
    assert gpu_pricer("publish", "paths.shards=prices/second").status == 0
    assert gpu_pricer("rollback", "short", "rollback.reason=back").status == 0
    assert current_run(shop / "prices") == "short"


def test_products_that_vanish_from_the_catalog_stop_the_publication(gpu_pricer, shop):
    catalog = shop / "work/data/products.parquet"
    pl.read_parquet(catalog).head(10).write_parquet(catalog)
    assert gpu_pricer("score", "paths.shards=prices/third", "backend=cpu").status == 0

    ended = gpu_pricer("publish")

    assert ended.status == 3
    assert "no longer priced must be at most 0.05, found 0.1667, 2 of 12 (2 not in the catalog): p0" in ended.said[-1]
    assert gpu_pricer("publish", "publish=unguarded").status == 0


@pytest.mark.parametrize(
    ("job", "arguments", "said"),
    [
        ("publish", (ACCEPTED, "publish.reason=costs"), "without a version: name it with paths.shards"),
        ("publish", ("paths.shards=prices/second", ACCEPTED), "must be given together"),
        ("publish", ("paths.shards=prices/second", "publish.reason=costs"), "must be given together"),
        ("publish", ("publish.accept=[mean]", "publish.reason=costs"), "publish.accept must be a list of gates ("),
        ("publish", ("publish.gates.max_share_far=-1",), "publish.gates.max_share_far must be a number of at least 0"),
        (
            "run",
            (ACCEPTED, "publish.reason=costs", "data=synthetic"),
            "for one that this run scores first: use gpu-pricer",
        ),
    ],
)
def test_setting_of_the_gates_that_makes_no_sense_is_refused_before_any_work(refused, shop, job, arguments, said):
    assert said in refused(job, *arguments)


@pytest.mark.parametrize("content", ["[", "{}"])
def test_broken_record_of_earlier_publications_is_not_overwritten(gpu_pricer, shop, content):
    path = shop / "prices/second/_record/publication.json"
    path.write_text(content)

    ended = gpu_pricer("publish")

    assert ended.status == 2
    assert "second/_record/publication.json must hold a list of publications, found" in ended.said[-1]
    assert path.read_text() == content
    assert current_run(shop / "prices") == "first"


def test_broken_record_of_the_scores_is_refused(gpu_pricer, shop):
    (shop / "prices/first/_record/metrics.json").write_text("{")
    write_artefact(small_artefact(32, segments=3, products=12, categories=4), shop / "work/demand")
    gpu_pricer("score", "paths.shards=prices/third", "backend=cpu")

    ended = gpu_pricer("publish")

    assert ended.status == 2
    assert "first/_record/metrics.json must hold JSON, found:" in ended.said[-1]
    assert Path("prices/_current").readlink() == Path("first")
