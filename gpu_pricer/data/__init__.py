"""Data: from raw tables to the canonical tables that training, scoring and evaluation read.

`sources` brings the raw tables, `inputs` checks them, and `preparation` makes the canonical tables of them.
"""
