"""Data: from raw tables to the canonical tables that training, scoring and evaluation read.

`sources` brings the raw tables, `raw` types and judges them, and `preparation` makes the canonical tables of them: the
products, the `shelf` and the `choices`. `intake` writes the configuration that tells `sources` how to read a user's
files.
"""
