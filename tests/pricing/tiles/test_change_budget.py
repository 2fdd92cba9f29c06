"""A budget of changes goes to those with the most value for each cell, in whatever batches they come."""

import itertools
from fractions import Fraction

import numpy as np
import pytest

from gpu_pricer.pricing.tiles.change_budget import Changes, most_valuable


def chosen_by_hand(changes, budget):
    """Places of the changes (where, cells, value) taken one by one, dearest cell first, if they fit what is left."""
    taken, left = [], budget
    for where, cells, _ in sorted(changes, key=lambda change: (-Fraction(change[2], change[1]), change[0])):
        if cells <= left:
            taken.append(where)
            left -= cells
    return sorted(taken)


def batches_of(changes, sizes):
    """The changes cut into batches of these sizes."""
    ends = np.cumsum([0, *sizes])
    parts = [changes[first:last] for first, last in itertools.pairwise(ends)]
    columns = [np.array(part, np.int64).reshape(len(part), 3).T for part in parts]
    return [Changes(where, cells, value.astype(np.float64)) for where, cells, value in columns]


def test_value_for_each_cell_wins_over_value():
    large, small = (0, 10, 100), (1, 2, 30)

    assert most_valuable([(batches_of([large, small], [2])[0], 0)], 10).tolist() == [1]
    assert most_valuable([(batches_of([large, small], [2])[0], 0)], 12).tolist() == [0, 1]


@pytest.mark.parametrize("seed", range(6))
def test_choice_is_that_of_taking_them_one_by_one_after_what_moves_in_any_case(seed):
    rng = np.random.default_rng(seed)
    places = rng.permutation(40)
    changes = [(int(place), int(rng.integers(1, 9)), int(rng.integers(0, 60))) for place in places]
    forced = rng.integers(0, 6, 4).tolist()

    for budget in (0, 7, 20, 60, 400):
        found = most_valuable(zip(batches_of(changes, [13, 0, 20, 7]), forced, strict=True), budget)

        assert found.tolist() == chosen_by_hand(changes, max(budget - sum(forced), 0))


def test_of_changes_as_valuable_the_first_places_win():
    alike = [(5, 2, 6), (3, 1, 3), (9, 2, 6)]

    assert most_valuable([(batch, 0) for batch in batches_of(alike, [1, 2])], 3).tolist() == [3, 5]
