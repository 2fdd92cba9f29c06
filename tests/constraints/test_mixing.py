"""Categories between two answers."""

from itertools import product

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gpu_pricer.constraints.mixing import Ledger, mix


@given(st.integers(0, 10**6), st.integers(1, 2))
def test_mixtures_keep_to_the_limits_and_lose_little_more_than_the_best_choice(seed, limits):
    rng = np.random.default_rng(seed)
    loss, gain = rng.uniform(0, 1, 8), rng.uniform(0, 1, (8, limits))
    best = Ledger(np.ones(8), np.zeros((8, limits)))
    keeping = Ledger(1 - loss, gain)
    required = gain.sum(axis=0) * rng.uniform(0.1, 0.9)

    taken = mix(best, keeping, required)

    choices = np.array(list(product([False, True], repeat=8)))
    least = min(loss[choice].sum() for choice in choices if (gain[choice].sum(axis=0) >= required).all())
    assert (gain[taken].sum(axis=0) >= required).all()
    assert loss[taken].sum() <= least + limits * loss.max() + 1e-9


def test_where_no_mixture_keeps_to_the_limits_everything_goes_to_the_answer_nearest_to_them():
    best, keeping = Ledger(np.ones(3), np.zeros((3, 1))), Ledger(np.ones(3), np.ones((3, 1)))

    assert mix(best, keeping, np.array([4.0])).all()
