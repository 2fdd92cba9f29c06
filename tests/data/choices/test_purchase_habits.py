"""Habits against a count of each user's visits one by one."""

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_pricer.data.choices.purchase_habits import VisitsByUser


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 6), st.integers(1, 7), st.integers(0, 2**32 - 1))
def test_habits_are_those_of_the_visits_after_a_purchase(users, periods, seed):
    rng = np.random.default_rng(seed)
    came = rng.random((periods, users)) < 0.7
    period, user = came.nonzero()
    bought = np.flatnonzero(rng.random(len(user)) < 0.4)

    found = VisitsByUser.of(pl.DataFrame({"user_id": user * 7 % 5 * 10 + user, "period": period})).habits(bought)

    expected = {}
    for row in range(len(user)):
        before = [other for other in range(row) if user[other] == user[row]]
        purchases = len({*before} & {*bought})
        if purchases:
            expected[row] = (np.float32(purchases / (len(before) + 1)), row in bought)
    assert dict(zip(found.rows.tolist(), zip(found.share, found.is_buying, strict=True), strict=True)) == expected
