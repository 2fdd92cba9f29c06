"""Which files of an earlier version stay as they are, and which ranges of categories are priced into new ones."""

from collections.abc import Mapping, Set
from typing import NamedTuple

import numpy as np

from gpu_pricer.pricing.tiling import ranges_of, tiles_of


class FilePlan(NamedTuple):
    """The files of a version in the order of their categories.

    carried: names of files of the earlier version; tiles: ranges of categories to price (the first one and the one
    after the last). order: the index of each of these, carried ones first, by their first category.
    """

    carried: list[str]
    tiles: list[tuple[int, int]]
    order: list[int]


def plan_files(
    files: Mapping[str, Set[str]], touched: Set[str], categories: list[str], category_start: np.ndarray, products: int
) -> FilePlan:
    """Return the plan: a file is carried over if none of its categories is touched.

    files: the categories of each file of the earlier version. categories [G], category_start int64 [G + 1]: those to be
    in the new version, and the first product of each. products: the most products of a new file, which only one of a
    single category exceeds.
    """
    carried = {name: inside for name, inside in files.items() if inside and not inside & touched}
    file_of = {category: name for name, inside in carried.items() for category in inside}
    is_priced = np.array([category not in file_of for category in categories], np.bool_)
    tiles = [
        (first + a, first + b)
        for first, end in ranges_of(is_priced)
        for a, b in tiles_of(category_start[first : end + 1], products)
    ]
    position: dict[str, int] = {}
    for number, category in enumerate(categories):
        if category in file_of:
            position.setdefault(file_of[category], number)
    starts = [*(position[name] for name in carried), *(first for first, _ in tiles)]
    return FilePlan([*carried], tiles, [int(index) for index in np.argsort(starts, kind="stable")])
