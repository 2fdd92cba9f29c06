"""Settings are refused in one line that says what must hold and what was found."""

import pytest

from gpu_pricer.checks import require_flag, require_integer, require_number, require_range


@pytest.mark.parametrize("value", [1, 7])
def test_whole_number_is_accepted(value):
    require_integer("count", value, 1)


@pytest.mark.parametrize("value", [0, 1.0, True, "1", None])
def test_anything_else_is_no_whole_number(value):
    with pytest.raises(ValueError, match=rf"^count must be a whole number of at least 1, found {value!r}$"):
        require_integer("count", value, 1)


@pytest.mark.parametrize("value", [0, 0.5, 1])
def test_number_may_lie_on_its_limits(value):
    require_number("rate", value, least=0, most=1)


@pytest.mark.parametrize(
    ("value", "limits", "message"),
    [
        (-1, {"least": 0}, "rate must be a number of at least 0, found -1"),
        (0, {"above": 0, "below": 1}, "rate must be a number above 0 and below 1, found 0"),
        (1, {"above": 0, "below": 1}, "rate must be a number above 0 and below 1, found 1"),
        (1.5, {"least": 0, "most": 1}, "rate must be a number of at least 0 and at most 1, found 1.5"),
        (True, {"least": 0}, "rate must be a number of at least 0, found True"),
        ("1", {"least": 0}, "rate must be a number of at least 0, found '1'"),
        (float("nan"), {}, "rate must be a number that is finite, found nan"),
        (float("inf"), {}, "rate must be a number that is finite, found inf"),
    ],
)
def test_number_outside_its_limits_is_refused(value, limits, message):
    with pytest.raises(ValueError, match=r"^rate") as error:
        require_number("rate", value, **limits)

    assert str(error.value) == message


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (0.5, "depth must be a pair [from, to], found 0.5"),
        ([0.1], "depth must be a pair [from, to], found [0.1]"),
        ([0.1, 2], "depth[1] must be a number of at least 0.1 and at most 1, found 2"),
        ([0.5, 0.1], "depth[1] must be a number of at least 0.5 and at most 1, found 0.1"),
    ],
)
def test_range_runs_from_low_to_high(value, message):
    with pytest.raises(ValueError, match=r"^depth") as error:
        require_range("depth", value, 0, 1)

    assert str(error.value) == message


def test_flag_is_true_or_false():
    require_flag("dry_run", False)
    with pytest.raises(ValueError, match=r"^dry_run must be true or false, found 0$"):
        require_flag("dry_run", 0)
