"""How the work is cut."""

import numpy as np
import pytest

from gpu_pricer.pricing.tiling import Tiling

START = np.array([0, 3, 4, 10, 12, 12 + 40])


@pytest.mark.parametrize("shards", [1, 2, 3, 8])
@pytest.mark.parametrize("cells", [1, 20, 50, 10_000])
def test_shards_and_tiles_cover_every_category_once(shards, cells):
    tiling = Tiling(layout="long", cells_per_file=cells, shards=shards, shard=None, writers=1)

    tiles = [tile for shard in tiling.own_shards for tile in tiling.tiles(shard, START, segments=4)]

    assert [category for first, last in tiles for category in range(first, last)] == list(range(5))


def test_tile_exceeds_its_budget_only_by_a_single_category():
    tiles = Tiling(layout="long", cells_per_file=40, shards=1, shard=None, writers=1).tiles(0, START, segments=4)

    assert tiles == [(0, 3), (3, 4), (4, 5)]


@pytest.mark.parametrize("shards", [1, 2, 3, 8])
def test_products_of_uneven_shards_add_up(shards):
    tiling = Tiling(layout="long", cells_per_file=20, shards=shards, shard=None, writers=1)

    ranges = [tiling.categories(shard, START) for shard in range(shards)]

    sizes = [START[end] - START[first] for first, end in ranges]
    assert sum(sizes) == START[-1]
    assert max(sizes) >= 40  # a category is in one shard


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (("tall", 1, 1, None, 1), "score.layout must be long or wide, found 'tall'"),
        ((None, 1, 1, None, 1), "score.layout must be long or wide, found None"),
        (("long", 0, 1, None, 1), "score.cells_per_file must be a whole number of at least 1, found 0"),
        (("long", 1, 1.5, None, 1), "score.shards must be a whole number of at least 1, found 1.5"),
        (("long", 1, 2, 2, 1), "score.shard must be below score.shards (2), found 2"),
        (("long", 1, 2, -1, 1), "score.shard must be a whole number of at least 0, found -1"),
        (("long", 1, 2, None, True), "score.writers must be a whole number of at least 1, found True"),
    ],
)
def test_bad_tiling_is_refused_in_one_line(settings, message):
    with pytest.raises(ValueError, match=r"^score") as error:
        Tiling(*settings)

    assert str(error.value) == message
