"""Effects of product attributes, such as brand and size, on price sensitivities within a category.

The prior mean of a product's log sensitivity is its category's plus x · ψ, with ψ ~ Normal(0, spread²) the same for all
segments. The attributes x are centred on the category's mean, so that ψ moves no category. A product with little data,
or a new one, thus has the sensitivity of its attributes and not only of its category.

ψ is estimated with the average household: after each pass, by a regression of the products' log sensitivities, weighted
by how much the log says of each. It is the mean over the spreads of SPREADS, weighted by their marginal likelihood
(Bayesian model averaging: Hoeting, Madigan, Raftery & Volinsky 1999). With the most likely spread alone, the effects
would jump whenever a pass makes another spread more likely, and the search could alternate between two spreads.
"""

import logging
from dataclasses import dataclass, field

import numpy as np
import torch
from scipy.sparse import csr_array
from scipy.special import softmax
from torch import Tensor

from gpu_pricer.network.encoding.attributes import feature_columns
from gpu_pricer.network.encoding.choice_records import EncodedProducts
from gpu_pricer.network.response.fitting.step_share import StepShare
from gpu_pricer.network.response.grid.grid import Grid
from gpu_pricer.network.response.model import Layout, State
from gpu_pricer.network.response.priors.widths import Widths

log = logging.getLogger(__name__)

MOST_FEATURES = 300  # the words that most products carry, so that a regression takes little time
LEAST_TOLD, LONGEST_STEP = 1e-3, 0.5  # of a sensitivity by the log; of a log sensitivity in a pass
LEAST_SHARE = 0.02  # of a step that leads back
FARTHEST = 2.0
"""The log sensitivity of a product relative to its category's, as the log alone tells it, at most.

Where sales rise with the price, sensitivities fall towards 0. There the log tells next to nothing of their logs, and
the quadratic approximation finds its maximum 20 or 50 away. In a simulated shop with such categories the effects then
swung until the last pass.
"""
LEAST_WEIGHT = 1e-9  # of a product that does not teach, so that a category where none does has a mean
SPREADS = np.concatenate([[0.0], np.geomspace(0.01, 1, 40)])
NOTHING = 0.5  # prior probability that attributes explain nothing; the other spreads are equally likely


@dataclass
class AttributeEffects:
    """The attributes of R products as features, and what is known of their effects.

    value [R, F]: the features. category [R]: numbers from 0. weight [R]: of the products in the mean of their category.
    effect [F]: ψ. spread: the expected standard deviation of its prior. damping: how much of a step is taken.
    """

    value: csr_array
    category: np.ndarray
    weight: np.ndarray
    effect: np.ndarray
    spread: float
    damping: StepShare = field(default_factory=lambda: StepShare(LEAST_SHARE, 1.0))

    @classmethod
    def of(cls, products: EncodedProducts, grid: Grid) -> "AttributeEffects":
        """Return what is known before the first pass; the mean of a category is that of its products that teach."""
        value = feature_columns(products.attributes)
        carried = (value != 0).sum(axis=0)
        most = np.sort(np.argsort(-carried, kind="stable")[:MOST_FEATURES])
        weight = np.full(products.count, LEAST_WEIGHT)
        weight[grid.row.numpy()] = 1.0
        return cls(csr_array(value[:, most]), products.category.numpy(), weight, np.zeros(len(most)), 0.0)

    def log_sensitivity(self) -> Tensor:
        """Return what the attributes add to the log sensitivity of every product, [R]."""
        added = self.value @ self.effect
        mean = np.bincount(self.category, self.weight * added) / np.bincount(self.category, self.weight)
        return torch.from_numpy(added - mean[self.category])

    def improve(self, grid: Grid, state: State, widths: Widths) -> float:
        """Learn the effects from where a pass led, and take them to the state; return how far they are from settled.

        That is the largest move that they are to make. A sensitivity moves along as far as the log leaves it open:
        where the next pass leads, or the two would swing.
        """
        beta = Layout(1, grid.context.shape[2]).log_sensitivity.start
        prior = torch.linalg.inv(widths.product)[beta]  # with the appeal, which may tell of the sensitivity too
        told = state.pull[:, 0].clamp(LEAST_TOLD, 1)
        weight = prior[beta] * told
        pull = (state.z - state.theta[grid.category]) @ prior + weight * state.beside
        pull = pull.clamp(-FARTHEST * weight, FARTHEST * weight)
        value = csr_array(self.value[grid.row.numpy()])
        found = _within_categories(value, weight.numpy(), pull.numpy(), grid.category.numpy())
        before, (self.effect, self.spread) = self.effect, _expected(*found)
        whole = self.log_sensitivity()[grid.row] - state.beside
        longest = float(whole.abs().max())
        self.damping.after(whole)
        share = min(self.damping.share, LONGEST_STEP / max(longest, LONGEST_STEP))
        self.effect = before + share * (self.effect - before)
        move = self.log_sensitivity()[grid.row] - state.beside
        state.beside += move
        state.z[:, beta] -= told * move
        return longest

    def settle(self) -> None:
        """Say how much attributes tell."""
        if self.effect.any():
            found = float(self.log_sensitivity().std())
            log.info(
                "attributes of products explain log price sensitivities within a category: standard deviation %.2f",
                found,
            )


def _within_categories(
    value: csr_array, weight: np.ndarray, pull: np.ndarray, category: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return X′ R X and X′ y, [F, F] and [F], of features X [n, F] relative to their categories' weighted means.

    weight [n]: the weights R. pull [n]: y.
    """
    count = int(category[-1]) + 1
    member = csr_array((np.ones(len(category)), (category, np.arange(len(category)))), shape=(count, len(category)))
    weighted = csr_array(value.multiply(weight[:, None]))
    of_category = np.maximum(member @ weight, np.finfo(float).tiny)
    total = (member @ weighted).toarray()
    mean = total / of_category[:, None]
    return (value.T @ weighted).toarray() - total.T @ mean, value.T @ pull - mean.T @ (member @ pull)


def _expected(precision: np.ndarray, gradient: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the posterior means of the effects [F] and of the spread of their prior.

    precision [F, F], gradient [F]: of the log likelihood of the effects, from 0.
    """
    values, vectors = np.linalg.eigh(precision)
    values, along = np.maximum(values, 0), vectors.T @ gradient
    variance = SPREADS[:, None] ** 2
    means = variance * along / (1 + variance * values)  # [spreads, F], along the vectors
    evidence = (along * means - np.log1p(variance * values)).sum(axis=1) / 2
    prior = np.log(np.where(SPREADS == 0, NOTHING, (1 - NOTHING) / (len(SPREADS) - 1)))
    weight = softmax(evidence + prior)
    return vectors @ (weight @ means), float(weight @ SPREADS)
