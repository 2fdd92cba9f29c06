"""The normal equations of the response model, solved product by product and category by category.

Given μ, categories are independent; given a category's coefficients, seasons and movers (see score.py), so are its
products. So each product's unknowns are eliminated from its category's equations, and each category's from those of μ
(block elimination), at a cost that is linear in the number of products.

A mover ξ is the mean of its products' coefficients, ξ = Σ s z. A Lagrange multiplier λ enforces this: another unknown
of the category, whose equations are then those of a saddle point. Without nests there are neither movers nor
multipliers.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from gpu_pricer.network.response.grid import FLOAT, Grid, Outcomes
from gpu_pricer.network.response.model import Layout, State
from gpu_pricer.network.response.score import Score
from gpu_pricer.network.response.threads import single_thread
from gpu_pricer.network.response.tridiagonal import times_tridiagonal, tridiagonal_inverse
from gpu_pricer.network.response.widths import Widths


@dataclass(frozen=True)
class Equations:
    """The equations of a block of n products in m categories, solved.

    A product has F = D + V unknowns, z and its shocks; a category has E = F + 2 K: θ, its seasons, and the K movers and
    K multipliers of a block with nests. The utility holds the sum shock + season only, so that in the unknowns
    (z, shock + season) nothing but the prior and the movers tie a product to its category.

    prior [F, F]: precision of a product's unknowns. inverse [n, F, F]: of the products' equations, given their
    category. nest [n, F, 2 K]: how movers and multipliers enter these. reach [n, F, E]: how (z, shock + season) follow
    the category. step [n, F]: the products' own step.
    category_inverse [m, E, E]: of the categories' equations, their products eliminated and μ given; category_step [m,
    E]; follows [m, E, D]: how they follow μ. common, common_gradient: what the block adds to the equations of μ, [D, D]
    and [D]. score: what the log says of the cells, with the derivatives by log sensitivities times the root of `told`.
    """

    score: Score
    prior: Tensor
    inverse: Tensor
    nest: Tensor
    reach: Tensor
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

    @property
    def movers(self) -> slice:
        """Return where the movers lie among a category's unknowns."""
        free = len(self.prior)
        return slice(free, free + self.nest.shape[2] // 2)

    def covariance(self, mu_variance: Tensor) -> Tensor:
        """Return the posterior covariance of the categories' unknowns, [m, E, E], with that of μ."""
        return self.category_inverse + self.follows @ mu_variance @ self.follows.mT

    def gather(self, grid: Grid, values: Tensor) -> Tensor:
        """Return the sums [m, E, …] of products' values [n, F, …], as their categories' unknowns enter them."""
        return _gathered(grid, self.prior, self.nest, values)

    def rise(self, moved: Tensor, unknowns: slice) -> Tensor:
        """Return how some of the products' (z, shock + season) follow their categories', which move by [..., n, E]."""
        return torch.einsum("nue,...ne->...nu", self.reach[:, unknowns], moved)

    def follow(self, moved: Tensor, unknowns: slice) -> Tensor:
        """Return how some of the products' unknowns follow their categories', which move by moved [..., n, E]."""
        rise, season = self.rise(moved, unknowns), moved[..., : len(self.prior)].clone()
        season[..., : self.width] = 0.0
        return rise - season[..., unknowns]  # reach is of shock + season, the unknown is the shock


@single_thread()
def equations(
    grid: Grid, counts: Outcomes, state: State, widths: Widths, layout: Layout, told: Tensor | None = None
) -> Equations:
    """Return the equations of a block, of which grid, counts and state hold nothing else.

    told [n]: the share of a product's information on its sensitivities that counts; None: all of it.
    """
    score = Score.of(grid, counts, state, layout)
    gradient = score.gradient(grid, layout)
    gradient[:, layout.log_sensitivity] -= state.pull
    category = torch.linalg.inv(widths.category)
    prior = torch.block_diag(torch.linalg.inv(widths.product), widths.shock.precision(grid.spans))
    away = torch.cat([state.z - state.theta[grid.category], state.shock], dim=1)
    if told is not None:
        score = score.with_slope(grid, score.slope * told.sqrt()[:, None, None])
    inverse = _inverse(score.information(grid, layout) + prior, prior, layout)
    nest, own = _nest(grid, score, layout)
    reach = _reach(inverse, prior, nest, layout)
    step = (inverse @ (gradient - away @ prior)[:, :, None])[:, :, 0]
    above = torch.block_diag(category, widths.season.precision(grid.spans))
    beside = torch.cat([state.theta - state.mu, state.season], dim=1) @ above
    right = _gathered(grid, prior, nest, step)
    right[:, : len(prior)] += grid.sum_by_category(away) @ prior - beside
    if widths.elasticity is not None:
        right[:, : layout.width] += widths.elasticity.gradient(state.theta, layout)
        above[: layout.width, : layout.width] += widths.elasticity.precision(layout)
    size = torch.bincount(grid.category, minlength=grid.categories)
    own[:, : len(prior), : len(prior)] = size[:, None, None] * prior + above
    category_inverse = torch.linalg.inv(own - _gathered(grid, prior, nest, reach))
    follows = category_inverse[:, :, : layout.width] @ category
    return Equations(
        score=score,
        prior=prior,
        inverse=inverse,
        nest=nest,
        reach=reach,
        step=step,
        category_inverse=category_inverse,
        category_step=(category_inverse @ right[:, :, None])[:, :, 0],
        follows=follows,
        common=grid.categories * category - (category @ follows[:, : layout.width]).sum(0),
        common_gradient=beside[:, : layout.width].sum(0) + (follows * right[:, :, None]).sum((0, 1)),
    )


def _inverse(matrix: Tensor, prior: Tensor, layout: Layout) -> Tensor:
    """Return the inverses of the products' equations [n, F, F], whose part of the shocks is tridiagonal.

    By blocks: with A the part of z, C what ties z to the shocks, and T the inverse of the shocks' own part, the inverse
    of z is (A − C T C′)⁻¹.
    """
    z, shocks = slice(0, layout.width), slice(layout.width, None)
    crossed, inverse = matrix[:, z, shocks], torch.empty_like(matrix)
    diagonal, beside = matrix[:, shocks, shocks].diagonal(dim1=1, dim2=2), prior[shocks, shocks].diagonal(1)
    of_shocks = tridiagonal_inverse(diagonal, beside)
    follow = crossed @ of_shocks
    inverse[:, z, z] = torch.linalg.inv(matrix[:, z, z] - follow @ crossed.mT)
    both = -inverse[:, z, z] @ follow
    inverse[:, z, shocks], inverse[:, shocks, z] = both, both.mT
    inverse[:, shocks, shocks] = of_shocks.baddbmm_(follow.mT, both, alpha=-1)
    return inverse


def _reach(inverse: Tensor, prior: Tensor, nest: Tensor, layout: Layout) -> Tensor:
    """Return how (z, shock + season) follow the category, [n, F, E]."""
    z, shocks = slice(0, layout.width), slice(layout.width, None)
    reach = inverse.new_empty(*inverse.shape[:2], len(prior) + nest.shape[2])
    reach[:, :, z] = inverse[:, :, z] @ prior[z, z]
    reach[:, :, layout.width : len(prior)] = times_tridiagonal(inverse[:, :, shocks], prior[shocks, shocks])
    reach[:, :, len(prior) :] = inverse @ nest
    return reach


def _nest(grid: Grid, score: Score, layout: Layout) -> tuple[Tensor, Tensor]:
    """Return how movers and multipliers enter the equations of products, [n, F, 2 K], and of their categories."""
    free = layout.width + grid.spans
    if score.lift is None:
        return torch.zeros(len(grid.row), free, 0, dtype=FLOAT), torch.zeros(grid.categories, free, free, dtype=FLOAT)
    crossed, information = score.movers_information(grid, layout)
    share, movers = torch.zeros_like(crossed), crossed.shape[2]
    share[:, layout.segments : layout.width] = torch.diag_embed(score.shares(grid))
    own = torch.zeros(grid.categories, *(free + 2 * movers,) * 2, dtype=FLOAT)
    mover, multiplier = slice(free, free + movers), slice(free + movers, None)
    own[:, mover, mover] = information
    own[:, mover, multiplier] = own[:, multiplier, mover] = torch.eye(movers, dtype=FLOAT)
    return torch.cat([-crossed, share], dim=2), own


def _gathered(grid: Grid, prior: Tensor, nest: Tensor, values: Tensor) -> Tensor:
    """Return Equations.gather."""
    flat = values.flatten(2) if values.dim() > 2 else values[:, :, None]
    of_prior, of_nest = prior @ grid.sum_by_category(flat), grid.sum_by_category(nest.mT @ flat)
    return torch.cat([of_prior, of_nest], dim=1).view(grid.categories, -1, *values.shape[2:])
