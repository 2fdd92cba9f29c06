"""The columns of the price table, made of solved tiles: the long layout with its optional details, and the wide one.

A layout names its columns and yields row groups, a chunk of encoded values per column; `scoring` writes them.
"""
