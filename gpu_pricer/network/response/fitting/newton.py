"""A step of all unknowns of the response model towards the posterior mean.

A pass solves the normal equations of all products, categories and of μ (see equations.py): a Newton step of everything
at once, at a cost that is linear in the products.

The search finds the mean of a Gaussian approximation of the posterior, not the mode of the log sensitivities
(variational Bayes: Opper & Archambeau 2009): with little data the mode is 10 % too high, because b = exp(β) is convex.
Two terms correct that:
the mean of exp(β) in every utility, and in the gradient of β the share of its information that comes from the log.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from gpu_pricer.network.response.fitting.dissimilarity import Nests
from gpu_pricer.network.response.fitting.equations import Equations, equations
from gpu_pricer.network.response.grid.grid import FLOAT, Grid, Outcomes
from gpu_pricer.network.response.model import Layout, State
from gpu_pricer.network.response.priors.autoregression import OpenSeries
from gpu_pricer.network.response.priors.covariance import CovarianceMoments
from gpu_pricer.network.response.priors.widths import Widths, common_precision

LONGEST_STEP = 1.0  # of any one coefficient in a pass


@dataclass
class Moments:
    """What a pass tells of the widths: sums over products or categories.

    product, category: of z − θ and of θ − μ. shock, season: what is open of the autoregressions, of shocks in units of
    their category's scale. shock_variance [G, 2]: gradient and information of the evidence about the log of the
    variance of each category's shocks. distance [2]: squares of the steps of appeals and of log sensitivities, in
    posterior standard deviations.
    """

    product: CovarianceMoments
    category: CovarianceMoments
    shock: OpenSeries
    season: OpenSeries
    shock_variance: Tensor
    distance: Tensor

    @classmethod
    def none(cls, widths: Widths, layout: Layout, spans: int) -> "Moments":
        """Return the sums over nothing; widths: those of the pass."""
        product, category = (CovarianceMoments.none(prior, layout) for prior in (widths.product, widths.category))
        series = OpenSeries.none(spans), OpenSeries.none(spans)
        return cls(product, category, *series, torch.zeros(0, 2, dtype=FLOAT), torch.zeros(2, dtype=FLOAT))

    @property
    def mean_distance(self) -> Tensor:
        """Return the root mean squares of the steps of appeals and of log sensitivities, [2]."""
        return (self.distance / (self.product.count * self.product.layout.segments)).sqrt()

    def add(self, other: "Moments") -> None:
        """Add the sums over other products and categories, which are those that follow."""
        self.product.add_sums(other.product)
        self.category.add_sums(other.category)
        self.shock.add_sums(other.shock)
        self.season.add_sums(other.season)
        self.shock_variance = torch.cat([self.shock_variance, other.shock_variance])
        self.distance += other.distance


Block = tuple[slice, slice]


class _Solved(NamedTuple):
    """What a block says of μ: its part of the information and of the gradient, and how its categories follow."""

    common: Tensor
    gradient: Tensor
    follows: Tensor
    moments: Moments


def newton_pass(
    grid: Grid,
    counts: Outcomes,
    state: State,
    widths: Widths,
    damping: float,
    nests: Nests | None = None,
    run: Callable[[Callable[[Block], _Solved], Iterable[Block]], Iterable[_Solved]] = map,
) -> Moments:
    """Move the state by a step of all its unknowns, and return the moments where the whole step leads.

    damping: the share of the step that is taken: the diagonal information makes it too long where few products share
    all choices. The moments are taken at the end of the whole step, since widths from older ones would swing.
    Products, categories and μ are moved in one pass over the blocks, so that memory does not grow with the products;
    products follow μ in the next pass. nests: moves the dissimilarities too, with all other unknowns moving along. run:
    a map over the blocks, each of which moves its own part of the state.
    """
    layout = Layout(counts.segments, grid.context.shape[2])
    width = layout.width

    def solve(where: Block) -> _Solved:
        """Move a block's part of the state, given μ."""
        block, part, found = state.part(*where), grid.part(*where), Moments.none(widths, layout, grid.spans)
        solved = equations(part, counts.part(*where), block, widths, layout)
        of_mu = solved.common, solved.common_gradient, solved.follows[:, : len(solved.prior)]
        if nests is not None:
            solved = nests.move(part, block, solved, where[1])
        _move(block, solved, part.category, layout, found)
        _add_moments(block, solved, part.category, layout, widths, found)
        return _Solved(*of_mu, found)

    moments, before = Moments.none(widths, layout, grid.spans), state.copy()
    common = torch.diag(common_precision(layout))
    gradient, follows = -(state.mu - state.mu_start) * common.diagonal(), []
    for solved in run(solve, grid.blocks()):
        common, gradient = common + solved.common, gradient + solved.gradient
        follows.append(solved.follows)
        moments.add(solved.moments)
    variance, following = torch.linalg.inv(common), torch.cat(follows)
    step = variance @ gradient
    moved = (following @ step).clamp(-LONGEST_STEP, LONGEST_STEP)
    state.mu += step
    state.theta += moved[:, :width]
    state.season += moved[:, width:]
    state.mu_variance = variance
    if nests is not None:
        nests.follow(state, step)
    away = state.theta - state.mu
    apart = following[:, :width] - torch.eye(width, dtype=FLOAT)  # θ − μ for a unit of μ
    moments.category.add_means(away)
    moments.category.second += (apart @ variance @ apart.mT).sum(0)
    shock = state.shock / state.shock_scale[grid.category, None]
    for series, effects in ((moments.shock, shock), (moments.season, state.season)):
        series.second_moments += effects.T @ effects
    square = ((shock @ widths.shock.precision(grid.spans)) * shock).sum(1)
    moments.shock_variance[:, 0] += grid.sum_by_category(square) / 2
    state.take_share(damping, before)
    if nests is not None:
        nests.longest = float((state.dissimilarity - before.dissimilarity).abs().max())
    return moments


def _move(block: State, solved: Equations, own: Tensor, layout: Layout, moments: Moments) -> None:
    """Move a block's state, in place, by its step given μ."""
    width = layout.width
    step = solved.step + solved.follow(solved.category_step[own], slice(None))
    moved, moved_category = (part.clamp(-LONGEST_STEP, LONGEST_STEP) for part in (step, solved.category_step))
    block.z += moved[:, :width]
    block.shock += moved[:, width:]
    block.theta += moved_category[:, :width]
    block.season += moved_category[:, width : len(solved.prior)]
    square = step.square() / solved.inverse.diagonal(dim1=1, dim2=2)
    moments.distance += torch.stack([square[:, kind].sum() for kind in (layout.appeal, layout.log_sensitivity)])


def _add_moments(
    block: State, solved: Equations, own: Tensor, layout: Layout, widths: Widths, moments: Moments
) -> None:
    """Add the block's second moments, and renew what its state knows of the uncertainty of β.

    The covariance of (z, shock + season) is H + R Σ R′ and that of its distance from the category's (θ, season) is
    H + (R − 1) Σ (R − 1)′, with the inverse H, the reach R and the category's covariance Σ.
    """
    beta, z, v = layout.log_sensitivity, slice(0, layout.width), slice(layout.width, len(solved.prior))
    covariance = solved.covariance(block.mu_variance)
    of_category = covariance[own]
    crossed = solved.reach[:, z] @ of_category
    spread = solved.inverse[:, z, z] + crossed @ solved.reach[:, z].mT
    with_category = crossed[:, :, z]
    of_products = spread - with_category - with_category.mT + of_category[:, z, z]
    block.variance[:] = spread.diagonal(dim1=1, dim2=2)[:, beta]
    block.pull[:] = 1 + ((with_category[:, beta] - spread[:, beta]) * solved.prior.matrix[beta, z]).sum(2)
    moments.product.add_means(block.z - block.theta[own])
    moments.product.add_left(of_products)
    apart = solved.reach[:, v].clone()
    apart[:, :, v].diagonal(dim1=1, dim2=2).sub_(1)
    of_shocks = torch.baddbmm(solved.inverse[:, v, v], apart @ of_category, apart.mT)
    told = moments.shock.add(of_shocks, block.shock_scale[own], widths.shock)
    moments.shock_variance = torch.zeros(len(block.theta), 2, dtype=FLOAT).index_add(0, own, told)
    moments.category.add_left(solved.category_inverse[:, z, z])
    moments.season.add(covariance[:, v, v], torch.ones(len(covariance), dtype=FLOAT), widths.season)


def learned_widths(moments: Moments, before: Widths) -> Widths:
    """Return the widths that the moments of a pass show, see priors/covariance.py for what limits their steps."""
    unsettled = moments.mean_distance.square().clamp(max=1)
    return replace(
        before,
        product=moments.product.told_at_least(unsettled).learned(),
        category=moments.category.told_at_least(unsettled).learned(),
        season=moments.season.teach(before.season),
        shock=moments.shock.teach(before.shock),
    )
