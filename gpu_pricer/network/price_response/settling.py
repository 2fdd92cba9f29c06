"""Price response brought to convergence, which stochastic gradients leave far from its optimum.

The likelihood hardly sees price, so that after any practical number of epochs the sensitivities still depend on
where they started. Given the tastes that training found, what is left of the utility is a generalised linear model of
products and users: levels, promotion effects, seasons, shocks and price response. It is solved as one problem.
"""

import logging
from collections import deque
from dataclasses import dataclass

import numpy as np

from gpu_pricer.checks import require_integer, require_number
from gpu_pricer.network.model.demand_network import DemandNetwork
from gpu_pricer.network.model.objective import OptimiserConfig
from gpu_pricer.network.price_response.likelihood import ResponseLikelihood
from gpu_pricer.network.price_response.parameters import Curvature, PriorConfig, ResponseParameters

log = logging.getLogger(__name__)

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
        require_integer("price_response.passes", self.passes, 0)
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
    """The penalised log likelihood of the training choices as a function of θ."""

    def __init__(
        self, network: DemandNetwork, config: PriceResponseConfig, optimiser: OptimiserConfig, seed: int
    ) -> None:
        self.network, self.left = network, config.passes
        self.parameters = ResponseParameters(network, config.prior)
        network.requires_grad_(False)
        for block in self.parameters.blocks:
            block.parameter.requires_grad_(True)
        self.likelihood = ResponseLikelihood(network, optimiser, seed)

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
        self.left -= 1
        self.parameters.put(theta)
        self.network.zero_grad()
        value, curvature, mean_sensitivity = self.likelihood.look()
        penalty = self.parameters.precision * theta
        return Place(
            theta=theta,
            value=value - 0.5 * float(penalty @ theta),
            gradient=self.parameters.gradient() - penalty,
            curvature=curvature,
            mean_sensitivity=mean_sensitivity,
        )
