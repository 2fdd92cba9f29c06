"""Attribute columns of products or users as tensors: codes for words, standardised numbers for numbers."""

from dataclasses import dataclass

import numpy as np
import polars as pl
import torch
from torch import Tensor

UNKNOWN = 0


@dataclass(frozen=True)
class Scale:
    """Mean and standard deviation of a column of numbers, or of each entry of a column of arrays."""

    centre: list[float]
    spread: list[float]


@dataclass(frozen=True)
class Vocabulary:
    """What the attribute columns held in training: the known words by column, whose codes are 1, 2, …, and scales."""

    words: dict[str, list[str]]
    scales: dict[str, Scale]

    @property
    def columns(self) -> list[str]:
        """The attribute columns by name."""
        return [*self.words, *self.scales]


@dataclass(frozen=True)
class Attributes:
    """Attributes of N rows.

    codes [N, A] int64, 0 where the value is missing, rare or new; numbers [N, F] float32, standardised, 0 where
    missing.
    """

    codes: Tensor
    numbers: Tensor
    vocabulary: Vocabulary

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of codes of each of the A columns."""
        return tuple(len(words) + 1 for words in self.vocabulary.words.values())


def learn_vocabulary(table: pl.DataFrame, columns: list[str], min_count: int) -> Vocabulary:
    """The words and scales of the named columns; a word that fewer than min_count rows carry stays unknown.

    Text, enum, boolean and whole-number id columns hold words; floats and fixed-size arrays hold numbers.
    """
    words, scales = {}, {}
    for name in columns:
        dtype = table.schema[name]
        if isinstance(dtype, pl.Array) or dtype.is_float() or dtype.is_decimal():
            scales[name] = _scale(_numbers(table[name]))
        else:
            words[name] = _frequent(table[name], min_count)
    return Vocabulary(words, scales)


def encode_attributes(table: pl.DataFrame, vocabulary: Vocabulary) -> Attributes:
    """The table's columns in the vocabulary's codes and scales; a column that it lacks is unknown everywhere."""
    codes = [_encode(_column(table, name), words) for name, words in vocabulary.words.items()]
    numbers = [_standardise(_column(table, name), scale) for name, scale in vocabulary.scales.items()]
    rows = table.height
    return Attributes(
        codes=torch.from_numpy(np.stack(codes, axis=1) if codes else np.zeros((rows, 0), np.int64)),
        numbers=torch.from_numpy(np.concatenate(numbers, axis=1) if numbers else np.zeros((rows, 0), np.float32)),
        vocabulary=vocabulary,
    )


def _column(table: pl.DataFrame, name: str) -> pl.Series:
    return table[name] if name in table.columns else pl.Series(name, [None] * table.height)


def _frequent(column: pl.Series, min_count: int) -> list[str]:
    """The words that enough rows carry, sorted, so that codes do not depend on the row order."""
    counts = column.cast(pl.String).drop_nulls().value_counts(name="rows")
    return counts.filter(pl.col("rows") >= min_count).get_column(column.name).sort().to_list()


def _encode(column: pl.Series, words: list[str]) -> np.ndarray:
    codes = pl.DataFrame({"word": pl.Series(words, dtype=pl.String)}).with_row_index("code", offset=UNKNOWN + 1)
    asked = pl.DataFrame({"word": column.cast(pl.String)})
    joined = asked.join(codes, on="word", how="left", maintain_order="left")
    return joined["code"].fill_null(UNKNOWN).cast(pl.Int64).to_numpy()


def _numbers(column: pl.Series) -> np.ndarray:
    """The column as float64 [N, entries], NaN where it says nothing."""
    if isinstance(column.dtype, pl.Array):
        return column.to_numpy().reshape(len(column), -1).astype(np.float64)
    return column.cast(pl.Float64).to_numpy()[:, None]


def _scale(values: np.ndarray) -> Scale:
    known = np.isfinite(values)
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, values, 0.0).sum(axis=0) / count
    spread = np.sqrt((np.where(known, values - mean, 0.0) ** 2).sum(axis=0) / count)
    return Scale(mean.tolist(), spread.tolist())


def _standardise(column: pl.Series, scale: Scale) -> np.ndarray:
    """Mean 0 and variance 1 by entry; a missing value becomes the mean, a constant entry 0."""
    if column.null_count() == len(column):
        return np.zeros((len(column), len(scale.centre)), np.float32)
    values, mean, spread = _numbers(column), np.array(scale.centre), np.array(scale.spread)
    scaled = np.where(np.isfinite(values), (values - mean) / np.where(spread > 0, spread, 1.0), 0.0)
    return scaled.astype(np.float32)
