"""The artefact's choice probabilities in the test periods, as if it had been exported just before them."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gpu_pricer.network.encoding.batches import Batch
from gpu_pricer.network.model.demand_network import DemandNetwork
from gpu_pricer.network.model.likelihood import log_denominator
from gpu_pricer.network.model.price_bend import bent
from gpu_pricer.network.response.fitting.fit import Fit
from gpu_pricer.network.segments.members import Members, period_to_judge
from gpu_pricer.network.segments.moments import promotion_offset, segment_moments, weighted_members


@dataclass(frozen=True)
class ArtefactShares:
    """The artefact's choice probabilities of the shelf rows from number `first` on for each segment, share [r, S].

    segment [U]: of the users.
    """

    first: int
    share: Tensor
    segment: Tensor

    def of_batch(self, batch: Batch) -> Tensor:
        """Return the choice probabilities of the batch's alternatives for the segments of their users, [A]."""
        return self.share[batch.row - self.first, self.segment[batch.user][batch.occasion]]


def artefact_shares(
    network: DemandNetwork, segment: np.ndarray, response: Fit | None, segment_members: int
) -> ArtefactShares:
    """Return the choice probabilities of the test periods' shelf rows, which are the last ones.

    segment [U]: every user's segment, formed before the test periods. response: what those segments showed of their
    price response until then, None where no product taught. segment_members: see weighted_members.
    The period's promotion enters as offsets; products that taught nothing keep the network's own sensitivity.
    """
    data, first = network.data, network.data.calendar.validated_periods
    period, of_rows = data.sets.period_of_rows(), data.sets.of_rows()
    rows = (period >= first).nonzero().squeeze(1)
    product, choice_set = data.shelf.product[rows], of_rows[rows]
    visits = data.expected_visits(first, network.config.carry_periods)
    members = Members(network, period_to_judge(network, first))
    moments = segment_moments(members, weighted_members(segment, visits, segment_members))
    segment_visits = torch.from_numpy(np.bincount(segment, weights=visits)).float()
    offset = promotion_offset(members, moments, segment_visits, product, data.shelf.context[rows])
    low, high = (network.support[product] - 1).T
    move = data.shelf.price_move(rows)
    supported = bent(move.clamp(low, high), network.bend.detach())
    utility = moments.appeal[:, product] + offset - moments.sensitivity[:, product] * supported
    if response is not None:
        place = torch.full((data.products.count,), -1)
        place[response.grid.row] = torch.arange(len(response.grid.row))
        is_taught = place[product] >= 0
        taught = place[product][is_taught]
        column = response.grid.columns.of_sets(data.sets)[choice_set[is_taught]]
        learned = response.utility()[taught, :, column].T.float()
        learned_at = response.grid.bent_move[taught, column].float()
        beyond = learned_at - supported[is_taught]
        utility[:, is_taught] = learned + response.sensitivity[:, taught].float() * beyond
    share = torch.empty(len(rows), len(utility))
    for s, of_segment in enumerate(utility):
        share[:, s] = torch.exp(of_segment - log_denominator(of_segment, choice_set, data.sets.outside)[choice_set])
    return ArtefactShares(data.shelf.count - len(rows), share, torch.from_numpy(segment))
