"""Random bits that follow from identifiers, the same on every machine and in every run."""

import hashlib

import numpy as np
import polars as pl


def digests(identifier: pl.Series) -> np.ndarray:
    """Return random bits of each identifier, uint64 [N], by its digits or letters."""
    names = identifier.unique()
    found = (hashlib.blake2b(name.encode(), digest_size=8).digest() for name in names.cast(pl.String))
    bits = [int.from_bytes(digest, "little") for digest in found]
    return identifier.replace_strict(names, pl.Series(bits, dtype=pl.UInt64)).to_numpy()
