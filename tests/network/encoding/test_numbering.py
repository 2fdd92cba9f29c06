"""Row numbers of the canonical tables, and what a choice says of its occasion."""

from datetime import date

import polars as pl
import pytest
import torch

from gpu_pricer.data.choices.choices import arranged, purchases_from_offers, zeros_from_offers
from gpu_pricer.errors import InputError
from gpu_pricer.network.encoding.loading import load_choice_data
from gpu_pricer.network.encoding.numbering import numbered_choices
from tests.canonical import SPLIT, write_canonical
from tests.network.small import ENCODING

MONDAY = date(2024, 1, 1)
SHELF = pl.DataFrame({
    "period": MONDAY, "product_id": [10, 11, 12], "category_id": "A", "choice_set": 0, "shelf_row": [0, 1, 2],
    "price_group": 0,
})  # fmt: skip
USERS = pl.DataFrame({"user_id": [1, 2]})


def choices_of(*offers):
    """Numbered choices of an offers table; an offer is occasion, user, product, quantity and weight."""
    schema = {"occasion_id": pl.String, "user_id": pl.Int64, "product_id": pl.Int64, "quantity": pl.Float64,
              "weight": pl.Float64}  # fmt: skip
    log = pl.DataFrame(offers, schema=schema, orient="row").with_columns(period=pl.lit(MONDAY))
    parts = purchases_from_offers(log, SHELF), zeros_from_offers(log, SHELF)
    choices = arranged(*(part.with_columns(outside_rate=pl.lit(1.0)) for part in parts))
    return numbered_choices(choices, SHELF, USERS)


def test_size_is_the_number_of_products_of_the_occasion_and_not_of_the_period():
    choices = choices_of(
        ("monday", 1, 10, 1, 1.0), ("monday", 1, 11, 2, 1.0), ("monday", 1, 12, 0, 1.0),
        ("friday", 1, 10, 1, 3.0), ("friday", 1, 12, 0, 3.0), ("sunday", 1, 12, 0, 1.0),
        ("monday", 2, 12, 1, 1.0),
    )  # fmt: skip

    found = choices.select("user_id", "product_id", "size", pl.col("weight").cast(pl.Float64)).rows()
    assert sorted(found, key=str) == sorted(
        [(1, 10, 2, 0.5), (1, 11, 2, 0.5), (1, 10, 1, 3.0), (1, None, 1, 1.0), (2, 12, 1, 1.0)], key=str
    )


def test_purchases_are_counted_as_often_as_their_occasions_weigh():
    offers = [(f"day {day}", 1, 10 + day % 3, 1, 2.0) for day in range(7)]

    choices = choices_of(*offers)

    assert choices.select((pl.col("weight") * pl.col("size")).sum()).item() == pytest.approx(2.0 * len(offers))


def test_choices_of_the_time_before_sizes_are_refused_with_the_remedy(tmp_path):
    write_canonical(tmp_path / "data", users=20, periods=10)
    file = tmp_path / "data" / "choices.parquet"
    pl.read_parquet(file).drop("size").write_parquet(file)

    with pytest.raises(InputError, match=r"choices.parquet must have the column size, found none: run `gpu-pricer"):
        load_choice_data(tmp_path / "data", ENCODING, SPLIT)


@pytest.mark.parametrize(("times", "is_kept"), [(1.0, False), (2.5, True)])
def test_weights_are_kept_only_where_some_occasion_does_not_weigh_one(tmp_path, times, is_kept):
    write_canonical(tmp_path / "data", users=20, periods=10)
    file = tmp_path / "data" / "choices.parquet"
    shared = pl.col("product_id").is_not_null()  # as if each of those who bought had bought one product more
    changed = {
        "size": pl.when(shared).then(2).otherwise("size"),
        "weight": pl.when(shared).then(times / 2).otherwise(1.0),
    }
    choices = pl.read_parquet(file)
    choices.with_columns(**changed).cast(choices.schema).write_parquet(file)

    data = load_choice_data(tmp_path / "data", ENCODING, SPLIT)

    choices, every = data.choices, torch.arange(data.choices.count)
    expected = torch.where(choices.chosen >= 0, times / 2, 1.0)
    assert torch.equal(choices.weight(every), expected)
    assert (choices.own_weight is not None) == is_kept
