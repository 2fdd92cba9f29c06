"""Gradient and information of the log likelihood for the unknowns of a block of categories.

The information of the multinomial logit is approximated by its diagonal N p (1 − p), without the products of two choice
probabilities. In a nest these are not small: (γ − 1) x adds to the utility of all products of a category (see
dissimilarity.py), and x depends on the coefficients of each of them. The gradient includes this exactly. The
information includes it through K = S + C further unknowns of a category, the *movers* of x: the means of its products'
log sensitivities and effects, weighted by the products' shares in x. That is exact if all products move alike; for
other moves it ignores that a product's share in x changes between periods.

The gradient must be exact. An earlier form, r (s + (γ − 1) s̄) with the residual r, the slope s and the category's mean
slope s̄, is exact only in sum over the products. With it the residuals of products whose rivals had price cuts moved
their own sensitivities: on Complete Journey the spread of log b within categories grew from .51 to its bound of 1, mean
b fell from .91 to .76 and held-out likelihood with it (2026-11).
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from gpu_pricer.network.response.grid.grid import FLOAT, Grid, Outcomes
from gpu_pricer.network.response.model import Layout, State, lift_shares, slopes, utility

RESTING = 1e-9  # squared slope of x where prices rest: there products count by what they sell


@dataclass(frozen=True)
class Lift:
    """How x follows the coefficients of n products in m categories.

    shortfall [m]: γ − 1. share, usual [n, S, W]: of a product in its category's V, in the period and at reference
    prices without promotions. slope [m, S, W], context [m, S, W, C]: derivatives of x by its movers; 0 for controls.
    """

    shortfall: Tensor
    share: Tensor
    usual: Tensor
    slope: Tensor
    context: Tensor

    @classmethod
    def of(cls, grid: Grid, state: State, slope: Tensor, layout: Layout) -> "Lift | None":
        """Return the lift of a block, None without nests; slope [n, S, W]: of its products."""
        shortfall = state.dissimilarity - 1
        if not bool(shortfall.any()):
            return None
        share, usual = lift_shares(grid, state, layout)
        context = grid.sum_by_category(share[:, :, :, None] * grid.context[:, None])
        context[..., grid.context.shape[2] - grid.controls :] = 0.0
        return cls(shortfall, share, usual, grid.sum_by_category(share * slope), context)


@dataclass(frozen=True)
class Score:
    """What the log says of the cells of a block.

    residual, weight [n, S, W]: gradient and curvature of the log likelihood by the utility. slope [n, S, W], context
    [n, W, C]: derivatives of the utility by a product's log sensitivity and effects, x held. lift: None without nests.
    """

    residual: Tensor
    weight: Tensor
    slope: Tensor
    context: Tensor
    lift: Lift | None

    @classmethod
    def of(cls, grid: Grid, counts: Outcomes, state: State, layout: Layout) -> "Score":
        """Return the score of a block, of which grid, counts and state hold nothing else."""
        residual, weight = counts.score(grid, utility(grid, state, layout))
        slope = slopes(grid, state.sensitivity(layout))
        return cls(residual, weight, slope, grid.context, Lift.of(grid, state, slope, layout))

    def with_slope(self, grid: Grid, slope: Tensor) -> "Score":
        """Return the score with other derivatives [n, S, W] by the log sensitivities, in the lift too."""
        lift = self.lift
        if lift is not None:
            lift = replace(lift, slope=grid.sum_by_category(lift.share * slope))
        return replace(self, slope=slope, lift=lift)

    def by_unknown(self, grid: Grid, values: Tensor) -> Tensor:
        """Return the sums [n, F], over the cells, of values [n, S, W] times the utility's derivatives, x held."""
        of_period = values.sum(1)
        parts = (
            values.sum(2),
            (values * self.slope).sum(2),
            (of_period[:, :, None] * self.context).sum(1),
            grid.sum_by_span(of_period[:, None])[:, 0],
        )
        return torch.cat(parts, dim=1)

    def by_mover(self, grid: Grid, values: Tensor) -> Tensor:
        """Return the sums [m, K], over the cells, of values [n, S, W] times the derivatives of (γ − 1) x."""
        if self.lift is None:
            return torch.zeros(grid.categories, 0, dtype=FLOAT)
        total = grid.sum_by_category(values) * self.lift.shortfall[:, None, None]
        of_effects = torch.einsum("msw,mswc->mc", total, self.lift.context)
        return torch.cat([(total * self.lift.slope).sum(2), of_effects], dim=1)

    def gradient(self, grid: Grid, layout: Layout) -> Tensor:
        """Return the gradient [n, F] of the log likelihood by the unknowns of each product."""
        gradient = self.by_unknown(grid, self.residual)
        if self.lift is None:
            return gradient
        of_lift = (self.lift.shortfall[:, None, None] * grid.sum_by_category(self.residual))[grid.category]
        by_lift = self.by_unknown(grid, of_lift * self.lift.share)[:, : layout.width - grid.controls]
        by_lift[:, layout.appeal] -= (of_lift * self.lift.usual).sum(2)
        gradient[:, : by_lift.shape[1]] += by_lift
        return gradient

    def shares(self, grid: Grid) -> Tensor:
        """Return the share [n, K] of each product in the movers of x; those of a category add up to 1."""
        assert self.lift is not None
        weight = grid.sum_by_category(self.weight).clamp(min=RESTING)[grid.category] * self.lift.share
        slope, context = self.lift.slope[grid.category], self.lift.context[grid.category]
        of_slope = (weight * (self.slope * slope + RESTING)).sum(2)
        of_context = torch.einsum("nsw,nswc->nc", weight, self.context[:, None] * context + RESTING)
        own = torch.cat([of_slope, of_context], dim=1)
        return own / grid.sum_by_category(own)[grid.category]

    def information(self, grid: Grid, layout: Layout) -> Tensor:
        """Return the information of the products' unknowns, [n, F, F]."""
        weight, slope, context = self.weight, self.slope, self.context
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

    def movers_information(self, grid: Grid, layout: Layout) -> tuple[Tensor, Tensor]:
        """Return the information that ties the products' unknowns to the movers, [n, F, K], and theirs, [m, K, K]."""
        lift, segments = self.lift, layout.segments
        assert lift is not None
        slope, context = (
            lift.shortfall.view(-1, *(1,) * (values.dim() - 1)) * values for values in (lift.slope, lift.context)
        )
        driven, s = self.weight * slope[grid.category], torch.arange(segments)
        crossed = torch.zeros(len(grid.row), layout.width + grid.spans, segments + context.shape[3], dtype=FLOAT)
        crossed[:, s, s] = driven.sum(2)
        crossed[:, segments + s, s] = (driven * self.slope).sum(2)
        crossed[:, layout.effect, :segments] = (driven @ self.context).mT
        crossed[:, layout.width :, :segments] = grid.sum_by_span(driven).mT
        for effect in range(context.shape[3]):
            values = self.weight * context[grid.category][..., effect]
            crossed[:, :, segments + effect] = self.by_unknown(grid, values)
        total, own = (
            grid.sum_by_category(self.weight),
            torch.zeros(grid.categories, *crossed.shape[2:] * 2, dtype=FLOAT),
        )
        own[:, s, s] = (total * slope.square()).sum(2)
        own[:, :segments, segments:] = torch.einsum("msw,mswc->msc", total * slope, context)
        own[:, segments:, :segments] = own[:, :segments, segments:].mT
        own[:, segments:, segments:] = torch.einsum("msw,mswc,mswd->mcd", total, context, context)
        return crossed, own
