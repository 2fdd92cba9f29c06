"""The pages of a Parquet file, made of values as they are or of ready codes that index a dictionary.

An encoder that is given values finds their dictionary by hashing every one of them, which takes longer than pricing
them: of the long layout Polars writes 18 to 28 million cells a second, pyarrow 20 to 33, this with the pricing
included 44 (2 CPU cores, Polars 2.1, pyarrow 26, 2026-11). Who knows the dictionary writes codes: runs of equal ones,
or packed ones, which at 8, 16 or 32 bits are the array itself
(https://parquet.apache.org/docs/file-format/data-pages/encodings, RLE_DICTIONARY).
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa

from gpu_pricer.tables.thrift import Field, binary, i32, i64, record, varint

PLAIN, RLE, RLE_DICTIONARY = 0, 3, 8
DATA_PAGE, DICTIONARY_PAGE = 0, 2
UNCOMPRESSED, ZSTD = 0, 6
LENGTH = 4  # bytes in front of a text that say how long it is


class Page(NamedTuple):
    """A page behind its header; whole: its bytes before compression, the header's included."""

    content: bytes
    whole: int


@dataclass(frozen=True)
class Dictionary:
    """Distinct values as Parquet holds them, one after the other, and the least and the largest, if known."""

    values: bytes
    size: int
    ends: tuple[bytes, bytes] | None

    @cached_property
    def page(self) -> Page:
        """Its page, made once for all chunks that share it."""
        return _page(DICTIONARY_PAGE, self.values, self._detail, ZSTD)

    @cached_property
    def plain_page(self) -> Page:
        """The same without compression."""
        return _page(DICTIONARY_PAGE, self.values, self._detail, UNCOMPRESSED)

    @cached_property
    def statistics(self) -> Field:
        """What the footer says of a chunk that has all of its values and no nulls."""
        known = {} if self.ends is None else {5: binary(self.ends[1]), 6: binary(self.ends[0])}
        return record({3: i64(0)} | known)

    @property
    def code_type(self) -> np.dtype:
        """The type of its codes."""
        return np.min_scalar_type(max(self.size - 1, 0))

    @property
    def _detail(self) -> dict[int, Field]:
        return {7: record({1: i32(self.size), 2: i32(PLAIN)})}


class ColumnChunk(NamedTuple):
    """One column of a row group, of so many rows: a page of values, or of codes behind their dictionary's."""

    rows: int
    codec: int
    page: Page
    dictionary: Dictionary | None

    @property
    def pages(self) -> list[Page]:
        """What is written."""
        if self.dictionary is None:
            return [self.page]
        return [self.dictionary.page if self.codec == ZSTD else self.dictionary.plain_page, self.page]


def dictionary_of(values: pl.Series | np.ndarray, is_sorted: bool) -> Dictionary:
    """The dictionary of distinct texts or whole numbers; those of fewer than 64 bits lie in 32."""
    if isinstance(values, pl.Series) and values.dtype == pl.String:
        ends = (values[0].encode(), values[-1].encode())
        return Dictionary(_texts(values), len(values), ends if is_sorted else None)
    numbers = np.asarray(values)
    content = numbers.astype("<i8" if numbers.dtype.itemsize == 8 else "<i4").tobytes()
    size = len(content) // len(numbers)
    return Dictionary(content, len(numbers), (content[:size], content[-size:]) if is_sorted else None)


def _texts(values: pl.Series) -> bytes:
    """Texts one after the other, each behind its length."""
    _, offsets, texts = values.to_arrow(compat_level=pl.CompatLevel.oldest()).buffers()
    start = np.frombuffer(offsets, np.int64, len(values) + 1)
    length = np.diff(start).astype("<u4").view(np.uint8).reshape(-1, LENGTH)
    where = (start[:-1] + LENGTH * np.arange(len(values)))[:, None] + np.arange(LENGTH)
    content, is_text = np.empty(start[-1] + length.size, np.uint8), np.ones(start[-1] + length.size, np.bool_)
    is_text[where], content[where] = False, length
    content[is_text] = np.frombuffer(texts or b"", np.uint8, start[-1])
    return content.tobytes()


def values_chunk(values: np.ndarray) -> ColumnChunk:
    """A column of numbers as they are, one per row."""
    page = _page(DATA_PAGE, values.tobytes(), _data_detail(len(values), PLAIN), ZSTD)
    return ColumnChunk(len(values), ZSTD, page, None)


def flags_chunk(flags: np.ndarray) -> ColumnChunk:
    """A column of booleans, one per row, eight to a byte."""
    packed = np.packbits(flags, bitorder="little").tobytes()
    return ColumnChunk(len(flags), ZSTD, _page(DATA_PAGE, packed, _data_detail(len(flags), PLAIN), ZSTD), None)


def codes_chunk(codes: np.ndarray, dictionary: Dictionary) -> ColumnChunk:
    """A column of codes, one per row, in the dictionary's code_type."""
    assert codes.dtype == dictionary.code_type
    padding = bytes(-len(codes) % 8 * codes.itemsize)
    start = _start_of_packed(8 * codes.itemsize, len(codes))
    return _coded(b"".join([start, codes.tobytes(), padding]), len(codes), dictionary)


def runs_chunk(codes: np.ndarray, length: int, dictionary: Dictionary) -> ColumnChunk:
    """A column that repeats each code, in the dictionary's code_type, in so many rows."""
    assert codes.dtype == dictionary.code_type
    header = varint(length << 1)
    runs = np.empty(len(codes), [("header", np.uint8, (len(header),)), ("code", codes.dtype)])
    runs["header"], runs["code"] = list(header), codes
    return _coded(bytes([8 * codes.itemsize]) + runs.tobytes(), len(codes) * length, dictionary)


def packed_chunks(packed: np.ndarray, bits: int, rows: int, dictionary: Dictionary) -> list[ColumnChunk]:
    """A column for each row of packed, uint8 [columns, bits * ceil(rows / 8)]: codes of so many bits, without gaps.

    Not compressed: zstd finds nothing in so few bytes (0.81 bytes per code against 0.80 with it, for 2.2 ns per code;
    7,800 rows of 61 prices, 2 CPU cores, 2026-11).
    """
    content = _start_of_packed(bits, rows)
    size = len(content) + packed.shape[1]
    header = _header(DATA_PAGE, size, size, _data_detail(rows, RLE_DICTIONARY))
    start, whole = header + content, len(header) + size
    return [ColumnChunk(rows, UNCOMPRESSED, Page(start + codes.tobytes(), whole), dictionary) for codes in packed]


def _start_of_packed(bits: int, rows: int) -> bytes:
    """What precedes packed codes: their width, and how many groups of eight there are."""
    return bytes([bits]) + varint(-(-rows // 8) << 1 | 1)


def _coded(content: bytes, rows: int, dictionary: Dictionary) -> ColumnChunk:
    page = _page(DATA_PAGE, content, _data_detail(rows, RLE_DICTIONARY), ZSTD)
    return ColumnChunk(rows, ZSTD, page, dictionary)


def _data_detail(rows: int, encoding: int) -> dict[int, Field]:
    """No levels: every row has one value."""
    return {5: record({1: i32(rows), 2: i32(encoding), 3: i32(RLE), 4: i32(RLE)})}


def _page(kind: int, content: bytes, detail: dict[int, Field], codec: int) -> Page:
    # A codec of its own: Arrow does not say that one may serve two threads.
    packed = pa.Codec("zstd", compression_level=1).compress(content, asbytes=True) if codec == ZSTD else content
    header = _header(kind, len(content), len(packed), detail)
    return Page(header + packed, len(header) + len(content))


def _header(kind: int, size: int, packed_size: int, detail: dict[int, Field]) -> bytes:
    return record({1: i32(kind), 2: i32(size), 3: i32(packed_size)} | detail)[1]
