"""The units per choice, and how they respond to prices.

The units of a product are its choices times the units per choice. So the likelihood of units is that of choices times
that of units given choices, and the two responses to a price add up: of every product b by the choices, and κ by the
units per choice (a hurdle model: Mullahy 1986). κ is the elasticity of the units per choice: low prices fill cupboards
more than high ones empty them. On Complete Journey, with effects of products, display and mailer, their deviance is
42,005 with the log of the price and 42,288 with the price itself; in held-out weeks the two tie (November 2026).

Nobody takes 0 units of what he buys. A count model truncated at 0 would tell the response of the rate before the
truncation; what earns profit is the mean of the units that are taken. A Poisson score of a log-linear mean finds the
response of that mean whatever the distribution around it (Gourieroux, Monfort & Trognon 1984, theorem 1), which the
mean of log units does not (Santos Silva & Tenreyro 2006). Units vary less than Poisson counts of their mean where
nearly everybody takes one, and more where some take many: the product's own variance scales its information.

Sensitivities of the response model are positive, so that chance would leave some response where there is none. No
response is what is learned where the log is positive evidence for it, against a response drawn around the published one
(a Bayes factor of 3: Kass & Raftery 1995).
"""

import logging
import math
from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from gpu_pricer.network.response.fitting.fit import Fit, FitConfig, fit_response
from gpu_pricer.network.response.grid.grid import FLOAT, LARGEST_UTILITY, Grid, Outcomes, UserLog

log = logging.getLogger(__name__)

SHRINKAGE = 20.0  # units for which all products' dispersion counts in that of a product
LEAST_DISPERSION = 1e-3  # where all purchases of a product are of as many units, more than one
POSITIVE = 3.0  # a Bayes factor that is positive evidence
PUBLISHED, SPREAD = 0.5, 1.0  # median of κ before the log is seen, and standard deviation of its logarithm
NODES, FARTHEST = 1001, 5.0  # of the sum over log κ, and standard deviations that it covers on either side
LEAST_INFORMATION = 1e-9  # about the response of all products: where prices rest the log has none
ROUNDS = 20  # of taking means of products and of categories' periods from prices in turn


@dataclass(frozen=True)
class Quantities:
    """What S segments took: units [P, S, W] in so many choices [P, S, W], both over the product's dispersion.

    start_sensitivity: a quarter to a third of the elasticity of units lies in the units per choice (Bell, Chiang &
    Padmanabhan 1999); 0 where units do not answer prices. start_spread: units per choice differ much less than choices.
    """

    units: Tensor
    choices: Tensor
    start_sensitivity: float = PUBLISHED
    start_spread: ClassVar[float] = 0.1
    noun: ClassVar[str] = "response of the units per choice"

    @property
    def segments(self) -> int:
        """Return S."""
        return self.units.shape[1]

    def part(self, products: slice, categories: slice) -> "Quantities":
        """Return the quantities of a block of Grid.blocks."""
        return replace(self, units=self.units[products], choices=self.choices[products])

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

    Its sensitivities are 0 where the log is positive evidence for that. The offset of the fit's grid is that of the
    units per choice, which fall with the log of the price. start: the response of other periods, from which the search
    starts.
    """
    quantities, grid = (
        quantities_of(grid, users),
        replace(grid, offset=grid.unit_offset, next_offset=torch.zeros_like(grid.next_offset), bend=1.0),
    )
    if quantities is None:
        log.info("every purchase is of one unit: the quantity sensitivity is 0")
        return None
    response = pooled_response(grid, quantities)
    if response.is_none:
        log.info("the quantity sensitivity is 0: a common one for all products would be %.3f ± %.3f", *response)
        quantities = replace(quantities, start_sensitivity=0.0)
    if start is not None and start.counts.start_sensitivity != quantities.start_sensitivity:
        start = None
    own = replace(config, prior_elasticity=None)  # which speaks of choices
    return fit_response(grid, quantities, own, start)


def fit_segments_quantities(pooled: Fit, users: UserLog, segment: Tensor, segments: int, config: FitConfig) -> Fit:
    """Return the fitted response of the units per choice of segments, from that of all users as one segment.

    segment [U, W]: which of so many segments each user belongs to in each period. On Complete Journey segments answer
    by κ of .2 to .7, known to .04 or better (November 2026).
    """
    own = replace(config, prior_elasticity=None)
    quantities = quantities_of(pooled.grid, users, segment, segments)
    assert quantities is not None, "the fit of all users has quantities"
    quantities = replace(quantities, start_sensitivity=pooled.counts.start_sensitivity)
    return fit_response(pooled.grid, quantities, own, pooled)


class PooledResponse(NamedTuple):
    """κ, by which the log of the units per choice of all products falls with the log price, and its error."""

    sensitivity: float
    standard_error: float

    @property
    def is_none(self) -> bool:
        """Return whether the log is positive evidence for κ = 0, against a κ that is drawn around the published one."""
        apart = torch.linspace(-FARTHEST, FARTHEST, NODES, dtype=FLOAT)
        weight = torch.log_softmax(-0.5 * apart.square(), 0)
        likely = self._log_likelihood(PUBLISHED * torch.exp(SPREAD * apart))
        none = self._log_likelihood(torch.zeros(1, dtype=FLOAT))
        return bool(none - torch.logsumexp(likely + weight, 0) > math.log(POSITIVE))

    def _log_likelihood(self, sensitivity: Tensor) -> Tensor:
        return -0.5 * ((self.sensitivity - sensitivity) / self.standard_error).square()


def pooled_response(grid: Grid, quantities: Quantities) -> PooledResponse:
    """Return the response that all products and users have in common, by a step of Fisher scoring from 0.

    Units per choice have a level for each product and for each period of a category, to which the moves of prices are
    made orthogonal: what moves a whole category in a period tells nothing. The error is infinite where prices rest.
    """
    units, choices = quantities.units.sum(1), quantities.choices.sum(1)
    expected = choices * (units.sum(1) / choices.sum(1).clamp(min=1e-30))[:, None]
    move = grid.bent_move.clone()
    for _ in range(ROUNDS):
        move -= ((expected * move).sum(1) / expected.sum(1).clamp(min=1e-30))[:, None]
        of_periods = grid.sum_by_category(expected * move) / grid.sum_by_category(expected).clamp(min=1e-30)
        move -= of_periods[grid.category]
    information = float((expected * move.square()).sum())
    if information < LEAST_INFORMATION:
        return PooledResponse(0.0, math.inf)
    return PooledResponse(-float((move * (units - expected)).sum()) / information, information**-0.5)


def quantities_of(grid: Grid, users: UserLog, segment: Tensor | None = None, segments: int = 1) -> Quantities | None:
    """Return the quantities of segments, of all users as one segment by default; None if every purchase is of one unit.

    segment [U, W]: the segment of each user in each column of the grid.
    """
    if users.units is None:
        return None
    segment = torch.zeros(users.visits.shape, dtype=torch.int64) if segment is None else segment
    products, columns = len(grid.row), grid.columns.count
    variance = dispersion(users, products)
    units, count = (torch.zeros(products * segments * columns, dtype=FLOAT) for _ in range(2))
    for part in users.blocks():
        assert part.units is not None
        of_segment = part.product.long() * segments + segment[part.user, part.column]
        scale, cell = variance[part.product], of_segment * columns + part.column
        units.index_add_(0, cell, part.units / scale)
        count.index_add_(0, cell, part.count / scale)
    shape = products, segments, columns
    return Quantities(units.view(shape), count.view(shape))


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
