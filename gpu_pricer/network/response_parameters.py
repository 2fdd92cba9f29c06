"""The parameters that are brought to convergence together.

Levels, promotion effects, seasons, shocks, price memory and price response.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
import torch
from scipy.sparse import csr_array
from scipy.sparse.linalg import LinearOperator, cg
from torch import Tensor, nn

from gpu_pricer.checks import require_number
from gpu_pricer.network.demand_network import DemandNetwork
from gpu_pricer.network.towers import Tower

FLAT = 1e-6  # the prior precision of what all products share
CG_STEPS = 300
CG_TOLERANCE = 1e-2  # only preconditions a search, which on a whole catalog climbs as fast with 1e-4 in twice the time


@dataclass(frozen=True)
class PriorConfig:
    """Standard deviations of what adds to what is shared: of a product's level and promotion effect, of a user's level,
    of an attribute's value in promotion effects and in raw sensitivity, and, in the latter, of a product and of a user.

    shock: of what moves a product in one period and nobody knows; without it every buyer would count as independent
    news about prices, though all buyers of a product in a period share what happened then.
    """

    level: float
    effect: float
    user_level: float
    attribute: float
    product: float
    user: float
    shock: float

    def __post_init__(self) -> None:
        for field in fields(self):
            require_number(f"prior.{field.name}", getattr(self, field.name), above=0)


@dataclass(frozen=True)
class Curvature:
    """Expected information about utility: per shelf row, information [R] and the mean of db/draw, weighted by it,
    steepness [R]; per user, of its level and of its raw sensitivity, of_user [2, U]."""

    information: Tensor
    steepness: Tensor
    of_user: Tensor


@dataclass(frozen=True)
class Block:
    """Parameters that share a prior: the n entries that `pick` takes from a parameter of the network, or its gradient.

    precision of their zero-mean prior. A shelf row's utility has factor [R] times its member [R] of them, times db/draw
    if they are slopes. Users' blocks have neither: they are in the order of of_user.
    """

    parameter: Tensor
    pick: Callable[[Tensor], Tensor]
    precision: float
    member: Tensor | None
    factor: Tensor | None
    is_slope: bool

    def entries(self) -> Tensor:
        """A view of the entries, [n]."""
        return self.pick(self.parameter.detach())

    def gradient(self) -> np.ndarray:
        """The gradient that the last backward passes left, [n]."""
        assert self.parameter.grad is not None
        return self.pick(self.parameter.grad).double().numpy()

    def slopes(self, curvature: Curvature) -> np.ndarray:
        """What a unit of its member of the block adds to each shelf row's utility, [R]."""
        assert self.factor is not None
        factor = self.factor * curvature.steepness if self.is_slope else self.factor
        return factor.double().numpy()


class ResponseParameters:
    """All blocks as one vector θ, the products' before the users'."""

    def __init__(self, network: DemandNetwork, prior: PriorConfig) -> None:
        self.of_products = _product_blocks(network, prior)
        self.of_users = [
            Block(network.user_level.own.weight, lambda t: t[:, 0], prior.user_level**-2, None, None, False),
            Block(network.user_sensitivity.own.weight, lambda t: t[:, -1], prior.user**-2, None, None, True),
        ]
        self.blocks = [*self.of_products, *self.of_users]
        sizes = [len(block.entries()) for block in self.blocks]
        self.ends = np.cumsum(sizes)[:-1]
        starts = [0, *self.ends[: len(self.of_products) - 1]]
        self.column = _columns(self.of_products, starts)
        self.precision = np.repeat([block.precision for block in self.blocks], sizes)

    def get(self) -> np.ndarray:
        """θ, in float64."""
        return np.concatenate([block.entries().double().numpy() for block in self.blocks])

    def put(self, theta: np.ndarray) -> None:
        """Write θ into the network."""
        for block, values in zip(self.blocks, np.split(theta, self.ends), strict=True):
            block.entries().copy_(torch.from_numpy(values))

    def gradient(self) -> np.ndarray:
        """The log likelihood's gradient in θ that the last backward passes left."""
        return np.concatenate([block.gradient() for block in self.blocks])

    def precondition(self, curvature: Curvature) -> Callable[[np.ndarray], np.ndarray]:
        """The inverse of the information and prior precision as a function of a gradient.

        Products: Xᵀ W X + Λ over the shelf rows (Fisher scoring with the diagonal of the multinomial information;
        McCullagh & Nelder 1989, ch. 2.5). Users: each of their own.
        """
        count = int(self.ends[len(self.of_products) - 1])
        design = self._design(curvature, count)
        weight, precision = curvature.information.double().numpy(), self.precision[:count]
        normal = LinearOperator((count, count), lambda v: design.T @ (weight * (design @ v)) + precision * v)
        diagonal = design.power(2).T @ weight + precision
        scale = LinearOperator((count, count), lambda v: v / diagonal)
        users = curvature.of_user.flatten().double().numpy() + self.precision[count:]

        def solve(gradient: np.ndarray) -> np.ndarray:
            products, _ = cg(normal, gradient[:count], rtol=CG_TOLERANCE, maxiter=CG_STEPS, M=scale)
            return np.concatenate([products, gradient[count:] / users])

        return solve

    def _design(self, curvature: Curvature, count: int) -> csr_array:
        """X [R, count]: every shelf row has one entry in each of the products' B blocks, column [R, B] says where."""
        slopes = np.stack([block.slopes(curvature) for block in self.of_products], axis=1)
        rows, blocks = slopes.shape
        ends = np.arange(0, rows * blocks + 1, blocks)
        return csr_array((slopes.ravel(), self.column.ravel(), ends), shape=(rows, count))


def _columns(blocks: list[Block], starts: list[int]) -> np.ndarray:
    members = [block.member.numpy() for block in blocks if block.member is not None]
    return (np.stack(members, axis=1) + np.array(starts)).astype(np.int32)


def _product_blocks(network: DemandNetwork, prior: PriorConfig) -> list[Block]:
    """Everything that all users share; what all products share too is hardly shrunk."""
    data = network.data
    product, ones, everything = data.product, torch.ones(len(data.product)), torch.zeros_like(data.product)
    level, season = network.product_level.own.weight, network.season.weight
    blocks = [
        Block(network.mean_level, lambda t: t.reshape(1), FLAT, everything, ones, False),
        Block(level, lambda t: t[:, 0], prior.level**-2, product, ones, False),
        Block(season, lambda t: t[:, 0], network.config.season_spread**-2, data.set_of_row(), ones, False),
        Block(network.shock, lambda t: t, prior.shock**-2, torch.arange(len(product)), ones, False),
    ]
    for c, context in enumerate(data.context.T):
        blocks += [
            Block(network.mean_effect, _entry(c), FLAT, everything, context, False),
            Block(level, _column(1 + c), prior.effect**-2, product, context, False),
            *_attribute_blocks(network.product_level, _column(1 + c), product, context, prior, False),
        ]
    return [*blocks, *_slope_blocks(network, prior, everything)]


def _slope_blocks(network: DemandNetwork, prior: PriorConfig, everything: Tensor) -> list[Block]:
    """The response to prices, and how much the remembered one counts in it."""
    product, sensitivity = network.data.product, network.product_sensitivity
    moves = network.data.trusted_moves(torch.arange(len(product)))
    move = -network.remembered(moves).detach()
    return [
        Block(network.memory, lambda t: t.reshape(1), FLAT, everything, _memory_factor(network, moves), False),
        Block(network.mean_sensitivity, lambda t: t.reshape(1), FLAT, everything, move, True),
        *_attribute_blocks(sensitivity, _column(-1), product, move, prior, True),
        Block(sensitivity.own.weight, _column(-1), prior.product**-2, product, move, True),
    ]


def _memory_factor(network: DemandNetwork, moves: Tensor) -> Tensor:
    """The derivative of every shelf row's utility in the raw weight of memory, at the products' sensitivities, [R]."""
    weight = torch.sigmoid(network.memory.detach())
    nobody = torch.zeros(1, network.config.sensitivity_width + 1)
    response = network.sensitivity(nobody, network.product_sensitivity.all_rows()).detach()[network.data.product]
    return -response * weight * (1 - weight) * (moves[:, 1] - moves[:, 0])


def _attribute_blocks(
    tower: Tower, pick: Callable[[Tensor], Tensor], product: Tensor, factor: Tensor, prior: PriorConfig, is_slope: bool
) -> list[Block]:
    """What every attribute of the products adds, one block each."""
    return [
        Block(values.weight, pick, prior.attribute**-2, tower.codes[product, attribute], factor, is_slope)
        for attribute, values in enumerate(tower.values)
        if isinstance(values, nn.Embedding)
    ]


def _entry(position: int) -> Callable[[Tensor], Tensor]:
    return lambda tensor: tensor[position : position + 1]


def _column(position: int) -> Callable[[Tensor], Tensor]:
    return lambda tensor: tensor[:, position]
