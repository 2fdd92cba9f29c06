"""Columns of a table, packed into text that a page carries: little-endian arrays and JSON, gzipped, in base64.

A browser unpacks the text with DecompressionStream. The first four bytes are the length of the header, a JSON list of
{name, type, start, length}; `start` counts from the header's end, at a multiple of 8.
"""

import base64
import gzip
import json
from collections.abc import Mapping

import numpy as np

TYPES = {"uint8": "Uint8Array", "uint16": "Uint16Array", "int32": "Int32Array", "float32": "Float32Array"}
"""What JavaScript calls the types of arrays that a page can carry."""

ALIGNMENT = 8
LEVEL = 9


def pack(columns: Mapping[str, np.ndarray | list]) -> str:
    """Return columns as text; a list becomes JSON, an array (of one of TYPES, any shape) its bytes, last axis first."""
    header, parts, start = [], [], 0
    for name, column in columns.items():
        if isinstance(column, list):
            kind, content = "json", json.dumps(column, ensure_ascii=False, separators=(",", ":")).encode()
        else:
            kind, content = (
                TYPES[str(column.dtype)],
                np.ascontiguousarray(column).astype(column.dtype, copy=False).tobytes(),
            )
        header.append({"name": name, "type": kind, "start": start, "length": len(content)})
        padding = -len(content) % ALIGNMENT
        parts.append(content + bytes(padding))
        start += len(content) + padding
    text = json.dumps(header).encode()
    text += b" " * (-(len(text) + 4) % ALIGNMENT)
    packed = gzip.compress(len(text).to_bytes(4, "little") + text + b"".join(parts), LEVEL, mtime=0)
    return base64.b64encode(packed).decode()
