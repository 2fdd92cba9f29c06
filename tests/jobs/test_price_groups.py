"""A shop whose segments saw prices of their own: from the raw tables to the prices that follow from them."""

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch

from gpu_pricer.data.sources.synthetic import PriceGroups
from gpu_pricer.jobs import prepare
from gpu_pricer.network.encoding.loading import load_choice_data
from gpu_pricer.network.response.fitting.fit import fit_response
from gpu_pricer.network.training.market import learn_market
from gpu_pricer.tables.periods import Split
from tests.evaluation.markets import small_source
from tests.jobs.conftest import configuration
from tests.network.small import ENCODING, RESPONSE

GROUPS = PriceGroups(count=3, formed_by="type", first_week=4, spread=0.1, wobble=0.05, renewal=0.3)
SPLIT = ("split.validation_periods=2", "split.test_periods=2")


def shop(seed=0, **changes):
    """A market of three types of users, who are three price groups from the fifth of twenty weeks on."""
    source = small_source(seed=seed)
    people = replace(source.people, users=1500)
    tastes = replace(source.tastes, shock=0.1, sensitivity_spread=0.6)
    manager = replace(source.manager, confounding=0.0)
    return replace(source, weeks=20, people=people, tastes=tastes, manager=manager, groups=replace(GROUPS, **changes))


def laid_out(folder, tables):
    """The raw tables in a folder."""
    folder.mkdir(parents=True)
    for name, table in tables.items():
        table.write_parquet(folder / f"{name}.parquet")
    return folder


def as_offers(tables):
    """The lines as an offers table: on every visit that bought of a category, all its products at the user's prices."""
    category = tables["products"].select("product_id", "category_id")
    lines = tables["transactions"].join(category, on="product_id")
    prices = tables["group_prices"].rename({"time": "week"})
    seen = lines.with_columns(week=pl.col("time").dt.truncate("1w")).filter(pl.col("price_group").is_not_null())
    occasions = seen.select("user_id", "category_id", "week", "price_group", "time").unique(
        ["user_id", "category_id", "week"], keep="first", maintain_order=True
    )
    on_shelf = lines.select("product_id", week=pl.col("time").dt.truncate("1w")).unique()
    shown = (
        occasions.join(category, on="category_id")
        .join(on_shelf, on=["product_id", "week"])
        .join(prices, on=["price_group", "product_id", "week"])
    )
    bought = seen.select("user_id", "product_id", "week", "quantity")
    offers = shown.join(bought, on=["user_id", "product_id", "week"], how="left").with_columns(
        occasion_id=pl.col("week").cast(pl.String) + pl.col("category_id"), quantity=pl.col("quantity").fill_null(0)
    )
    return {name: table for name, table in tables.items() if name != "transactions"} | {"offers": offers.drop("week")}


def prepared(folder, tables, *overrides):
    raw = laid_out(folder / "raw", tables)
    prepare.main(configuration(folder / "work", "data=parquet", f"data.path={raw}", *SPLIT, *overrides))
    return folder / "work"


def sensitivity_error(work, drawn):
    """Log of the mean estimated over the mean true price sensitivity of each product, [n]; segments are the types."""
    data = load_choice_data(work / "data", ENCODING, Split(0, 2, 2)).with_every_period()
    known = learn_market(data, work / "data", RESPONSE).known
    kind = torch.from_numpy(drawn.market.user_type[data.users.table["user_id"].to_numpy() - 500_001])
    segment = kind[:, None].expand(known.log.visits.shape)
    fit = fit_response(known.grid, known.log.counts(known.grid, segment, 3), RESPONSE.fit)
    rows = data.products.table[fit.grid.row.numpy()].with_columns(found=pl.Series(fit.sensitivity.mean(0).numpy()))
    truth = drawn.truth.products.select("product_id", true_price="reference_price")
    truth = truth.with_columns(true=pl.Series(drawn.truth.factors["sensitivity"].mean(axis=0)))
    both = rows.join(truth, on="product_id")
    return both.select((pl.col("found") / pl.col("true") * pl.col("true_price") / pl.col("reference_price")).log())


def test_prices_of_segments_teach_the_response_and_do_not_distort_it(tmp_path):
    drawn, error = shop().draw(), {}
    untold = {name: table for name, table in drawn.tables.items() if name != "group_prices"}
    untold["transactions"] = untold["transactions"].drop("price_group")
    for name, tables in (("told", drawn.tables), ("untold", untold)):
        error[name] = sensitivity_error(prepared(tmp_path / name, tables), drawn).to_series().to_numpy()

    assert abs(np.mean(error["told"])) < 0.2
    assert np.mean(error["untold"]) < np.mean(error["told"]) - 0.25


def test_groups_taken_together_at_their_mean_price_distort_no_response(tmp_path):
    """Twelve groups by chance in up to four columns a period: the price of a user lies around that of the column."""
    drawn = shop(count=12, formed_by="chance", spread=0.0, wobble=0.12, renewal=1.0).draw()

    error = sensitivity_error(prepared(tmp_path, drawn.tables), drawn).to_series().to_numpy()

    assert abs(np.mean(error)) < 0.15


def test_canonical_tables_say_whose_prices_a_visit_saw_and_which(tmp_path):
    drawn = shop().draw()
    work = prepared(tmp_path, drawn.tables)

    lines, data = drawn.tables["transactions"], work / "data"
    visits, groups = (pl.read_parquet(data / f"{name}.parquet") for name in ("visits", "group_shelf"))
    summary = json.loads((data / "summary.json").read_text())
    assert summary["price_groups"] == ["0", "1", "2"]
    assert summary["rows"]["group_shelf"] == groups.height > 0
    told = lines.select("user_id", "price_group", period=pl.col("time").dt.truncate("1w").dt.date()).unique()
    both = visits.join(told, on=["user_id", "period"], suffix="_told")
    assert both.height == visits.height
    assert (both["price_group"] == both["price_group_told"].fill_null(-1) + 1).all()
    paid = lines.with_columns(
        period=pl.col("time").dt.truncate("1w").dt.date(), price_group=(pl.col("price_group") + 1).cast(pl.UInt16)
    ).join(groups, on=["period", "price_group", "product_id"], suffix="_seen")
    assert paid.height > 0
    assert (paid["price"] == paid["price_seen"]).all()


def test_offers_name_price_groups_too(tmp_path):
    drawn = shop().draw()
    work = prepared(tmp_path, as_offers(drawn.tables), "data.choices.outside_option=false")

    data = load_choice_data(work / "data", ENCODING, Split(0, 2, 2))
    market = learn_market(data, work / "data", RESPONSE)

    columns = market.known.grid.columns
    assert columns.count > columns.periods
    assert len(columns.of_group[-1].unique()) == 4
    log = market.known.log
    assert float(log.seen.count.sum()) > 0
    own = ~columns.is_usual()[log.column.long()]
    assert float(own.double().mean()) > 0.6


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tables: tables.pop("group_prices"), "must tell the prices of every price_group, found none of 0, 1, 2"),
        (
            lambda tables: tables.update(transactions=tables["transactions"].drop("price_group")),
            "needs the column price_group in offers, or in transactions without offers, found no group there",
        ),
        (
            lambda tables: tables.update(group_prices=tables["group_prices"].with_columns(price=pl.lit(-1.0))),
            "breaks price_is_positive in 1,440 rows",
        ),
        (
            lambda tables: tables.update(group_prices=tables["group_prices"].drop("time")),
            "group_prices.parquet must have the column time, found only price_group, product_id, price: add time",
        ),
        (
            lambda tables: tables.update(
                group_prices=tables["group_prices"].with_columns(pl.col("product_id").cast(pl.String))
            ),
            "product_id must be Int64 as in products, found String: convert one of them",
        ),
    ],
)
def test_groups_that_cannot_be_read_are_one_line(tmp_path, refused, change, message):
    tables = dict(shop().draw().tables)
    change(tables)
    raw = laid_out(tmp_path / "raw", tables)

    said = refused("prepare", "data=parquet", f"data.path={raw}", f"paths.work={tmp_path / 'work'}", *SPLIT)

    assert message in said


def test_choices_follow_the_prices_of_the_group():
    """A group whose prices are lower buys more of the same tastes: groups by chance differ in nothing else."""
    drawn = shop(formed_by="chance", spread=0.0, wobble=0.12, renewal=0.0).draw()
    lines = drawn.tables["transactions"].drop_nulls("price_group")
    prices = drawn.tables["group_prices"].group_by("price_group", "product_id").agg(pl.col("price").mean().log())
    sold = lines.group_by("price_group", "product_id").len().join(prices, on=["price_group", "product_id"])
    sold = sold.filter(pl.len().over("product_id") == 3)
    apart = sold.select(
        bought=pl.col("len").log() - pl.col("len").log().mean().over("product_id"),
        price=pl.col("price") - pl.col("price").mean().over("product_id"),
    )

    slope = np.polyfit(apart["price"], apart["bought"], 1)[0]

    assert slope == pytest.approx(-float(drawn.truth.factors["sensitivity"].mean()), abs=1.0)
