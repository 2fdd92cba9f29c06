"""How much shocks vary in each category, by empirical Bayes: ln κ²[g] ~ Normal(0, spread²), κ the category's scale.

Sales of strawberries scatter for many more reasons that are in no table than those of milk. With one variance for all,
milk's price response rests on too few of its weeks, and strawberries' on too many. On Complete Journey the standard
deviation of ln κ² between categories is 1.7. With a scale for each, hold-out deviances of the units of the best sellers
are 4 to 5 % lower than with one for all, of the network and of the artefact, in both folds.

Seasons have one variance. With a scale for each category they absorb the response of categories whose prices move
together: the artefact's elasticity of units falls by 4 % of the log's, and the deviance of purchases at price moves
above 15 % rises by 1 % (December 2026).
"""

import torch
from torch import Tensor

from gpu_pricer.network.response.priors.autoregression import LONGEST_STEP, RELAXED

START_SPREAD, LEAST_SPREAD = 0.5, 0.02  # standard deviations of ln κ²
LARGEST = 6.0  # of ln κ², either way


class ShockVariances:
    """The prior of ln κ² while a fit learns. spread: its standard deviation.

    It starts from that of the scales [G] of an earlier fit: from START_SPREAD the first steps would undo what they
    tell.
    """

    def __init__(self, scale: Tensor) -> None:
        self.spread = max(START_SPREAD, float((2 * scale.log()).square().mean().sqrt()))

    def teach(self, scale: Tensor, gradient: Tensor, information: Tensor) -> float:
        """Move κ [G], in place, by a step of Fisher scoring; return how far ln κ² moved, the root of the mean square.

        gradient, information [G]: of the evidence about ln κ². In the mean square each of the G categories has as its
        weight the share of the information about its ln κ² that is from the log. Steps are limited like those of
        Autoregression. The mean of ln κ² stays 0, because the autoregression has the variance in common.
        """
        before = 2 * scale.log()
        fall = (-gradient).clamp(min=0)
        step = (gradient - before / self.spread**2) / (information + fall + self.spread**-2)
        after = before + (RELAXED * step).clamp(-LONGEST_STEP, LONGEST_STEP)
        after = (after - after.mean()).clamp(-LARGEST, LARGEST)
        scale.copy_(torch.exp(after / 2))
        known = information / (information + self.spread**-2)
        self._learn_spread(after, known)
        return float(((after - before).square() * known).mean().sqrt())

    def _learn_spread(self, log_variance: Tensor, known: Tensor) -> None:
        """Learn the spread of ln κ² [G], of which the log tells the shares known [G].

        This is a step of MacKay's fixed point (1992, "Bayesian interpolation"), as if one more category were known to
        lie START_SPREAD off: a log of few categories does not tell whether they differ.
        """
        square, count = float(log_variance.square().sum()), float(known.sum())
        self.spread = max(((square + START_SPREAD**2) / (count + 1)) ** 0.5, LEAST_SPREAD)
