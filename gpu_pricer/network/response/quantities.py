"""How many units a choice takes: outcomes of the response model beside the choices themselves.

The units of a product are its choices times the units per choice. So the likelihood of units is that of choices times
that of units given choices, and the two responses to a price add up: of every product b by the choices, and κ by the
units per choice (a hurdle model: Mullahy 1986).

Nobody takes 0 units of what he buys. A count model truncated at 0 would tell the response of the rate before the
truncation; what earns profit is the mean of the units that are taken. A Poisson score of a log-linear mean finds the
response of that mean whatever the distribution around it (Gourieroux, Monfort & Trognon 1984, theorem 1), which the
mean of log units does not (Santos Silva & Tenreyro 2006). Units vary less than Poisson counts of their mean where
nearly everybody takes one, and more where some take many: the product's own variance scales its information.
"""

import logging
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from gpu_pricer.network.response.fit import Fit, FitConfig, fit_response
from gpu_pricer.network.response.grid import FLOAT, LARGEST_UTILITY, Grid, Outcomes, UserLog

log = logging.getLogger(__name__)

SHRINKAGE = 20.0  # units for which all products' dispersion counts in that of a product
LEAST_DISPERSION = 1e-3  # where all purchases of a product are of as many units, more than one


@dataclass(frozen=True)
class Quantities:
    """What S segments took: units [P, S, W] in so many choices [P, S, W], both over the product's dispersion.

    start_sensitivity: a quarter to a third of the elasticity of units lies in the units per choice (Bell, Chiang &
    Padmanabhan 1999).
    """

    units: Tensor
    choices: Tensor
    noun: ClassVar[str] = "response of the units per choice"
    start_sensitivity: ClassVar[float] = 0.5

    @property
    def segments(self) -> int:
        """Return S."""
        return self.units.shape[1]

    def part(self, products: slice, categories: slice) -> "Quantities":
        """Return the quantities of a block of Grid.blocks."""
        return Quantities(self.units[products], self.choices[products])

    def equal(self, other: Outcomes) -> bool:
        """Return whether the other quantities are the same, of as many segments."""
        if not isinstance(other, Quantities):
            return False
        return torch.equal(self.units, other.units) and torch.equal(self.choices, other.choices)

    def levels(self, grid: Grid) -> Tensor:
        """Return the log of the mean units per choice of each product, [P], 0 where the log has no choice."""
        units, choices = self.units.sum((1, 2)), self.choices.sum((1, 2))
        return torch.where(choices > 0, torch.log(units / choices.clamp(min=1e-30)), 0.0)

    def score(self, grid: Grid, utility: Tensor) -> tuple[Tensor, Tensor]:
        """Return gradient and curvature of the Poisson likelihood of units whose mean per choice is exp(utility)."""
        expected = self.choices * torch.exp(utility.clamp(max=LARGEST_UTILITY))
        return self.units - expected, expected


def fit_quantities(grid: Grid, users: UserLog, config: FitConfig, start: Fit | None = None) -> Fit | None:
    """Return the fitted response of the units per choice of all users as one segment; None without quantities.

    The offset of the fit's grid is that of the units per choice. start: the response of other periods, from which the
    search starts.
    """
    quantities = quantities_of(grid, users)
    if quantities is None:
        log.info("every purchase is of one unit: units answer prices as purchases do")
        return None
    own = replace(config, prior_elasticity=None)  # which speaks of choices
    return fit_response(replace(grid, offset=grid.unit_offset), quantities, own, start)


def fit_segments_quantities(pooled: Fit, users: UserLog, segment: Tensor, segments: int, config: FitConfig) -> Fit:
    """Return the fitted response of the units per choice of segments, from that of all users as one segment.

    segment [U, W]: which of so many segments each user belongs to in each period. On Complete Journey segments answer
    by κ of .2 to .7, known to .04 or better (November 2026).
    """
    own = replace(config, prior_elasticity=None)
    quantities = quantities_of(pooled.grid, users, segment, segments)
    assert quantities is not None, "the fit of all users has quantities"
    return fit_response(pooled.grid, quantities, own, pooled)


def quantities_of(grid: Grid, users: UserLog, segment: Tensor | None = None, segments: int = 1) -> Quantities | None:
    """Return the quantities of segments, of all users as one segment by default; None if every purchase is of one unit.

    segment [U, W]: the segment of each user in each period.
    """
    if users.units is None:
        return None
    segment = torch.zeros(users.visits.shape, dtype=torch.int64) if segment is None else segment
    products, periods = len(grid.row), grid.periods
    variance = dispersion(users, products)
    units, count = (torch.zeros(products * segments * periods, dtype=FLOAT) for _ in range(2))
    for part in users.blocks():
        assert part.units is not None
        of_segment = part.product.long() * segments + segment[part.user, part.period]
        scale, cell = variance[part.product], of_segment * periods + part.period
        units.index_add_(0, cell, part.units / scale)
        count.index_add_(0, cell, part.count / scale)
    return Quantities(*(sums.view(products, segments, periods) for sums in (units, count)))


def dispersion(users: UserLog, products: int) -> Tensor:
    """Return the variance of the units around their mean per choice, over the units' mean, of each product [P].

    It is shrunk to that of all products, which count as SHRINKAGE units.
    """
    units, square = (torch.zeros(products, dtype=FLOAT) for _ in range(2))
    for part in users.blocks():
        assert part.units is not None
        units.index_add_(0, part.product, part.units)
    choices = users.sold(products)
    rate = units / choices.clamp(min=1e-30)
    for part in users.blocks():
        assert part.units is not None
        square.index_add_(0, part.product, (part.units - rate[part.product] * part.count).square())
    common = (square.sum() / units.sum()).clamp(min=LEAST_DISPERSION)
    return (square + SHRINKAGE * common) / (units + SHRINKAGE)
