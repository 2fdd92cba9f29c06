"""Attribute columns of products or users as tensors: codes for words, standardised numbers for numbers."""

from dataclasses import dataclass

import numpy as np
import polars as pl
import torch
from torch import Tensor

UNKNOWN = 0


@dataclass(frozen=True)
class Attributes:
    """Attributes of N rows.

    codes [N, A] int64, 0 where the value is missing or rare; sizes: number of codes of each of the A columns;
    numbers [N, F] float32, standardised, 0 where missing.
    """

    codes: Tensor
    sizes: tuple[int, ...]
    numbers: Tensor


def encode_attributes(table: pl.DataFrame, columns: list[str], min_count: int) -> Attributes:
    """Encode the named columns; a word that fewer than min_count rows carry counts as unknown.

    Text, enum, boolean and whole-number id columns become codes; floats and fixed-size arrays become numbers.
    """
    codes, sizes, numbers = [], [], []
    for name in columns:
        column = table[name]
        if isinstance(column.dtype, pl.Array):
            numbers.append(_standardise(column.to_numpy().reshape(table.height, -1)))
        elif column.dtype.is_float() or column.dtype.is_decimal():
            numbers.append(_standardise(column.cast(pl.Float64).to_numpy()[:, None]))
        else:
            column_codes = _encode(column.cast(pl.String), min_count)
            codes.append(column_codes)
            sizes.append(int(column_codes.max(initial=UNKNOWN)) + 1)
    rows = table.height
    return Attributes(
        codes=torch.from_numpy(np.stack(codes, axis=1) if codes else np.zeros((rows, 0), np.int64)),
        sizes=tuple(sizes),
        numbers=torch.from_numpy(np.concatenate(numbers, axis=1) if numbers else np.zeros((rows, 0), np.float32)),
    )


def _encode(column: pl.Series, min_count: int) -> np.ndarray:
    """Codes by sorted value, so that they do not depend on the row order."""
    frequent = (
        column.drop_nulls().value_counts(name="rows").filter(pl.col("rows") >= min_count).get_column(column.name).sort()
    )
    codes = pl.DataFrame({column.name: frequent}).with_row_index("code", offset=UNKNOWN + 1)
    joined = column.to_frame().join(codes, on=column.name, how="left", maintain_order="left")
    return joined["code"].fill_null(UNKNOWN).cast(pl.Int64).to_numpy()


def _standardise(values: np.ndarray) -> np.ndarray:
    """Mean 0 and variance 1 by column; a missing value becomes the mean, a constant column 0."""
    values = values.astype(np.float64)
    known = np.isfinite(values)
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, values, 0.0).sum(axis=0) / count
    spread = np.sqrt((np.where(known, values - mean, 0.0) ** 2).sum(axis=0) / count)
    scaled = np.where(known, (values - mean) / np.where(spread > 0, spread, 1.0), 0.0)
    return scaled.astype(np.float32)
