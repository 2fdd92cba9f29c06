"""The dissimilarity γ of each category: the nesting parameter of a nested logit (McFadden 1978).

The response model is a multinomial logit: a price cut draws buyers from the other products and from the outside option
in proportion to their probabilities. In a nested logit the category is a nest with a dissimilarity γ: with V the sum of
exp(utility) over the category, a visit buys in it with the odds V^γ. γ = 1 is the multinomial logit; at γ = 0 prices
only move buyers between products. With x what prices and promotions add to log V,

    logit Q[w] = level + γ · x[w] + season[w],   γ ~ Normal(1, spread²)

is the logit of the probability of any purchase in the category, so that (γ − 1) x adds to the utility of all its
products (see model.py). γ is an unknown of the category in the normal equations of the response (see equations.py). A
pass solves for γ last, so that sensitivities, levels, seasons and controls are estimated jointly with it and its
posterior variance includes theirs. Shocks of products are left out of x, because they are estimated from the same
purchases. The spread is estimated from all categories; without information in the log γ stays at 1.

The mean price move of a category as a control (see grid/controls.py) would absorb γ, because either gives the common
part of the prices a response of its own. So the mean regular price replaces that control, and cuts identify γ; without
a control of regular prices no γ is estimated. On synthetic markets (data=synthetic seed=101, 30 categories) with γ =
.2, .6 and 1 everywhere, the mean is .25, .67 and 1.00. Before γ was solved together with the response it was .30, .71
and 1.00, with the mean price move as the control .54, .97 and 1, and with neither .41, .57 and .80 (2026-11).
"""

import logging
import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from gpu_pricer.network.response.fitting.equations import Equations
from gpu_pricer.network.response.grid.grid import FLOAT, Grid
from gpu_pricer.network.response.model import Layout, State, inclusive_values

log = logging.getLogger(__name__)

START_SPREAD, LEAST_SPREAD, SPREADS = 0.3, 0.02, 50  # of γ: the first, the least, and how many are tried up to 1
LONGEST_STEP = 0.3  # of a dissimilarity, in a pass
LEAST, MOST = 0.05, 1.2
"""Limits of a dissimilarity while it is learned; what is above 1 is then taken for 1.

Far above 1, dissimilarities and sensitivities drive each other up without end. In a simulated fashion shop, whose
markdowns move whole categories, they reached 7.2 and a mean sensitivity of 1,094. With the limit the mean sensitivity
is 2.8; the true own-price elasticities have a mean of −3.0 (December 2026).
"""
LEAST_INFORMATION = 1e-9  # about a dissimilarity: where prices rest the log has none
MOST_LOG_FACTOR = 700.0  # of a Bayes factor that is a finite number
LOGIT = 0.5  # posterior standard deviations from 1, within which a nest is taken for a logit, which is priced faster


@dataclass(frozen=True)
class Coupling:
    """How a block's n products and m categories move with the dissimilarities γ, and what the log says of γ itself.

    product [n, F]: z and shock + season for a unit of γ; category [m, E]: its category's. information, gradient [m]: of
    the log likelihood by γ, all others but μ moving along; common [m, D]: the fall of that gradient for a unit of μ.
    """

    product: Tensor
    category: Tensor
    information: Tensor
    gradient: Tensor
    common: Tensor

    @classmethod
    def of(cls, grid: Grid, state: State, solved: Equations, layout: Layout) -> "Coupling":
        """Return the coupling of a block whose equations are solved with γ held: γ is eliminated last."""
        lift, score = inclusive_values(grid, state, layout)[1][grid.category], solved.score
        driven = score.weight * lift
        cross = score.by_unknown(grid, driven)
        direct = -(solved.inverse @ cross[:, :, None])[:, :, 0]
        pulled = solved.gather(grid, direct)
        pulled[:, solved.movers] -= score.by_mover(grid, driven)
        category = (solved.category_inverse @ pulled[:, :, None])[:, :, 0]
        own, residual = (driven * lift).sum((1, 2)), (score.residual * lift).sum((1, 2))
        return cls(
            product=direct + solved.rise(category[grid.category], slice(None)),
            category=category,
            information=grid.sum_by_category(own + (cross * direct).sum(1)) - (pulled * category).sum(1),
            gradient=grid.sum_by_category(residual - (cross * solved.step).sum(1))
            + (pulled * solved.category_step).sum(1),
            common=-(pulled[:, None] @ solved.follows)[:, 0],
        )

    def along(self, solved: Equations, category: Tensor, moved: Tensor, information: Tensor) -> Equations:
        """Return the equations with γ eliminated, whose steps go along with moves of γ [m].

        category [n]: the number of each product's. information [m]: that of γ with its prior, infinite where γ rests.
        """
        step = solved.category_step + self.category * moved[:, None]
        direct = self.product - solved.rise(self.category[category], slice(None))
        follows = self.common / information[:, None]
        return replace(
            solved,
            step=solved.step + direct * moved[category, None],
            category_step=step,
            follows=solved.follows - self.category[:, :, None] * follows[:, None],
            common=solved.common - self.common.T @ follows,
            common_gradient=solved.common_gradient - self.common.T @ moved,
        )


@dataclass
class Nests:
    """What is known of the dissimilarities beside their values.

    told bool [G]: whether the log can tell them; that of a category with a single product stays at 1, because its
    buyers have nothing to switch to. spread: of their prior around 1. likeliest, information [G]: where the log alone
    would have them, and its information, by the last pass. follows [G, D]: how they follow μ. longest: the longest move
    of the last pass.
    """

    told: Tensor
    spread: float
    likeliest: Tensor
    information: Tensor
    follows: Tensor
    longest: float

    @classmethod
    def of(cls, grid: Grid) -> "Nests":
        """Return what is known before the first pass; the grid has an outside option."""
        ones, told = torch.ones(grid.categories, dtype=FLOAT), torch.bincount(grid.category) > 1
        follows = torch.zeros(grid.categories, 2 + grid.context.shape[2], dtype=FLOAT)
        return cls(told, START_SPREAD, ones, torch.zeros_like(ones), follows, 0.0)

    def move(self, grid: Grid, block: State, solved: Equations, categories: slice) -> Equations:
        """Move a block's dissimilarities by a Newton step given μ; return the equations with them eliminated."""
        coupling = Coupling.of(grid, block, solved, Layout(1, grid.context.shape[2]))
        precision, told, before = self.spread**-2, self.told[categories], block.dissimilarity.clone()
        information = torch.where(told, coupling.information + precision, torch.inf)
        step = (coupling.gradient - (before - 1) * precision) / information
        block.dissimilarity.add_(step.clamp(-LONGEST_STEP, LONGEST_STEP)).clamp_(LEAST, MOST)
        block.nest_variance[:] = 1 / information
        self.information[categories] = coupling.information
        self.likeliest[categories] = before + coupling.gradient / coupling.information.clamp(min=LEAST_INFORMATION)
        self.follows[categories] = coupling.common / information[:, None]
        return coupling.along(solved, grid.category, block.dissimilarity - before, information)

    def follow(self, state: State, step: Tensor) -> None:
        """Move the dissimilarities along with a step of μ, [D]."""
        moved = (self.follows @ step).clamp(-LONGEST_STEP, LONGEST_STEP)
        state.dissimilarity.sub_(moved).clamp_(LEAST, MOST)

    def learn_spread(self) -> None:
        """Learn the spread with the highest evidence, the likelihood of γ in each category taken for Gaussian."""
        spread = _spreads()
        self.spread = float(spread[self._log_evidence(spread).argmax()])

    @property
    def bayes_factor(self) -> float:
        """The evidence for nests over that for logits everywhere; the log of the spread is even between its limits."""
        found = torch.logsumexp(self._log_evidence(_spreads()), 0) - math.log(SPREADS)
        return math.exp(min(float(found - self._log_evidence(torch.zeros(1, dtype=FLOAT))), MOST_LOG_FACTOR))

    def _log_evidence(self, spread: Tensor) -> Tensor:
        """Return the log evidence of spreads [n], up to a constant."""
        information = self.information[self.told].clamp(min=LEAST_INFORMATION)
        left = spread[:, None] ** 2 + 1 / information
        return -0.5 * (left.log() + (self.likeliest[self.told] - 1) ** 2 / left).sum(1)

    def settle(self, state: State) -> None:
        """Keep the state's dissimilarities in the range of nested logits, and say how many are no logits.

        All are logits where the log speaks for that rather than for nests: chance would move some of them from 1.
        """
        value, factor = state.dissimilarity, self.bayes_factor
        state.open_dissimilarity.copy_(value)
        is_logit = (value + LOGIT * state.nest_variance.sqrt() > 1) | (factor < 1)
        value.masked_fill_(is_logit, 1.0)
        state.nest_variance.masked_fill_(is_logit, 0.0)
        left = int((value < 1).sum())
        log.info(
            "dissimilarity of %d categories: mean %.2f, spread %.2f, Bayes factor of the nested logit %.2g; "
            "it is below 1 in %d; in the other %d the log does not speak for a nest",
            len(value), float(value.mean()), self.spread, factor, left, len(value) - left,
        )  # fmt: skip


def _spreads() -> Tensor:
    """Return the spreads that are tried, even in the logarithm."""
    return torch.logspace(math.log10(LEAST_SPREAD), 0, SPREADS, dtype=FLOAT)
