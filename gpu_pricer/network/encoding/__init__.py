"""The canonical tables as tensors: choice sets, the choices made from them, and what users did before."""
