"""The division of a tile's items among CPU workers; an item is one category for one segment or block of segments."""

import numpy as np

ITEM_COST = 4
"""The fixed work of one item, counted in products; the work of the category's products comes on top."""


def worker_edges(category_cost: np.ndarray, items_per_category: int, workers: int) -> np.ndarray:
    """Return edges int64 [T + 1] that divide the work about equally: worker t does items edges[t] to edges[t + 1] - 1.

    Item i is part i % items_per_category of category i // items_per_category. category_cost int [G]: the work of one
    item of each category. T is at most `workers` and at most the number of items, and at least 1. The edges decide
    which worker computes an item; they do not change its result.
    """
    done = np.cumsum(np.repeat(category_cost, items_per_category))
    count = max(min(workers, len(done)), 1)
    shares = np.arange(1, count) * done[-1] / count if len(done) else np.empty(0)
    return np.concatenate([[0], np.searchsorted(done, shares, "right"), [len(done)]]).astype(np.int64)
