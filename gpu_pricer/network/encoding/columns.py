"""Columns of a table as tensors."""

import numpy as np
import polars as pl
import torch
from torch import Tensor

from gpu_pricer.network.encoding.context_scale import ContextScale


def to_tensor(column: pl.Series, dtype: torch.dtype = torch.int64) -> Tensor:
    """Return a copy of a column without nulls, [n]."""
    return torch.from_numpy(column.to_numpy().copy()).to(dtype)


def context_tensor(rows: pl.DataFrame, scale: ContextScale) -> Tensor:
    """Return the scaled context of R rows in the order of the scale's names, float32 [R, C]."""
    return torch.from_numpy(rows.select(pl.col(scale.names).cast(pl.Float32)).to_numpy().copy())


def starts(choice_set: pl.Series) -> np.ndarray:
    """Return where each run of equal numbers in an ascending column of R rows starts, and R, [G + 1]."""
    is_start = np.diff(choice_set.to_numpy(), prepend=-1) != 0
    return np.append(np.flatnonzero(is_start), len(choice_set))


def first_periods(shelf: pl.DataFrame, products: int, periods: int) -> Tensor:
    """Return the first period on the shelf (product, period_index) of each product, `periods` if there is none, [P]."""
    first = shelf.group_by("product").agg(pl.col("period_index").min())
    found = torch.full((products,), periods)
    found[to_tensor(first["product"])] = to_tensor(first["period_index"])
    return found
