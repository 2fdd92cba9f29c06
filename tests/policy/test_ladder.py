"""Ladders: which prices exist, and the nearest of them."""

import numpy as np
import pytest

from gpu_pricer.policy.ladder import Ladder

LADDERS = {
    "whole cents": (Ladder(None, None), set(range(1000))),
    "endings": (Ladder([0.99, 0.29, 0.5], None), {c for c in range(1000) if c % 100 in (29, 50, 99)}),
    "zero ending": (Ladder([0.0], None), set(range(0, 1000, 100))),
    "prices": (Ladder(None, [9.5, 1, 3.25]), {100, 325, 950}),
}


@pytest.mark.parametrize("name", LADDERS)
def test_neighbouring_rungs_are_those_a_search_finds(name):
    ladder, rungs = LADDERS[name]
    cents = np.arange(120, 900)

    above, below = ladder.at_or_above(cents), ladder.at_or_below(cents)

    assert above.tolist() == [min(r for r in rungs if r >= c) for c in cents]
    assert below.tolist() == [max(r for r in rungs if r <= c) for c in cents]


def test_explicit_list_ends_at_its_ends():
    ladder = Ladder(None, [2.0, 3.0])

    assert ladder.at_or_above(np.array([301]))[0] >= 2**24
    assert ladder.at_or_below(np.array([199]))[0] < 0


@pytest.mark.parametrize(
    ("endings", "prices", "message"),
    [
        ([0.5], [1.0], "ladder must have endings or prices, found both: set one of them to null"),
        ([], None, "ladder.endings must be a list of at least one amount, found []"),
        (0.99, None, "ladder.endings must be a list of at least one amount, found 0.99"),
        ([1.0], None, "ladder.endings must be below 1.00, found 1.0"),
        ([0.995], None, "ladder.endings must be whole cents, found 0.995"),
        (None, [0.0], "ladder.prices must be a number of at least 0.01, found 0.0"),
        (None, ["1"], "ladder.prices must be a number of at least 0.01, found '1'"),
        (None, [200_000.0], "ladder.prices must be below 167772.16, found 200000.0"),
    ],
)
def test_bad_ladder_is_refused_in_one_line(endings, prices, message):
    with pytest.raises(ValueError, match=r"^ladder") as error:
        Ladder(endings, prices)

    assert str(error.value) == message
