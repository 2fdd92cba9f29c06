"""The prior widths of the response model, and how the log teaches them (empirical Bayes).

EM (Laird 1982) needs hundreds of passes where single products or periods tell little. The reason: a step covers only
that share of the distance to the evidence's maximum which the log, and not the prior, tells of a width. So each step is
divided by that share.

A covariance is estimated from the second moments of the coefficients and of what is left unknown of them, and shrunk
towards the same with one variance and one correlation for all segments (compound symmetry), since few products may have
to teach many entries.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from gpu_pricer.network.response.autoregression import LONGEST_STEP, RELAXED, Autoregression
from gpu_pricer.network.response.grid import FLOAT
from gpu_pricer.network.response.model import Layout
from gpu_pricer.network.response.prior_elasticity import PriorElasticity

PSEUDO = 4.0  # products or categories for which compound symmetry counts
START = {"appeal": 1.0, "log_sensitivity": 0.3, "effect": 0.1}  # standard deviations; they count as one product
COMMON = {"appeal": 3.0, "log_sensitivity": 0.7, "effect": 5.0}  # of the prior of μ around the start
MOST_SPREAD = 1.0  # of log sensitivities: without price response their second moments have no upper end
START_SEASON, START_SHOCK = Autoregression(1.0, 0.5), Autoregression(0.3, 0.5)
ALIKE = 0.7  # correlation of segments' coefficients where their learning starts from the widths of all users
EXTRAPOLATED = 1.8  # correlations take longer steps in EM's direction


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


def start_widths(layout: Layout) -> Widths:
    """Return the widths from which learning starts."""
    base = torch.diag(_by_kind(layout, START).square())
    return Widths(
        product=base,
        category=base,
        season=START_SEASON,
        shock=START_SHOCK,
        elasticity=None,
    )


def segments_widths(pooled: Widths, layout: Layout) -> Widths:
    """Return the widths from which learning of segments starts: of each segment those of all users as one segment."""
    alike = ALIKE + (1 - ALIKE) * torch.eye(layout.segments, dtype=FLOAT)

    def spread_out(covariance: Tensor) -> Tensor:
        return torch.block_diag(torch.kron(covariance[:2, :2].contiguous(), alike), covariance[2:, 2:])

    return replace(pooled, product=spread_out(pooled.product), category=spread_out(pooled.category))


def common_precision(layout: Layout) -> Tensor:
    """Return the prior precision of μ [D], weak: the log as a whole tells μ.

    Mean log sensitivities have about the spread of published price elasticities (Bijmolt, van Heerde & Pieters 2005): a
    log without price response says only that they are low, and without a prior they would fall for ever.
    """
    return _by_kind(layout, COMMON) ** -2


def learned_covariance(moments: Tensor, count: int, told: Tensor, before: Tensor, layout: Layout) -> Tensor:
    """Return a covariance [D, D] from the sum of the second moments of `count` products or categories.

    told [D]: sums of the squared shares of the prior variances that the log has settled. before: the covariance of the
    last pass, from which the step is lengthened. Effects of context are independent of each other and of the rest. No
    standard deviation of a log sensitivity exceeds MOST_SPREAD.
    """
    mean = _without_cross_effects(moments / max(count, 1), layout)
    base = torch.diag(_by_kind(layout, START).square())
    found = (count * mean + PSEUDO * _compound_symmetric(mean, layout) + base) / (count + PSEUDO + 1)
    further = before + EXTRAPOLATED * (found - before)
    is_positive = torch.linalg.eigvalsh(further)[0] > 0.2 * torch.linalg.eigvalsh(found)[0]
    further = further if bool(is_positive) else found
    step = _step(found, before, count, told, layout).clamp(-LONGEST_STEP, LONGEST_STEP)
    scale = (before.diagonal() * step.exp() / further.diagonal()).sqrt()
    return _limited(further * (scale[:, None] * scale), layout)


def _step(found: Tensor, before: Tensor, count: int, told: Tensor, layout: Layout) -> Tensor:
    """Return the steps of the logs of the variances, [D]: from `before` to what EM has found, lengthened.

    The variance of what segments have in common takes longer steps than that of their differences, because compound
    symmetry gives the differences more data.
    """
    step, told = (found.diagonal() / before.diagonal()).log(), _by_block(told, layout)
    common, weight = _by_block(step, layout), count + PSEUDO + 1
    start = (_by_kind(layout, START).square() / before.diagonal()).clamp(min=1)
    apart = weight / (PSEUDO + start + told) * (step - common)
    return RELAXED * (weight / (start + told * (1 + PSEUDO / count)) * common + apart)


def change_of(before: Widths, after: Widths) -> float:
    """Return the largest relative change of a prior variance, or change of artanh of a persistence."""
    return float((after.coordinates() - before.coordinates()).abs().max())


def _by_kind(layout: Layout, values: dict[str, float]) -> Tensor:
    """Return [D]: one value for each kind of coefficient."""
    result = torch.empty(layout.width, dtype=FLOAT)
    for kind, value in values.items():
        result[getattr(layout, kind)] = value
    return result


def _by_block(values: Tensor, layout: Layout) -> Tensor:
    """Return the values [D] with the means over the segments in place of the segments' own."""
    result = values.clone()
    for part in (layout.appeal, layout.log_sensitivity):
        result[part] = values[part].mean()
    return result


def _limited(covariance: Tensor, layout: Layout) -> Tensor:
    """Return the covariance with no variance of a log sensitivity above the largest, all correlations kept."""
    scale = torch.ones(layout.width, dtype=FLOAT)
    beta = layout.log_sensitivity
    scale[beta] = (MOST_SPREAD / covariance.diagonal()[beta].sqrt()).clamp(max=1.0)
    return covariance * (scale[:, None] * scale)


def _without_cross_effects(matrix: Tensor, layout: Layout) -> Tensor:
    both = slice(0, 2 * layout.segments)
    result = torch.diag(matrix.diagonal())
    result[both, both] = matrix[both, both]
    return result


def _compound_symmetric(matrix: Tensor, layout: Layout) -> Tensor:
    """Return the matrix with one variance, and one covariance between segments, in each block of a and β."""
    result = torch.diag(matrix.diagonal())
    pairs = ((layout.appeal, layout.appeal), (layout.appeal, layout.log_sensitivity),
             (layout.log_sensitivity, layout.log_sensitivity))  # fmt: skip
    for rows, columns in pairs:
        block = matrix[rows, columns]
        own = block.diagonal().mean()
        between = (block.sum() - block.diagonal().sum()) / max(layout.segments * (layout.segments - 1), 1)
        symmetric = between + torch.eye(layout.segments, dtype=FLOAT) * (own - between)
        result[rows, columns] = result[columns, rows] = symmetric
    return result
