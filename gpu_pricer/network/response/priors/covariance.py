"""The estimated covariance of the coefficients of segments: common variation, differences, and a departure from both.

A covariance over S segments has S² entries, too many for few products. So it is structured in three parts. Two are
compound symmetry, in which all segments are alike: one covariance of appeal and log sensitivity in the direction (1, …,
1) / √S that segments share, and another one in all S − 1 directions of their differences. The third is the departure
from that. It counts as far as sampling noise does not explain it (shrinkage towards a structured target: Ledoit & Wolf
2004, "A well-conditioned estimator for large-dimensional covariance matrices"). Without that the widths are fitted to
noise: of 36 segments whose log sensitivities differed by .05, the learned standard deviation was .39 (2026-11).

EM (Laird 1982) needs hundreds of passes if single products or periods carry little information. The reason: a step
covers only a share of the distance to the maximum of the marginal likelihood, the share of the information on a width
that comes from the log and not from the prior. So each step is divided by that share. The log says much about what
segments have in common and little about their differences, so that each of the three parts has its own share.

Second moments are those of the posterior only once the search has found its mean. While coefficients still move by d
posterior standard deviations in a pass, moments are wrong by about d² posterior variances. A step that is divided by a
share below d² would consist of that error, so no step is divided by less than d². Before this limit, and with a start
from correlated differences, the first passes with 48 types of users took the standard deviation of the types' log
sensitivities for a product from .02 to .16, where it is 0, and its correlation with their appeals to −.93. EM hardly
leaves such a corner, and elasticities were 5 % too low where the search stopped (2026-11).
"""

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from gpu_pricer.network.response.grid.grid import FLOAT
from gpu_pricer.network.response.model import Layout
from gpu_pricer.network.response.priors.autoregression import LONGEST_STEP, RELAXED

START = {"appeal": 1.0, "log_sensitivity": 0.3, "effect": 0.1}  # standard deviations; they count as one product
ALIKE = 0.7  # correlation of segments' coefficients in START
MOST_CORRELATED = 0.95  # appeals and log sensitivities, either way: further out, EM does not come back
MOST_SPREAD = 1.0  # of log sensitivities: without price response their second moments have no upper end
EXTRAPOLATED = 1.8  # departures take longer steps in EM's direction
NOISE = 3.0  # times the sampling noise of a departure: so much of its square does not count
LEAST_EIGENVALUE = 0.05  # of a covariance, relative to that in which all segments are alike


@dataclass(frozen=True)
class CompoundSymmetry:
    """The covariance of S appeals and S log sensitivities in which all segments are alike.

    common, apart [2, 2]: covariance of appeal and log sensitivity in the direction that segments share, and in each
    direction of their differences.
    """

    common: Tensor
    apart: Tensor
    segments: int

    @classmethod
    def of(cls, matrix: Tensor) -> "CompoundSymmetry":
        """Return the one that is closest to a matrix [2 S, 2 S]."""
        segments = len(matrix) // 2
        blocks = matrix.reshape(2, segments, 2, segments)
        common = blocks.sum((1, 3)) / segments
        if segments == 1:
            return cls(common, torch.eye(2, dtype=FLOAT), 1)
        return cls(common, (blocks.diagonal(dim1=1, dim2=3).sum(2) - common) / (segments - 1), segments)

    @classmethod
    def start(cls, segments: int) -> "CompoundSymmetry":
        """Return the one from which learning starts."""
        own = torch.diag(torch.tensor([START["appeal"], START["log_sensitivity"]], dtype=FLOAT).square())
        return cls(own * (1 + ALIKE * (segments - 1)), own * (1 - ALIKE), segments)

    def root(self) -> Tensor:
        """Return the lower triangular root of each part, in the 2 S coefficients, [2 S, 2 S]."""
        shared = torch.full((self.segments, self.segments), 1 / self.segments, dtype=FLOAT)
        parts = ((self.common, shared), (self.apart, torch.eye(self.segments, dtype=FLOAT) - shared))
        return sum(
            (torch.kron(torch.linalg.cholesky(own).contiguous(), projection) for own, projection in parts),
            start=torch.zeros(2 * self.segments, 2 * self.segments, dtype=FLOAT),
        )


@dataclass
class CovarianceMoments:
    """Sums over products or categories: what the posteriors of their coefficients say of their prior covariance.

    before [D, D]: that covariance. second [D, D]: second moments of the coefficients. told_common, told_apart [2],
    told_effect [C]: squares of the shares of the prior variances, of appeals and of log sensitivities, that the log has
    settled. noise [2, 2]: squares of the departures of single products from compound symmetry, in its units.
    """

    before: Tensor
    layout: Layout
    second: Tensor
    told_common: Tensor
    told_apart: Tensor
    told_effect: Tensor
    noise: Tensor
    count: int

    @classmethod
    def none(cls, before: Tensor, layout: Layout) -> "CovarianceMoments":
        """Return the sums over nothing."""
        second, noise = torch.zeros_like(before), torch.zeros(2, 2, dtype=FLOAT)
        common, apart, effect = (torch.zeros(n, dtype=FLOAT) for n in (2, 2, layout.contexts))
        return cls(before, layout, second, common, apart, effect, noise, 0)

    def add_sums(self, other: "CovarianceMoments") -> None:
        """Add the sums over other products or categories."""
        for name in ("second", "told_common", "told_apart", "told_effect", "noise"):
            getattr(self, name).add_(getattr(other, name))
        self.count += other.count

    def add(self, means: Tensor, left: Tensor) -> None:
        """Add coefficients by their posterior means [n, D] and covariances [n, D, D]."""
        self.add_means(means)
        self.add_left(left)

    def add_left(self, left: Tensor) -> None:
        """Add the posterior covariances [n, D, D]."""
        self.second += left.sum(0)
        effect = self.layout.effect
        known = 1 - left.diagonal(dim1=1, dim2=2)[:, effect] / self.before.diagonal()[effect]
        self.told_effect += known.clamp(0, 1).square().sum(0)
        segments, both = self.layout.segments, self._both
        settled = _in_units(self.before[both, both] - left[:, both, both], self._old.root())
        blocks = settled.reshape(-1, 2, segments, 2, segments).diagonal(dim1=1, dim2=3).movedim(3, 1)  # [n, 2, S, S]
        means = blocks.mean(3, keepdim=True)
        overall = means.mean(2, keepdim=True)
        self.told_common += (segments * overall[:, :, 0, 0]).square().sum(0)
        self.told_apart += (blocks - means - means.mT + overall).square().sum((0, 2, 3))

    def add_means(self, means: Tensor) -> None:
        """Add the posterior means [n, D]; noise is that of their products around compound symmetry."""
        self.second += means.T @ means
        self.count += len(means)
        segments = self.layout.segments
        own = (means[:, self._both] @ torch.linalg.inv(self._old.root()).T).view(-1, 2, segments)
        square, total = own @ own.mT, own.sum(2)
        between = (total[:, :, None] * total[:, None] - square) / max(segments * (segments - 1), 1)
        symmetric = square.square() / segments + segments * (segments - 1) * between.square()
        size = square.diagonal(dim1=1, dim2=2)
        self.noise += (size[:, :, None] * size[:, None] - symmetric).sum(0)

    def told_at_least(self, least: Tensor) -> "CovarianceMoments":
        """Return the sums as if the log told at least these shares of the widths, so that steps are not longer.

        least [2]: of the widths of appeals and of log sensitivities; the larger one is for effects.
        """
        apart = self.count * (self.layout.segments - 1)
        return replace(
            self,
            told_common=self.told_common.maximum(self.count * least),
            told_apart=self.told_apart.maximum(apart * least),
            told_effect=self.told_effect.maximum(self.count * least.max()),
        )

    def learned(self) -> Tensor:
        """Return the covariance that they show, [D, D]: a step from the one before.

        Effects of context are independent of each other and of the rest. No standard deviation of a log sensitivity
        exceeds MOST_SPREAD.
        """
        start, effect = CompoundSymmetry.start(self.layout.segments), self.layout.effect
        root = self._symmetric(start).root()
        both = root @ self._relative_to_symmetry(start) @ root.T
        before, at_start = self.before.diagonal()[effect], torch.tensor(START["effect"] ** 2, dtype=FLOAT)
        mean = (self.second.diagonal()[effect] + at_start) / (self.count + 1)
        of_effects = before * _log_step(mean, before, at_start, self.count, self.told_effect).exp()
        return _limited(torch.block_diag((both + both.T) / 2, torch.diag(of_effects)), self.layout)

    def _symmetric(self, start: CompoundSymmetry) -> CompoundSymmetry:
        """Return the new covariance as it would be if all segments were alike; start: where learning starts.

        What segments share gives way where the spread of log sensitivities reaches its limit.
        """
        old, found, segments = self._old, CompoundSymmetry.of(self.second[self._both, self._both]), start.segments
        total, most = (segments - 1) * found.apart, MOST_SPREAD**2
        apart = _step(total, old.apart, start.apart, self.count * (segments - 1), self.told_apart, most / 2)
        most = segments * most - (segments - 1) * float(apart[1, 1])
        common = _step(found.common, old.common, start.common, self.count, self.told_common, most)
        return CompoundSymmetry(common, apart, segments)

    def _relative_to_symmetry(self, start: CompoundSymmetry) -> Tensor:
        """Return the new covariance of appeals and log sensitivities in units of compound symmetry, [2 S, 2 S].

        start: where learning starts, which counts as one more product or category.

        With t the share of the differences that the log has settled, EM moves a departure by t of the way to the
        evidence's maximum. What is sought is λ times the departure there, where λ is the part of its square that
        NOISE times the sampling noise leaves.
        """
        segments = self.layout.segments
        unit = torch.eye(2 * segments, dtype=FLOAT)
        before = _in_units(self.before[self._both, self._both], self._old.root()) - unit
        second = self.second[self._both, self._both] + start.root() @ start.root().T
        moved = _in_units(second, CompoundSymmetry.of(second).root()) - unit - before
        told = (self.told_apart / max(self.count * (segments - 1), 1)).clamp(1e-9, 1).sqrt()
        told = told[:, None] * told
        there = (_by_cell(told, segments) * before + moved).view(2, segments, 2, segments)
        square = there.square().sum((1, 3)).clamp(min=1e-30)  # 0 for a single segment
        kept = (1 - NOISE * self.noise / max(self.count, 1) ** 2 / square).clamp(0, 1)
        share = (EXTRAPOLATED * told).clamp(max=1)
        departure = _by_cell(1 - share * (1 - kept), segments) * before
        departure += _by_cell(share * kept / told, segments) * moved
        least = float(torch.linalg.eigvalsh(departure)[0])
        return unit + departure * min(1.0, (1 - LEAST_EIGENVALUE) / max(-least, 1e-30))

    @property
    def _both(self) -> slice:
        return slice(0, 2 * self.layout.segments)

    @cached_property
    def _old(self) -> CompoundSymmetry:
        return CompoundSymmetry.of(self.before[self._both, self._both])


def _step(total: Tensor, before: Tensor, start: Tensor, count: int, told: Tensor, most: float) -> Tensor:
    """Return a covariance [2, 2] from the sum of `count` second moments: a step of its variances and correlation.

    The factor by which EM's step of the correlation is lengthened is the root of that of variances: the two depend on
    each other, and swing around their place where both take steps in full.

    start: where learning starts, which counts as one more. told [2]: squared shares of the variances that the log has
    settled. most: variance of a log sensitivity.
    """
    found = (total + start) / (count + 1)
    step = _log_step(found.diagonal(), before.diagonal(), start.diagonal(), count, told)
    variance = before.diagonal() * step.exp()
    scale = variance.minimum(torch.tensor([torch.inf, most], dtype=FLOAT)).sqrt()
    longer = _lengthening(before.diagonal(), start.diagonal(), count, told)
    at, there = (_correlation(covariance).atanh() for covariance in (before, found))
    correlation = (at + _limited_step(longer.prod() ** 0.25 * (there - at))).tanh()
    alike = torch.eye(2, dtype=FLOAT)
    alike[0, 1] = alike[1, 0] = correlation.clamp(-MOST_CORRELATED, MOST_CORRELATED)
    return alike * torch.outer(scale, scale)


def _correlation(covariance: Tensor) -> Tensor:
    return covariance[0, 1] / covariance.diagonal().prod().sqrt()


def _log_step(found: Tensor, before: Tensor, start: Tensor, count: int, told: Tensor) -> Tensor:
    """Return the steps of the logs of variances: from `before` to what EM has found, lengthened."""
    return _limited_step(_lengthening(before, start, count, told) * (found / before).log())


def _lengthening(before: Tensor, start: Tensor, count: int, told: Tensor) -> Tensor:
    """Return by what steps are multiplied, since EM goes only the share of the way that the log has settled."""
    settled = (start / before).clamp(min=1) + told.clamp(max=count)
    return RELAXED * (count + 1) / settled


def _limited_step(step: Tensor) -> Tensor:
    return step.clamp(-LONGEST_STEP, LONGEST_STEP)


def _by_cell(values: Tensor, segments: int) -> Tensor:
    """Return values [2, 2] of appeals and log sensitivities for each pair of coefficients, [2 S, 2 S]."""
    return values.repeat_interleave(segments, 0).repeat_interleave(segments, 1)


def _in_units(matrix: Tensor, root: Tensor) -> Tensor:
    """Return R⁻¹ M R⁻′ of matrices M [..., 2 S, 2 S] and a root R."""
    inverse = torch.linalg.inv(root)
    return inverse @ matrix @ inverse.T


def _limited(covariance: Tensor, layout: Layout) -> Tensor:
    """Return the covariance with no variance of a log sensitivity above the largest, all correlations kept."""
    scale = torch.ones(layout.width, dtype=FLOAT)
    beta = layout.log_sensitivity
    scale[beta] = (MOST_SPREAD / covariance.diagonal()[beta].sqrt()).clamp(max=1.0)
    return covariance * (scale[:, None] * scale)
