"""The parameters that are brought to convergence together.

Levels, promotion effects, seasons, shocks, price memory and price response.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
import torch
from scipy.sparse import csr_array
from torch import Tensor, nn

from gpu_pricer.checks import require_number
from gpu_pricer.network.model.demand_network import DemandNetwork
from gpu_pricer.network.model.towers import Tower
from gpu_pricer.network.price_response.normal_equations import NormalEquations

FLAT = 1e-6  # the prior precision of what all products share


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
    if they are slopes; shocks, one for each row, and users' blocks have neither.
    """

    parameter: Tensor
    pick: Callable[[Tensor], Tensor]
    precision: float
    member: Tensor | None = None
    factor: Tensor | None = None

    def entries(self) -> Tensor:
        """A view of the entries, [n]."""
        return self.pick(self.parameter.detach())

    def gradient(self) -> np.ndarray:
        """The gradient that the last backward passes left, [n]."""
        assert self.parameter.grad is not None
        return self.pick(self.parameter.grad).double().numpy()


class ResponseParameters:
    """All blocks as one vector θ: what shelf rows share, their shocks, the users."""

    def __init__(self, network: DemandNetwork, prior: PriorConfig) -> None:
        levels, slopes = _level_blocks(network, prior), _slope_blocks(network, prior)
        shock = Block(network.shock, lambda t: t, prior.shock**-2)
        users = [
            Block(network.user_level.own.weight, lambda t: t[:, 0], prior.user_level**-2),
            Block(network.user_sensitivity.own.weight, lambda t: t[:, -1], prior.user**-2),
        ]
        self.blocks = [*levels, *slopes, shock, *users]
        sizes = [len(block.entries()) for block in self.blocks]
        self.ends = np.cumsum(sizes)[:-1]
        self.precision = np.repeat([block.precision for block in self.blocks], sizes)
        starts = np.cumsum([0, *sizes])
        shared, first_slope = len(levels) + len(slopes), len(levels)
        self.first_shock, self.first_user = starts[shared], starts[shared + 1]
        self.equations = NormalEquations(
            _design(levels, starts[:first_slope], self.first_shock),
            _design(slopes, starts[first_slope:shared], self.first_shock),
            self.precision[: self.first_shock],
            shock.precision,
        )

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
        """The inverse of the information and prior precision as a function of a gradient; each user for itself."""
        information, steepness = _of_rows(curvature)
        users = self._of_users(curvature)

        def solve(gradient: np.ndarray) -> np.ndarray:
            shared, of_shocks, of_users = np.split(gradient, [self.first_shock, self.first_user])
            steps = self.equations.solve(information, steepness, shared, of_shocks)
            return np.concatenate([*steps, of_users / users])

        return solve

    def _of_users(self, curvature: Curvature) -> np.ndarray:
        """The users' information with the prior's, [2 U]."""
        return np.asarray(curvature.of_user.flatten().double().numpy() + self.precision[self.first_user :])


def _of_rows(curvature: Curvature) -> tuple[np.ndarray, np.ndarray]:
    return curvature.information.double().numpy(), curvature.steepness.double().numpy()


def _design(blocks: list[Block], starts: np.ndarray, width: int) -> csr_array:
    """What a unit of each parameter adds to the shelf rows' utilities [R, width], steepness apart; zeros are left out,
    which most entries are: promotions are rare and so are price moves that teach."""
    members = [block.member.numpy() for block in blocks if block.member is not None]
    factors = [block.factor.double().numpy() for block in blocks if block.factor is not None]
    columns = (np.stack(members, axis=1) + starts).astype(np.int32)
    rows, count = columns.shape
    ends = np.arange(0, rows * count + 1, count)
    matrix = csr_array((np.stack(factors, axis=1).ravel(), columns.ravel(), ends), shape=(rows, width))
    matrix.eliminate_zeros()
    return matrix


def _level_blocks(network: DemandNetwork, prior: PriorConfig) -> list[Block]:
    """Levels, seasons and promotion effects; what all products share is hardly shrunk."""
    data = network.data
    product, ones, everything = data.shelf.product, torch.ones(data.shelf.count), torch.zeros_like(data.shelf.product)
    level, season = network.product_level.own.weight, network.season.weight
    blocks = [
        Block(network.mean_level, lambda t: t.reshape(1), FLAT, everything, ones),
        Block(level, lambda t: t[:, 0], prior.level**-2, product, ones),
        Block(season, lambda t: t[:, 0], network.config.season_spread**-2, data.sets.of_rows(), ones),
    ]
    for c, context in enumerate(data.shelf.context.T):
        blocks += [
            Block(network.mean_effect, _entry(c), FLAT, everything, context),
            Block(level, _column(1 + c), prior.effect**-2, product, context),
            *_attribute_blocks(network.product_level, _column(1 + c), product, context, prior),
        ]
    moves = data.trusted_moves(torch.arange(len(product)))
    return [*blocks, Block(network.memory, lambda t: t.reshape(1), FLAT, everything, _memory_factor(network, moves))]


def _slope_blocks(network: DemandNetwork, prior: PriorConfig) -> list[Block]:
    """The response to prices."""
    product, sensitivity = network.data.shelf.product, network.product_sensitivity
    move = -network.remembered(network.data.trusted_moves(torch.arange(len(product)))).detach()
    return [
        Block(network.mean_sensitivity, lambda t: t.reshape(1), FLAT, torch.zeros_like(product), move),
        *_attribute_blocks(sensitivity, _column(-1), product, move, prior),
        Block(sensitivity.own.weight, _column(-1), prior.product**-2, product, move),
    ]


def _memory_factor(network: DemandNetwork, moves: Tensor) -> Tensor:
    """The derivative of every shelf row's utility in the raw weight of memory, at the products' sensitivities, [R]."""
    weight = torch.sigmoid(network.memory.detach())
    nobody = torch.zeros(1, network.config.sensitivity_width + 1)
    response = network.sensitivity(nobody, network.product_sensitivity.all_rows()).detach()[network.data.shelf.product]
    return -response * weight * (1 - weight) * (moves[:, 1] - moves[:, 0])


def _attribute_blocks(
    tower: Tower, pick: Callable[[Tensor], Tensor], product: Tensor, factor: Tensor, prior: PriorConfig
) -> list[Block]:
    """What every attribute of the products adds, one block each."""
    return [
        Block(values.weight, pick, prior.attribute**-2, tower.codes[product, attribute], factor)
        for attribute, values in enumerate(tower.values)
        if isinstance(values, nn.Embedding)
    ]


def _entry(position: int) -> Callable[[Tensor], Tensor]:
    return lambda tensor: tensor[position : position + 1]


def _column(position: int) -> Callable[[Tensor], Tensor]:
    return lambda tensor: tensor[:, position]
