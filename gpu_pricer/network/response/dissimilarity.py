"""How far prices move purchases from other products of the category, and how far from buying none: a nested logit.

The response model is a multinomial logit: a price cut takes buyers from rivals and from those who would not have bought
in proportion to their numbers. In a nested logit (McFadden 1978) the category is a nest with a dissimilarity γ: with V
the sum of exp(utility) over the category, somebody buys in it with the odds V^γ. At γ = 1 it is the multinomial logit
again, at 0 prices only move buyers between products. With x what prices and promotions add to log V,

    logit Q[w] = level + γ · x[w] + season[w],   γ ~ Normal(1, spread²)

is the chance to buy anything of the category, and so (γ − 1) x adds to the utility of all its products (see model.py).
γ is learned beside the response of the products, by a Newton step after each pass, in which level and season move along
with γ. Shocks of products are left out of x, because they are learned from the same purchases. The spread is learned
from all categories; where the log tells nothing, γ stays at 1.

The mean price move of a category as a control (see controls.py) would take the place of γ: either lets the moves that
all prices share have a response of their own. So its place takes the mean regular price, and cuts teach γ; without a
control of regular prices none is learned. On synthetic markets (data=synthetic seed=101, 30 categories) with γ = .2, .6
and 1 everywhere, the mean is .30, .71 and 1.00; with the mean price move as the control .54, .97 and 1, and with
neither .41, .57 and .80 (2026-11).
"""

import logging
import math
from dataclasses import dataclass

import torch
from torch import Tensor

from gpu_pricer.network.response.autoregression import Autoregression
from gpu_pricer.network.response.grid import FLOAT, Counts, Grid, Outcomes
from gpu_pricer.network.response.model import Layout, State, inclusive_values, utility

log = logging.getLogger(__name__)

START_SPREAD, LEAST_SPREAD, SPREADS = 0.3, 0.02, 50  # of γ: the first, the least, and how many are tried up to 1
LEVEL_SPREAD = 3.0  # of the level of a category's purchases around that of its products' appeals
LONGEST_STEP, LEAST = 0.3, 0.05  # of a dissimilarity, in a pass; of a dissimilarity
LOGIT = 0.5  # posterior standard deviations from 1, within which a nest is taken for a logit, which is priced faster


@dataclass
class Nests:
    """What is known of the dissimilarities beside their values.

    variance [G]: their posterior variances. told bool [G]: whether the log can tell them; that of a category with a
    single product stays at 1, because its buyers have nothing to switch to. spread: of their prior around 1.
    """

    variance: Tensor
    told: Tensor
    spread: float

    @classmethod
    def of(cls, grid: Grid) -> "Nests":
        """Return what is known before the first pass; the grid has an outside option."""
        return cls(torch.zeros(grid.categories, dtype=FLOAT), torch.bincount(grid.category) > 1, START_SPREAD)

    def improve(self, grid: Grid, counts: Outcomes, state: State, season: Autoregression) -> float:
        """Move the state's dissimilarities by a Newton step and learn their spread; return the largest move."""
        assert isinstance(counts, Counts)
        longest = 0.0
        for products, categories in grid.blocks():
            block = state.part(products, categories)
            step, variance = self._step(
                grid.part(products, categories), counts.part(products, categories), block, season
            )
            step = torch.where(self.told[categories], step.clamp(-LONGEST_STEP, LONGEST_STEP), 0.0)
            before = block.dissimilarity.clone()
            block.dissimilarity.add_(step).clamp_(min=LEAST)
            self.variance[categories] = variance
            longest = max(longest, float((block.dissimilarity - before).abs().max()))
        self.spread = self._learned_spread(state.dissimilarity)
        return longest

    def settle(self, state: State) -> None:
        """Keep the state's dissimilarities in the range of nested logits, and say how many are no logits."""
        value = state.dissimilarity
        value.copy_(torch.where(value + LOGIT * self.variance.sqrt() > 1, 1.0, value))
        left = int((value < 1).sum())
        log.info(
            "dissimilarity of %d categories: %.2f on average, spread %.2f; %d have left 1, and of %d the log tells no "
            "difference from 1",
            len(value), float(value.mean()), self.spread, left, len(value) - left,
        )  # fmt: skip

    def _step(self, grid: Grid, counts: Counts, state: State, season: Autoregression) -> tuple[Tensor, Tensor]:
        """Return the step of a block's dissimilarities [g], and their posterior variances."""
        layout, usual = Layout(1, grid.context.shape[2]), season.precision(grid.spans)
        rate = grid.sum_by_category(grid.shares(utility(grid, state, layout)))[:, 0]
        visits, lift = counts.visits[:, 0], inclusive_values(grid, state, layout)[1][:, 0]
        residual, weight = grid.sum_by_category(counts.bought)[:, 0] - visits * rate, visits * rate * (1 - rate)
        effects = torch.stack([lift, torch.ones_like(lift)], dim=1)  # of γ and of the level
        driven = effects * weight[:, None]
        beside = grid.sum_by_span(driven)
        prior = torch.tensor([self.spread, LEVEL_SPREAD], dtype=FLOAT) ** -2
        own, seasonal = driven @ effects.mT + torch.diag(prior), torch.diag_embed(beside[:, 1]) + usual
        precision = torch.cat([torch.cat([own, beside], dim=2), torch.cat([beside.mT, seasonal], dim=2)], dim=1)
        gradient = (effects @ residual[:, :, None])[:, :, 0]
        gradient[:, 0] -= (state.dissimilarity - 1) * prior[0]
        of_seasons = grid.sum_by_span(residual[:, None])[:, 0] - state.season @ usual
        first = torch.linalg.inv(precision)[:, 0]
        return (first * torch.cat([gradient, of_seasons], dim=1)).sum(1), first[:, 0]

    def _learned_spread(self, value: Tensor) -> float:
        """Return the spread of γ with the highest evidence, its likelihood in each category taken for Gaussian."""
        variance = self.variance[self.told]
        information = (1 / variance - self.spread**-2).clamp(min=1e-9)
        apart = (value[self.told] - 1) / variance / information  # from 1, of the γ most likely without the prior
        spread = torch.logspace(math.log10(LEAST_SPREAD), 0, SPREADS, dtype=FLOAT)
        left = spread[:, None] ** 2 + 1 / information
        return float(spread[(left.log() + apart**2 / left).sum(1).argmin()])
