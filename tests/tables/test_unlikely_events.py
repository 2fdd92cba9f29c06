"""Events that are probably slips are said in a line each, and those that are likely are not."""

import polars as pl
import pytest

from gpu_pricer.tables.unlikely_events import unlikely_events

CATALOG = pl.DataFrame(
    {
        "product_id": ["p1", "p2", "p3"],
        "category_id": ["milk", "milk", None],
        "price": [6.94, 2.0, 3.0],
        "cost": [4.2, 0.0, 3.5],
    }
)
DEMANDED = pl.Series(["milk", "bread"])


def after(product, **changes):
    """The catalog after an event of one product."""
    is_changed = pl.col("product_id") == product
    return CATALOG.with_columns(
        pl.when(is_changed).then(pl.lit(value)).otherwise(name).alias(name) for name, value in changes.items()
    )


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ({"cost": 12.5, "price": 20.0}, []),
        ({"cost": 5.0}, []),
        ({"category_id": "bread"}, []),
        (
            {"cost": 42.0},
            [
                "1 products have a cost more than 3 times above or below the one before, such as p1 with a cost of "
                "42.0 instead of 4.2",
                "1 products have a cost above their price, such as p1 with a cost of 42.0 instead of 4.2 beside a "
                "price of 6.94",
            ],
        ),
        (
            {"price": 69.4},
            [
                "1 products have a price more than 3 times above or below the one before, such as p1 with a price of "
                "69.4 instead of 6.94"
            ],
        ),
        (
            {"price": 3.99},
            ["1 products have a cost above their price, such as p1 with a cost of 4.2 beside a price of 3.99"],
        ),
        (
            {"category_id": "mlik"},
            ["1 products move to a category that neither the catalog nor the demand knows, such as p1 to mlik"],
        ),
    ],
)
def test_unlikely_event_is_said_with_its_number_and_an_example(event, said):
    assert unlikely_events(CATALOG, after("p1", **event), DEMANDED) == said


def test_cost_after_none_is_far_and_what_no_event_changed_is_not_said():
    assert unlikely_events(CATALOG, CATALOG, DEMANDED) == []
    [line] = unlikely_events(CATALOG, after("p2", cost=1.0), DEMANDED)
    assert line.endswith("such as p2 with a cost of 1.0 instead of 0.0")


def test_new_product_with_a_cost_above_its_price_without_vat_is_said():
    rates = CATALOG.with_columns(vat_rate=pl.lit(0.19))
    new = pl.DataFrame({"product_id": ["p9"], "category_id": ["new"], "price": [1.19], "cost": [1.1]})

    found = unlikely_events(rates, pl.concat([rates, new.with_columns(vat_rate=pl.lit(0.19))]), DEMANDED)

    assert found == [
        "1 products have a cost above their price without VAT, such as p9 with a cost of 1.1 beside a price of 1.0 "
        "without VAT"
    ]
