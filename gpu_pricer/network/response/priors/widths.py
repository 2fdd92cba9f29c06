"""The prior widths of the response model, estimated from the log by empirical Bayes (see covariance.py)."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from gpu_pricer.network.response.grid.grid import FLOAT
from gpu_pricer.network.response.model import Layout
from gpu_pricer.network.response.priors.autoregression import Autoregression
from gpu_pricer.network.response.priors.covariance import START
from gpu_pricer.network.response.priors.prior_elasticity import PriorElasticity

COMMON = {"appeal": 3.0, "log_sensitivity": 0.7, "effect": 5.0}  # of the prior of μ around the start
PRODUCTS_ALIKE, CATEGORIES_ALIKE = 0.9, 0.3
"""Correlations between segments where learning starts: those who answer prices unlike others do so in whole categories.

On the example log, 20 passes then come twice as close to where widths settle as from .7 for both (2026-11).
"""
START_SEASON, START_SHOCK = Autoregression(1.0, 0.5), Autoregression(0.3, 0.5)


@dataclass(frozen=True)
class Widths:
    """Covariances of a product's coefficients around its category's and of a category's around μ, [D, D] each.

    season, shock: what the effects of category × period and of product × period come from. elasticity: what is known
    of a category's response beside the log, None for nothing; it is given, not learned.
    """

    product: Tensor
    category: Tensor
    season: Autoregression
    shock: Autoregression
    elasticity: PriorElasticity | None

    def category_prior(self, mu: Tensor, layout: Layout) -> tuple[Tensor, Tensor]:
        """Return mean [D] and covariance [D, D] of the coefficients of a category that the log says nothing of."""
        if self.elasticity is None:
            return mu, self.category
        covariance = torch.linalg.inv(torch.linalg.inv(self.category) + self.elasticity.precision(layout))
        return mu + covariance @ self.elasticity.gradient(mu[None], layout)[0], covariance

    def coordinates(self) -> Tensor:
        """Return the logs of all variances, and artanh of the persistences, [2 D + 4]."""
        variances = torch.cat([self.product.diagonal(), self.category.diagonal()])
        return torch.cat([variances.log(), self.season.coordinates(), self.shock.coordinates()])

    def towards(self, other: "Widths", share: float) -> "Widths":
        """Return the widths at this share of the way to others."""
        if share == 1.0:
            return other
        season, shock = (
            Autoregression.at(torch.lerp(mine.coordinates(), theirs.coordinates(), share))
            for mine, theirs in ((self.season, other.season), (self.shock, other.shock))
        )
        product, category = (
            torch.lerp(mine, theirs, share)
            for mine, theirs in ((self.product, other.product), (self.category, other.category))
        )
        return replace(self, product=product, category=category, season=season, shock=shock)


def start_widths(layout: Layout, spread: float = 1.0) -> Widths:
    """Return the widths from which learning starts; spread: of levels, seasons and shocks, relative to choices'."""
    base = torch.diag(_by_kind(layout, START | {"appeal": spread * START["appeal"]}).square())
    return Widths(
        product=base,
        category=base,
        season=replace(START_SEASON, spread=spread * START_SEASON.spread),
        shock=replace(START_SHOCK, spread=spread * START_SHOCK.spread),
        elasticity=None,
    )


def segments_widths(pooled: Widths, layout: Layout) -> Widths:
    """Return the widths from which learning of segments starts: of each segment those of all users as one segment.

    How far segments differ in appeal is then independent of how far they differ in log sensitivity.
    """
    segments = layout.segments
    shared = torch.full((segments, segments), 1 / segments, dtype=FLOAT)
    differing = torch.eye(segments, dtype=FLOAT) - shared

    def spread_out(covariance: Tensor, correlation: float) -> Tensor:
        own = covariance[:2, :2].contiguous()
        common = torch.kron(own, (1 + correlation * (segments - 1)) * shared)
        apart = torch.kron(own.diagonal().diag(), (1 - correlation) * differing)
        return torch.block_diag(common + apart, covariance[2:, 2:])

    return replace(
        pooled,
        product=spread_out(pooled.product, PRODUCTS_ALIKE),
        category=spread_out(pooled.category, CATEGORIES_ALIKE),
    )


def common_precision(layout: Layout) -> Tensor:
    """Return the prior precision of μ [D], weak: the log as a whole tells μ.

    Mean log sensitivities have about the spread of published price elasticities (Bijmolt, van Heerde & Pieters 2005): a
    log without price response says only that they are low, and without a prior they would fall for ever.
    """
    return _by_kind(layout, COMMON) ** -2


def change_of(before: Widths, after: Widths) -> float:
    """Return the largest relative change of a prior variance, or change of artanh of a persistence."""
    return float((after.coordinates() - before.coordinates()).abs().max())


def _by_kind(layout: Layout, values: dict[str, float]) -> Tensor:
    """Return [D]: one value for each kind of coefficient."""
    result = torch.empty(layout.width, dtype=FLOAT)
    for kind, value in values.items():
        result[getattr(layout, kind)] = value
    return result
