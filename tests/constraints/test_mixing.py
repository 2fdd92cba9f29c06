"""Mixtures of two dual iterates, by categories."""

from itertools import product

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gpu_pricer.constraints.mixing import CategoryTotals, mix


@given(st.integers(0, 10**6), st.integers(1, 2))
def test_mixtures_meet_the_limits_and_lose_little_more_than_the_best_choice(seed, limits):
    rng = np.random.default_rng(seed)
    loss, gain = rng.uniform(0, 1, 8), rng.uniform(0, 1, (8, limits))
    best = CategoryTotals(np.ones(8), np.zeros((8, limits)))
    feasible = CategoryTotals(1 - loss, gain)
    required = gain.sum(axis=0) * rng.uniform(0.1, 0.9)

    taken = mix(best, feasible, required)

    choices = np.array(list(product([False, True], repeat=8)))
    least = min(loss[choice].sum() for choice in choices if (gain[choice].sum(axis=0) >= required).all())
    assert (gain[taken].sum(axis=0) >= required).all()
    assert loss[taken].sum() <= least + limits * loss.max() + 1e-9


def test_where_no_mixture_meets_the_limits_every_category_takes_the_feasible_iterate():
    best, feasible = CategoryTotals(np.ones(3), np.zeros((3, 1))), CategoryTotals(np.ones(3), np.ones((3, 1)))

    assert mix(best, feasible, np.array([4.0])).all()
