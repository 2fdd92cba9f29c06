"""The normal equations of the response model, and a step of all its unknowns towards the posterior mean.

Given μ, categories are independent, and given a category's coefficients and seasons so are its products. So a pass
solves every product's equations, eliminates them from its category's, and those from the equations of μ: a Newton step
of everything at once, at a cost that is linear in the products. The information of the multinomial logit is taken by
its diagonal N p (1 − p); what that leaves out are products of two choice probabilities.

What is sought is not the mode of log sensitivities but the mean of a Gaussian approximation (variational Bayes: Opper &
Archambeau 2009): the mode is 10 % too high where the log says little, because b = exp(β) bends. Two terms mend that:
the mean of exp(β) in every utility, and in the gradient of β the share of its information that comes from the log.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from gpu_pricer.network.response.grid import FLOAT, Counts, Grid
from gpu_pricer.network.response.model import Layout, State, cells_of
from gpu_pricer.network.response.widths import Autoregression, Widths, common_precision, learned_covariance

LONGEST_STEP = 1.0  # of any one coefficient in a pass


@dataclass(frozen=True)
class Equations:
    """The equations of a block of n products in m categories, F = D + V unknowns each, solved.

    inverse [n, F, F]: of the products' equations, given their category. lever [n, F, F]: by how much the products'
    unknowns fall for a unit of their category's (θ, season). step [n, F]: the products' own step. information [n, F,
    F]: what the log says of the products' unknowns. category_inverse [m, F, F]: of the categories' equations, their
    products eliminated and μ given; category_step [m, F]; follows [m, F, D]: how they follow μ.
    common, common_gradient: what the block adds to the equations of μ, [D, D] and [D].
    """

    inverse: Tensor
    lever: Tensor
    step: Tensor
    information: Tensor
    category_inverse: Tensor
    category_step: Tensor
    follows: Tensor
    common: Tensor
    common_gradient: Tensor

    def covariance(self, mu_variance: Tensor) -> Tensor:
        """Return the posterior covariance of the categories' unknowns, [m, F, F], with that of μ."""
        return self.category_inverse + self.follows @ mu_variance @ self.follows.mT


def equations(grid: Grid, counts: Counts, state: State, widths: Widths, layout: Layout) -> Equations:
    """Return the equations of a block, of which grid, counts and state hold nothing else."""
    information, gradient, of_season = _likelihood(grid, counts, state, layout)
    width, spans = layout.width, grid.spans
    product, category = torch.linalg.inv(widths.product), torch.linalg.inv(widths.category)
    shock, season = widths.shock.precision(spans), widths.season.precision(spans)
    away = state.z - state.theta[grid.category]
    gradient[:, :width] -= away @ product
    gradient[:, width:] -= state.shock @ shock
    prior = torch.block_diag(product, shock)
    inverse = torch.linalg.inv(information + prior)
    coupling = information.clone()  # of a product's unknowns with (θ, season): the season acts like the shock
    coupling[:, :, :width] = 0.0
    coupling[:, :width, :width] = -product
    lever, step = inverse @ coupling, (inverse @ gradient[:, :, None])[:, :, 0]
    size = torch.bincount(grid.category, minlength=grid.categories)
    matrix = torch.zeros(grid.categories, width + spans, width + spans, dtype=FLOAT)
    matrix[:, :width, :width] = size[:, None, None] * product + category
    matrix[:, width:, width:] = season + torch.diag_embed(
        grid.sum_by_category(information[:, width:, width:].diagonal(dim1=1, dim2=2))
    )
    matrix -= grid.sum_by_category(coupling.mT @ lever)
    beside = state.theta - state.mu
    right = torch.cat([grid.sum_by_category(away @ product) - beside @ category,
                       grid.sum_by_category(of_season) - state.season @ season], dim=1)  # fmt: skip
    right -= grid.sum_by_category((lever * gradient[:, :, None]).sum(1))
    category_inverse = torch.linalg.inv(matrix)
    follows = category_inverse[:, :, :width] @ category
    return Equations(
        inverse=inverse,
        lever=lever,
        step=step,
        information=information,
        category_inverse=category_inverse,
        category_step=(category_inverse @ right[:, :, None])[:, :, 0],
        follows=follows,
        common=grid.categories * category - (category @ follows[:, :width]).sum(0),
        common_gradient=(beside @ category).sum(0) + (follows * right[:, :, None]).sum((0, 1)),
    )


def _likelihood(grid: Grid, counts: Counts, state: State, layout: Layout) -> tuple[Tensor, Tensor, Tensor]:
    """Return the products' information [n, F, F], gradient [n, F] and gradient in their seasons [n, V] from the log."""
    cells = cells_of(grid, state, layout)
    visits = counts.visits[grid.category]
    residual = (counts.bought - visits * cells.share) * grid.on_shelf[:, None]
    weight = visits * cells.share * (1 - cells.share)
    steep, context = weight * cells.slope, grid.context
    segments, width = layout.segments, layout.width
    matrix = torch.zeros(len(grid.row), width + grid.spans, width + grid.spans, dtype=FLOAT)
    s, t = torch.arange(segments), width + torch.arange(grid.spans)
    matrix[:, s, s] = weight.sum(2)
    matrix[:, s, segments + s] = matrix[:, segments + s, s] = steep.sum(2)
    matrix[:, segments + s, segments + s] = (steep * cells.slope).sum(2)
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
    of_season = grid.sum_by_span(of_period[:, None])[:, 0]
    gradient = torch.cat(
        [
            residual.sum(2),
            (residual * cells.slope).sum(2) - state.pull,
            (of_period[:, :, None] * context).sum(1),
            of_season,
        ],
        dim=1,
    )
    return matrix, gradient, of_season


@dataclass
class Moments:
    """Sums over products or categories of second moments: of z − θ and θ − μ [D, D], and of shocks and seasons.

    shock, season: sums of squares and of products with the period before. distance: sum of the squares of the log
    sensitivities' steps in posterior standard deviations.
    """

    product: Tensor
    category: Tensor
    shock: list[float]
    season: list[float]
    distance: float


def newton_pass(grid: Grid, counts: Counts, state: State, widths: Widths, damping: float) -> Moments:
    """Move the state by a step of all its unknowns, and return the second moments there.

    damping: the share of the step that is taken. Products, categories and μ are moved in one pass over the blocks, so
    that memory does not grow with the products; products follow μ in the next pass.
    """
    layout = Layout(counts.segments, grid.context.shape[2])
    width = layout.width
    moments = Moments(torch.zeros(width, width, dtype=FLOAT), torch.zeros(width, width, dtype=FLOAT), [0, 0], [0, 0], 0)
    common = torch.diag(common_precision(layout))
    gradient = -(state.mu - state.mu_start) * common.diagonal()
    follows = []
    for products, categories in grid.blocks():
        block = state.part(products, categories)
        solved = equations(grid.part(products, categories), counts.part(products, categories), block, widths, layout)
        common, gradient = common + solved.common, gradient + solved.common_gradient
        follows.append(solved.follows)
        own = grid.category[products] - categories.start
        _move(block, solved, own, layout, damping, moments)
        _add_moments(block, solved, own, layout, moments)
    variance, following = torch.linalg.inv(common), torch.cat(follows)
    step = variance @ gradient
    moved = (damping * (following @ step)).clamp(-LONGEST_STEP, LONGEST_STEP)
    state.mu += damping * step
    state.theta += moved[:, :width]
    state.season += moved[:, width:]
    state.mu_variance = variance
    away = state.theta - state.mu
    apart = following[:, :width] - torch.eye(width, dtype=FLOAT)  # θ − μ for a unit of μ
    moments.category += away.T @ away + (apart @ variance @ apart.mT).sum(0)
    moments.season[0] += float(state.season.square().sum())
    moments.season[1] += float((state.season[:, 1:] * state.season[:, :-1]).sum())
    return moments


def _move(block: State, solved: Equations, own: Tensor, layout: Layout, damping: float, moments: Moments) -> None:
    """Move a block's state, in place, by its step given μ."""
    width = layout.width
    step = solved.step - (solved.lever @ solved.category_step[own][:, :, None])[:, :, 0]
    moved, moved_category = (
        (damping * part).clamp(-LONGEST_STEP, LONGEST_STEP) for part in (step, solved.category_step)
    )
    block.z += moved[:, :width]
    block.shock += moved[:, width:]
    block.theta += moved_category[:, :width]
    block.season += moved_category[:, width:]
    beta = layout.log_sensitivity
    variance = solved.inverse.diagonal(dim1=1, dim2=2)[:, beta]
    moments.distance += float((step[:, beta].square() / variance).sum())


def _add_moments(block: State, solved: Equations, own: Tensor, layout: Layout, moments: Moments) -> None:
    """Add the block's second moments, and renew what its state knows of the uncertainty of β."""
    width, beta = layout.width, layout.log_sensitivity
    covariance = solved.covariance(block.mu_variance)
    unit = torch.eye(solved.inverse.shape[1], dtype=FLOAT)
    spread, away = covariance[own], block.z - block.theta[own]
    apart = solved.lever[:, :width] + unit[:width]  # z − θ falls by it for a unit of the category's unknowns
    moments.product += away.T @ away + solved.inverse[:, :width, :width].sum(0)
    moments.product += ((apart @ spread) @ apart.mT).sum(0)
    reach = unit - solved.lever
    reach[:, :, :width] -= unit[:, :width]  # of the utility: z and shock + season, for a unit of the category's
    rows = solved.inverse[:, beta] + (reach[:, beta] @ spread) @ reach.mT
    s = torch.arange(layout.segments)
    block.variance[:] = rows[:, s, layout.segments + s]
    block.pull[:] = (rows * solved.information[:, beta]).sum(2)
    late = solved.lever[:, width:]
    shocks = solved.inverse[:, width:, width:] + (late @ spread) @ late.mT
    shocks = shocks + block.shock[:, :, None] * block.shock[:, None]
    moments.shock[0] += float(shocks.diagonal(dim1=1, dim2=2).sum())
    moments.shock[1] += float(shocks.diagonal(offset=1, dim1=1, dim2=2).sum())
    moments.category += solved.category_inverse[:, :width, :width].sum(0)
    seasons = covariance[:, width:, width:]
    moments.season[0] += float(seasons.diagonal(dim1=1, dim2=2).sum())
    moments.season[1] += float(seasons.diagonal(offset=1, dim1=1, dim2=2).sum())


def learned_widths(moments: Moments, grid: Grid, before: Widths, layout: Layout) -> Widths:
    """Return the widths that the second moments of a pass show."""
    products, categories, spans = len(grid.row), grid.categories, grid.spans
    later = max(spans - 1, 1)
    return Widths(
        product=learned_covariance(moments.product, products, before.product, layout),
        category=learned_covariance(moments.category, categories, before.category, layout),
        season=Autoregression.learned(moments.season[0] / categories / spans, moments.season[1] / categories / later),
        shock=Autoregression.learned(moments.shock[0] / products / spans, moments.shock[1] / products / later),
    )
