"""The market that training learns from leaves out the periods in which a product was missing on the shelf."""

import shutil
from dataclasses import replace

import polars as pl

from gpu_pricer.network.encoding.loading import load_choice_data
from gpu_pricer.network.training.market import learn_market
from tests.canonical import SPLIT
from tests.network.small import ENCODING, RESPONSE


def test_bend_of_other_periods_is_kept(tables):
    data = load_choice_data(tables[0], ENCODING, SPLIT)
    before = learn_market(data, tables[0], RESPONSE).household.fit

    market = learn_market(data, tables[0], RESPONSE, start=replace(before, grid=replace(before.grid, bend=0.5)))

    assert market.known.grid.bend == 0.5
    assert market.household.fit.grid.bend == 0.5


def test_a_period_in_which_a_product_that_sells_much_sold_nothing_is_off_the_shelf(tables, tmp_path, caplog):
    directory = tmp_path / "data"
    shutil.copytree(tables[0], directory)
    choices = pl.read_parquet(directory / "choices.parquet")
    best, period = choices["product_id"].drop_nulls().mode()[0], choices["period"].unique().sort()[6]
    is_gone = (pl.col("product_id") == best) & (pl.col("period") == period)
    choices.filter(is_gone.fill_null(False).not_()).write_parquet(directory / "choices.parquet")
    data = load_choice_data(directory, ENCODING, SPLIT)

    with caplog.at_level("INFO"):
        market = learn_market(data, directory, RESPONSE)

    grid = market.known.grid
    place = data.products.table["product_id"].gather(grid.row.numpy()).to_list().index(best)
    assert grid.on_shelf[place, 5:8].tolist() == [1.0, 0.0, 1.0]
    assert (
        "1 product-periods are gaps, in which the product was missing: no sale where many were expected" in caplog.text
    )
    assert market.household.fit.grid is grid
