"""The columns of price groups: groups that saw like prices in a period share one.

A shop that publishes prices by segment has as many price lists in every period as it has segments, and the time and
memory of the fit grow with the number of columns. But prices of segments differ along few directions: of the 24 price
lists of a synthetic market under the default policy, four clusters keep .87 of the variance between lists.

Users of a column count as if all of them had seen the mean price of its visits. Over all users of the column, the
distance of the seen price from this mean is Berkson's error (1950), which leaves the slope of a linear predictor
unbiased. The same holds in a segment with users of many groups. A segment that is one group is biased where this
distance moves with the price: if the group always pays 3 % more than its column, its sensitivities are 3 % too high.
"""

import logging

import numpy as np
import polars as pl
import torch
from scipy.cluster.hierarchy import cut_tree, linkage
from scipy.spatial.distance import pdist
from torch import Tensor

from gpu_pricer.network.response.grid.grid_columns import GridColumns
from gpu_pricer.tables.schemas import PRICE_GROUP

log = logging.getLogger(__name__)

MOST_CLUSTERS = 4  # of the price lists of a period
NO_VISITS = 1e-9  # weight of a group without visits in the mean of its cluster


def columns_of_groups(own: pl.DataFrame, sold: np.ndarray, periods: int) -> GridColumns:
    """Return the columns of the periods, and in each those of its price groups.

    own: product, index (of the period), price_group and apart, by how much of the reference price the group's price
    differs from the usual one, where it does. sold [P]: by which products count where price lists are compared.
    """
    cluster = np.zeros((periods, int(own[PRICE_GROUP].to_numpy().max()) + 1), np.int64)  # 0: the usual prices
    lists = 0
    for (index,), part in own.group_by("index"):
        groups, row = np.unique(part[PRICE_GROUP].to_numpy(), return_inverse=True)
        apart = np.zeros((len(groups), len(sold)))
        apart[row, part["product"].to_numpy()] = part["apart"].to_numpy()
        cluster[index, groups] = price_clusters(apart * np.sqrt(sold))
        lists += len(groups)
    columns = GridColumns.of_clusters(torch.from_numpy(cluster))
    kept = columns.count - periods
    if kept < lists:
        log.info(
            "price groups saw %d price lists in %d periods: the fit merges like ones into %d at their mean prices",
            lists, int((cluster > 0).any(axis=1).sum()), kept,
        )  # fmt: skip
    return columns


def price_clusters(lists: np.ndarray) -> np.ndarray:
    """Return the clusters of price lists [n, P], numbered from 1, by Ward's method (1963).

    Each list is a cluster of its own where there are at most MOST_CLUSTERS different ones; else there are so many.
    """
    if len(lists) == 1:
        return np.ones(1, np.int64)
    different = len(np.unique(lists, axis=0))
    # SciPy takes lists that could be distances, such as [[0, .1], [.1, 0]], for a mistake: so it gets distances.
    return cut_tree(linkage(pdist(lists), "ward"), min(different, MOST_CLUSTERS))[:, 0] + 1


def mean_apart(own: pl.DataFrame, columns: GridColumns, visits: pl.DataFrame, products: int) -> Tensor:
    """Return by how much the mean price of the visits of each column differs from the usual price, [P, W].

    own: as columns_of_groups takes it. visits: index and price_group of every visit.
    """
    keys = ["index", PRICE_GROUP]
    pairs = own.select(keys).unique().join(visits.group_by(keys).len("visits"), on=keys, how="left")
    column = columns.find(*pairs.select(keys).cast(pl.Int64).to_torch().T)
    weight = pl.col("visits").fill_null(0) + NO_VISITS
    pairs = pairs.with_columns(column=column.numpy()).with_columns(share=weight / weight.sum().over("column"))
    mean = own.join(pairs, on=keys).group_by("product", "column").agg((pl.col("share") * pl.col("apart")).sum())
    apart = torch.zeros(products, columns.count, dtype=torch.float64)
    apart[tuple(mean.select("product", "column").cast(pl.Int64).to_torch().T)] = mean["share"].to_torch()
    return apart
