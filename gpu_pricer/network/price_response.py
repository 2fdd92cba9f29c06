"""Price response brought to convergence: Fisher scoring on what stochastic gradients leave far from its optimum.

The likelihood hardly sees price, so that after any practical number of epochs the sensitivities still depend on
where they started. Given the tastes that training found, the rest of the utility is a generalised linear model:
levels, promotion effects, category × period effects and price slopes. Its gradient and (diagonal) information per
shelf row take one pass over the choices; the step is a sparse ridge regression with the priors as ridge.
"""

import logging
from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse import csr_array, diags_array, hstack
from scipy.sparse.linalg import cg
from torch import Tensor
from torch.nn.functional import softplus

from gpu_pricer.checks import require_number, require_whole
from gpu_pricer.network.batches import gather_batch
from gpu_pricer.network.demand_network import DemandNetwork
from gpu_pricer.network.likelihood import log_denominator
from gpu_pricer.network.training import OptimiserConfig

log = logging.getLogger(__name__)

FLAT = 1e-6  # the prior precision of what all products share
LONGEST_STEP = 0.5  # of any one parameter; a product's raw sensitivity is the sum of three


@dataclass(frozen=True)
class PriceResponseConfig:
    """How many scoring steps at most, when to stop, and the prior standard deviations around what is shared.

    tolerance: stop when the mean sensitivity moves by less than this share of itself. The spreads are those of a
    product's or user's level, of a category's raw sensitivity around the common one, of a product's around its
    category's, and of a user's around everybody's.
    """

    steps: int
    tolerance: float
    level_spread: float
    category_spread: float
    product_spread: float
    user_spread: float

    def __post_init__(self) -> None:
        require_whole("price_response.steps", self.steps, 0)
        for name in ("tolerance", "level_spread", "category_spread", "product_spread", "user_spread"):
            require_number(f"price_response.{name}", getattr(self, name), above=0)


@dataclass(frozen=True)
class Derivatives:
    """First and second derivatives of the log likelihood at the current parameters.

    Per shelf row [R]: gradient Σ (y − P), steep_gradient Σ (y − P) db/draw, information Σ P (1 − P), steepness: the
    mean of db/draw weighted by it. Per user [U]: gradient and information of the level and of the raw sensitivity.
    mean_sensitivity: b, weighted by information.
    """

    gradient: Tensor
    steep_gradient: Tensor
    information: Tensor
    steepness: Tensor
    level_gradient: Tensor
    level_information: Tensor
    slope_gradient: Tensor
    slope_information: Tensor
    mean_sensitivity: float


def settle_price_response(
    network: DemandNetwork, config: PriceResponseConfig, batching: OptimiserConfig, seed: int
) -> None:
    """Move levels, effects and sensitivities to where their penalised score for the training choices is zero.

    Products that teach no price response have a share in the levels only. A step after which the Newton decrement
    grew is halved (there is no likelihood to climb, since those products' own slopes are not asked).
    Source: Fisher scoring (McCullagh & Nelder 1989, ch. 2.5) with the diagonal of the multinomial information.
    """
    index, _, _ = network.data.split()
    decrement, before, is_halved = np.inf, 0.0, False
    accepted = network.state_dict()
    for step in range(config.steps + 1):  # the last pass only judges the last step
        derivatives = _derivatives(network, index, batching, torch.Generator().manual_seed(seed))
        products, users = _product_step(network, derivatives, config), _user_step(network, derivatives, config)
        log.info("price response, step %d: mean sensitivity %.3f", step, derivatives.mean_sensitivity)
        if not is_halved and abs(derivatives.mean_sensitivity - before) < config.tolerance * before:
            return
        if not products.decrement + users.decrement < decrement:
            _go_halfway_back(network, accepted)
            is_halved = True
            continue
        decrement, before, is_halved = products.decrement + users.decrement, derivatives.mean_sensitivity, False
        accepted = {name: value.clone() for name, value in network.state_dict().items()}
        if step < config.steps:
            products.take()
            users.take()
    network.load_state_dict(accepted)
    if config.steps:
        log.warning("price response has not settled in %d steps: raise model.price_response.steps", config.steps)


@dataclass(frozen=True)
class Step:
    """Where parameters (views into the network) go, and the Newton decrement score · step: how far they still are."""

    parameters: list[Tensor]
    moves: list[Tensor]
    decrement: float

    def take(self) -> None:
        """Move the parameters."""
        for parameter, move in zip(self.parameters, self.moves, strict=True):
            parameter.add_(move)


def _go_halfway_back(network: DemandNetwork, accepted: dict[str, Tensor]) -> None:
    """Halve a step that overshot: the information is only approximate, and b is convex in its raw value."""
    for name, value in network.state_dict().items():
        value.add_(accepted[name]).mul_(0.5)


def _user_parameters(network: DemandNetwork, config: PriceResponseConfig) -> tuple[tuple[Tensor, float], ...]:
    """Every user's own level and own raw sensitivity, with the standard deviation of its prior."""
    return (
        (network.user_taste.own.weight.detach()[:, -1], config.level_spread),
        (network.user_sensitivity.own.weight.detach()[:, -1], config.user_spread),
    )


def _derivatives(
    network: DemandNetwork, index: Tensor, batching: OptimiserConfig, draws: torch.Generator
) -> Derivatives:
    """One pass over the choices."""
    data = network.data
    gradient, steep_gradient, information, steepness = (torch.zeros(len(data.product)) for _ in range(4))
    of_user = torch.zeros(4, data.users.height)
    sensitivity = 0.0
    with torch.no_grad():
        for chunk in index.split(batching.batch_size):
            batch = gather_batch(data, chunk, batching.max_alternatives, draws)
            appeal, raw = network.scores(batch)
            move = data.price_ratio[batch.row] - 1
            utility = appeal - softplus(raw) * move + batch.correction
            share = torch.exp(utility - log_denominator(utility, batch.occasion, batch.outside)[batch.occasion])
            weight = batch.weight[batch.occasion]
            bought = batch.chosen[batch.chosen >= 0]
            residual = (-share).index_add(0, bought, torch.ones(len(bought))) * weight
            curvature = weight * share * (1 - share)
            steep = torch.sigmoid(raw)
            gradient.index_add_(0, batch.row, residual)
            steep_gradient.index_add_(0, batch.row, residual * steep)
            information.index_add_(0, batch.row, curvature)
            steepness.index_add_(0, batch.row, curvature * steep)
            drive = -steep * move * data.teaches_price[data.product[batch.row]]
            user_terms = (residual, curvature, residual * drive, curvature * drive.square())
            of_user.index_add_(1, batch.user[batch.occasion], torch.stack(user_terms))
            sensitivity += float((curvature * softplus(raw)).sum())
    return Derivatives(
        gradient,
        steep_gradient,
        information,
        steepness / information.clamp(min=1e-12),
        level_gradient=of_user[0],
        level_information=of_user[1],
        slope_gradient=of_user[2],
        slope_information=of_user[3],
        mean_sensitivity=sensitivity / float(information.sum()),
    )


def _user_step(network: DemandNetwork, derivatives: Derivatives, config: PriceResponseConfig) -> Step:
    """A Newton step for every user's own level and raw sensitivity, which leaves their mean to the products."""
    level, slope = _user_parameters(network, config)
    parameters, moves, decrement = [], [], 0.0
    for (own, spread), gradient, information in (
        (level, derivatives.level_gradient, derivatives.level_information),
        (slope, derivatives.slope_gradient, derivatives.slope_information),
    ):
        score = gradient - own / spread**2
        move = score / (information + spread**-2)
        move = move - (move * information).sum() / information.sum().clamp(min=1e-12)
        parameters.append(own)
        moves.append(move.clamp(-LONGEST_STEP, LONGEST_STEP))
        decrement += float((score * move).sum())
    return Step(parameters, moves, decrement)


@dataclass(frozen=True)
class Block:
    """Parameters that share a prior; a parameter adds factor × itself (× db/draw, if is_slope) to its rows' utility.

    parameter [n]: a view into the network; precision of its zero-mean prior; member [R]: which of the n each shelf
    row has; factor [R].
    """

    parameter: Tensor
    precision: float
    member: Tensor
    factor: Tensor
    is_slope: bool

    def design(self, derivatives: Derivatives) -> csr_array:
        """The block's columns of the regression, [R, n]."""
        factor = self.factor * derivatives.steepness if self.is_slope else self.factor
        places = (np.arange(len(factor)), self.member.numpy())
        return csr_array((factor.double().numpy(), places), shape=(len(factor), len(self.parameter)))

    def score(self, derivatives: Derivatives) -> np.ndarray:
        """The log likelihood's gradient in the parameters, [n]."""
        gradient = derivatives.steep_gradient if self.is_slope else derivatives.gradient
        total = torch.zeros(len(self.parameter), dtype=torch.float64)
        return total.index_add(0, self.member, (self.factor * gradient).double()).numpy()


def _product_step(network: DemandNetwork, derivatives: Derivatives, config: PriceResponseConfig) -> Step:
    """The solution δ of (Xᵀ W X + Λ) δ = gradient − Λ θ for the parameters θ that all users share."""
    blocks = _parameter_blocks(network, config)
    design = hstack([block.design(derivatives) for block in blocks], format="csr")
    precision = np.concatenate([np.full(len(block.parameter), block.precision) for block in blocks])
    theta = np.concatenate([block.parameter.double().numpy() for block in blocks])
    score = np.concatenate([block.score(derivatives) for block in blocks]) - precision * theta
    weighted = diags_array(derivatives.information.double().numpy()) @ design
    normal = design.T @ weighted + diags_array(precision)
    scale = diags_array(1 / np.maximum(normal.diagonal(), 1e-9))
    delta, unsolved = cg(normal, score, rtol=1e-6, maxiter=500, M=scale)
    if unsolved:
        log.warning("price response: the equations of a step were not solved to 1e-6 in %d iterations", unsolved)
    ends = np.cumsum([len(block.parameter) for block in blocks])
    limited = torch.from_numpy(np.clip(delta, -LONGEST_STEP, LONGEST_STEP)).float()
    moves = list(torch.tensor_split(limited, torch.from_numpy(ends[:-1])))
    return Step([block.parameter for block in blocks], moves, float(score @ delta))


def _parameter_blocks(network: DemandNetwork, config: PriceResponseConfig) -> list[Block]:
    """Every parameter of the generalised linear model; what all products share is hardly shrunk."""
    data = network.data
    level, sensitivity = network.product_level, network.product_sensitivity
    ones, everything = torch.ones(len(data.product)), torch.zeros_like(data.product)
    price = (1 - data.price_ratio) * data.teaches_price[data.product]
    category = level.codes[data.product, 0]
    effects = [
        Block(network.mean_effect.detach()[c, None], FLAT, everything, data.context[:, c], is_slope=False)
        for c in range(data.context.shape[1])
    ]
    return [
        Block(network.mean_level.detach()[None], FLAT, everything, ones, is_slope=False),
        Block(level.own.weight.detach()[:, 0], config.level_spread**-2, data.product, ones, is_slope=False),
        Block(
            network.season.weight.detach()[:, 0], network.config.season_spread**-2, data.set_of_row(), ones,
            is_slope=False,
        ),
        *effects,
        Block(network.mean_sensitivity.detach()[None], FLAT, everything, price, is_slope=True),
        Block(sensitivity.of_value(0)[:, -1], config.category_spread**-2, category, price, is_slope=True),
        Block(sensitivity.own.weight.detach()[:, -1], config.product_spread**-2, data.product, price, is_slope=True),
    ]  # fmt: skip
