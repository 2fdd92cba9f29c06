"""The interface of a baseline: `fit` on described offers returns a function that predicts purchase probabilities."""

from collections.abc import Callable
from typing import Protocol

import numpy as np
import polars as pl

from gpu_pricer.evaluation.held_out.offers import Log

Predict = Callable[[pl.DataFrame], np.ndarray]


class Baseline(Protocol):
    """A model and its settings, without random numbers, so that equal offers give equal predictions.

    `offers` have the columns of held_out.describe_offers, and those of held_out.past.with_network_past where the model
    has a true attribute network_past. `sales` is the whole log; of an offer's household, a model may read only what
    lies before the offer's period.
    """

    def fit(self, offers: pl.DataFrame, sales: Log) -> Predict:
        """Return a function from described offers [N] to the probability [N] that each is bought in its visit."""
        ...
