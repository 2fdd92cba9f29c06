"""The normal equations of the response model, solved product by product and category by category.

Given μ, categories are independent, and given a category's coefficients and seasons so are its products. So every
product's equations are solved, eliminated from its category's, and those from the equations of μ, at a cost that is
linear in the products. The information of the multinomial logit is taken by its diagonal N p (1 − p); what that leaves
out are products of two choice probabilities.

In a nest these are not small: by (γ − 1) x (see dissimilarity.py) a product's sensitivity reaches all utilities of its
category. So every product answers for the derivative by a sensitivity that moves in all of them alike: summed over the
category, gradient and information are then those of the nested logit. What is approximated is how its products differ.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from gpu_pricer.network.response.grid import FLOAT, Grid, Outcomes
from gpu_pricer.network.response.model import Layout, State, common_slopes, utility
from gpu_pricer.network.response.widths import Widths


@dataclass(frozen=True)
class Score:
    """What the log says of the cells of a block.

    residual, weight [n, S, W]: gradient and curvature of the log likelihood by the utility. slope [n, S, W], context
    [n, W, C]: derivatives of the utility by the log sensitivity and by the effects of context.
    """

    residual: Tensor
    weight: Tensor
    slope: Tensor
    context: Tensor

    @classmethod
    def of(cls, grid: Grid, counts: Outcomes, state: State, layout: Layout) -> "Score":
        """Return the score of a block, of which grid, counts and state hold nothing else."""
        residual, weight = counts.score(grid, utility(grid, state, layout))
        return cls(residual, weight, common_slopes(grid, state, layout), grid.context)

    def by_unknown(self, grid: Grid, values: Tensor) -> Tensor:
        """Return the sums [n, F], over the cells, of values [n, S, W] times the utility's derivatives."""
        of_period = values.sum(1)
        parts = (
            values.sum(2),
            (values * self.slope).sum(2),
            (of_period[:, :, None] * self.context).sum(1),
            grid.sum_by_span(of_period[:, None])[:, 0],
        )
        return torch.cat(parts, dim=1)


@dataclass(frozen=True)
class Equations:
    """The equations of a block of n products in m categories, F = D + V unknowns each, solved.

    A product's unknowns are z and its shocks, a category's θ and its seasons. The utility holds the sum shock + season
    only, so that in the unknowns (z, shock + season) nothing but the prior ties a product to its category.

    prior [F, F]: precision of a product's unknowns. inverse [n, F, F]: of the products' equations, given their
    category. step [n, F]: the products' own step.
    category_inverse [m, F, F]: of the categories' equations, their products eliminated and μ given; category_step [m,
    F]; follows [m, F, D]: how they follow μ. common, common_gradient: what the block adds to the equations of μ, [D, D]
    and [D]. score: what the log says of the cells.
    """

    score: Score
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

    def rise(self, moved: Tensor, unknowns: slice) -> Tensor:
        """Return how some of the products' (z, shock + season) follow their categories', which move by [..., n, F]."""
        return torch.einsum("nuf,...nf->...nu", self.inverse[:, unknowns], moved @ self.prior)

    def follow(self, moved: Tensor, unknowns: slice) -> Tensor:
        """Return how some of the products' unknowns follow their categories', which move by moved [..., n, F]."""
        season = torch.cat([torch.zeros_like(moved[..., : self.width]), moved[..., self.width :]], dim=-1)
        return (
            self.rise(moved, unknowns) - season[..., unknowns]
        )  # the inverse is of shock + season, the unknown is the shock


def equations(grid: Grid, counts: Outcomes, state: State, widths: Widths, layout: Layout) -> Equations:
    """Return the equations of a block, of which grid, counts and state hold nothing else."""
    score = Score.of(grid, counts, state, layout)
    information, gradient = _information(grid, score, layout), score.by_unknown(grid, score.residual)
    gradient[:, layout.log_sensitivity] -= state.pull
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
        score=score,
        prior=prior,
        inverse=inverse,
        step=step,
        category_inverse=category_inverse,
        category_step=(category_inverse @ right[:, :, None])[:, :, 0],
        follows=follows,
        common=grid.categories * category - (category @ follows[:, : layout.width]).sum(0),
        common_gradient=beside[:, : layout.width].sum(0) + (follows * right[:, :, None]).sum((0, 1)),
    )


def _information(grid: Grid, score: Score, layout: Layout) -> Tensor:
    """Return the products' information from the log, [n, F, F]."""
    weight, slope, context = score.weight, score.slope, score.context
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
    return matrix
