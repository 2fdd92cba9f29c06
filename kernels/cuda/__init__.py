"""The CUDA loop over a tile: a thread is a category for one segment. Import it only where CUDA is there to be used."""
