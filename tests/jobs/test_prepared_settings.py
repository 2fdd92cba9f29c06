"""What `prepare` was told of the shop's columns holds for later jobs, which need not be told again."""

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from gpu_pricer.tables.delta_log import current_run
from tests.markets import catalog_of, small_artefact
from tests.shops import lay_out

ARTEFACT = replace(
    small_artefact(37, segments=3, products=12, categories=4),
    user_segments=pl.DataFrame({"user_id": np.arange(30), "segment_id": [f"s{k % 3}" for k in range(30)]}),
)


@pytest.fixture
def shop(tmp_path):
    """A shop whose tables are no example's: `prepare` was told of its attribute `town` and of its column `title`."""
    lay_out(tmp_path, ARTEFACT, catalog_of(ARTEFACT).with_columns(title="called " + pl.col("product_id")))
    data = tmp_path / "work/data"
    pl.DataFrame({"user_id": np.arange(30), "town": ["Ulm", "Bonn"] * 15}).write_parquet(data / "users.parquet")
    (data / "summary.json").write_text(json.dumps({"currency": "USD", "protected": ["town"], "label": ["title"]}))
    return tmp_path


def audited(shop):
    """The attributes by which the published version was audited."""
    path = shop / "prices" / current_run(shop / "prices") / "_record/fairness.json"
    return [*json.loads(path.read_text())["attributes"]]


def test_scoring_repricing_and_the_report_know_what_prepare_was_told(gpu_pricer, shop):
    pl.DataFrame({"product_id": ["p005"], "cost": [1.0]}).write_parquet(shop / "events.parquet")

    for job in (("score", "backend=cpu"), ("publish",)):
        assert gpu_pricer(*job).status == 0
    assert audited(shop) == ["town"]
    first = current_run(shop / "prices")
    assert gpu_pricer("reprice", "events=events.parquet", "publish=unguarded").status == 0
    assert current_run(shop / "prices") != first
    assert audited(shop) == ["town"]
    assert gpu_pricer("report").status == 0

    page = (shop / "work/report.html").read_text()
    assert "called p005" in page
    assert gpu_pricer("report", "report.label=[]").status == 0
    assert "called p005" not in (shop / "work/report.html").read_text()


BY_SALES = "today's price of 12 products is the most frequent in the sales of their last period, found several prices"
UNNAMED = "differ between segments, and no line of the log says whose price it was at"


@pytest.mark.parametrize(
    ("told", "segment_ratio", "said", "is_said"),
    [
        ({"products_priced_by_sales": 12}, "null", BY_SALES, True),
        ({"products_priced_by_sales": 0}, "null", BY_SALES, False),
        ({"products_priced_by_sales": 12}, "1.0", BY_SALES, False),
        ({"price_groups": []}, "null", UNNAMED, True),
        ({"price_groups": ["1"]}, "null", UNNAMED, False),
        ({"price_groups": []}, "1.0", UNNAMED, False),
    ],
)
def test_what_tables_do_not_say_is_said_where_published_prices_are_personalised(
    gpu_pricer, shop, told, segment_ratio, said, is_said
):
    (shop / "work/data/summary.json").write_text(json.dumps({"currency": "USD"} | told))
    settings = ("score", "policy=profit", "backend=cpu", f"policy.bounds.max_segment_ratio={segment_ratio}")

    first = gpu_pricer(*settings)
    assert gpu_pricer("publish").status == 0
    second = gpu_pricer(*settings)

    assert (first.status, second.status) == (0, 0)
    assert not any(said in line for line in first.log)
    assert any(said in line for line in second.log) == is_said
