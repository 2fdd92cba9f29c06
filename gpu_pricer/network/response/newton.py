"""The normal equations of the response model, and a step of all its unknowns towards the posterior mean.

Given μ, categories are independent, and given a category's coefficients and seasons so are its products. So a pass
solves every product's equations, eliminates them from its category's, and those from the equations of μ: a Newton step
of everything at once, at a cost that is linear in the products. The information of the multinomial logit is taken by
its diagonal N p (1 − p); what that leaves out are products of two choice probabilities.

What is sought is not the mode of log sensitivities but the mean of a Gaussian approximation (variational Bayes: Opper &
Archambeau 2009): the mode is 10 % too high where the log says little, because b = exp(β) bends. Two terms mend that:
the mean of exp(β) in every utility, and in the gradient of β the share of its information that comes from the log.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from gpu_pricer.network.response.autoregression import OpenSeries
from gpu_pricer.network.response.grid import FLOAT, Grid, Outcomes
from gpu_pricer.network.response.model import Layout, State, slopes, utility
from gpu_pricer.network.response.widths import Widths, common_precision, learned_covariance

LONGEST_STEP = 1.0  # of any one coefficient in a pass


@dataclass(frozen=True)
class Equations:
    """The equations of a block of n products in m categories, F = D + V unknowns each, solved.

    A product's unknowns are z and its shocks, a category's θ and its seasons. The utility holds the sum shock + season
    only, so that in the unknowns (z, shock + season) nothing but the prior ties a product to its category.

    prior [F, F]: precision of a product's unknowns. inverse [n, F, F]: of the products' equations, given their
    category. step [n, F]: the products' own step.
    category_inverse [m, F, F]: of the categories' equations, their products eliminated and μ given; category_step [m,
    F]; follows [m, F, D]: how they follow μ. common, common_gradient: what the block adds to the equations of μ, [D, D]
    and [D].
    """

    prior: Tensor
    inverse: Tensor
    step: Tensor
    category_inverse: Tensor
    category_step: Tensor
    follows: Tensor
    common: Tensor
    common_gradient: Tensor

    @property
    def width(self) -> int:
        """Return D."""
        return self.follows.shape[2]

    def covariance(self, mu_variance: Tensor) -> Tensor:
        """Return the posterior covariance of the categories' unknowns, [m, F, F], with that of μ."""
        return self.category_inverse + self.follows @ mu_variance @ self.follows.mT

    def follow(self, moved: Tensor, unknowns: slice) -> Tensor:
        """Return how some of the products' unknowns follow their categories', which move by moved [..., n, F]."""
        rise = torch.einsum("nuf,...nf->...nu", self.inverse[:, unknowns], moved @ self.prior)
        season = torch.cat([torch.zeros_like(moved[..., : self.width]), moved[..., self.width :]], dim=-1)
        return rise - season[..., unknowns]  # the inverse is of shock + season, the unknown is the shock


def equations(grid: Grid, counts: Outcomes, state: State, widths: Widths, layout: Layout) -> Equations:
    """Return the equations of a block, of which grid, counts and state hold nothing else."""
    information, gradient = _likelihood(grid, counts, state, layout)
    category = torch.linalg.inv(widths.category)
    prior = torch.block_diag(torch.linalg.inv(widths.product), widths.shock.precision(grid.spans))
    away = torch.cat([state.z - state.theta[grid.category], state.shock], dim=1)
    inverse = torch.linalg.inv(information + prior)
    step = (inverse @ (gradient - away @ prior)[:, :, None])[:, :, 0]
    size = torch.bincount(grid.category, minlength=grid.categories)
    together = grid.sum_by_category(inverse)
    above = torch.block_diag(category, widths.season.precision(grid.spans))
    beside = torch.cat([state.theta - state.mu, state.season], dim=1) @ above
    right = grid.sum_by_category(away + step) @ prior - beside
    if widths.elasticity is not None:
        right[:, : layout.width] += widths.elasticity.gradient(state.theta, layout)
        above[: layout.width, : layout.width] += widths.elasticity.precision(layout)
    category_inverse = torch.linalg.inv(size[:, None, None] * prior - prior @ together @ prior + above)
    follows = category_inverse[:, :, : layout.width] @ category
    return Equations(
        prior=prior,
        inverse=inverse,
        step=step,
        category_inverse=category_inverse,
        category_step=(category_inverse @ right[:, :, None])[:, :, 0],
        follows=follows,
        common=grid.categories * category - (category @ follows[:, : layout.width]).sum(0),
        common_gradient=beside[:, : layout.width].sum(0) + (follows * right[:, :, None]).sum((0, 1)),
    )


def _likelihood(grid: Grid, counts: Outcomes, state: State, layout: Layout) -> tuple[Tensor, Tensor]:
    """Return the products' information [n, F, F] and gradient [n, F] from the log."""
    residual, weight = counts.score(grid, utility(grid, state, layout))
    slope, context = slopes(grid, state.sensitivity(layout)), grid.context
    steep = weight * slope
    segments, width = layout.segments, layout.width
    matrix = torch.zeros(len(grid.row), width + grid.spans, width + grid.spans, dtype=FLOAT)
    s, t = torch.arange(segments), width + torch.arange(grid.spans)
    matrix[:, s, s] = weight.sum(2)
    matrix[:, s, segments + s] = matrix[:, segments + s, s] = steep.sum(2)
    matrix[:, segments + s, segments + s] = (steep * slope).sum(2)
    total = weight.sum(1)
    matrix[:, t, t] = grid.sum_by_span(total[:, None])[:, 0]
    driven = total[:, :, None] * context
    for rows, columns, values in (
        (layout.appeal, layout.effect, weight @ context),
        (layout.log_sensitivity, layout.effect, steep @ context),
        (layout.appeal, slice(width, None), grid.sum_by_span(weight)),
        (layout.log_sensitivity, slice(width, None), grid.sum_by_span(steep)),
        (slice(width, None), layout.effect, grid.sum_by_span(driven.mT).mT),
    ):
        matrix[:, rows, columns] = values
        matrix[:, columns, rows] = values.mT
    matrix[:, layout.effect, layout.effect] = context.mT @ driven
    of_period = residual.sum(1)
    gradient = torch.cat(
        [
            residual.sum(2),
            (residual * slope).sum(2) - state.pull,
            (of_period[:, :, None] * context).sum(1),
            grid.sum_by_span(of_period[:, None])[:, 0],
        ],
        dim=1,
    )
    return matrix, gradient


@dataclass
class Moments:
    """What a pass tells of the widths: sums over products or categories.

    product, category [D, D]: second moments of z − θ and of θ − μ. told_product, told_category [D]: squares of the
    share of a coefficient's prior variance that the log has settled. shock, season: what is open of the
    autoregressions. distance: squares of the log sensitivities' steps in posterior standard deviations.
    """

    product: Tensor
    category: Tensor
    told_product: Tensor
    told_category: Tensor
    shock: OpenSeries
    season: OpenSeries
    distance: float

    @classmethod
    def none(cls, width: int, spans: int) -> "Moments":
        """Return the sums over nothing."""
        product, category = (torch.zeros(width, width, dtype=FLOAT) for _ in range(2))
        told, told_above = (torch.zeros(width, dtype=FLOAT) for _ in range(2))
        return cls(product, category, told, told_above, OpenSeries.none(spans), OpenSeries.none(spans), 0.0)


def newton_pass(grid: Grid, counts: Outcomes, state: State, widths: Widths, damping: float) -> Moments:
    """Move the state by a step of all its unknowns, and return the moments where the whole step leads.

    damping: the share of the step that is taken: the diagonal information makes it too long where few products share
    all choices. The moments are taken at the end of the whole step, since widths from older ones would swing.
    Products, categories and μ are moved in one pass over the blocks, so that memory does not grow with the products;
    products follow μ in the next pass.
    """
    layout = Layout(counts.segments, grid.context.shape[2])
    width = layout.width
    moments, before = Moments.none(width, grid.spans), state.copy()
    common = torch.diag(common_precision(layout))
    gradient = -(state.mu - state.mu_start) * common.diagonal()
    follows = []
    for products, categories in grid.blocks():
        block = state.part(products, categories)
        solved = equations(grid.part(products, categories), counts.part(products, categories), block, widths, layout)
        common, gradient = common + solved.common, gradient + solved.common_gradient
        follows.append(solved.follows)
        own = grid.category[products] - categories.start
        _move(block, solved, own, layout, moments)
        _add_moments(block, solved, own, layout, widths, moments)
    variance, following = torch.linalg.inv(common), torch.cat(follows)
    step = variance @ gradient
    moved = (following @ step).clamp(-LONGEST_STEP, LONGEST_STEP)
    state.mu += step
    state.theta += moved[:, :width]
    state.season += moved[:, width:]
    state.mu_variance = variance
    away = state.theta - state.mu
    apart = following[:, :width] - torch.eye(width, dtype=FLOAT)  # θ − μ for a unit of μ
    moments.category += away.T @ away + (apart @ variance @ apart.mT).sum(0)
    for series, effects in ((moments.shock, state.shock), (moments.season, state.season)):
        series.second_moments += effects.T @ effects
    state.take_share(damping, before)
    return moments


def _move(block: State, solved: Equations, own: Tensor, layout: Layout, moments: Moments) -> None:
    """Move a block's state, in place, by its step given μ."""
    width = layout.width
    step = solved.step + solved.follow(solved.category_step[own], slice(None))
    moved, moved_category = (part.clamp(-LONGEST_STEP, LONGEST_STEP) for part in (step, solved.category_step))
    block.z += moved[:, :width]
    block.shock += moved[:, width:]
    block.theta += moved_category[:, :width]
    block.season += moved_category[:, width:]
    beta = layout.log_sensitivity
    variance = solved.inverse.diagonal(dim1=1, dim2=2)[:, beta]
    moments.distance += float((step[:, beta].square() / variance).sum())


def _add_moments(
    block: State, solved: Equations, own: Tensor, layout: Layout, widths: Widths, moments: Moments
) -> None:
    """Add the block's second moments, and renew what its state knows of the uncertainty of β.

    The covariance of (z, shock + season) is H + H Π Σ Π H and that of its distance from the category's (θ, season) is
    H + (H Π − 1) Σ (Π H − 1), with the inverse H, the prior Π and the category's covariance Σ.
    """
    width, beta = layout.width, layout.log_sensitivity
    inverse, covariance = solved.inverse, solved.covariance(block.mu_variance)
    crossed = inverse @ (solved.prior @ covariance)[own]  # H Π Σ
    reach = crossed @ solved.prior
    spread = inverse + reach @ inverse
    of_z = spread[:, :width, :width]
    block.variance[:] = of_z.diagonal(dim1=1, dim2=2)[:, beta]
    s = torch.arange(layout.width)[beta]
    block.pull[:] = 1 + reach[:, s, s] - (of_z[:, beta] * solved.prior[beta, :width]).sum(2)
    apart = spread - crossed - crossed.mT + covariance[own]
    away = block.z - block.theta[own]
    moments.product += away.T @ away + apart[:, :width, :width].sum(0)
    moments.told_product += _told(apart, widths.product)
    moments.shock.add(apart[:, width:, width:], widths.shock)
    moments.category += solved.category_inverse[:, :width, :width].sum(0)
    moments.told_category += _told(solved.category_inverse, widths.category)
    moments.season.add(covariance[:, width:, width:], widths.season)


def _told(left: Tensor, prior: Tensor) -> Tensor:
    """Return the sums [D] of the squared shares of the prior variances that covariances [n, F, F] have settled."""
    variance = prior.diagonal()
    return (1 - left.diagonal(dim1=1, dim2=2)[:, : len(variance)] / variance).clamp(0, 1).square().sum(0)


def learned_widths(moments: Moments, grid: Grid, before: Widths, layout: Layout) -> Widths:
    """Return the widths that the moments of a pass show."""
    told, told_above = moments.told_product, moments.told_category
    return replace(
        before,
        product=learned_covariance(moments.product, len(grid.row), told, before.product, layout),
        category=learned_covariance(moments.category, grid.categories, told_above, before.category, layout),
        season=moments.season.teach(before.season),
        shock=moments.shock.teach(before.shock),
    )
