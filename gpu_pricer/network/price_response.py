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

from gpu_pricer.errors import InputError
from gpu_pricer.network.batches import gather_batch
from gpu_pricer.network.demand_network import DemandNetwork
from gpu_pricer.network.likelihood import log_denominator
from gpu_pricer.network.training import OptimiserConfig

log = logging.getLogger(__name__)

FLAT = 1e-6  # the prior precision of what all products share
ROUNDING = 1e-7  # of the log likelihood, summed from float32 terms


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
        if not isinstance(self.steps, int) or self.steps < 0:
            raise InputError(f"price_response.steps must be a whole number of at least 0, found {self.steps!r}")
        for name in ("tolerance", "level_spread", "category_spread", "product_spread", "user_spread"):
            if not getattr(self, name) > 0:
                raise InputError(f"price_response.{name} must be positive, found {getattr(self, name)!r}")


@dataclass(frozen=True)
class Moments:
    """Derivatives of the log likelihood at the current parameters.

    Per shelf row [R]: gradient Σ (y − P), information Σ P (1 − P), steepness: its mean d b / d raw. Per user [U]:
    gradient and information of the level and of the raw sensitivity. mean_sensitivity: b, weighted by information.
    """

    gradient: Tensor
    information: Tensor
    steepness: Tensor
    level_gradient: Tensor
    level_information: Tensor
    slope_gradient: Tensor
    slope_information: Tensor
    mean_sensitivity: float
    log_likelihood: float


def settle_price_response(
    network: DemandNetwork, index: Tensor, config: PriceResponseConfig, batching: OptimiserConfig, seed: int
) -> None:
    """Move levels, effects and sensitivities of the network to their penalised optimum for the choices `index`.

    Source: Fisher scoring (McCullagh & Nelder 1989, ch. 2.5) with the diagonal of the multinomial information.
    """
    best, before, accepted = -np.inf, 0.0, network.state_dict()
    for step in range(config.steps):
        moments = _moments(network, index, batching, torch.Generator().manual_seed(seed))
        objective = moments.log_likelihood - _penalty(network, config)
        log.info("price response, step %d: mean sensitivity %.3f", step, moments.mean_sensitivity)
        if not objective >= best - ROUNDING * abs(best):
            _go_halfway_back(network, accepted)
            continue
        if abs(moments.mean_sensitivity - before) < config.tolerance * before:
            return
        best, before = objective, moments.mean_sensitivity
        accepted = {name: value.clone() for name, value in network.state_dict().items()}
        _step_products(network, moments, config)
        _step_users(network, moments, config)
    network.load_state_dict(accepted)


def _go_halfway_back(network: DemandNetwork, accepted: dict[str, Tensor]) -> None:
    """Halve a step that overshot: the diagonal information is only an approximation."""
    with torch.no_grad():
        for name, value in network.state_dict().items():
            value.add_(accepted[name]).mul_(0.5)


def _penalty(network: DemandNetwork, config: PriceResponseConfig) -> float:
    """Minus the log prior of the shrunk parameters, up to a constant."""
    products = sum(
        block.precision * float(block.parameter.square().sum()) for block in _parameter_blocks(network, config)
    )
    users = sum(float((own.square() / spread**2).sum()) for own, spread in _user_parameters(network, config))
    return 0.5 * (products + users)


def _user_parameters(network: DemandNetwork, config: PriceResponseConfig) -> tuple[tuple[Tensor, float], ...]:
    """Every user's own level and own raw sensitivity, with the standard deviation of its prior."""
    return (
        (network.user_taste.own.weight.detach()[:, -1], config.level_spread),
        (network.user_sensitivity.own.weight.detach()[:, -1], config.user_spread),
    )


def _moments(network: DemandNetwork, index: Tensor, batching: OptimiserConfig, draws: torch.Generator) -> Moments:
    """One pass over the choices."""
    data = network.data
    gradient, information, steepness = (torch.zeros(len(data.product)) for _ in range(3))
    of_user = torch.zeros(4, data.users.height)
    sensitivity = likelihood = 0.0
    with torch.no_grad():
        for chunk in index.split(batching.batch_size):
            batch = gather_batch(data, chunk, batching.max_alternatives, draws)
            appeal, raw = network.scores(batch)
            move = data.price_ratio[batch.row] - 1
            utility = appeal - softplus(raw) * move + batch.correction
            log_sum = log_denominator(utility, batch.occasion, batch.outside)
            share = torch.exp(utility - log_sum[batch.occasion])
            picked = torch.where(batch.chosen >= 0, utility[batch.chosen.clamp(min=0)], batch.outside)
            likelihood += float((batch.weight * (picked - log_sum)).double().sum())
            weight = batch.weight[batch.occasion]
            bought = batch.chosen[batch.chosen >= 0]
            residual = (-share).index_add(0, bought, torch.ones(len(bought))) * weight
            curvature = weight * share * (1 - share)
            steep = torch.sigmoid(raw)
            gradient.index_add_(0, batch.row, residual)
            information.index_add_(0, batch.row, curvature)
            steepness.index_add_(0, batch.row, curvature * steep)
            drive = -steep * move * data.teaches_price[data.product[batch.row]]
            user_terms = (residual, curvature, residual * drive, curvature * drive.square())
            of_user.index_add_(1, batch.user[batch.occasion], torch.stack(user_terms))
            sensitivity += float((curvature * softplus(raw)).sum())
    return Moments(
        gradient,
        information,
        steepness / information.clamp(min=1e-12),
        level_gradient=of_user[0],
        level_information=of_user[1],
        slope_gradient=of_user[2],
        slope_information=of_user[3],
        mean_sensitivity=sensitivity / float(information.sum()),
        log_likelihood=likelihood,
    )


def _step_users(network: DemandNetwork, moments: Moments, config: PriceResponseConfig) -> None:
    """A Newton step for every user's own level and raw sensitivity, which leaves their mean to the products."""
    level, slope = _user_parameters(network, config)
    for (own, spread), gradient, information in (
        (level, moments.level_gradient, moments.level_information),
        (slope, moments.slope_gradient, moments.slope_information),
    ):
        step = (gradient - own / spread**2) / (information + spread**-2)
        own.add_(step - (step * information).sum() / information.sum().clamp(min=1e-12))


def _step_products(network: DemandNetwork, moments: Moments, config: PriceResponseConfig) -> None:
    """Solve (Xᵀ W X + Λ) δ = Xᵀ gradient − Λ θ and add δ to the parameters θ."""
    blocks = _parameter_blocks(network, config)
    design = hstack([block.columns(network, moments) for block in blocks], format="csr")
    precision = np.concatenate([np.full(block.parameter.numel(), block.precision) for block in blocks])
    theta = np.concatenate([block.parameter.double().numpy() for block in blocks])
    weighted = diags_array(moments.information.double().numpy()) @ design
    normal = design.T @ weighted + diags_array(precision)
    scale = diags_array(1 / np.maximum(normal.diagonal(), 1e-9))
    delta, _ = cg(
        normal,
        design.T @ moments.gradient.double().numpy() - precision * theta,
        rtol=1e-6,
        maxiter=500,
        M=scale,
    )
    ends = np.cumsum([block.parameter.numel() for block in blocks])
    for block, step in zip(blocks, np.split(delta, ends[:-1]), strict=True):
        block.parameter.add_(torch.from_numpy(step).float())


@dataclass(frozen=True)
class Block:
    """Parameters that share a prior: a view into the network, which of them each shelf row has, times what."""

    parameter: Tensor
    precision: float
    column: Tensor
    regressor: str

    def columns(self, network: DemandNetwork, moments: Moments) -> csr_array:
        """The block's part of the design matrix, [R, size]."""
        rows = np.arange(len(network.data.product))
        values = _regressor(network, moments, self.regressor)
        shape = (len(rows), self.parameter.numel())
        return csr_array((values, (rows, self.column.numpy())), shape=shape)


def _regressor(network: DemandNetwork, moments: Moments, name: str) -> np.ndarray:
    data = network.data
    if name == "one":
        return np.ones(len(data.product))
    if name == "price":
        teaches = data.teaches_price[data.product]
        return (-moments.steepness * (data.price_ratio - 1) * teaches).double().numpy()
    return data.context[:, data.context_names.index(name)].double().numpy()


def _parameter_blocks(network: DemandNetwork, config: PriceResponseConfig) -> list[Block]:
    """Every parameter of the generalised linear model; what all products share is hardly shrunk."""
    data = network.data
    level, sensitivity = network.product_level, network.product_sensitivity
    everything = torch.zeros_like(data.product)
    effects = [
        Block(network.mean_effect.detach()[c, None], FLAT, everything, name)
        for c, name in enumerate(data.context_names)
    ]
    of_category = sensitivity.of_value(0)[:, -1]
    return [
        Block(network.mean_level.detach()[None], FLAT, everything, "one"),
        Block(level.own.weight.detach()[:, 0], config.level_spread**-2, data.product, "one"),
        Block(network.season.weight.detach()[:, 0], network.config.season_spread**-2, data.set_of_row(), "one"),
        *effects,
        Block(network.mean_sensitivity.detach()[None], FLAT, everything, "price"),
        Block(of_category, config.category_spread**-2, level.codes[data.product, 0], "price"),
        Block(sensitivity.own.weight.detach()[:, -1], config.product_spread**-2, data.product, "price"),
    ]
