"""Attribute columns of products or users as tensors: words become codes, numbers are standardised."""

from dataclasses import dataclass

import numpy as np
import polars as pl
import torch
from scipy.sparse import csr_array, hstack
from torch import Tensor

from gpu_pricer.tables.attributes import holds_numbers

UNKNOWN = 0  # the code of a word that is missing, rare or new


@dataclass(frozen=True)
class Scale:
    """Mean and standard deviation of a column of numbers, or of each entry of a column of arrays."""

    centre: list[float]
    spread: list[float]


@dataclass(frozen=True)
class Vocabulary:
    """How attribute columns are encoded, as learned in training.

    words: by column, the known words in the order of their codes 1, 2, …; scales: by column of numbers.
    """

    words: dict[str, list[str]]
    scales: dict[str, Scale]

    @property
    def columns(self) -> list[str]:
        """Return the names of the attribute columns."""
        return [*self.words, *self.scales]


@dataclass(frozen=True)
class Attributes:
    """Attributes of N rows.

    codes [N, A]: int64 codes of the A columns of words, UNKNOWN where the value is missing, rare or new.
    numbers [N, F]: float32, standardised, 0 where missing. vocabulary: the encoding.
    """

    codes: Tensor
    numbers: Tensor
    vocabulary: Vocabulary

    @property
    def sizes(self) -> tuple[int, ...]:
        """Return the number of codes of each of the A columns, UNKNOWN included."""
        return tuple(len(words) + 1 for words in self.vocabulary.words.values())


def learn_vocabulary(table: pl.DataFrame, columns: list[str], min_count: int) -> Vocabulary:
    """Return the words and scales of the named columns; a word that fewer than min_count rows carry stays unknown.

    Which columns hold words and which hold numbers: see gpu_pricer.tables.attributes.
    """
    words, scales, schema = {}, {}, table.schema  # Polars makes it anew for every look
    for name in columns:
        if holds_numbers(schema[name]):
            scales[name] = _scale(_numbers(table[name]))
        else:
            words[name] = _frequent(table[name], min_count)
    return Vocabulary(words, scales)


def encode_attributes(table: pl.DataFrame, vocabulary: Vocabulary) -> Attributes:
    """Return the table's columns in the vocabulary's codes and scales; a column that the table lacks is all unknown."""
    rows = table.height
    absent = {name: pl.Series(name, [None] * rows) for name in {*vocabulary.columns} - {*table.columns}}
    column = absent | {name: table[name] for name in {*vocabulary.columns} - {*absent}}
    codes = [_encode(column[name], words) for name, words in vocabulary.words.items()]
    numbers = [_standardise(column[name], scale) for name, scale in vocabulary.scales.items()]
    return Attributes(
        codes=torch.from_numpy(np.stack(codes, axis=1) if codes else np.zeros((rows, 0), np.int64)),
        numbers=torch.from_numpy(np.concatenate(numbers, axis=1) if numbers else np.zeros((rows, 0), np.float32)),
        vocabulary=vocabulary,
    )


def feature_columns(attributes: Attributes) -> csr_array:
    """Return a column for every known word and the numbers, sparse [N, F]."""
    rows = np.arange(len(attributes.codes))
    words = [
        csr_array((np.ones(len(rows)), (rows, codes)), shape=(len(rows), size))[:, 1:]
        for codes, size in zip(attributes.codes.numpy().T, attributes.sizes, strict=True)
    ]
    return csr_array(hstack([*words, csr_array(attributes.numbers.numpy())]))


def _frequent(column: pl.Series, min_count: int) -> list[str]:
    """Return the words that at least min_count rows carry, sorted, so that codes do not depend on the row order."""
    counts = column.cast(pl.String).drop_nulls().alias("word").value_counts(name="rows")
    return counts.filter(pl.col("rows") >= min_count)["word"].sort().to_list()


def _encode(column: pl.Series, words: list[str]) -> np.ndarray:
    codes = pl.DataFrame({"word": pl.Series(words, dtype=pl.String)}).with_row_index("code", offset=UNKNOWN + 1)
    rows = pl.DataFrame({"word": column.cast(pl.String)})
    joined = rows.join(codes, on="word", how="left", maintain_order="left")
    return joined["code"].fill_null(UNKNOWN).cast(pl.Int64).to_numpy()


def _numbers(column: pl.Series) -> np.ndarray:
    """Return the column as float64 [N, entries], NaN where a value is missing; dates and times in seconds."""
    dtype = column.dtype
    if isinstance(dtype, pl.Array):
        return column.to_numpy().reshape(len(column), -1).astype(np.float64)
    if dtype == pl.Date:
        column = column.cast(pl.Datetime("us"))
    if not dtype.is_temporal():
        return column.cast(pl.Float64).to_numpy()[:, None]
    ticks = 10 ** {"ms": 3, "us": 6, "ns": 9}[getattr(column.dtype, "time_unit", "ns")]  # pl.Time counts nanoseconds
    return column.to_physical().cast(pl.Float64).to_numpy()[:, None] / ticks


def _scale(values: np.ndarray) -> Scale:
    known = np.isfinite(values)
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, values, 0.0).sum(axis=0) / count
    spread = np.sqrt((np.where(known, values - mean, 0.0) ** 2).sum(axis=0) / count)
    return Scale(mean.tolist(), spread.tolist())


def _standardise(column: pl.Series, scale: Scale) -> np.ndarray:
    """Return each entry with mean 0 and variance 1 [N, entries]; a missing value becomes 0, a constant entry too."""
    if column.null_count() == len(column):
        return np.zeros((len(column), len(scale.centre)), np.float32)
    values, mean, spread = _numbers(column), np.array(scale.centre), np.array(scale.spread)
    scaled = np.where(np.isfinite(values), (values - mean) / np.where(spread > 0, spread, 1.0), 0.0)
    return scaled.astype(np.float32)
