"""A log that lacks sales of its last period is refused, or a missing day is said; a usual log passes in silence."""

from datetime import timedelta

import pytest

from gpu_pricer.data.completeness import (
    CompletenessRule,
    doubts_of_begun,
    doubts_of_earlier,
    doubts_of_end,
    require_complete,
)
from gpu_pricer.errors import InputError
from gpu_pricer.tables.periods import by_period
from tests.data.conftest import MONDAY

RULE = CompletenessRule(least_share=0.5, usual_of=3)


@pytest.fixture
def log_of(lines):
    """The lines by period of a log with so many lines on each day of each week: [[7 numbers], ...]."""

    def build(*weeks):
        rows = [
            {"week": week, "day": day}
            for week, days in enumerate(weeks)
            for day, n in enumerate(days)
            for _ in range(n)
        ]
        return by_period(lines(*rows))

    return build


FULL = [30, 20, 20, 20, 20, 40, 0]


@pytest.mark.parametrize(("last", "found"), [(75, None), (74, "74 of 150"), (1, "1 of 150")])
def test_a_last_week_of_less_than_half_the_usual_lines_is_refused(log_of, last, found):
    known = log_of([1000] * 7, FULL, [n + 1 for n in FULL], [n - (n > 0) for n in FULL], [last, 0, 0, 0, 0, 0, 0])

    if found is None:
        require_complete(known, RULE)
        return
    with pytest.raises(InputError) as refused:
        require_complete(known, RULE)
    assert str(refused.value) == (
        f"the last whole period, {MONDAY + timedelta(weeks=4)}, must have 50% of the usual number of sales lines, "
        f"found {found}, the median of the 3 before: bring the whole log, set data.last_period to the last whole "
        "one, or data.completeness.least_share=0 where so few are right"
    )


def test_a_day_that_usually_sells_and_has_no_line_is_a_doubt(log_of):
    assert require_complete(log_of(FULL, FULL, FULL, [70, 20, 0, 20, 35, 0, 5]), RULE) == [
        f"no sales on {MONDAY + timedelta(days=23)}, {MONDAY + timedelta(days=26)}, in the last whole period; usually "
        "there are 20, 40 lines on such a day: look whether all lines of these days are in the log"
    ]


@pytest.mark.parametrize(("own", "today", "told"), [
    ([400, 400, 400], 9, []),
    ([400, 0, 400], 9, ["no sales on 2024-01-23, in the period that has begun; usually there are 400 lines on such"]),
    ([400, 150, 400], 9, ["only 150 lines of sales on 2024-01-23, in the period that has begun; usually there are"]),
    ([400, 400, 150], 3, ["only 150 lines of sales on 2024-01-24, in the period that has begun"]),
    ([400, 400, 150], 2, []),  # the day goes on
    ([400, 400], 9, []),  # the log ends there
    ([19], 9, ["only 19 lines of sales on 2024-01-22"]),
])  # fmt: skip
def test_days_of_the_begun_week_are_compared_with_those_of_the_weeks_before(log_of, own, today, told):
    *weeks, begun = log_of(*[[400] * 7] * 3, own).values()
    lines, first = {MONDAY + timedelta(weeks=k): week for k, week in enumerate(weeks)}, MONDAY + timedelta(weeks=3)

    found = doubts_of_begun(lines, begun, first, first + timedelta(days=today), RULE)

    assert len(found) == len(told)
    assert all(doubt.startswith(said) for doubt, said in zip(found, told, strict=True))


def test_a_missing_day_explains_fewer_lines_of_the_week(log_of):
    """A quarter of the lines is missing, all of them of Tuesday; then a third of the others besides."""
    [doubt] = require_complete(log_of(*[[60, 40, 60]] * 3, [61, 0, 59]), RULE)
    of_lines, of_day = require_complete(log_of(*[[60, 40, 60]] * 3, [55, 0, 26]), RULE)

    assert doubt.startswith("no sales on 2024-01-23")
    assert of_day == doubt
    assert " has 32% fewer lines of sales than usual on its other days (81 of 120; the 3 before had at least 120)" in (
        of_lines
    )


@pytest.mark.parametrize(("usual", "found", "is_told"), [
    ([200, 200, 200], 100, False),
    ([200, 200, 200], 99, True),  # less than half
    ([200, 140, 220], 80, False),
    ([200, 140, 220], 79, True),  # twice as far below the median of 200 as 140
    ([90, 90, 90], 10, False),  # too few to tell
    ([200, 200], 99, False),
])  # fmt: skip
def test_a_day_with_less_than_half_its_lines_is_a_doubt(log_of, usual, found, is_told):
    """The other days are as usual, and of the whole week less than a tenth is missing."""
    doubts = require_complete(log_of(*([600, 600, day] for day in usual), [600, 600, found]), RULE)

    assert doubts == is_told * [
        f"only {found} lines of sales on {MONDAY + timedelta(weeks=len(usual), days=2)}, in the last whole "
        f"period; usually there are 200 on such a day, and at least {min(usual)}: look whether its file was cut off"
    ]


@pytest.mark.parametrize(("earlier", "last", "is_told"), [
    ([150, 150, 150], 135, False),
    ([150, 150, 150], 134, True),  # more than a tenth below
    ([150, 130, 160], 110, False),
    ([150, 130, 160], 109, True),  # twice as far below the median of 150 as 130
    ([150, 80, 160], 80, False),
    ([150, 150, 150], 300, False),
])  # fmt: skip
def test_fewer_lines_than_the_scatter_of_earlier_weeks_explains_are_a_doubt(log_of, earlier, last, is_told):
    doubts = require_complete(log_of(*([count // 2, count - count // 2] for count in (*earlier, last))), RULE)

    assert len(doubts) == is_told
    if is_told:
        assert (
            f" fewer lines of sales than usual ({last} of 150; the 3 before had at least {min(earlier)})" in doubts[0]
        )


@pytest.mark.parametrize("weeks", [
    [FULL],
    [FULL, FULL, FULL],
    [[19, 0, 0, 0, 0, 0, 80]] * 3 + [[0, 0, 0, 0, 0, 0, 1]],
    [[30, 20, 20, 20, 20, 40, 50], FULL, FULL, FULL],
])  # fmt: skip
def test_usual_weeks_first_weeks_and_few_lines_say_nothing(log_of, weeks):
    assert require_complete(log_of(*weeks), RULE) == []


def test_days_are_compared_with_the_same_days_of_the_weeks_before(lines):
    """With periods of a day a Sunday has a quarter of a Saturday's lines, and its usual ones."""
    rows = [{"day": day, "week": week} for week in range(3) for day in range(7) for _ in range(400 if day < 6 else 100)]
    sales = lines(*rows)
    daily = {day: part for (day,), part in sales.group_by(sales["time"].dt.date().alias("day"), maintain_order=True)}

    require_complete(daily, RULE)
    with pytest.raises(InputError, match=r"found 49 of 100, the median of the 2 before"):
        require_complete(daily | {max(daily): daily[max(daily)].head(49)}, RULE)


def test_zero_accepts_any_number(log_of):
    require_complete(log_of(FULL, [1] + [0] * 6), CompletenessRule(least_share=0, usual_of=3))


@pytest.mark.parametrize(
    ("settings", "name"), [((1.1, 8), "least_share"), ((-0.1, 8), "least_share"), ((0.5, 0), "usual_of")]
)
def test_settings_out_of_range_are_refused(settings, name):
    with pytest.raises(ValueError, match=rf"completeness\.{name} must be"):
        CompletenessRule(*settings)


@pytest.mark.parametrize(("weeks", "few"), [
    ([150, 150, 150, 150, 150], 0),
    ([150, 0, 150, 150, 150, 150], 1),
    ([150, 74, 150, 75, 150, 150], 1),
    ([0, *[150] * 9], 0),  # long ago
    ([150, 150, 150, 150, 10], 0),  # the last one is require_complete's
    ([40, 40, 1, 40, 40], 0),
    ([60, 80, 100, 150, 160, 320], 0),  # a shop that grows
])  # fmt: skip
def test_earlier_weeks_with_few_lines_are_a_doubt(log_of, weeks, few):
    lines = log_of(*([count] for count in weeks))
    known = {MONDAY + timedelta(weeks=week): lines.get(MONDAY + timedelta(weeks=week)) for week in range(len(weeks))}
    empty = next(iter(lines.values())).clear()

    rule = CompletenessRule(least_share=0.5, usual_of=8)
    doubts = doubts_of_earlier({week: empty if part is None else part for week, part in known.items()}, rule)

    assert len(doubts) == (few > 0)
    assert all(doubt.startswith(f"the period from {MONDAY + timedelta(weeks=1)} has ") for doubt in doubts)


@pytest.mark.parametrize(("passed", "day", "is_told"), [
    (5, 3, False),  # the week is not over
    (5, 7, False),  # sales of yesterday may still be on their way
    (5, 8, True),
    (5, 14, True),
    (5, 15, False),  # the age of the sales speaks for itself
])  # fmt: skip
def test_a_log_that_ends_inside_a_week_that_is_over_is_a_doubt(passed, day, is_told):
    doubts = doubts_of_end(MONDAY, passed, 7, MONDAY + timedelta(days=day))

    assert len(doubts) == is_told
    assert all("the last sales are of 2024-01-05, though their period was over before 2024-01-08" in d for d in doubts)
