"""The log likelihood of the training choices, as a function of levels and price response with the tastes given."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from gpu_pricer.network.encoding.batches import Batch
from gpu_pricer.network.encoding.choice_data import ChoiceData
from gpu_pricer.network.model.demand_network import DemandNetwork, affinity
from gpu_pricer.network.model.objective import OptimiserConfig, batch_of, log_likelihood
from gpu_pricer.network.price_response.parameters import Curvature

CHUNK = 16384  # choices per pass of the arithmetic


class Parts(NamedTuple):
    """What a utility is made of beside its user's tastes.

    Of every shelf row, for all users: appeal, raw response and price move, [R] each. Of every user, for all rows: level
    and raw response, [U] each.
    """

    appeal: Tensor
    response: Tensor
    move: Tensor
    user_level: Tensor
    user_response: Tensor


def parts_of(network: DemandNetwork) -> Parts:
    """The parts at the network's parameters, with gradients to them; each is computed once, not for every choice."""
    data = network.data
    rows, products, users = (torch.arange(n) for n in (data.shelf.count, data.products.count, data.users.count))
    level = network.product_level(products).index_select(0, data.shelf.product)
    sensitivity = network.product_sensitivity(products).index_select(0, data.shelf.product)
    return Parts(
        appeal=network.offer_appeal(level, data.shelf.context)
        + network.season_effect(data.sets.of_rows())
        + network.shock,
        response=sensitivity[:, -1] + network.mean_sensitivity,
        move=network.remembered(data.trusted_moves(rows)),
        user_level=network.user_level(users)[:, 0],
        user_response=network.user_sensitivity(users)[:, -1],
    )


@dataclass(frozen=True)
class ChoiceChunk:
    """Choices of one pass of the arithmetic, and the user's taste and affinity for each of their alternatives, [A]."""

    batch: Batch
    taste: Tensor
    affinity: Tensor


def chunk_of(network: DemandNetwork, batch: Batch) -> ChoiceChunk:
    """What does not change in the search; what only towers read is not kept, 170 MB on a whole catalog."""
    of_user = network.user_sensitivity(batch.user).index_select(0, batch.occasion)
    of_product = network.product_sensitivity(batch.products).index_select(0, batch.place)
    nothing = batch.place.new_empty(0)
    kept = replace(batch, products=nothing, place=nothing)
    return ChoiceChunk(kept, network.tastes(batch), affinity(of_user, of_product))


def utility_of(chunk: ChoiceChunk, parts: Parts) -> tuple[Tensor, Tensor, Tensor]:
    """Utility, sensitivity and price move of a chunk's alternatives, [A] each."""
    row, occasion = chunk.batch.row, chunk.batch.occasion
    appeal, response, move = (part.index_select(0, row) for part in (parts.appeal, parts.response, parts.move))
    level, of_user = (
        part.index_select(0, chunk.batch.user).index_select(0, occasion)
        for part in (parts.user_level, parts.user_response)
    )
    sensitivity = functional.softplus(chunk.affinity + response + of_user)
    return chunk.taste + appeal + level - sensitivity * move, sensitivity, move


class ResponseLikelihood:
    """The log likelihood of the training choices at the network's parameters; the tastes are computed once."""

    def __init__(self, network: DemandNetwork, optimiser: OptimiserConfig, seed: int) -> None:
        self.network, self.optimiser = network, optimiser
        draws = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            self.chunks = [
                chunk_of(network, batch_of(network.data, index, optimiser, draws))
                for index in network.data.split()[0].split(CHUNK)
            ]

    def look(self) -> tuple[float, Curvature, float]:
        """One pass over the choices: the value, the curvature and the mean sensitivity; leaves gradients behind."""
        data, parts = self.network.data, parts_of(self.network)
        leaves = Parts(*(part.detach().requires_grad_() for part in parts))
        sums = _Sums.zeros(data)
        for chunk in self.chunks:
            sums.add(chunk, leaves, data, self.optimiser)
        torch.autograd.backward(parts, [leaf.grad for leaf in leaves])
        return sums.value, sums.curvature(), sums.sensitivity / float(sums.information.sum())


@dataclass
class _Sums:
    """Over alternatives: the value, expected information, information times steepness, of users, sensitivity."""

    value: float
    information: Tensor
    steep: Tensor
    of_user: Tensor
    sensitivity: float

    @classmethod
    def zeros(cls, data: ChoiceData) -> "_Sums":
        rows = data.shelf.count
        return cls(0.0, torch.zeros(rows), torch.zeros(rows), torch.zeros(2, data.users.count), 0.0)

    def add(self, chunk: ChoiceChunk, leaves: Parts, data: ChoiceData, optimiser: OptimiserConfig) -> None:
        batch = chunk.batch
        utility, sensitivity, move = utility_of(chunk, leaves)
        utility.retain_grad()
        likelihood = log_likelihood(data, utility, batch, optimiser).double().sum()
        likelihood.backward()
        with torch.no_grad():
            self.value += float(likelihood.detach())
            steepness = -torch.expm1(-sensitivity)  # db/draw of b = softplus(raw)
            expected = _expected(utility.grad, batch.chosen, batch.weight * batch.size)
            user = batch.user.index_select(0, batch.occasion)
            self.information.index_add_(0, batch.row, expected)
            self.steep.index_add_(0, batch.row, expected * steepness)
            self.of_user[0].index_add_(0, user, expected)
            self.of_user[1].index_add_(0, user, expected * (steepness * move).square())
            self.sensitivity += float((expected * sensitivity).sum())

    def curvature(self) -> Curvature:
        return Curvature(self.information, self.steep / self.information.clamp(min=1e-12), self.of_user)


def _expected(gradient: Tensor | None, chosen: Tensor, weight: Tensor) -> Tensor:
    """What was expected of every alternative, [A]: what was bought minus the gradient; close to its information."""
    assert gradient is not None
    bought = chosen >= 0
    return (-gradient).index_add(0, chosen[bought], weight[bought]).clamp(min=0)
