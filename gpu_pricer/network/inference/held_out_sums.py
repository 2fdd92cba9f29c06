"""Sums of predicted purchases over all occasions of the test periods, also those that the log's sample left out."""

import logging
from pathlib import Path

import numpy as np
import polars as pl
import torch
from torch import Tensor
from torch.nn import functional

from gpu_pricer.heartbeat import beat
from gpu_pricer.network.encoding.choice_data import ChoiceData
from gpu_pricer.network.inference.artefact_shares import ArtefactShares
from gpu_pricer.network.model.demand_network import DemandNetwork
from gpu_pricer.network.model.likelihood import purchase_probability
from gpu_pricer.network.segments.members import Members, period_as_it_was
from gpu_pricer.network.segments.moments import shares_at
from gpu_pricer.tables.files.disk_errors import write_parts
from gpu_pricer.tables.files.replacing import replacing_file

log = logging.getLogger(__name__)

SUMS = ("probability", "expected_units", "artefact_probability", "artefact_expected_units")
MOST_OCCASIONS = 10_000_000
"""Of more the network predicts the sample alone, so that time does not grow with the log."""


def write_held_out_sums(network: DemandNetwork, artefact: ArtefactShares, units: Tensor, path: Path) -> None:
    """Write the sums over all occasions of what predict_held_out predicts for a sample of them, if it is a sample.

    All occasions are those of every user who came in a test period with every category on its shelf. A row per segment,
    shelf row and period: period, product_id, segment_id, and the sums of probability, expected_units,
    artefact_probability and artefact_expected_units. Segments of which nobody came have none. units [r, S]: of a choice
    of the artefact's shelf rows by a segment.
    There is no file where the log keeps every occasion of the test periods, so that nothing is missing, nor where there
    are more than MOST_OCCASIONS, which the log says.
    """
    data = network.data
    if not (data.choices.log_kept[data.split()[2].long()] < 0).any():
        return
    is_usual = data.sets.price_group == 0
    shelves = data.sets.period[data.sets.period >= data.calendar.validated_periods].unique().tolist()
    came = {period: _users_of(data, period) for period in shelves}
    count = sum(len(users) * int((is_usual & (data.sets.period == period)).sum()) for period, users in came.items())
    if count > MOST_OCCASIONS:
        log.info(
            "%s hold-out occasions are too many to predict all: expected sales are estimated from a sample",
            f"{count:,}",
        )
        return
    with torch.no_grad(), replacing_file(path) as fresh:
        write_parts((_sums(network, artefact, units, *part) for part in came.items() if len(part[1])), fresh)
    log.info("expected sales are sums over all %s hold-out occasions", f"{count:,}")


def _users_of(data: ChoiceData, period: int) -> Tensor:
    """Return the users [n] who came in the period."""
    return torch.from_numpy(np.flatnonzero(data.visits_before(period + 1) > data.visits_before(period)))


def _sums(network: DemandNetwork, artefact: ArtefactShares, units: Tensor, period: int, users: Tensor) -> pl.DataFrame:
    """Return the rows of write_held_out_sums of a period in which the users [n] came."""
    data, segments = network.data, artefact.share.shape[1]
    group_of = data.groups_of_users(period)[users]
    total = {name: torch.zeros(data.products.count, segments, dtype=torch.float64) for name in SUMS}
    visits = torch.bincount(artefact.segment[users], minlength=segments)
    for group in group_of.unique().tolist():
        rows = data.sets.rows_seen(period, group)
        beat("expected sales of the hold-out: period %s", data.calendar.periods[period])
        sums = _sums_of_group(network, artefact, units, (period, group), users[group_of == group])
        for name, values in sums.items():
            total[name].index_add_(0, data.shelf.product[rows], values)
    product = data.shelf.product[data.sets.rows_seen(period)]
    row, segment = (visits > 0).expand(len(product), -1).nonzero().T
    return pl.DataFrame({
        "period": pl.Series([data.calendar.periods[period]]).new_from_index(0, len(row)),
        "product_id": data.products.table["product_id"].gather(product[row].numpy()),
        "segment_id": segment.numpy(),
        **{name: value[product[row], segment].numpy() for name, value in total.items()},
    })  # fmt: skip


def _sums_of_group(
    network: DemandNetwork, artefact: ArtefactShares, units: Tensor, seen: tuple[int, int], users: Tensor
) -> dict[str, Tensor]:
    """Return the sums of write_held_out_sums by shelf row and segment, [r, S] each, over users [n] of a price group.

    seen: the period and the group, whose shelf rows they are.
    """
    data = network.data
    rows = data.sets.rows_seen(*seen)
    visits = torch.bincount(artefact.segment[users], minlength=artefact.share.shape[1])
    of_segments = artefact.share[rows - artefact.first]
    per_purchase = data.choices_per_purchase(data.sets.of_rows()[rows])[:, None]
    bought, chosen = _network_sums(network, artefact, users, seen, rows)
    return dict(zip(SUMS, (
        bought,
        chosen * units[rows - artefact.first],
        purchase_probability(of_segments, per_purchase).double() * visits,
        of_segments.double() * units[rows - artefact.first] * visits,
    ), strict=True))  # fmt: skip


def _network_sums(
    network: DemandNetwork, artefact: ArtefactShares, users: Tensor, seen: tuple[int, int], rows: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the network's sums of purchase probabilities and of choice shares by shelf row and segment, [r, S] each.

    They are summed over the users [n]; seen, rows [r]: as in _sums_of_group.
    """
    data, segments = network.data, artefact.share.shape[1]
    members = Members(network, period_as_it_was(network, *seen)).of(users)
    is_of = functional.one_hot(artefact.segment[users], segments).T.double()
    product, on_shelf = data.shelf.product[rows], members.point.availability > 0
    per_purchase = torch.ones(data.products.count)
    per_purchase[product] = data.choices_per_purchase(data.sets.of_rows()[rows])
    bought, chosen = torch.zeros(2, segments, data.products.count, dtype=torch.float64)
    for block in members.blocks():
        for part in members.blocks_of_users() if on_shelf[block].any() else ():
            share, _ = shares_at(members, block, members.utility(block, part))
            chosen[:, block] += is_of[:, part] @ share.double()
            bought[:, block] += is_of[:, part] @ purchase_probability(share, per_purchase[block]).double()
    return bought[:, product].T, chosen[:, product].T
