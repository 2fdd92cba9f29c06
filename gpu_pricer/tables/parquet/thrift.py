"""The part of Thrift's compact protocol that a Parquet file needs.

A field is a pair of its type and its bytes (https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md).
"""

from collections.abc import Mapping, Sequence

Field = tuple[int, bytes]

BYTES = [bytes([number]) for number in range(256)]


def varint(number: int) -> bytes:
    """Return a non-negative integer as groups of seven bits, the lowest group first."""
    if number < 128:
        return BYTES[number]
    parts = bytearray()
    while number > 127:
        parts.append(number & 127 | 128)
        number >>= 7
    parts.append(number)
    return bytes(parts)


def i32(number: int) -> Field:
    """Return the field of a 32-bit integer."""
    return 5, varint(number << 1 if number >= 0 else ~(number << 1))


def i64(number: int) -> Field:
    """Return the field of a 64-bit integer."""
    return 6, i32(number)[1]


def binary(content: bytes) -> Field:
    """Return the field of bytes, or of a text in UTF-8."""
    return 8, varint(len(content)) + content


def listing(items: Sequence[Field]) -> Field:
    """Return the field of a list of fields, all of one type; an empty list counts as a list of structs."""
    kind, count = items[0][0] if items else 12, len(items)
    size = bytes([count << 4 | kind]) if count < 15 else bytes([0xF0 | kind]) + varint(count)
    return 9, b"".join([size, *(content for _, content in items)])


def record(fields: Mapping[int, Field]) -> Field:
    """Return the field of a struct; the numbers of its fields must ascend by at most 15."""
    content, last = b"", 0
    for number, (kind, value) in fields.items():
        content += BYTES[number - last << 4 | kind] + value
        last = number
    return 12, content + b"\0"
