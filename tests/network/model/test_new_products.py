"""Products that training never saw, because they came to the shelf when its periods had ended."""

import numpy as np
import polars as pl
import pytest
import torch

from gpu_pricer.network.encoding.loading import load_choice_data
from gpu_pricer.network.segments.members import Members, period_to_price
from gpu_pricer.network.training.average_household import adopt
from gpu_pricer.network.training.market import learn_market
from gpu_pricer.network.training.sales import Sales
from tests.canonical import SPLIT, write_canonical
from tests.network.small import ENCODING, RESPONSE, trained_network

PERIODS = 26
CHANCES = (0.01, 0.2)


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """A market in which two products appear with the first period after training, and sell at CHANCES from then on."""
    folder = tmp_path_factory.mktemp("canonical") / "data"
    write_canonical(folder, periods=PERIODS)
    read = {name: pl.read_parquet(folder / f"{name}.parquet") for name in ("products", "shelf", "choices")}
    days = read["shelf"]["period"].unique().sort()
    later = days[SPLIT.training_periods(PERIODS) :].to_list()
    numbers = read["products"]["product_id"].max() + 1 + np.arange(2)
    like = read["products"].filter(pl.col("product_id") == 1)
    products = pl.concat([like.with_columns(product_id=pl.lit(number), price=pl.lit(7.0)) for number in numbers])
    rows = read["shelf"].filter(pl.col("period").is_in(later) & (pl.col("product_id") == 1))
    shelf = [rows.with_columns(product_id=pl.lit(n), price=pl.lit(5.0), price_age=pl.lit(0)) for n in numbers]
    bought = _switched(read["choices"], later, numbers, np.random.default_rng(0))
    pl.concat([read["products"], products]).write_parquet(folder / "products.parquet")
    pl.concat([read["shelf"], *(s.cast(dict(read["shelf"].schema)) for s in shelf)]).write_parquet(
        folder / "shelf.parquet"
    )
    bought.write_parquet(folder / "choices.parquet")
    return folder


@pytest.fixture(scope="module")
def data(tables):
    return load_choice_data(tables, ENCODING, SPLIT)


@pytest.fixture(scope="module")
def network(data, tables, tmp_path_factory):
    return trained_network(data, tables, tmp_path_factory.mktemp("train"))


def test_their_reference_price_is_the_first_one_and_not_todays(data):
    new = data.products.table.filter(~pl.col("is_trained"))

    assert new["reference_price"].to_list() == [5.0, 5.0]


def test_what_was_bought_of_them_does_not_tell_tastes_that_nobody_learned(data, network):
    new = ~data.products.is_trained

    assert (network.history.bought.weight[new] == 0).all()
    assert (network.history.bought.weight[~new] != 0).any(dim=1).all()


def test_their_first_sales_count_once_all_periods_do(data, tables, network):
    network.go_on_with(data.with_every_period())
    adopt(network, learn_market(network.data, tables, RESPONSE).household, Sales.of(network.data))

    new = (data.products.table["product_id"] > data.products.table["product_id"].max() - 2).to_numpy().nonzero()[0]
    appeal = Members(network, period_to_price(network)).demand(slice(0, data.products.count))[0]
    ratio = torch.exp(appeal[:, new[1]]).mean() / torch.exp(appeal[:, new[0]]).mean()
    assert float(ratio) == pytest.approx(CHANCES[1] / CHANCES[0], rel=0.5)


def _switched(choices, later, numbers, rng):
    """The choices, of which a share in the later periods went to the new products instead."""
    switched = choices.with_row_index("row").filter(pl.col("period").is_in(later) & (pl.col("category_id") == "c0"))
    draw = pl.Series(rng.random(switched.height))
    other = pl.when(draw < CHANCES[0]).then(int(numbers[0])).when(draw < sum(CHANCES)).then(int(numbers[1]))
    found = switched.select("row", other=other).drop_nulls()
    joined = choices.with_row_index("row").join(found, on="row", how="left", maintain_order="left")
    return joined.with_columns(
        product_id=pl.coalesce("other", "product_id"),
        quantity=pl.when(pl.col("other").is_null()).then("quantity").otherwise(1),
    ).drop("row", "other")
