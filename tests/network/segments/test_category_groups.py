"""Sums over groups of categories, against the sums of all categories at once."""

import numpy as np
import pytest
import torch

from gpu_pricer.network.segments.category_groups import CategoryGroups

FOLDS, USERS = 2, 3


def grouped(score, information, groups):
    """The sums [K, U, H] when categories [K, U, G] come one after the other."""
    found = CategoryGroups(FOLDS, USERS, groups)
    for category in range(score.shape[2]):
        found.add(category, *(torch.from_numpy(values[..., category]) for values in (score, information)))
    return [values.numpy() for values in found.sums()]


@pytest.mark.parametrize("groups", [1, 2, 4, 9])
@pytest.mark.parametrize("seed", range(5))
def test_categories_that_tell_most_stand_alone_in_order(groups, seed):
    rng = np.random.default_rng(seed)
    score, information = rng.normal(size=(FOLDS, USERS, 9)), rng.exponential(size=(FOLDS, USERS, 9))
    order = np.argsort(-information.sum((0, 1)))

    found = grouped(score, information, groups)

    for sums, values in zip(found, (score, information), strict=True):
        np.testing.assert_array_equal(sums[..., :-1], values[..., order[: groups - 1]])
        np.testing.assert_allclose(sums[..., -1], values[..., order[groups - 1 :]].sum(2), rtol=1e-12)


def test_of_categories_that_tell_as_much_the_first_stand_alone():
    score, information = np.random.default_rng(0).normal(size=(FOLDS, USERS, 5)), np.ones((FOLDS, USERS, 5))

    found = grouped(score, information, 3)

    np.testing.assert_array_equal(found[0][..., :2], score[..., :2])
