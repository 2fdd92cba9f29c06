"""The evaluate job on a small market with known truth."""

import json
import math
import shutil
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from gpu_pricer.errors import InputError
from gpu_pricer.evaluation.evaluation_files import write_metrics
from gpu_pricer.jobs import evaluate, prepare, score
from gpu_pricer.jobs.evaluation_inputs import judged_demand
from gpu_pricer.pricing.tiling import Tiling
from gpu_pricer.tables.artefact import read_artefact, write_artefact
from gpu_pricer.tables.priced_products import read_catalog
from gpu_pricer.versions.priced_catalog import PricedCatalog
from tests.evaluation.markets import policy
from tests.markets import small_artefact, with_posterior

CONF = Path(__file__).parents[2] / "conf"
SMALL = [
    "data=synthetic",
    "data.source.weeks=12",
    "data.source.people.users=300",
    "data.source.people.types=3",
    "data.source.assortment.categories=5",
    "data.source.assortment.products=30",
]


def configured(folder: Path, *overrides: str, policy: str = "profit") -> DictConfig:
    paths = [f"paths.work={folder / 'work'}", f"paths.prices={folder / 'prices'}", f"policy={policy}"]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("config", overrides=[*SMALL, *paths, "policy.ladder=null", "evaluate.categories=2", *overrides])


def published_from_the_truth(config: DictConfig, layout: str = "long") -> None:
    """Make the truth the learned demand, and publish the prices scored from it."""
    shutil.copytree(config.paths.truth, config.paths.demand)
    folder = Path(config.paths.prices) / "first"
    artefact, catalog = read_artefact(Path(config.paths.demand)), read_catalog(Path(config.paths.catalog))
    score.score(artefact, PricedCatalog(catalog), policy(), Tiling(layout, 100_000, 1, None, 1), folder, "cpu")
    (folder.parent / "_current").symlink_to("first")


def metrics_of(config: DictConfig) -> dict:
    return json.loads((Path(config.paths.work) / "metrics.json").read_text())


@pytest.fixture(scope="module")
def market(tmp_path_factory) -> DictConfig:
    config = configured(tmp_path_factory.mktemp("market"))
    prepare.main(config)
    return config


@pytest.fixture
def config(market, tmp_path) -> DictConfig:
    shutil.copytree(market.paths.work, tmp_path / "work")
    return configured(tmp_path)


def test_posterior_gives_every_elasticity_an_interval(config, capsys):
    published_from_the_truth(config)
    artefact = with_posterior(read_artefact(Path(config.paths.demand)), 0.2)
    artefact.posterior.write_parquet(Path(config.paths.demand) / "posterior.parquet")

    evaluate.main(config)

    metrics = metrics_of(config)
    for row in metrics["price_response"]["elasticity_by_category"].values():
        assert row["posterior_low"] < row["elasticity"] < row["posterior_high"] < 0
    assert metrics["price_response"]["interval_90"]["cells"] == 5 * 3
    assert metrics["truth"]["elasticity_coverage_90"] == 1.0
    assert pl.read_parquet(Path(config.paths.work) / "elasticities.parquet").height == 5 * 3
    assert " … -" in capsys.readouterr().out


@pytest.mark.parametrize("layout", ["long", "wide"])
def test_the_true_demand_has_no_regret(config, capsys, layout):
    published_from_the_truth(config, layout)

    evaluate.main(config)

    truth = metrics_of(config)["truth"]
    assert truth["regret"] == pytest.approx(0.0, abs=1e-4)  # float32 prices, a cent here and there
    assert truth["share_of_attainable_gain"] == pytest.approx(1.0, abs=1e-2)
    assert truth["elasticity_rmse"] == pytest.approx(0.0, abs=1e-6)
    assert truth["visits_covered"] == pytest.approx(1.0)
    printed = capsys.readouterr().out
    assert "ours" in printed
    assert "best_uniform" in printed


def test_profits_stand_in_the_order_that_theory_gives(config):
    evaluate.main(config)

    profit = metrics_of(config)["truth"]["profit_per_1000_visits"]
    assert profit["today"] < profit["best_uniform"] < profit["oracle"]
    assert max(profit["log_log"], profit["log_log_pooled"]) < profit["best_uniform"]
    assert "ours" not in profit


def held_out_of(config: DictConfig) -> pl.DataFrame:
    """Return held-out offers of the last period, as `train` writes them, with equal probabilities."""
    data = Path(config.paths.data)
    shelf = pl.read_parquet(data / "shelf.parquet").filter(pl.col("period") == date(2025, 3, 24))
    visits = pl.read_parquet(data / "visits.parquet").filter(pl.col("period") == date(2025, 3, 24))
    return visits.join(shelf.select("period", "category_id", "product_id"), on="period").with_columns(
        segment_id=pl.lit(0),
        probability=pl.lit(0.2),
        artefact_probability=pl.lit(0.3),
        bought=pl.int_range(pl.len()) % 5 == 0,
        weight=pl.lit(1.0, dtype=pl.Float32),
    )


@pytest.fixture
def offers(config) -> pl.DataFrame:
    offers = held_out_of(config)
    folder = Path(config.paths.work) / "train"
    folder.mkdir()
    offers.write_parquet(folder / "held_out.parquet")
    return offers


def test_truth_compares_with_lists_that_keep_no_limits_on_the_assortment_and_says_so(config, tmp_path, caplog):
    caplog.set_level("INFO")
    balanced = configured(tmp_path, policy="balanced")
    evaluate.main(balanced)
    with_limits, said = metrics_of(config)["truth"], caplog.text
    caplog.clear()

    evaluate.main(configured(tmp_path, "policy.constraints={keep_units: null, no_dearer: null}", policy="balanced"))

    assert metrics_of(config)["truth"] == with_limits
    assert "but not its limits on the assortment (keep_units, no_dearer), which the version's prices meet" in said
    assert "limits on the assortment" not in caplog.text


def test_held_out_choices_make_blocks_of_the_network_and_the_artefact(config, offers):
    evaluate.main(config)

    metrics = metrics_of(config)
    test, artefact = metrics["test"], metrics["artefact"]
    assert test["rows"] == artefact["rows"] == offers.height
    assert test["log_loss"] == pytest.approx(0.5, abs=0.05) == test["off_policy"]["log_loss"]
    assert artefact["predicted_over_actual"] == pytest.approx(1.5, abs=0.01)
    for block in (test, test["off_policy"]):
        assert set(block["poisson_deviance"]) == {"all", "moved_5pct", "moved_15pct"}
        assert set(block["poisson_deviance_by_segment"]) == {"all", "moved_5pct", "moved_15pct"}
    low, high = test["intervals"]["log_loss"]
    assert low < test["log_loss"] < high


def test_rivals_are_fitted_by_default_and_the_last_lines_say_who_predicts_better(config, offers, capsys):
    wild = pl.Series(0.9 - 0.8 * (offers["product_id"].hash(seed=0) % 2).cast(pl.Float64))
    offers.with_columns(probability=wild).write_parquet(Path(config.paths.work) / "train" / "held_out.parquet")

    evaluate.main(config)

    metrics, last = metrics_of(config), capsys.readouterr().out.splitlines()[-2:]
    assert list(metrics["baselines"]) == metrics["better_rivals"] == ["shrunken_logit", "lightgbm_monotone"]
    assert all("predicts better than this demand model: log loss" in line for line in last)
    assert last[0].endswith("; do not trust prices made from this model before you know why")


def test_the_true_demand_has_the_true_elasticities(config):
    published_from_the_truth(config)

    evaluate.main(config)

    response = metrics_of(config)["price_response"]
    assert response["share_rising"] == 0.0
    assert -6 < response["mean_elasticity"] < -1
    assert len(response["elasticity_by_category"]) == 5
    assert all(
        set(row) == {"elasticity", "purchases", "observed", "low", "high", "implied"}
        for row in response["elasticity_by_category"].values()
    )
    together = response["in_log"]
    assert together["low"] < together["implied"] < together["high"]


def test_rules_of_catalog_columns_lower_the_profit_of_segments(config, tmp_path):
    shutil.move(config.paths.truth, config.paths.demand)
    catalog = pl.read_parquet(config.paths.catalog)
    catalog.with_columns(most=pl.col("price") * 0.9).write_parquet(config.paths.catalog)

    evaluate.main(config)
    unlimited = metrics_of(config)["segmentation"]
    evaluate.main(configured(tmp_path, "policy.bounds.ceiling_column=most"))

    limited = metrics_of(config)["segmentation"]
    assert all(limited[count]["profit"] < unlimited[count]["profit"] for count in unlimited)


def test_families_and_ladders_of_categories_hold_in_every_block(config, tmp_path):
    published_from_the_truth(config)
    catalog = pl.read_parquet(config.paths.catalog)
    pair = pl.int_range(pl.len()).over("category_id", order_by="price") // 2
    catalog.with_columns(family_id=pl.format("{} {}", "category_id", pair)).write_parquet(config.paths.catalog)

    evaluate.main(config)
    unlimited = metrics_of(config)
    family, ladders = "policy.bounds.family_column=family_id", "+policy.category_ladders={C001:{endings:[0.50]}}"
    evaluate.main(configured(tmp_path, family, ladders))

    limited = metrics_of(config)
    assert set(limited) == set(unlimited) == {"price_response", "segmentation", "truth"}
    for name in ("oracle", "best_uniform", "true_types"):
        assert limited["truth"]["profit_per_1000_visits"][name] < unlimited["truth"]["profit_per_1000_visits"][name]
    assert all(
        limited["segmentation"][count]["profit"] < unlimited["segmentation"][count]["profit"] for count in ("1", "3")
    )
    assert limited["price_response"] == unlimited["price_response"]


def test_predictions_of_another_log_are_refused(config, offers):
    file = Path(config.paths.work) / "train" / "held_out.parquet"
    offers.with_columns(product_id=pl.col("product_id") + 1_000_000).write_parquet(file)

    with pytest.raises(InputError, match=r"must be of the log in paths\.data, found .* not on its shelf: run"):
        evaluate.main(config)


def test_nothing_to_evaluate_is_refused(tmp_path):
    with pytest.raises(InputError, match="something to evaluate must be there, found neither held-out choices at"):
        evaluate.main(configured(tmp_path))

    assert not (tmp_path / "work" / "metrics.json").exists()


def test_scores_are_those_of_a_demand_only_if_they_came_from_one_training(config, caplog):
    demand, record = Path(config.paths.demand), Path(config.paths.work) / "train" / "run.json"
    trained = small_artefact(1)
    write_artefact(trained, demand)
    record.parent.mkdir(parents=True, exist_ok=True)
    record.write_text(json.dumps({"artefact": trained.fingerprint()}))
    assert judged_demand(config.paths) == trained.fingerprint()

    shutil.rmtree(demand)
    write_artefact(small_artefact(2), demand)

    assert judged_demand(config.paths) is None
    assert "demand was not made by the training in" in caplog.text
    record.write_text("{")
    with pytest.raises(InputError, match=r"train/run.json must hold what `gpu-pricer train` wrote, found: Expecting"):
        judged_demand(config.paths)


def test_version_that_is_not_finished_is_refused(config, tmp_path):
    config.paths.shards = str(tmp_path / "half")

    with pytest.raises(InputError, match=r"half must hold a finished _record/run.json, found no finished shard"):
        evaluate.main(config)


def test_members_of_a_demand_without_an_outside_option_are_not_judged(config):
    demand, members = Path(config.paths.demand), Path(config.paths.work) / "train" / "members"
    shutil.copytree(config.paths.truth, members)
    shutil.move(config.paths.truth, demand)
    info = json.loads((demand / "demand.json").read_text())
    (demand / "demand.json").write_text(json.dumps(info | {"outside_option": False}))

    with pytest.raises(InputError, match="something to evaluate must be there"):
        evaluate.main(config)


def test_nan_and_infinity_become_null_at_any_depth(tmp_path):
    write_metrics(tmp_path / "metrics.json", {"a": [0.5, math.nan, {"b": (math.inf, 1)}], "c": -math.inf})

    assert json.loads((tmp_path / "metrics.json").read_text()) == {"a": [0.5, None, {"b": [None, 1]}], "c": None}
