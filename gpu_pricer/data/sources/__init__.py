"""Sources of raw tables: the user's own files, the example data, and a synthetic market.

A source is any object with the methods of `source.Source`; the configuration names it in data.source.
"""
