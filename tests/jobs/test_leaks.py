"""Leak tests on the jobs as a whole: without a signal in the log, no model may find one."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hydra import compose, initialize_config_dir

from gpu_pricer.jobs import evaluate, train
from tests.canonical import SPLIT, write_canonical

CONF = Path(__file__).parents[2] / "conf"
QUICK = ["model=tiny", "train.segments.count=2", "evaluate.bootstrap.replicates=1", "evaluate.plots=false"]
SPLIT_OF_TABLES = [f"split.{name}={count}" for name, count in asdict(SPLIT).items()]
BASELINES = ["evaluate=baselines", "evaluate.baselines.lightgbm.rounds=40"]
CHANCE = 0.03  # about four standard errors of an AUC of 1,000 purchases


def prices_permuted(shelf: pl.DataFrame, choices: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Every product keeps its prices, at times that have nothing to do with what was bought."""
    return shelf.with_columns(pl.col("price").shuffle(seed=1).over("product_id")), choices


def outcomes_shuffled(shelf: pl.DataFrame, choices: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """As many purchases as before, by anybody, at any time, of any product of the category."""
    rng = np.random.default_rng(2)
    members = {name: rows["product_id"].unique().sort().to_numpy() for (name,), rows in shelf.group_by("category_id")}
    drawn = pl.Series([int(rng.choice(members[category])) for category in choices["category_id"]])
    has_bought = choices["product_id"].is_not_null().shuffle(seed=3)
    return shelf, choices.with_columns(product_id=pl.when(has_bought).then(drawn), quantity=has_bought.cast(pl.Float64))


def metrics_of(folder: Path, change: Callable | None) -> dict:
    """metrics.json of demand that was learned from the log after the change."""
    data = folder / "work" / "data"
    write_canonical(data)
    if change is not None:
        tables = change(*(pl.read_parquet(data / f"{name}.parquet") for name in ("shelf", "choices")))
        for name, table in zip(("shelf", "choices"), tables, strict=True):
            table.write_parquet(data / f"{name}.parquet")
    paths = [f"paths.work={folder / 'work'}", f"paths.prices={folder / 'prices'}"]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("config", overrides=[*QUICK, *SPLIT_OF_TABLES, *BASELINES, *paths])
    train.main(config)
    evaluate.main(config)
    return json.loads((folder / "work" / "metrics.json").read_text())


@pytest.fixture(scope="module")
def honest(tmp_path_factory) -> dict:
    return metrics_of(tmp_path_factory.mktemp("honest"), None)


def test_permuting_prices_within_product_destroys_the_price_response(honest, tmp_path):
    permuted = metrics_of(tmp_path, prices_permuted)

    # Chance alone gives the artefact, whose sensitivity cannot be negative, 0 to 0.6 on a market this short.
    assert honest["price_response"]["mean_elasticity"] < -1.0
    assert abs(permuted["price_response"]["mean_elasticity"]) < abs(honest["price_response"]["mean_elasticity"]) / 2
    for name in ("logit", "shrunken_logit", "lightgbm", "lightgbm_monotone", "lightgbm_rich"):
        assert honest["baselines"][name]["price_response"]["mean_elasticity"] < -0.7, name
        assert abs(permuted["baselines"][name]["price_response"]["mean_elasticity"]) < 0.3, name


def test_shuffling_outcomes_gives_chance(honest, tmp_path):
    shuffled = metrics_of(tmp_path, outcomes_shuffled)

    assert honest["test"]["auc"] > 0.6
    assert shuffled["test"]["auc"] == pytest.approx(0.5, abs=CHANCE)
    assert {name: block["auc"] for name, block in shuffled["baselines"].items()} == pytest.approx(
        dict.fromkeys(shuffled["baselines"], 0.5), abs=CHANCE
    )
