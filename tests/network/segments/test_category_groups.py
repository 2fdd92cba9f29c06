"""Sums over groups of categories, against the sums of all categories at once."""

import numpy as np
import pytest
import torch

from gpu_pricer.network.segments import category_groups
from gpu_pricer.network.segments.category_groups import CategoryGroups

PARTS, USERS = 2, 3


def grouped(score, information, groups):
    """The sums [J, U, H] when categories [J, U, G] come one after the other."""
    found = CategoryGroups(PARTS, USERS, groups)
    for category in range(score.shape[2]):
        found.add(category, *(torch.from_numpy(values[..., category]) for values in (score, information)))
    return [values.numpy() for values in found.sums()]


@pytest.fixture(autouse=True)
def precise(monkeypatch):
    monkeypatch.setattr(category_groups, "PRECISION", torch.float64)


@pytest.mark.parametrize("groups", [1, 2, 4, 9])
@pytest.mark.parametrize("seed", range(5))
def test_categories_that_tell_most_stand_alone_in_order(groups, seed):
    rng = np.random.default_rng(seed)
    score, information = rng.normal(size=(PARTS, USERS, 9)), rng.exponential(size=(PARTS, USERS, 9))
    order = np.argsort(-information[-1].sum(0))

    found = grouped(score, information, groups)

    for sums, values in zip(found, (score, information), strict=True):
        np.testing.assert_array_equal(sums[..., :-1], values[..., order[: groups - 1]])
        np.testing.assert_allclose(sums[..., -1], values[..., order[groups - 1 :]].sum(2), rtol=1e-12)


def test_of_categories_that_tell_as_much_the_first_stand_alone():
    score, information = np.random.default_rng(0).normal(size=(PARTS, USERS, 5)), np.ones((PARTS, USERS, 5))

    found = grouped(score, information, 3)

    np.testing.assert_array_equal(found[0][..., :2], score[..., :2])
