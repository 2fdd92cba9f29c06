"""Offers and their history: every product of the shelf, weights of sampled occasions, and only earlier periods."""

from datetime import date, timedelta

import polars as pl
import pytest

from gpu_pricer.evaluation.held_out.offers import Log, describe_offers, offers_of, reference_prices

WEEKS = [date(2025, 1, 6) + timedelta(weeks=week) for week in range(4)]


@pytest.fixture
def log() -> Log:
    """User 1 buys a in weeks 0 and 2 and b in week 2; user 2 comes in week 3 only and buys nothing."""
    shelf = pl.DataFrame(
        {"period": [week for week in WEEKS for _ in "ab"], "product_id": ["a", "b"] * 4, "category_id": "c"}
    ).with_columns(price=pl.Series([1.0, 2.0, 1.0, 2.0, 3.0, 2.0, 9.0, 2.0]), list_price=4.0, display=0.0, mailer=0.5)
    choices = pl.DataFrame(
        {
            "user_id": [1, 1, 1, 1, 1, 2],
            "period": [WEEKS[0], WEEKS[1], WEEKS[2], WEEKS[2], WEEKS[3], WEEKS[3]],
            "category_id": "c",
            "product_id": ["a", None, "a", "b", None, None],
            "outside_rate": pl.Series([0.25] * 6, dtype=pl.Float32),
        }
    )
    return Log(shelf, choices, choices.select("user_id", "period").unique())


def test_an_occasion_offers_every_product_of_the_shelf_with_the_weight_of_its_sample(log):
    offers = offers_of(log, WEEKS[1:3]).sort("period", "product_id")

    assert offers["product_id"].to_list() == ["a", "b", "a", "b"]
    assert offers["bought"].to_list() == [False, False, True, True]
    assert offers["weight"].to_list() == [4.0, 4.0, 1.0, 1.0]


def test_history_counts_only_what_was_before(log):
    rows = describe_offers(offers_of(log, WEEKS), log, reference_prices(log.shelf, WEEKS[:3]))
    of_a = rows.filter(pl.col("user_id") == 1, pl.col("product_id") == "a").sort("period")
    of_b = rows.filter(pl.col("user_id") == 1, pl.col("product_id") == "b").sort("period")

    assert of_a["visits"].to_list() == [0, 1, 2, 3]
    assert of_a["product_purchases"].to_list() == [0, 1, 1, 2]
    assert of_a["weeks_since_product"].to_list() == [None, 1, 2, 1]
    assert of_b["product_purchases"].to_list() == [0, 0, 0, 1]
    assert of_b["category_purchases"].to_list() == [0, 1, 1, 2]
    assert of_b["weeks_since_category"].to_list() == [None, 1, 2, 1]


def test_future_rows_cannot_change_past_features(log):
    past = offers_of(log, WEEKS[:3])
    reference = reference_prices(log.shelf, WEEKS[:3])
    shorter = Log(*(table.filter(pl.col("period") < WEEKS[2]) for table in (log.shelf, log.choices, log.visits)))
    first_weeks = past.filter(pl.col("period") < WEEKS[2])

    assert describe_offers(first_weeks, log, reference).equals(describe_offers(first_weeks, shorter, reference))


def test_the_reference_is_the_median_price_of_its_periods(log):
    assert dict(reference_prices(log.shelf, WEEKS[:3]).iter_rows()) == {"a": 1.0, "b": 2.0}


def test_describing_keeps_rows_and_order(log):
    shuffled = offers_of(log, WEEKS).sample(fraction=1.0, shuffle=True, seed=4)

    rows = describe_offers(shuffled, log, reference_prices(log.shelf, WEEKS))

    assert rows.select(shuffled.columns).equals(shuffled)
    assert rows["price"].null_count() == 0
