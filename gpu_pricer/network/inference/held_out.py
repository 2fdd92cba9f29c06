"""Predictions of the test periods by the network and by the artefact, which `evaluate` judges."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import torch
from torch import Tensor

from gpu_pricer.network.encoding.batches import EVERY_ALTERNATIVE, Batch, gather_batch
from gpu_pricer.network.encoding.choice_data import ChoiceData
from gpu_pricer.network.inference.prediction import BATCH, choice_shares, purchase_probabilities
from gpu_pricer.network.inference.units import units_per_choice
from gpu_pricer.network.model.demand_network import DemandNetwork
from gpu_pricer.network.model.likelihood import log_denominator
from gpu_pricer.network.response.fit import Fit
from gpu_pricer.network.segments.members import Members, period_to_judge
from gpu_pricer.network.segments.moments import promotion_offset, segment_moments, weighted_members
from gpu_pricer.tables.files.disk_errors import write_parts
from gpu_pricer.tables.files.replacing import replacing_file


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


def predict_held_out(
    network: DemandNetwork,
    segment: np.ndarray,
    response: Fit | None,
    quantities: Fit | None,
    segment_members: int,
    path: Path,
) -> None:
    """Write one row per offer of the test periods: the probability that it was bought in the visit, and whether it was.

    segment [U]: every user's segment, formed before the test periods. response: what those segments showed of their
    price response until then, None where no product taught. quantities: the response of the units per choice until
    then, None where all purchases are of one unit. segment_members: see weighted_members.
    Columns: period, category_id, user_id, product_id, price_ratio, probability, bought, weight: how many occasions the
    sampled one stands for, segment_id, and artefact_probability: the prediction for the user's segment by an artefact
    exported just before the test periods, with the period's promotion as offsets; products that taught nothing keep the
    network's own sensitivity. expected_units and artefact_expected_units: the units that each of the two expects the
    user to buy of the product in the visit.
    Several occasions of a user in one period and category count as one.
    """
    data = network.data
    test = data.split()[2]
    network.eval()
    artefact = _artefact_shares(network, segment, response, segment_members)
    units = units_per_choice(data, quantities, network.support)
    with torch.no_grad(), replacing_file(path) as fresh:
        write_parts(_parts(network, artefact, units, test), fresh)


def _parts(network: DemandNetwork, artefact: ArtefactShares, units: Tensor, test: Tensor) -> Iterator[pl.DataFrame]:
    """Yield the rows of predict_held_out, BATCH occasions at a time: there are several times as many as sales."""
    data, generator = network.data, torch.Generator().manual_seed(0)
    bought = _bought_offers(data, test)
    for index in _first_of_each_occasion(data, test).split(BATCH):
        batch = gather_batch(data, index, EVERY_ALTERNATIVE, generator)
        predicted = {"": choice_shares(network(batch), batch), "artefact_": artefact.of_batch(batch)}
        offers = _described(data, _offers(data, batch, predicted, units), bought)
        offers = offers.with_columns(segment_id=pl.Series(artefact.segment.numpy()).gather(offers["user"]))
        data.set_aside()
        yield offers.drop("user", "choice_set", "shelf_row", "kept")


def _bought_offers(data: ChoiceData, test: Tensor) -> Tensor:
    """Return the numbers of the offers of the test periods that were bought, ascending, and one that no offer has."""
    chosen = data.choices.chosen[test]
    is_bought = chosen >= 0
    number = torch.unique(_offer_number(data, data.choices.user[test][is_bought], chosen[is_bought]))
    return torch.cat([number, torch.tensor([torch.iinfo(number.dtype).max])])


def _offer_number(data: ChoiceData, user: Tensor, row: Tensor) -> Tensor:
    """Return one number for every user [n] and shelf row [n]."""
    return user.long() * data.shelf.count + row


def _first_of_each_occasion(data: ChoiceData, test: Tensor) -> Tensor:
    user, choice_set = (values.index_select(0, test) for values in (data.choices.user, data.choices.choice_set))
    _, group = torch.unique(user.long() * data.sets.count + choice_set, return_inverse=True)
    first = torch.full((int(group.max()) + 1,), len(test)).scatter_reduce(0, group, torch.arange(len(test)), "amin")
    return test[first]


def _artefact_shares(
    network: DemandNetwork, segment: np.ndarray, response: Fit | None, segment_members: int
) -> ArtefactShares:
    """Return the choice probabilities of the test periods' shelf rows, which are the last ones."""
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
    supported = move.clamp(low, high)
    utility = moments.appeal[:, product] + offset - moments.sensitivity[:, product] * supported
    if response is not None:
        place = torch.full((data.products.count,), -1)
        place[response.grid.row] = torch.arange(len(response.grid.row))
        is_taught = place[product] >= 0
        taught = place[product][is_taught]
        learned = response.utility()[taught, :, period[rows][is_taught]].T.float()
        beyond = (move - supported)[is_taught]
        utility[:, is_taught] = learned + response.sensitivity[:, taught].float() * beyond
    share = torch.empty(len(rows), len(utility))
    for s, of_segment in enumerate(utility):
        share[:, s] = torch.exp(of_segment - log_denominator(of_segment, choice_set, data.sets.outside)[choice_set])
    return ArtefactShares(data.shelf.count - len(rows), share, torch.from_numpy(segment))


def _offers(data: ChoiceData, batch: Batch, predicted: dict[str, Tensor], units: Tensor) -> pl.DataFrame:
    """Return the batch's offers, with the choice shares by model as purchase probabilities and as expected units.

    units [R]: of a choice of every shelf row.
    """
    probabilities = {f"{of}probability": purchase_probabilities(data, batch, share) for of, share in predicted.items()}
    expected = {f"{of}expected_units": share * units[batch.row] for of, share in predicted.items()}
    return pl.DataFrame({
        "user": batch.user[batch.occasion].numpy(),
        "choice_set": batch.choice_set[batch.occasion].numpy(),
        "shelf_row": batch.row.numpy(),
        **{name: values.numpy() for name, values in (probabilities | expected).items()},
        "kept": batch.outside[batch.occasion].double().exp().numpy(),
    })  # fmt: skip


def _described(data: ChoiceData, offers: pl.DataFrame, bought: Tensor) -> pl.DataFrame:
    """Return the offers of whole occasions with ids instead of row numbers, and with what was bought.

    bought: from _bought_offers.
    """
    user, rows, sets = (
        torch.from_numpy(offers[name].to_numpy(writable=True)) for name in ("user", "shelf_row", "choice_set")
    )
    number = _offer_number(data, user, rows)
    is_bought = pl.col("bought").any().over("user", "choice_set")
    return offers.with_columns(
        bought=pl.Series((bought[torch.searchsorted(bought, number)] == number).numpy()),
        product_id=data.products.table["product_id"].gather(data.shelf.product[rows].numpy()),
        category_id=data.categories.table["category_id"].gather(data.sets.category[sets].numpy()),
        period=pl.Series(data.calendar.periods).gather(data.sets.period[sets].numpy()),
        user_id=data.users.table["user_id"].gather(offers["user"]),
        price_ratio=pl.Series(data.shelf.price_ratio.numpy()).gather(offers["shelf_row"]),
    ).with_columns(weight=pl.when(is_bought).then(1.0).otherwise(1 / pl.col("kept")))
