"""Price response brought to convergence, which stochastic gradients leave far from its optimum.

The likelihood hardly sees price, so that after any practical number of epochs the sensitivities still depend on
where they started. Given the tastes that training found, what is left of the utility is a generalised linear model of
products and users: levels, promotion effects, seasons, shocks and price response. It is solved as one problem.
"""

import logging
from collections import deque
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gpu_pricer.checks import require_number, require_whole
from gpu_pricer.network.demand_network import DemandNetwork
from gpu_pricer.network.response_parameters import Curvature, PriorConfig, ResponseParameters
from gpu_pricer.network.training import OptimiserConfig, batch_of, log_likelihood

log = logging.getLogger(__name__)

CHUNK = 16384  # choices per pass of the arithmetic
MEMORY = 10  # of the search
SUFFICIENT = 1e-4  # share of the promised gain that a step must bring (Armijo's rule)
SHORTEST_STEP = 1e-3
LONGEST_MOVE = 1.0  # of any one parameter in a step


@dataclass(frozen=True)
class PriceResponseConfig:
    """How long to search, and what is expected before any data are seen.

    passes: over the choices, at most (0: none); tolerance: stop when the estimated distance to the optimum, all
    parameters together, is this many posterior standard deviations.
    """

    passes: int
    tolerance: float
    prior: PriorConfig

    def __post_init__(self) -> None:
        require_whole("price_response.passes", self.passes, 0)
        require_number("price_response.tolerance", self.tolerance, above=0)


@dataclass(frozen=True)
class Place:
    """Where a search is: the parameters θ, the penalised log likelihood, its gradient, and the information there."""

    theta: np.ndarray
    value: float
    gradient: np.ndarray
    curvature: Curvature
    mean_sensitivity: float


def settle_price_response(
    network: DemandNetwork, config: PriceResponseConfig, optimiser: OptimiserConfig, seed: int
) -> None:
    """Move levels, effects, seasons, shocks, memory and sensitivities to the most likely ones, given the tastes.

    L-BFGS on the penalised log likelihood of the training choices, with the Fisher information of products and users as
    its first guess (Nocedal & Wright 2006, alg. 7.4); every step must climb. The distance to the optimum is the root
    of gradient · step (the Newton decrement).
    """
    if not config.passes:
        return
    problem = _Problem(network, config, optimiser, seed)
    place, memory = problem.look(problem.parameters.get()), deque[tuple[np.ndarray, np.ndarray]](maxlen=MEMORY)
    while True:
        step = _step(place, memory, problem.parameters)
        distance = float(np.sqrt(max(place.gradient @ step, 0.0)))
        log.info(
            "price response: mean sensitivity %.3f, %.2f posterior standard deviations to go",
            place.mean_sensitivity, distance,
        )  # fmt: skip
        if distance < config.tolerance:
            break
        reached = problem.climb(place, step)
        if reached is None:
            log.warning("price response has not settled in %d passes: raise model.price_response.passes", config.passes)
            break
        memory.append((reached.theta - place.theta, place.gradient - reached.gradient))
        place = reached
    problem.parameters.put(place.theta)
    network.requires_grad_(True)


def _step(place: Place, memory: deque[tuple[np.ndarray, np.ndarray]], parameters: ResponseParameters) -> np.ndarray:
    """The two-loop recursion: the quasi-Newton step uphill."""
    solve = parameters.precondition(place.curvature)
    step, shares = place.gradient.copy(), []
    pairs = [(move, fall) for move, fall in memory if move @ fall > 0]
    for move, fall in reversed(pairs):
        shares.append((move @ step) / (move @ fall))
        step = step - shares[-1] * fall
    step = solve(step)
    for (move, fall), share in zip(pairs, reversed(shares), strict=True):
        step = step + (share - (fall @ step) / (move @ fall)) * move
    return step / max(float(np.abs(step).max()) / LONGEST_MOVE, 1.0)


class _Problem:
    """The penalised log likelihood of the training choices as a function of θ; the tastes are computed once."""

    def __init__(
        self, network: DemandNetwork, config: PriceResponseConfig, optimiser: OptimiserConfig, seed: int
    ) -> None:
        self.network, self.optimiser, self.seed = network, optimiser, seed
        self.parameters = ResponseParameters(network, config.prior)
        self.chunks = network.data.split()[0].split(CHUNK)
        self.left = config.passes
        network.requires_grad_(False)
        for block in self.parameters.blocks:
            block.parameter.requires_grad_(True)
        draws = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            self.tastes = [network.tastes(batch_of(network.data, index, optimiser, draws)) for index in self.chunks]

    def climb(self, place: Place, step: np.ndarray) -> Place | None:
        """A better place in the direction of the step, halved until it is one; None when the passes are used up."""
        length, promise = 1.0, float(place.gradient @ step)
        while self.left > 0 and length > SHORTEST_STEP:
            reached = self.look(place.theta + length * step)
            if reached.value >= place.value + SUFFICIENT * length * promise:
                return reached
            length /= 2
        return None

    def look(self, theta: np.ndarray) -> Place:
        """One pass over the training choices at θ."""
        network, data, parameters = self.network, self.network.data, self.parameters
        parameters.put(theta)
        network.zero_grad()
        self.left -= 1
        information, steepness = torch.zeros(len(data.product)), torch.zeros(len(data.product))
        of_user, value, sensitivity = torch.zeros(2, data.users.height), 0.0, 0.0
        draws = torch.Generator().manual_seed(self.seed)
        for index, tastes in zip(self.chunks, self.tastes, strict=True):
            batch = batch_of(data, index, self.optimiser, draws)
            move = network.remembered(data.trusted_moves(batch.row))
            response = network.sensitivities(batch)
            utility = network.appeal(batch, tastes) - response * move
            utility.retain_grad()
            likelihood = log_likelihood(data, utility, batch, self.optimiser).double().sum()
            likelihood.backward()
            value += float(likelihood.detach())
            with torch.no_grad():
                steep = -torch.expm1(-response)  # db/draw of b = softplus(raw)
                expected = _expected(utility.grad, batch.chosen, batch.weight * batch.size)
                information.index_add_(0, batch.row, expected)
                steepness.index_add_(0, batch.row, expected * steep)
                user = batch.user.index_select(0, batch.occasion)
                of_user[0].index_add_(0, user, expected)
                of_user[1].index_add_(0, user, expected * (steep * move).square())
                sensitivity += float((expected * response).sum())
        mean_steepness = steepness / information.clamp(min=1e-12)
        return Place(
            theta=theta,
            value=value - 0.5 * float(parameters.precision @ theta**2),
            gradient=parameters.gradient() - parameters.precision * theta,
            curvature=Curvature(information, mean_steepness, of_user),
            mean_sensitivity=sensitivity / float(information.sum()),
        )


def _expected(gradient: Tensor | None, chosen: Tensor, weight: Tensor) -> Tensor:
    """What was expected of every alternative, [R]: what was bought minus the gradient; close to its information."""
    assert gradient is not None
    bought = chosen >= 0
    return (-gradient).index_add(0, chosen[bought], weight[bought]).clamp(min=0)
