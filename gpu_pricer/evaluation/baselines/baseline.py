"""What a baseline is: it learns from described offers, and then knows how likely any such offer is bought."""

from collections.abc import Callable
from typing import Protocol

import numpy as np
import polars as pl

Predict = Callable[[pl.DataFrame], np.ndarray]


class Baseline(Protocol):
    """A model with its settings, which draws nothing; `offers` are described, with the network's past (held_out)."""

    def fit(self, offers: pl.DataFrame) -> Predict:
        """A function from described offers [N] to the probability [N] that each is bought in its visit."""
        ...
