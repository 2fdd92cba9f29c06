"""Short ids: they sort as their texts do, and come back as what they were."""

import polars as pl

from gpu_pricer.data.raw.short_ids import with_ids_as_given, with_ordered_ids, with_short_ids

LINES = pl.DataFrame({"user_id": ["b", "ä", None, "B"], "product_id": ["10", "9", "9", "1"], "price": [1.0, 2, 3, 4]})
PRODUCTS = pl.DataFrame({"product_id": ["9", "10", "1", "2"], "brand": ["x", "y", "x", None]})


def shortened(**tables):
    return with_ordered_ids({name: with_short_ids(table.lazy()).collect() for name, table in tables.items()})


def test_short_ids_sort_as_their_texts():
    short = shortened(lines=LINES, products=PRODUCTS)["lines"]

    assert with_ids_as_given(short.sort("user_id", "product_id")).equals(LINES.sort("user_id", "product_id"))


def test_tables_share_the_type_of_an_id():
    short = shortened(lines=LINES, products=PRODUCTS)

    assert short["lines"].schema["product_id"] == short["products"].schema["product_id"]
    assert short["lines"].join(short["products"], on="product_id").height == LINES.height


def test_ids_come_back_as_they_were_given():
    assert with_ids_as_given(shortened(lines=LINES)["lines"]).equals(LINES)


def test_integers_stay_integers():
    numbers = LINES.with_columns(pl.Series("user_id", [1, 2, 3, None], pl.UInt16))

    assert shortened(lines=numbers)["lines"].schema["user_id"] == pl.UInt16


def test_short_id_takes_four_bytes_at_most():
    many = pl.DataFrame({"user_id": ["somebody whose id is long"] * 10_000, "product_id": ["p"] * 10_000})

    short = shortened(lines=many)["lines"].select(pl.all().to_physical())

    assert short.estimated_size() <= 2 * 4 * 10_000
