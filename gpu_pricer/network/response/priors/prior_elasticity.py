"""Published price elasticities as an informative prior on the mean response of every category.

Bijmolt, van Heerde & Pieters (2005) collect 1,851 price elasticities of 81 studies, on average −2.62. A quarter to a
third of an elasticity of units lies in the units per choice (Bell, Chiang & Padmanabhan 1999).
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from gpu_pricer.checks import require_number
from gpu_pricer.network.response.grid.grid import FLOAT
from gpu_pricer.network.response.model import Layout


@dataclass(frozen=True)
class PriorElasticity:
    """A lognormal prior on the price sensitivity of choices in a category, the mean over the segments.

    mean: of the size of the elasticities of units; spread: the standard deviation of their logarithms; of_choices: the
    share of an elasticity of units that lies in choosing the product.
    """

    mean: float
    spread: float
    of_choices: float

    def __post_init__(self) -> None:
        require_number("response.fit.prior_elasticity.mean", self.mean, above=0)
        require_number("response.fit.prior_elasticity.spread", self.spread, above=0)
        require_number("response.fit.prior_elasticity.of_choices", self.of_choices, above=0, most=1)

    @property
    def log_mean(self) -> float:
        """The mean of the log sensitivity, at which the sensitivity has the mean `mean` times `of_choices`."""
        return math.log(self.mean * self.of_choices) - 0.5 * self.spread**2

    def precision(self, layout: Layout) -> Tensor:
        """Return what the prior adds to the precision of a category's coefficients θ, [D, D]."""
        over_segments = _mean_over_segments(layout)
        return torch.outer(over_segments, over_segments) / self.spread**2

    def gradient(self, theta: Tensor, layout: Layout) -> Tensor:
        """Return what the prior adds to the gradient of the categories' coefficients θ [G, D], [G, D]."""
        over_segments = _mean_over_segments(layout)
        away = self.log_mean - theta @ over_segments
        return torch.outer(away, over_segments) / self.spread**2


def _mean_over_segments(layout: Layout) -> Tensor:
    """Return the weights [D] of the mean log sensitivity of all segments."""
    weights = torch.zeros(layout.width, dtype=FLOAT)
    weights[layout.log_sensitivity] = 1 / layout.segments
    return weights
