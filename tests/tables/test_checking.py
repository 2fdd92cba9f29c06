"""Checking rows: nothing is lost between valid and invalid, and reports say what broke."""

import polars as pl

from gpu_pricer.tables.checking import check
from gpu_pricer.tables.schemas import Users

USERS = pl.DataFrame({"user_id": [1, None, 3, 4], "age": [30, 40, 50, 60]})


def test_rows_are_divided_without_loss():
    checked = check(USERS, Users)

    assert checked.valid["age"].to_list() == [30, 50, 60]
    assert checked.invalid["age"].to_list() == [40]


def test_invalid_rows_say_which_rule_they_break():
    checked = check(USERS, Users)

    assert checked.invalid.select("user_is_given", "user_is_unique").rows() == [("invalid", "valid")]


def test_further_rules_count_like_those_of_the_schema():
    checked = check(USERS, Users, {"user_is_young": pl.col("age") < 45})

    assert checked.broken == {"user_is_given": 1, "user_is_young": 2}


def test_a_further_rule_does_not_stay_with_the_schema():
    check(USERS, Users, {"user_is_young": pl.col("age") < 45})

    assert check(USERS, Users).broken == {"user_is_given": 1}


def test_report_shows_no_column_that_no_rule_knows():
    users = pl.DataFrame({"email": ["a@x", "b@x"], "user_id": [7, 7], "age_band": ["old", "old"], "since": [1, 2]})

    report = check(users, Users, {"since_is_later": pl.col("since") > 0}).report()

    assert report == "breaks user_is_unique in 2 rows, such as (user_id=7, since=1), (user_id=7, since=2)"


def test_report_names_rule_count_and_three_examples():
    report = check(pl.DataFrame({"user_id": [7] * 5}), Users).report()

    assert report == "breaks user_is_unique in 5 rows, such as (user_id=7), (user_id=7), (user_id=7)"
