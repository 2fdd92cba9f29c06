"""The CUDA loop over a tile: one GPU thread prices one category for one segment.

Import it only where CUDA, or numba's simulator of it, is there to be used.
"""
