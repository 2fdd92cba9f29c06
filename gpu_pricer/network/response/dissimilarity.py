"""How far prices move purchases from other products of the category, and how far from buying none: a nested logit.

The response model is a multinomial logit: a price cut takes buyers from rivals and from those who would not have bought
in proportion to their numbers. In a nested logit (McFadden 1978) the category is a nest with a dissimilarity γ: with V
the sum of exp(utility) over the category, somebody buys in it with the odds V^γ. At γ = 1 it is the multinomial logit
again, at 0 prices only move buyers between products.

γ is learned from how often anything of the category was bought, given the response of its products:

    logit Q[w] = v[w] + γ · x[w] + level + season[w],   γ ~ Normal(1, spread²)

v is log V at the reference prices without promotions, x what prices and promotions add to it, and the season a
first-order autoregression. Shocks of products are left out of V, because they were learned from the same purchases. The
spreads are learned from all categories; where the log tells nothing, γ stays at 1.
"""

import logging
import math
from dataclasses import dataclass

import torch
from torch import Tensor

from gpu_pricer.network.response.autoregression import Autoregression, OpenSeries
from gpu_pricer.network.response.fit import Fit, single_thread
from gpu_pricer.network.response.grid import FLOAT, Counts, Grid
from gpu_pricer.network.response.model import inclusive_values

log = logging.getLogger(__name__)

PASSES, SETTLED = 60, 0.005  # at most so many; the largest change of a γ, and of the relative one of its spread
START_SPREAD, LEAST_SPREAD = 0.3, 0.02  # of γ; the start counts as one category
START_SEASON = Autoregression(0.3, 0.5)
SEASON_PERIODS = 10.0  # for which the spread of any category's season counts in that of one
LEVEL_SPREAD = 3.0  # of the level of a category's purchases around that of its products' appeals
LONGEST_STEP, LEAST = 0.5, 0.05  # of an unknown in a pass; of a dissimilarity
RELAXED = 0.7  # share of a step of the spread that is taken
NUMBERS = 4_000_000  # of the covariances of the categories in a block


@dataclass(frozen=True)
class Dissimilarity:
    """The dissimilarity γ of G categories, and the standard deviation of what the log leaves open, [G] each."""

    value: Tensor
    error: Tensor


@single_thread()
def learn_dissimilarity(pooled: Fit) -> Dissimilarity:
    """Return the dissimilarity of the categories of a fit of all users as one segment; 1 where everybody buys."""
    grid = pooled.grid
    if not grid.has_outside_option:
        return Dissimilarity(torch.ones(grid.categories, dtype=FLOAT), torch.zeros(grid.categories, dtype=FLOAT))
    purchases, nests = _purchases(pooled), _Nests.start(grid)
    for _ in range(PASSES):
        if nests.improve(purchases, grid) < SETTLED:
            break
    result = Dissimilarity(1 + nests.unknown[:, 0].clamp(max=0.0), nests.variance.sqrt())
    log.info(
        "dissimilarity of %d categories: %.2f on average, spread %.2f",
        grid.categories, float(result.value.mean()), nests.spread,
    )  # fmt: skip
    return result


@dataclass(frozen=True)
class _Purchases:
    """What all users bought of categories in the periods, [G, W] each: v and x of the module, choices, visits."""

    base: Tensor
    lift: Tensor
    bought: Tensor
    visits: Tensor

    def part(self, categories: Tensor) -> "_Purchases":
        """Return those of some categories."""
        return _Purchases(*(values[categories] for values in (self.base, self.lift, self.bought, self.visits)))


def _purchases(pooled: Fit) -> _Purchases:
    grid, counts = pooled.grid, pooled.counts
    assert isinstance(counts, Counts)
    base, lift = inclusive_values(grid, pooled.state, pooled.layout)
    return _Purchases(base[:, 0], lift[:, 0], grid.sum_by_category(counts.bought)[:, 0], counts.visits[:, 0])


@dataclass
class _Nests:
    """The posterior means, which a pass changes in place, and what their priors are.

    unknown [G, 2 + V]: γ − 1, level, and the season of every span. variance [G]: of γ. scale [G]: the variance of a
    category's season over that of any.
    """

    unknown: Tensor
    variance: Tensor
    scale: Tensor
    spread: float
    season: Autoregression

    @classmethod
    def start(cls, grid: Grid) -> "_Nests":
        """Return logits."""
        unknown = torch.zeros(grid.categories, 2 + grid.spans, dtype=FLOAT)
        return cls(unknown, unknown[:, 0].clone(), torch.ones_like(unknown[:, 0]), START_SPREAD, START_SEASON)

    def improve(self, purchases: _Purchases, grid: Grid) -> float:
        """Move the unknowns by a Newton step, the priors by one of EM; return the largest change of a γ or spread."""
        usual, longest = self.season.precision(grid.spans), 0.0
        series = OpenSeries.none(grid.spans)
        at_once = max(NUMBERS // self.unknown.shape[1] ** 2, 1)
        for categories in torch.arange(grid.categories).split(at_once):
            step, covariance = self._step(purchases.part(categories), categories, usual, grid)
            self.unknown[categories] += step
            self.variance[categories] = covariance[:, 0, 0]
            longest = max(longest, float(step[:, 0].abs().max()))
            self._keep_season(categories, covariance[:, 2:, 2:], usual, series)
        self.unknown[:, 0].clamp_(min=LEAST - 1)
        self.season = series.teach(self.season)
        before, self.spread = self.spread, self._learned_spread()
        return max(longest, abs(self.spread / before - 1))

    def _step(self, block: _Purchases, categories: Tensor, usual: Tensor, grid: Grid) -> tuple[Tensor, Tensor]:
        """Return the step [g, 2 + V] of a block's unknowns, and their posterior covariance."""
        now = self.unknown[categories]
        seasons = now[:, 2:][:, grid.span_of_periods()]
        rate = torch.sigmoid(block.base + (1 + now[:, :1]) * block.lift + now[:, 1:2] + seasons)
        residual, weight = block.bought - block.visits * rate, block.visits * rate * (1 - rate)
        effects = torch.stack([block.lift, torch.ones_like(block.lift)], dim=1)  # of γ and of the level
        driven = effects * weight[:, None]
        beside = grid.sum_by_span(driven)
        seasonal = torch.diag_embed(beside[:, 1]) + usual / self.scale[categories, None, None]
        prior = torch.tensor([self.spread, LEVEL_SPREAD], dtype=FLOAT) ** -2
        own = driven @ effects.mT + torch.diag(prior)
        precision = torch.cat([torch.cat([own, beside], dim=2), torch.cat([beside.mT, seasonal], dim=2)], dim=1)
        of_seasons = grid.sum_by_span(residual[:, None])[:, 0]
        gradient = torch.cat([(effects @ residual[:, :, None])[:, :, 0], of_seasons], dim=1)
        gradient[:, :2] -= now[:, :2] * prior
        gradient[:, 2:] -= now[:, 2:] @ usual / self.scale[categories, None]
        covariance = torch.linalg.inv(precision)
        return (covariance @ gradient[:, :, None])[:, :, 0].clamp(-LONGEST_STEP, LONGEST_STEP), covariance

    def _keep_season(self, categories: Tensor, left: Tensor, usual: Tensor, series: OpenSeries) -> None:
        """Add the block's seasons, each over its own scale, to the series, and renew the scales."""
        scale, season = self.scale[categories], self.unknown[categories, 2:]
        series.add(left / scale[:, None, None], self.season)
        even = season / scale.sqrt()[:, None]
        series.second_moments += even.T @ even
        size = ((season @ usual) * season).sum(1) + (left * usual).sum((1, 2))
        self.scale[categories] = (SEASON_PERIODS + size) / (SEASON_PERIODS + len(usual))

    def _learned_spread(self) -> float:
        """Return the spread of γ after a step of EM, lengthened where the log tells little of it (see widths.py)."""
        count, own = len(self.variance), self.unknown[:, 0]
        found = float((own.square() + self.variance).sum() + START_SPREAD**2) / (count + 1)
        told = (1 - self.variance / self.spread**2).clamp(0, 1)
        step = math.log(found / self.spread**2) * (count + 1) / float(told.square().sum() + 1)
        return max(self.spread * math.exp(RELAXED * min(max(step, -1.0), 1.0) / 2), LEAST_SPREAD)
