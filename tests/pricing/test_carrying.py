"""Which files stay: none with a touched category, and every category ends in one file."""

import numpy as np
import pytest

from gpu_pricer.pricing.carrying import plan_files

FILES = {"f0": {"a", "b"}, "f1": {"c", "d"}, "f2": {"e"}}


def plan(touched, categories="abcde", size=2, products=4):
    return plan_files(FILES, {*touched}, [*categories], size * np.arange(len(categories) + 1), products)


def test_file_without_a_touched_category_is_carried():
    found = plan("d")

    assert (found.carried, found.tiles, found.order) == (["f0", "f2"], [(2, 4)], [0, 2, 1])


def test_new_category_between_carried_files_has_a_file_of_its_own():
    found = plan("", categories="abxcde")

    assert (found.carried, found.tiles, found.order) == (["f0", "f1", "f2"], [(2, 3)], [0, 3, 1, 2])


def test_file_whose_categories_are_gone_leaves_none():
    found = plan("cd", categories="abe")

    assert (found.carried, found.tiles) == (["f0", "f2"], [])


@pytest.mark.parametrize("seed", range(20))
def test_every_category_is_in_one_file_and_no_new_file_is_too_large(seed):
    rng = np.random.default_rng(seed)
    touched = {*rng.choice([*"abcdexyz"], rng.integers(0, 5), replace=False)}
    gone = touched & {*"abcde"} if rng.random() < 0.3 else set()
    categories = sorted(({*"abcde"} | (touched & {*"xyz"})) - gone)

    found = plan(touched, categories)

    held = [*(name for file in found.carried for name in FILES[file])]
    held += [name for first, last in found.tiles for name in categories[first:last]]
    assert sorted(held) == categories
    assert not {name for file in found.carried for name in FILES[file]} & touched
    assert all(last - first <= 2 for first, last in found.tiles)
    assert sorted(found.order) == [*range(len(found.carried) + len(found.tiles))]
