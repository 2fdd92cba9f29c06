"""The CUDA loop over a tile: a thread is a category for one segment. Import it only where CUDA or its simulator runs."""
