"""Goods sold by weight, half of a category, whose lines hold what was spent: the others' sensitivities stay true."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hydra import compose, initialize_config_dir

from gpu_pricer.command_line.checked_config import checked_config
from gpu_pricer.jobs.prepare import main
from gpu_pricer.network.encoding.loading import load_choice_data
from gpu_pricer.network.training.market import learn_market
from tests.canonical import SPLIT
from tests.evaluation.markets import small_source
from tests.network.small import ENCODING, RESPONSE

CONF = str(Path(__file__).parents[3] / "conf")


def drawn_market():
    """Thirty weeks whose prices answer no shock."""
    source = small_source()
    source = replace(source, people=replace(source.people, users=1000))
    manager = replace(source.manager, confounding=0.0, promotion_rate=0.2)
    return replace(source, weeks=30, manager=manager, tastes=replace(source.tastes, shock=0.2)).draw()


def sold_by_weight(drawn):
    """Every second product of a category."""
    return drawn.truth.products.sort("category_id", "product_id").gather_every(2)["product_id"]


@pytest.fixture(scope="module")
def market(tmp_path_factory):
    """The market, and its raw tables in which a line of a good sold by weight is one scan and what it cost."""
    drawn, folder = drawn_market(), tmp_path_factory.mktemp("raw")
    lines = drawn.tables["transactions"]
    weight = pl.Series(np.random.default_rng(0).gamma(4, 0.25, lines.height))
    is_weighed = pl.col("product_id").is_in(sold_by_weight(drawn).implode())
    scanned = lines.with_columns(
        price=pl.when(is_weighed).then((pl.col("price") * weight).round(2).clip(0.01)).otherwise("price"),
        quantity=pl.when(is_weighed).then(1).otherwise("quantity"),
    )
    for name, table in (drawn.tables | {"transactions": scanned}).items():
        table.write_parquet(folder / f"{name}.parquet")
    return drawn, folder


@pytest.fixture(scope="module")
def learned(market, tmp_path_factory):
    """Product ids that taught and their sensitivities, of canonical tables with and without the rule."""
    found = {}
    for name, overrides in {"found": [], "missed": ["data.unit_prices.min_agreement=0"]}.items():
        work = tmp_path_factory.mktemp(name)
        own = ["data=parquet", f"data.path={market[1]}", f"paths.work={work}", "data.outliers={}", *overrides]
        with initialize_config_dir(CONF, version_base="1.3"):
            main(checked_config(compose("config", own)))
        data = load_choice_data(work / "data", ENCODING, SPLIT)
        fit = learn_market(data, work / "data", RESPONSE).household.fit
        ids = data.products.table["product_id"].gather(fit.grid.row.numpy())
        found[name] = pl.DataFrame({"product_id": ids, "sensitivity": fit.sensitivity[0].numpy()})
        found[name + " catalog"] = pl.read_parquet(work / "data" / "products.parquet")
    return found


def log_error(drawn, sensitivities):
    """Mean distance of the log sensitivity of the goods with a unit price from the types' mean."""
    true = drawn.truth.products.select("product_id").with_columns(
        true=pl.Series(drawn.truth.factors["sensitivity"].mean(axis=0))
    )
    both = sensitivities.join(true, on="product_id")
    both = both.filter(~pl.col("product_id").is_in(sold_by_weight(drawn).implode()))
    return both.select((pl.col("sensitivity") / pl.col("true")).log().abs().mean()).item()


def test_goods_sold_by_weight_are_found_and_no_others(market, learned):
    catalog = learned["found catalog"]

    assert set(catalog.filter(pl.col("has_unit_price") == 0)["product_id"]) == set(sold_by_weight(market[0]))
    assert "has_unit_price" not in learned["missed catalog"].columns


def test_goods_sold_by_weight_teach_nothing(market, learned):
    by_weight = set(sold_by_weight(market[0]))

    assert not by_weight & set(learned["found"]["product_id"])
    assert by_weight & set(learned["missed"]["product_id"])


def test_sensitivities_of_the_others_are_closer_to_the_truth(market, learned):
    found, missed = (log_error(market[0], learned[name]) for name in ("found", "missed"))

    assert found < 0.7 * missed
