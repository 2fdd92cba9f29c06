"""The autoregressions of seasons and shocks, and the estimation of their spread and persistence.

EM hardly moves a persistence if single periods carry little information. On the example log, shocks came from .48 to
.44 in the 12 passes after which it stopped, where the evidence is highest at .91; purchases of the three weeks after
are then predicted with 6 % less deviance (2026-11). Fisher scoring on the evidence gets there in as many passes.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from gpu_pricer.network.response.grid.grid import FLOAT
from gpu_pricer.network.response.priors.tridiagonal import traces_of_settled

LEAST_SPREAD, MOST_PERSISTENCE = 0.02, 0.98  # units per choice on Complete Journey rest at a limit of .95
PRIOR, PRIOR_WIDTH = (-2.0, 0.5), (3.0, 1.0)  # weak, of the coordinates: their means and standard deviations
RELAXED = 0.7  # share of a step of widths that is taken: two that explain the same moves, both in full, would swing
LONGEST_STEP = 1.0  # of the log of a variance, and of artanh of a persistence


@dataclass(frozen=True)
class Autoregression:
    """A stationary first-order autoregression of mean 0: standard deviation, and correlation with the period before."""

    spread: float
    persistence: float

    def precision(self, periods: int) -> Tensor:
        """Return the precision matrix over the periods, [W, W], which nobody may change."""
        return _precision(self, periods)

    def forecast(self, last: Tensor, periods: int) -> Tensor:
        """Return the mean of the effects so many periods after the last ones."""
        return self.persistence**periods * last

    def between(self, before: Tensor, since: Tensor, after: Tensor, until: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mean and standard deviation of effects between two known ones.

        before, after: the known effects; since, until: the periods from and to them, 0 for the effect itself, infinite
        where it is not known. All of one shape.
        """
        rho = torch.tensor(self.persistence, dtype=FLOAT)
        nearer, farther = rho**since, rho**until
        open_before, open_after = 1 - nearer**2, 1 - farther**2
        total = (1 - (nearer * farther) ** 2).clamp(min=torch.finfo(FLOAT).eps)
        mean = (nearer * open_after * before + farther * open_before * after) / total
        mean = torch.where(since == 0, before, torch.where(until == 0, after, mean))
        return mean, self.spread * (open_before * open_after / total).sqrt()

    def coordinates(self) -> Tensor:
        """Return the log of the variance and artanh of the persistence, [2]."""
        return torch.tensor([2 * math.log(self.spread), math.atanh(self.persistence)], dtype=FLOAT)

    @classmethod
    def at(cls, coordinates: Tensor) -> "Autoregression":
        """Return the one at these coordinates [2], or the nearest one that is allowed."""
        log_variance, persistence = coordinates.tolist()
        spread = max(math.exp(log_variance / 2), LEAST_SPREAD)
        return cls(spread, min(max(math.tanh(persistence), 0.0), MOST_PERSISTENCE))

    def slopes(self, periods: int) -> Tensor:
        """Return the derivatives of the covariance by the log of the variance and by artanh of ρ, [2, W, W].

        Nobody may change them.
        """
        return _slopes(self, periods)


@lru_cache(maxsize=8)  # every block of a pass asks for the same ones
def _precision(process: Autoregression, periods: int) -> Tensor:
    """Return Autoregression.precision."""
    rho = process.persistence
    matrix = torch.diag(torch.full((periods,), 1.0 + rho**2, dtype=FLOAT))
    matrix[0, 0] = matrix[-1, -1] = 1.0
    beside = torch.arange(periods - 1)
    matrix[beside, beside + 1] = matrix[beside + 1, beside] = -rho
    if periods == 1:
        matrix[0, 0] = 1.0 - rho**2
    return matrix / (1.0 - rho**2) / process.spread**2


@lru_cache(maxsize=8)
def _slopes(process: Autoregression, periods: int) -> Tensor:
    """Return Autoregression.slopes."""
    age = torch.arange(periods, dtype=FLOAT)
    apart, rho = (age[:, None] - age).abs(), torch.tensor(process.persistence, dtype=FLOAT)
    covariance = process.spread**2 * rho**apart
    return torch.stack([covariance, process.spread**2 * (1 - rho**2) * apart * rho ** (apart - 1).clamp(min=0)])


@dataclass
class OpenSeries:
    """Sums over series of an autoregression: what their posteriors say of its spread and persistence.

    second_moments, covariance [W, W]: of the posterior means, and of what they leave open. information [2, 2]: of the
    evidence about the log of the variance and artanh of ρ. count: of the series.
    """

    second_moments: Tensor
    covariance: Tensor
    information: Tensor
    count: int

    @classmethod
    def none(cls, periods: int) -> "OpenSeries":
        """Return the sums over no series."""
        moments, covariance = (torch.zeros(periods, periods, dtype=FLOAT) for _ in range(2))
        return cls(moments, covariance, torch.zeros(2, 2, dtype=FLOAT), 0)

    def add_sums(self, other: "OpenSeries") -> None:
        """Add the sums over other series."""
        for name in ("second_moments", "covariance", "information"):
            getattr(self, name).add_(getattr(other, name))
        self.count += other.count

    def add(self, covariance: Tensor, scale: Tensor, prior: Autoregression) -> Tensor:
        """Add series of these posterior covariances [n, W, W] in units of their scales [n].

        Return what they say of the log of each one's variance. The columns [n, 2] are the part of the covariance in the
        gradient of the evidence, and the information. (The posterior means m add m′ P m / 2 to the gradient.)
        With D the part of the prior covariance that the log has settled, and P′ and P″ derivatives of the precision by
        two of the parameters, a series has the information tr(D P′ D P″) / 2. All P are tridiagonal.
        """
        periods = covariance.shape[1]
        precision, slopes = prior.precision(periods), prior.slopes(periods)
        by_persistence = precision @ slopes[1] @ precision
        told = traces_of_settled(covariance, scale.square(), slopes[0], precision, by_persistence, self.covariance)
        own, crossed, others = (told[:, :3] / 2).sum(0).tolist()
        self.information += torch.tensor([[own, crossed], [crossed, others]], dtype=FLOAT)
        self.count += len(covariance)
        return torch.stack([(told[:, 3] - periods) / 2, told[:, 0] / 2], dim=1)

    def teach(self, prior: Autoregression) -> Autoregression:
        """Return the autoregression after a step of Fisher scoring on the evidence, from the one that was the prior.

        The gradient is exact for the Gaussian posteriors, the information leaves out what series tell of each other.
        Near a variance of zero the evidence changes in proportion to the variance. The information there promises a
        longer step than that, and such steps would swing around the maximum. Where a limit holds one of the two
        parameters, only the other one moves.
        """
        precision, slopes = prior.precision(len(self.covariance)), prior.slopes(len(self.covariance))
        surplus = precision @ (self.second_moments + self.covariance) @ precision - self.count * precision
        gradient = (slopes * surplus).sum((1, 2)) / 2
        fall = (-gradient[0]).clamp(min=0)
        at, weak = prior.coordinates(), torch.tensor(PRIOR_WIDTH, dtype=FLOAT) ** -2
        gradient -= weak * (at - torch.tensor(PRIOR, dtype=FLOAT))
        information = self.information + torch.diag(weak)
        information[0, 0] += fall
        step = torch.linalg.solve(information, gradient)
        beyond = Autoregression.at(at + step.clamp(-LONGEST_STEP, LONGEST_STEP))
        is_held = beyond.coordinates() == at  # by a limit
        if bool(is_held.any()):
            step = torch.where(is_held, 0.0, gradient / information.diagonal())
        if bool(is_held[0]):
            return prior  # without spread there is nothing to persist
        return Autoregression.at(at + (RELAXED * step).clamp(-LONGEST_STEP, LONGEST_STEP))
