"""How the price table is laid out, and how its categories are divided into tiles, files and shards."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from gpu_pricer.checks import require_flag, require_integer
from gpu_pricer.tables.price_table import DETAILS, LAYOUTS


@dataclass(frozen=True)
class Tiling:
    """The settings of conf/score.

    layout: the columns of a row, one of LAYOUTS; cells_per_file: the most cells (products × segments) of a tile, which
    only a tile of a single category exceeds; shards: the number of contiguous ranges into which the categories are
    divided; shard: the range that this process writes, null for all; writers: threads that write files; details:
    further columns of the long layout, names from DETAILS; leave_one_out: whether to compute what each rule costs,
    which takes one more pass over all cells per rule.
    """

    layout: str
    cells_per_file: int
    shards: int
    shard: int | None
    writers: int
    details: Sequence[str] = ()
    leave_one_out: bool = False

    def __post_init__(self) -> None:
        is_list = isinstance(self.details, Sequence) and not isinstance(self.details, str)
        if not is_list or not set(self.details) <= set(DETAILS):
            raise ValueError(f"score.details must be a list of {', '.join(DETAILS)}, found {self.details!r}")
        if self.details and self.layout == "wide":
            raise ValueError(f"score.details needs score.layout long, found wide with {self.details!r}")
        require_flag("score.leave_one_out", self.leave_one_out)
        if self.layout not in LAYOUTS:
            raise ValueError(f"score.layout must be {' or '.join(LAYOUTS)}, found {self.layout!r}")
        for name in ("cells_per_file", "shards", "writers"):
            require_integer(f"score.{name}", getattr(self, name), 1)
        if self.shard is not None:
            require_integer("score.shard", self.shard, 0)
        if self.shard is not None and self.shard >= self.shards:
            raise ValueError(f"score.shard must be below score.shards ({self.shards}), found {self.shard}")

    @property
    def own_shards(self) -> list[int]:
        """Return the shards that this process writes."""
        return list(range(self.shards)) if self.shard is None else [self.shard]

    def all_tiles(self, category_start: np.ndarray, segments: int) -> Iterator[tuple[int, int]]:
        """Yield the ranges of categories of the tiles of every shard; see `tiles`."""
        for shard in range(self.shards):
            yield from self.tiles(shard, category_start, segments)

    def tiles(self, shard: int, category_start: np.ndarray, segments: int) -> list[tuple[int, int]]:
        """Return the ranges of categories of a shard's tiles: pairs of the first category and the one after the last.

        category_start int64 [G + 1]: the first product of each category. Shards have about equally many products.
        """
        first, end = self.categories(shard, category_start)
        starts = category_start[first : end + 1]
        return [(first + a, first + b) for a, b in tiles_of(starts, self.cells_per_file // segments)]

    def categories(self, shard: int, category_start: np.ndarray) -> tuple[int, int]:
        """Return the first category of a shard and the one after the last; category_start as in `tiles`."""
        products = int(category_start[-1])
        edges = np.searchsorted(category_start, products * np.arange(self.shards + 1) // self.shards)
        return int(edges[shard]), int(edges[shard + 1])


def ranges_of(is_chosen: np.ndarray) -> list[tuple[int, int]]:
    """Return the runs of neighbours that are chosen, bool [G]: pairs of the first one and the one after the last."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], is_chosen, [False]]).astype(np.int8)))
    return [(int(first), int(end)) for first, end in edges.reshape(-1, 2)]


def tiles_of(category_start: np.ndarray, products: int) -> list[tuple[int, int]]:
    """Return ranges of categories: pairs of the first category and the one after the last.

    A range has at most `products` products, or is a single larger category. category_start int64 [G + 1].
    """
    tiles, first, end = [], 0, len(category_start) - 1
    while first < end:
        most = category_start[first] + max(products, 1)
        last = max(int(np.searchsorted(category_start, most, "right")) - 1, first + 1)
        tiles.append((first, min(last, end)))
        first = tiles[-1][1]
    return tiles
