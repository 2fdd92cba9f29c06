"""The CPU loop over a tile.

Workers share out the pairs of a category and a block of segments; vector instructions run over the block's segments.
"""
