"""Sales are old where the last of them lie more than two periods before the day on which prices are set."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from gpu_pricer.tables.artefact import sales_age
from tests.markets import small_artefact

INFO = replace(small_artefact(1, segments=1, products=1, categories=1).info, pricing_period="2026-01-05", period_days=7)
END = date(2026, 1, 4)


def test_sales_of_a_period_that_has_begun_are_the_last_ones():
    age = sales_age(replace(INFO, sales_end="2026-01-08"), date(2026, 1, 22))

    assert (age.end, age.days, age.warning) == (date(2026, 1, 8), 14, None)


@pytest.mark.parametrize(("days", "is_old"), [(-30, False), (1, False), (14, False), (15, True), (331, True)])
def test_sales_are_old_from_the_third_period_after_them(days, is_old):
    age = sales_age(INFO, END + timedelta(days=days))

    assert (age.end, age.days) == (END, days)
    assert (age.warning is not None) == is_old
    assert not is_old or f"the last sales are of 2026-01-04, {days} days before {age.day}, the day" in age.warning
