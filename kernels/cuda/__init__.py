"""The CUDA loop over a tile: one GPU thread prices one category for one segment.

Import this package only where CUDA, or numba's simulator of CUDA, is available.
"""
