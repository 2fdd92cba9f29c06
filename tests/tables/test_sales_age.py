"""Sales are old where the last of them lie more than a week or a period before the day on which prices are set."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from gpu_pricer.tables.artefact import sales_age
from tests.markets import small_artefact

INFO = replace(small_artefact(1, segments=1, products=1, categories=1).info, pricing_period="2026-01-05", period_days=7)
END = date(2026, 1, 4)


def test_sales_of_a_period_that_has_begun_are_the_last_ones():
    age = sales_age(replace(INFO, sales_end="2026-01-08"), date(2026, 1, 15))

    assert (age.end, age.days, age.warning) == (date(2026, 1, 8), 7, None)


@pytest.mark.parametrize(("days", "is_old"), [(-30, False), (1, False), (7, False), (8, True), (331, True)])
def test_sales_are_old_from_the_second_week_after_them(days, is_old):
    age = sales_age(INFO, END + timedelta(days=days))

    assert (age.end, age.days) == (END, days)
    assert (age.warning is not None) == is_old
    assert not is_old or f"the last sales are of 2026-01-04, {days} days before {age.day}, the day" in age.warning


@pytest.mark.parametrize(("period_days", "most"), [(1, 2), (2, 4), (7, 7), (28, 28)])
def test_short_periods_make_sales_old_sooner_and_long_ones_later(period_days, most):
    info = replace(INFO, period_days=period_days)

    found = [sales_age(info, END + timedelta(days=days)).warning for days in (most, most + 1)]

    assert found[0] is None
    assert f"(more than {most} days)" in found[1]
