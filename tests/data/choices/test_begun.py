"""What the first days of a period show of it: against counting by hand, and how a period that has begun is told."""

import polars as pl
import pytest

from gpu_pricer.data.choices.begun import begun_rates, unscaled
from gpu_pricer.data.choices.choices import occasion_sums, purchases_on_shelf, visits_of
from gpu_pricer.data.choices.period_log import period_log

LITTLE = 1e-9
"""Of shrinkage: every category stands for itself."""


def shelf_of(weeks):
    """Products 10 and 11 of category A and 20 of B in every week."""
    products = pl.DataFrame({"product_id": [10, 11, 20], "category_id": ["A", "A", "B"]})
    return products.join(pl.DataFrame({"period": weeks}), how="cross")


def log_of(sales, shelf):
    return occasion_sums(purchases_on_shelf(sales, shelf)), visits_of(sales)


@pytest.fixture
def week_by_user(lines, weeks):
    """In two weeks users 1 to 8 buy A on Monday; 1 to 4 also buy B on Friday, and user 1 two more of A."""
    rows = [{"user_id": user, "week": week} for week in range(2) for user in range(1, 9)]
    rows += [{"user_id": user, "week": w, "product_id": 20, "day": 4} for w in range(2) for user in range(1, 5)]
    rows += [{"user_id": 1, "week": w, "day": 4, "quantity": 2.0} for w in range(2)]
    rows += [{"user_id": 9, "week": w, "product_id": 20} for w in range(2)]
    sales = lines(*rows)
    return sales, sales.filter(pl.col("time").dt.weekday() == 1), shelf_of(weeks(2))


def test_odds_and_units_of_first_days_are_those_of_counting(week_by_user):
    sales, first, shelf = week_by_user

    found = begun_rates(log_of(sales, shelf), log_of(first, shelf), shelf, LITTLE)

    # of nine visits eight buy A, in the week and on Monday; five buy B in the week and one on Monday
    assert found["category_id"].to_list() == ["A", "B"]
    assert found["odds"].to_list() == pytest.approx([1.0, (1 / 8) / (5 / 4)])
    assert found["units"].to_list() == pytest.approx([8 / 10, 1.0])


def test_small_categories_follow_all_of_them(week_by_user):
    sales, first, shelf = week_by_user

    found = begun_rates(log_of(sales, shelf), log_of(first, shelf), shelf, 1e9)

    common = (16 + 2) / (16 + 10)
    of_rate = [common * (1 - rate) / (1 - common * rate) for rate in (8 / 9, 5 / 9)]
    assert found["odds"].to_list() == pytest.approx(of_rate)
    assert found["units"].to_list() == pytest.approx([(16 + 2) / (16 * 10 / 8 + 2)] * 2)


def test_a_category_that_every_visit_buys_has_the_same_odds_in_a_part_of_a_period(lines, weeks):
    sales = lines(*({"user_id": user, "week": week, "day": user % 3} for week in range(2) for user in range(9)))
    shelf = shelf_of(weeks(2)).filter(pl.col("category_id") == "A")
    first = sales.filter(pl.col("time").dt.weekday() == 1)

    found = begun_rates(log_of(sales, shelf), log_of(first, shelf), shelf, 20.0)

    assert found["odds"].to_list() == pytest.approx([1.0])


def test_first_days_on_which_nobody_ever_bought_say_nothing(week_by_user):
    sales, first, shelf = week_by_user

    assert begun_rates(log_of(sales, shelf), log_of(first.clear(), shelf), shelf, 20.0) is None


def test_first_days_of_a_period_are_so_many_from_its_first(lines, weeks):
    sales = lines(*({"user_id": day, "day": day} for day in range(7)), {"user_id": 9, "week": 1, "day": 2})
    shelf = shelf_of(weeks(2)).sort("period")

    first = period_log(sales, shelf, shelf.select("product_id", "category_id"), weeks(2), is_offers=False).first_days(3)

    assert [part["user_id"].to_list() for part in first.lines.values()] == [[0, 1, 2], [9]]


def test_an_occasion_of_an_offers_table_is_whole_by_itself():
    found = unscaled(pl.Series(["B", "A", "A"]))

    assert found.rows() == [("A", 1.0, 1.0), ("B", 1.0, 1.0)]
