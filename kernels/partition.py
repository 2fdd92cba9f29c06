"""How the items of a tile, its categories times their segments or blocks of segments, are shared out to CPU workers."""

import numpy as np

ITEM_COST = 4
"""What an item costs beyond its category's products, in products."""


def worker_edges(category_cost: np.ndarray, items_per_category: int, workers: int) -> np.ndarray:
    """Return int64 [T + 1]: worker t does the items edges[t] to edges[t + 1] - 1, and all workers do about equal work.

    Item i is part i % items_per_category of category i // items_per_category and costs category_cost[category], of
    int [G]. T is at most `workers` and at most the number of items, and at least 1. The edges decide who computes an
    item, never its result.
    """
    done = np.cumsum(np.repeat(category_cost, items_per_category))
    count = max(min(workers, len(done)), 1)
    shares = np.arange(1, count) * done[-1] / count if len(done) else np.empty(0)
    return np.concatenate([[0], np.searchsorted(done, shares, "right"), [len(done)]]).astype(np.int64)
