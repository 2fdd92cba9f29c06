"""The pages of a Parquet file, made of plain values or of codes that index a known dictionary.

A Parquet library that is given values finds their dictionary by hashing every value, which takes longer than pricing
them: of the long layout Polars writes 18 to 28 million cells a second, pyarrow 20 to 33, and these pages 44 with the
pricing included (2 CPU cores, Polars 2.1, pyarrow 26, 2026-11). Pricing knows the dictionary already, so these pages
hold codes (https://parquet.apache.org/docs/file-format/data-pages/encodings, RLE_DICTIONARY): either runs of equal
codes, or packed codes, which at 8, 16 or 32 bits are the bytes of the array itself.

pyarrow can be given codes too (DictionaryArray.from_arrays), but it expands and hashes all of them except texts. From
the same codes it then writes 14 million cells of the long layout and 46 million of the wide one a second, these pages
52 and 278 million, with a file size within 2 % of each other (`python -m tests.bench.writing`; 50,000 products x 256
segments, 2 cores of an Intel Xeon with AVX-512, pyarrow 26.0.1, 2026-11). So these pages stay.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa

from gpu_pricer.tables.parquet.thrift import Field, binary, i32, i64, record, varint

PLAIN, RLE, RLE_DICTIONARY = 0, 3, 8
DATA_PAGE, DICTIONARY_PAGE = 0, 2
UNCOMPRESSED, ZSTD = 0, 6
LENGTH = 4
"""Bytes in front of a text that hold its length."""


class Page(NamedTuple):
    """The header and the page as written (content), and the number of bytes before compression (uncompressed)."""

    content: bytes
    uncompressed: int


@dataclass(frozen=True)
class Dictionary:
    """The distinct values of a column: `size` values in Parquet's plain encoding.

    ends: the least and the largest value in that encoding, None if they are not known.
    """

    values: bytes
    size: int
    ends: tuple[bytes, bytes] | None

    @cached_property
    def page(self) -> Page:
        """The compressed dictionary page, made once for all chunks that share it."""
        return _page(DICTIONARY_PAGE, self.values, self._detail, ZSTD)

    @cached_property
    def plain_page(self) -> Page:
        """The dictionary page without compression."""
        return _page(DICTIONARY_PAGE, self.values, self._detail, UNCOMPRESSED)

    @cached_property
    def statistics(self) -> Field:
        """The footer's statistics of a chunk that contains all values of the dictionary and no nulls."""
        known = {} if self.ends is None else {5: binary(self.ends[1]), 6: binary(self.ends[0])}
        return record({3: i64(0)} | known)

    @property
    def code_type(self) -> np.dtype:
        """The smallest unsigned type that holds every code."""
        return np.min_scalar_type(max(self.size - 1, 0))

    @property
    def _detail(self) -> dict[int, Field]:
        return {7: record({1: i32(self.size), 2: i32(PLAIN)})}


class ColumnChunk(NamedTuple):
    """One column of a row group: a page of plain values (dictionary None), or a page of codes and their dictionary."""

    rows: int
    codec: int
    page: Page
    dictionary: Dictionary | None

    @property
    def pages(self) -> list[Page]:
        """The pages in the order in which they are written."""
        if self.dictionary is None:
            return [self.page]
        return [self.dictionary.page if self.codec == ZSTD else self.dictionary.plain_page, self.page]


def dictionary_of(values: pl.Series | np.ndarray, is_sorted: bool) -> Dictionary:
    """Return the dictionary of distinct values [size], texts or integers; integers are stored in 64 or 32 bits.

    is_sorted says that the first value is the least and the last one the largest.
    """
    if isinstance(values, pl.Series) and values.dtype == pl.String:
        ends = (values[0].encode(), values[-1].encode())
        return Dictionary(_texts(values), len(values), ends if is_sorted else None)
    numbers = np.asarray(values)
    content = numbers.astype("<i8" if numbers.dtype.itemsize == 8 else "<i4").tobytes()
    size = len(content) // len(numbers)
    return Dictionary(content, len(numbers), (content[:size], content[-size:]) if is_sorted else None)


def _texts(values: pl.Series) -> bytes:
    """Return the texts in plain encoding: each text behind its length."""
    _, offsets, texts = values.to_arrow(compat_level=pl.CompatLevel.oldest()).buffers()
    start = np.frombuffer(offsets, np.int64, len(values) + 1)
    length = np.diff(start).astype("<u4").view(np.uint8).reshape(-1, LENGTH)
    where = (start[:-1] + LENGTH * np.arange(len(values)))[:, None] + np.arange(LENGTH)
    content, is_text = np.empty(start[-1] + length.size, np.uint8), np.ones(start[-1] + length.size, np.bool_)
    is_text[where], content[where] = False, length
    content[is_text] = np.frombuffer(texts or b"", np.uint8, start[-1])
    return content.tobytes()


def values_chunk(values: np.ndarray) -> ColumnChunk:
    """Return the chunk of a column of numbers, values [rows], in plain encoding."""
    page = _page(DATA_PAGE, values.tobytes(), _data_detail(len(values), PLAIN), ZSTD)
    return ColumnChunk(len(values), ZSTD, page, None)


def flags_chunk(flags: np.ndarray) -> ColumnChunk:
    """Return the chunk of a column of booleans, flags [rows], in plain encoding: eight to a byte."""
    packed = np.packbits(flags, bitorder="little").tobytes()
    return ColumnChunk(len(flags), ZSTD, _page(DATA_PAGE, packed, _data_detail(len(flags), PLAIN), ZSTD), None)


def codes_chunk(codes: np.ndarray, dictionary: Dictionary) -> ColumnChunk:
    """Return the chunk of a column of codes [rows], in the dictionary's code_type."""
    assert codes.dtype == dictionary.code_type
    padding = bytes(-len(codes) % 8 * codes.itemsize)
    start = _start_of_packed(8 * codes.itemsize, len(codes))
    return _coded(b"".join([start, codes.tobytes(), padding]), len(codes), dictionary)


def runs_chunk(codes: np.ndarray, length: int, dictionary: Dictionary) -> ColumnChunk:
    """Return the chunk of a column in which each of the codes [n] fills `length` rows, n · length rows in all.

    The codes are of the dictionary's code_type.
    """
    assert codes.dtype == dictionary.code_type
    header = varint(length << 1)
    runs = np.empty(len(codes), [("header", np.uint8, (len(header),)), ("code", codes.dtype)])
    runs["header"], runs["code"] = list(header), codes
    return _coded(bytes([8 * codes.itemsize]) + runs.tobytes(), len(codes) * length, dictionary)


def packed_chunks(packed: np.ndarray, bits: int, rows: int, dictionary: Dictionary) -> list[ColumnChunk]:
    """Return a chunk for each row of `packed`, uint8 [columns, bits * ceil(rows / 8)], of codes without gaps.

    The chunks are not compressed, since zstd saves little in so few bits: 0.80 against 0.81 bytes per code, for 2.2 ns
    per code (7,800 rows of 61 prices, 2 CPU cores, 2026-11).
    """
    content = _start_of_packed(bits, rows)
    size = len(content) + packed.shape[1]
    header = _header(DATA_PAGE, size, size, _data_detail(rows, RLE_DICTIONARY))
    start, size = header + content, len(header) + size
    return [ColumnChunk(rows, UNCOMPRESSED, Page(start + codes.tobytes(), size), dictionary) for codes in packed]


def _start_of_packed(bits: int, rows: int) -> bytes:
    """Return the bytes in front of packed codes: their width in bits, and the number of groups of eight."""
    return bytes([bits]) + varint(-(-rows // 8) << 1 | 1)


def _coded(content: bytes, rows: int, dictionary: Dictionary) -> ColumnChunk:
    page = _page(DATA_PAGE, content, _data_detail(rows, RLE_DICTIONARY), ZSTD)
    return ColumnChunk(rows, ZSTD, page, dictionary)


def _data_detail(rows: int, encoding: int) -> dict[int, Field]:
    """Return the header's field on a data page without levels, since every row has one value."""
    return {5: record({1: i32(rows), 2: i32(encoding), 3: i32(RLE), 4: i32(RLE)})}


def _page(kind: int, content: bytes, detail: dict[int, Field], codec: int) -> Page:
    # Each page gets its own codec, because Arrow does not promise that two threads may share one.
    packed = pa.Codec("zstd", compression_level=1).compress(content, asbytes=True) if codec == ZSTD else content
    header = _header(kind, len(content), len(packed), detail)
    return Page(header + packed, len(header) + len(content))


def _header(kind: int, size: int, packed_size: int, detail: dict[int, Field]) -> bytes:
    return record({1: i32(kind), 2: i32(size), 3: i32(packed_size)} | detail)[1]
