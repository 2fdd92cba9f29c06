"""Slips are set aside; many lines at once are in another unit or format, and a night without them would look like lost
demand.
"""

import pytest

from tests.jobs.conftest import ANSWER, LINES, PREPARE


def cents(lines):
    """Prices of which those of some lines are in cents."""
    return [f"{100 * price}" if line in lines else f"{price}" for line, price in enumerate(LINES["price"])]


@pytest.fixture
def prepared(gpu_pricer, own_files):
    """prepared(*overrides, column=cells) is what `prepare` ends with after a night in which cells are these."""
    own_files()
    assert gpu_pricer("inspect", "shop", ANSWER).status == 0

    def night(*overrides, **columns):
        own_files(**columns)
        return gpu_pricer(*PREPARE, *overrides)

    return night


def test_a_log_of_which_a_part_is_in_another_currency_unit_is_refused(prepared):
    ended = prepared(price=cents(range(13)))

    assert ended.status == 2
    said = ended.said[0]
    assert "no more than 10% of the lines of " in said
    assert "may be outliers or unreadable (data.most_implausible), found 13 of 120; it breaks price_is_near" in said
    assert said.endswith("unit or currency and mend them, or set data.most_implausible=0.11")
    assert prepared("data.most_implausible=0.11", price=cents(range(13))).status == 0
    assert prepared(price=cents(range(12))).status == 0


def test_a_till_that_has_changed_lately_is_no_loss_of_demand(prepared):
    ended = prepared(price=cents(range(116, 120)))

    assert ended.status == 2
    assert "no more than 10% of the lines of the last 7 days of " in ended.said[0]
    assert "found 4 of 10; it breaks price_is_near_the_median in 4 rows" in ended.said[0]
    assert prepared("data.most_implausible=0.4", price=cents(range(116, 120))).status == 0
    assert prepared(price=cents(range(117, 120))).status == 0


def test_a_shop_whose_only_till_has_changed_is_no_shop_that_closed(prepared):
    ended = prepared(price=cents(range(110, 120)))

    assert ended.status == 2
    assert "found 10 of 10; it breaks price_is_near_the_median in 10 rows" in ended.said[0]


def test_large_quantities_may_be_right(prepared):
    assert prepared(qty=[200 if line < 20 else 1 for line in range(LINES.height)]).status == 0


def test_a_wrong_time_of_a_single_line_does_not_move_the_last_period(prepared):
    days = [*LINES["sold_at"][:119], "2199-01-01"]

    assert prepared(sold_at=days, price=cents(range(116, 119))).status == 0
    assert prepared(sold_at=days, price=cents(range(115, 119))).status == 2


def test_lines_from_before_the_last_period_do_not_count_as_recent(prepared):
    assert prepared(price=cents(range(106, 110))).status == 0


def test_a_format_of_dates_that_changes_in_the_log_is_refused(prepared):
    days = [f"{day[8:]}.{day[5:7]}.{day[:4]}" if line < 20 else day for line, day in enumerate(LINES["sold_at"])]

    ended = prepared(sold_at=days)

    assert ended.status == 2
    assert (
        "found 20 of 120; it breaks cells_are_readable in 20 rows, such as line 2 sold_at='06.01.2025'" in ended.said[0]
    )


def test_lately_another_decimal_sign_is_no_loss_of_demand(prepared):
    """The lines' prices cannot be read, but their days can."""

    def commas(first):
        return [str(price).replace(".", "," if line >= first else ".") for line, price in enumerate(LINES["price"])]

    ended = prepared(price=commas(116))

    assert ended.status == 2
    assert "no more than 10% of the lines of the last 7 days of " in ended.said[0]
    assert "found 4 of 10; it breaks cells_are_readable in 4 rows, such as line 118 price=" in ended.said[0]
    assert prepared(price=commas(117)).status == 0
