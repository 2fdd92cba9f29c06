"""A shop with two published versions and one that gates refuse, whose products have names that look like HTML."""

import json
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
import pytest

from gpu_pricer.tables.artefact import write_artefact
from tests.markets import catalog_of, small_artefact, with_posterior
from tests.shops import run_job

HOSTILE = "</script><img src=x onerror=\"document.title='taken'\">"
SEASON = np.array([-0.4, -0.1, 0.0, 0.1, 0.3])
ARTEFACT = replace(
    with_posterior(small_artefact(61, segments=4, products=30, categories=5), 0.2),
    categories=pl.DataFrame(
        {
            "category_id": [f"c{k}" for k in range(5)],
            "season": SEASON,
            "season_low": SEASON - 0.2,
            "season_high": SEASON + 0.2,
            "sensitivity_from_log": [0.9, 0.7, 0.6, 0.3, 0.0],
            "prior_elasticity": [2.62] * 5,
        }
    ),
    user_segments=pl.DataFrame({"user_id": np.arange(80), "segment_id": [f"s{k % 4}" for k in range(80)]}),
)
ASSUMED = pl.when(pl.int_range(pl.len()) % 9 == 0).then(pl.lit("assumed")).otherwise(pl.lit("given"))
CATALOG = catalog_of(ARTEFACT).with_columns(
    title=pl.lit(HOSTILE + " ") + pl.col("product_id"),
    cost_source=ASSUMED,
    stock=pl.when(pl.int_range(pl.len()) % 3 > 0).then(8.0 * (1 + pl.int_range(pl.len()) % 5)),
    competitor_price=pl.when(pl.int_range(pl.len()) % 4 > 0).then(pl.col("price") * 0.97),
)
UNKNOWN = CATALOG.head(1).with_columns(product_id=pl.lit("unheard"), category_id=pl.lit("<b>none</b>"))
VOLUME = "+policy.constraints.volume={measure: units, at_least: 1.0, relative_to: current_prices}"
STOCK = "+policy.constraints.stock={measure: units, at_most: stock, per: product_id}"
SETTINGS = (VOLUME, "score.details=[parts]", "fairness.protected=[age]", "report.label=[title]", "backend=cpu")
BASELINES = ("shrunken_logit", "lightgbm_monotone")
FREE = ("publish.gates.max_share_moved=1", "publish.gates.max_mean_move=1")


class Shop(NamedTuple):
    """The folder of a shop: one was published before two, which is current; refused holds what `run` wrote of three."""

    folder: Path
    page: str
    refused: str


@pytest.fixture(scope="session")
def report_shop(tmp_path_factory):
    """A shop that no test may change."""
    folder = tmp_path_factory.mktemp("reported")
    (folder / "work/data").mkdir(parents=True)
    write_artefact(ARTEFACT, folder / "work/demand")
    pl.concat([CATALOG, UNKNOWN]).write_parquet(folder / "work/data/products.parquet")
    users = pl.DataFrame({"user_id": np.arange(80), "age": np.where(np.arange(80) % 2, "old", "young")})
    users.write_parquet(folder / "work/data/users.parquet")
    assert run_job(folder, "score", "fairness.protected=[]", "backend=cpu", "paths.shards=prices/one") == 0
    assert run_job(folder, "publish", *FREE) == 0
    assert run_job(folder, "score", *SETTINGS, "score.leave_one_out=true", "paths.shards=prices/two") == 0
    assert run_job(folder, "publish", *SETTINGS, *FREE) == 0
    write_evaluation(folder / "work")
    assert run_job(folder, "report", *SETTINGS, "frontier=units", "frontier.points=4") == 0
    page = (folder / "work/report.html").read_text()
    refused = (
        *SETTINGS,
        STOCK,
        "run.steps=[score,publish]",
        "paths.shards=prices/three",
        "publish.gates.max_share_moved=0",
    )
    assert run_job(folder, "run", *refused) == 3
    return Shop(folder, page, (folder / "work/report.html").read_text())


def write_evaluation(work):
    """Write what `evaluate` leaves of the demand's held-out scores and its calibration, beside the usual baselines."""
    scores = {"log_loss": 0.2, "auc": 0.7, "ece": 0.01, "predicted_over_actual": 0.98}
    baseline = scores | {"ours": scores, "ours_minus_theirs": {"log_loss": [-0.002, 0.001]}}
    elasticity = {
        "elasticity": -2.0,
        "posterior_low": -2.4,
        "posterior_high": -1.7,
        "observed": -1.2,
        "low": -2.5,
        "implied": -1.9,
    }
    metrics = {
        "fingerprint": ARTEFACT.fingerprint(),
        "test": scores,
        "baselines": dict.fromkeys(BASELINES, baseline),
        "price_response": {
            "in_log": {"observed": -1.31, "low": -1.5, "high": -1.1, "implied": -1.93},
            "elasticity_by_category": {f"c{k}": elasticity | {"high": 0.1} for k in range(5)},
            "doubts": ["sales rise with <prices> in 2 of 5 categories"],
        },
    }
    (work / "metrics.json").write_text(json.dumps(metrics))
    bins = [
        {"model": name, "offers": 60.0, "bought": 1.0 + place + k, "predicted": 1.2 + 1.1 * k}
        for place, name in enumerate(("network", "artefact", *BASELINES))
        for k in range(20)
    ]
    pl.DataFrame(bins).write_parquet(work / "calibration.parquet")
