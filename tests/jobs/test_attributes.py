"""Attributes of all kinds, from the raw tables to the network: used, said to teach nothing, or refused."""

import json
import re
from datetime import date

import numpy as np
import polars as pl
import pytest
from hydra.utils import instantiate

from gpu_pricer.tables.further_columns import given_name
from tests.jobs.conftest import configuration

MARKET = (
    "data=synthetic", "data.source.weeks=20", "data.source.people.users=100", "data.source.people.types=2",
    "data.source.assortment.categories=2", "data.source.assortment.products=8",
)  # fmt: skip
LEARN = ("data=parquet", "data.path=shop", "model=tiny", "model.optimiser.steps=20", "train.segments.count=2",
         "train.response.draws=0", "train.encoding.min_count=2", "evaluate.plots=false",
         "evaluate.bootstrap.replicates=2")  # fmt: skip


@pytest.fixture
def shop(tmp_path):
    """A folder of raw tables of a small market without attributes."""
    config = configuration(tmp_path / "work", *MARKET)
    raw = {name: table.rows.collect() for name, table in instantiate(config.data.source).tables().items()}
    raw["products"] = raw["products"].select("product_id", "category_id", "price", "list_price", "cost")
    raw["users"] = raw["users"].select("user_id")
    (tmp_path / "shop").mkdir()
    for name, table in raw.items():
        table.write_parquet(tmp_path / "shop" / f"{name}.parquet")
    return tmp_path / "shop"


def add(path, **columns):
    """Add columns to a table; each is a function of the row's number."""
    table = pl.read_parquet(path)
    values = {name: pl.Series([value(row) for row in range(table.height)]) for name, value in columns.items()}
    table.with_columns(**values).write_parquet(path)


def test_every_kind_of_attribute_is_used_or_said_to_teach_nothing(gpu_pricer, shop, tmp_path):
    add(
        shop / "products.parquet",
        brand=lambda row: ["A", "B"][row % 2],
        aisle=lambda row: row % 3,
        organic=lambda row: row % 2 == 0,
        tested=lambda row: date(2020, 1, 1 + row),
        embedding=lambda row: [float(row), float(row % 2)],
        grams=lambda row: 100 + 7 * row,
        title=lambda row: f"Tea No. {row}",
        country=lambda row: "DE",
        volume=lambda row: 1.5,
        colour=lambda row: None,
        **dict.fromkeys(["rows", "median", "first", "category", "word"], lambda row: ["A", "B"][row % 2]),
    )
    add(shop / "users.parquet", income=lambda row: 20_000 + 13 * row, town=lambda row: ["Ulm", "Bonn"][row % 2])

    ended = gpu_pricer("run", *LEARN, "run.steps=[prepare,train,score,evaluate,publish]")

    assert (ended.status, ended.said) == (0, [])
    said = [re.search(r"attributes of (\w+) that carry no information: (.*)", line) for line in ended.log]
    assert {found[1]: re.findall(r"(?:^|; )(\w+) \(", found[2]) for found in said if found} == {
        "users": ["income"], "products": ["colour", "country", "grams", "title", "volume"],
    }  # fmt: skip
    assert sum(found is not None for found in said) == 2
    network = json.loads((tmp_path / "work/demand/network/network.json").read_text())
    product, user = (
        {kind: {given_name(name): known for name, known in encoded.items()} for kind, encoded in network[of].items()}
        for of in ("product_vocabulary", "user_vocabulary")
    )
    assert product["words"]["aisle"] == ["0", "1", "2"]
    assert product["words"]["organic"] == ["false", "true"]
    assert user["words"]["town"] == ["Bonn", "Ulm"]
    assert all(product["words"][name] == ["A", "B"] for name in ("rows", "median", "first", "category", "word"))
    rows = np.arange(8)
    assert product["scales"]["embedding"]["centre"] == pytest.approx([rows.mean(), 0.5])
    assert product["scales"]["tested"]["spread"] == pytest.approx([rows.std() * 86_400])
    offers = pl.read_parquet("shop/transactions.parquet").head(5).with_row_index("occasion_id")
    offers.write_parquet("offers.parquet")
    for asked in (
        ("predict", "paths.catalog=shop/products.parquet", "predict.offers=offers.parquet", "predict.out=out.parquet"),
        ("assign", "assign.users=shop/users.parquet", "assign.out=users.parquet"),
    ):
        assert gpu_pricer(*asked).said == []


@pytest.mark.parametrize(
    ("table", "column", "value", "found"),
    [
        ("products", "tags", lambda row: ["tea"] * (1 + row % 3), r"found List\(String\): give every row as many"),
        ("products", "sizes", lambda row: [1.0] * (1 + row % 3), "found lists of 1 to 3: give every row as many"),
        ("users", "address", lambda row: {"town": "Ulm"}, r"found Struct\(.*\): write its fields as columns"),
    ],
)
def test_attribute_that_no_encoder_takes_is_refused_before_anything_is_written(
    refused, shop, table, column, value, found
):
    add(shop / f"{table}.parquet", **{column: value})

    said = refused("prepare", "data=parquet", "data.path=shop")

    assert said.startswith(f"shop/{table}.parquet: the attribute {column} must be text, a number, a date or a list")
    assert re.search(found, said)
