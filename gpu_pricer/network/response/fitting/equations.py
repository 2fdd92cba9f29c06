"""The normal equations of the response model, solved product by product and category by category.

Given μ, categories are independent; given a category's coefficients, seasons and movers (see score.py), so are its
products. So each product's unknowns are eliminated from its category's equations, and each category's from those of μ
(block elimination), at a cost that is linear in the number of products.

A mover ξ is the mean of its products' coefficients, ξ = Σ s z. A Lagrange multiplier λ enforces this: another unknown
of the category, whose equations are then those of a saddle point. Without nests there are neither movers nor
multipliers.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from gpu_pricer.network.response.fitting.score import Score
from gpu_pricer.network.response.grid.grid import FLOAT, Grid, Outcomes
from gpu_pricer.network.response.model import Layout, State
from gpu_pricer.network.response.priors.tridiagonal import times_tridiagonal, tridiagonal_inverse
from gpu_pricer.network.response.priors.widths import Widths
from gpu_pricer.network.response.threads import single_thread


@dataclass(frozen=True)
class Prior:
    """The prior precision of a product's unknowns: in a category, the rows of matrix [F, F] times its weights [m, F].

    A category whose shocks have the scale κ has the weights 1 / κ² in the rows of shocks, and 1 in the others.
    """

    matrix: Tensor
    weight: Tensor

    @classmethod
    def of(cls, widths: Widths, shock_scale: Tensor, spans: int) -> "Prior":
        """Return the prior of categories with the scales shock_scale [m]."""
        matrix = torch.block_diag(torch.linalg.inv(widths.product), widths.shock.precision(spans))
        weight = torch.ones(len(shock_scale), len(matrix), dtype=FLOAT)
        weight[:, len(widths.product) :] = shock_scale[:, None] ** -2
        return cls(matrix, weight)

    def __len__(self) -> int:
        return len(self.matrix)

    def times(self, values: Tensor) -> Tensor:
        """Return the precisions of the m categories times their values [m, F, k]."""
        return self.weight[:, :, None] * (self.matrix @ values)

    def of_products(self, category: Tensor) -> "Prior":
        """Return the prior whose weights [n, F] are those of the products' categories, whose numbers [n] are given."""
        return replace(self, weight=self.weight[category])


@dataclass(frozen=True)
class Equations:
    """The equations of a block of n products in m categories, solved.

    A product has F = D + V unknowns, z and its shocks; a category has E = F + 2 K: θ, its seasons, and the K movers and
    K multipliers of a block with nests. The utility holds the sum shock + season only, so that in the unknowns
    (z, shock + season) nothing but the prior and the movers tie a product to its category.

    prior: precision of a product's unknowns. inverse [n, F, F]: of the products' equations, given their
    category. nest [n, F, 2 K]: how movers and multipliers enter these. reach [n, F, E]: how (z, shock + season) follow
    the category. step [n, F]: the products' own step.
    category_inverse [m, E, E]: of the categories' equations, their products eliminated and μ given; category_step [m,
    E]; follows [m, E, D]: how they follow μ. common, common_gradient: what the block adds to the equations of μ, [D, D]
    and [D]. score: what the log says of the cells, with the derivatives by log sensitivities times the root of `told`.
    """

    score: Score
    prior: Prior
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
    prior = Prior.of(widths, state.shock_scale, grid.spans)
    own_prior = prior.of_products(grid.category)
    away = torch.cat([state.z - state.theta[grid.category], state.shock], dim=1)
    if told is not None:
        score = score.with_slope(grid, score.slope * told.sqrt()[:, None, None])
    inverse = _inverse(score.information(grid, layout), own_prior, layout)
    nest, own = _nest(grid, score, layout)
    reach = _reach(inverse, own_prior, nest, layout)
    step = (inverse @ (gradient[:, :, None] - own_prior.times(away[:, :, None])))[:, :, 0]
    above = torch.block_diag(category, widths.season.precision(grid.spans))
    beside = torch.cat([state.theta - state.mu, state.season], dim=1) @ above
    right = _gathered(grid, prior, nest, step)
    right[:, : len(prior)] += prior.times(grid.sum_by_category(away)[:, :, None])[:, :, 0] - beside
    if widths.elasticity is not None:
        right[:, : layout.width] += widths.elasticity.gradient(state.theta, layout)
        above[: layout.width, : layout.width] += widths.elasticity.precision(layout)
    size = torch.bincount(grid.category, minlength=grid.categories)
    own[:, : len(prior), : len(prior)] = (size[:, None] * prior.weight)[:, :, None] * prior.matrix + above
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


def _inverse(information: Tensor, prior: Prior, layout: Layout) -> Tensor:
    """Return the inverses of the products' equations [n, F, F], whose part of the shocks is tridiagonal.

    information [n, F, F]: from the log, to which the products' prior is added. By blocks: with A the part of z, C what
    ties z to the shocks, and T the inverse of the shocks' own part, the inverse of z is (A − C T C′)⁻¹.
    """
    z, shocks = slice(0, layout.width), slice(layout.width, None)
    matrix = information + prior.weight[:, :, None] * prior.matrix
    crossed, inverse = matrix[:, z, shocks], torch.empty_like(matrix)
    of_shocks = matrix[:, shocks, shocks]
    diagonal, beside = (of_shocks.diagonal(place, dim1=1, dim2=2) for place in (0, 1))
    of_shocks = tridiagonal_inverse(diagonal, beside)
    follow = crossed @ of_shocks
    inverse[:, z, z] = torch.linalg.inv(matrix[:, z, z] - follow @ crossed.mT)
    both = -inverse[:, z, z] @ follow
    inverse[:, z, shocks], inverse[:, shocks, z] = both, both.mT
    inverse[:, shocks, shocks] = of_shocks.baddbmm_(follow.mT, both, alpha=-1)
    return inverse


def _reach(inverse: Tensor, prior: Prior, nest: Tensor, layout: Layout) -> Tensor:
    """Return how (z, shock + season) follow the category, [n, F, E]."""
    z, shocks = slice(0, layout.width), slice(layout.width, None)
    reach = inverse.new_empty(*inverse.shape[:2], len(prior) + nest.shape[2])
    reach[:, :, z] = inverse[:, :, z] @ prior.matrix[z, z]
    of_shocks = times_tridiagonal(inverse[:, :, shocks], prior.matrix[shocks, shocks])
    reach[:, :, layout.width : len(prior)] = of_shocks * prior.weight[:, None, shocks]
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


def _gathered(grid: Grid, prior: Prior, nest: Tensor, values: Tensor) -> Tensor:
    """Return Equations.gather."""
    flat = values.flatten(2) if values.dim() > 2 else values[:, :, None]
    of_prior, of_nest = prior.times(grid.sum_by_category(flat)), grid.sum_by_category(nest.mT @ flat)
    return torch.cat([of_prior, of_nest], dim=1).view(grid.categories, -1, *values.shape[2:])
