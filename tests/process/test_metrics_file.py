"""paths.metrics: the text files that a node exporter reads, parsed as Prometheus does."""

import time
from datetime import UTC, datetime

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gpu_pricer.tables.artefact import write_artefact
from tests.markets import catalog_of, small_artefact

ARTEFACT = small_artefact(31, segments=3, products=12, categories=4)


@pytest.fixture
def shop(gpu_pricer, tmp_path):
    """A scored version that is not yet published."""
    write_artefact(ARTEFACT, tmp_path / "work/demand")
    (tmp_path / "work/data").mkdir()
    catalog_of(ARTEFACT).write_parquet(tmp_path / "work/data/products.parquet")
    assert gpu_pricer("score", "policy=profit", "backend=cpu", "paths.metrics=metrics").status == 0
    return tmp_path


def samples(path):
    """The value of every sample of a file, by its name and the values of its labels."""
    families = text_string_to_metric_families(path.read_text())
    return {(sample.name, *sample.labels.values()): sample.value for family in families for sample in family.samples}


def test_each_job_tells_of_itself_and_the_table_of_its_gates(gpu_pricer, shop):
    assert not (shop / "metrics/gpu_pricer_table.prom").exists()
    before = time.time()

    assert gpu_pricer("publish", "paths.metrics=metrics").status == 0

    assert sorted(path.name for path in (shop / "metrics").iterdir()) == [
        "gpu_pricer_publish.prom",
        "gpu_pricer_score.prom",
        "gpu_pricer_table.prom",
    ]
    score = samples(shop / "metrics/gpu_pricer_score.prom")
    assert score["gpu_pricer_job_prices_per_second", "score"] * score[
        "gpu_pricer_job_seconds", "score"
    ] == pytest.approx(36)
    cores = score["gpu_pricer_job_core_seconds", "score"]
    assert 0 < cores < 600
    assert score["gpu_pricer_job_core_seconds_per_million_prices", "score"] == pytest.approx(1e6 * cores / 36)
    assert score["gpu_pricer_job_gpu_seconds_per_million_prices", "score"] == 0
    assert score["gpu_pricer_job_success_timestamp_seconds", "score"] == pytest.approx(before, abs=60)
    table = samples(shop / "metrics/gpu_pricer_table.prom")
    assert table["gpu_pricer_table_rows",] == 36
    assert table["gpu_pricer_table_products",] == len(ARTEFACT.products)
    assert table["gpu_pricer_table_version",] == 0
    assert before - 1 <= table["gpu_pricer_table_published_timestamp_seconds",] <= time.time() + 1
    end = datetime.fromtimestamp(table["gpu_pricer_table_sales_end_timestamp_seconds",], UTC)
    assert end.isoformat() == f"{ARTEFACT.info.pricing_period}T00:00:00+00:00"
    assert table["gpu_pricer_gate_passed", "max_mean_move"] == 1
    assert (
        0 < table["gpu_pricer_gate_found", "max_mean_move"] <= table["gpu_pricer_gate_limit", "max_mean_move"] == 0.25
    )


def test_metrics_that_cannot_be_written_do_not_fail_the_job(gpu_pricer, shop):
    (shop / "taken").touch()

    ended = gpu_pricer("publish", "paths.metrics=taken")

    assert ended.status == 0
    assert any("publish is done, but its metrics could not be written" in line for line in ended.log)
