"""Predictions of the test periods by the network and by the artefact, which `evaluate` judges."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import torch
from torch import Tensor

from gpu_pricer.network.encoding.batches import EVERY_ALTERNATIVE, Batch, gather_batch
from gpu_pricer.network.encoding.choice_data import ChoiceData
from gpu_pricer.network.inference.artefact_shares import ArtefactShares
from gpu_pricer.network.inference.prediction import BATCH, choice_shares, purchase_probabilities
from gpu_pricer.network.model.demand_network import DemandNetwork
from gpu_pricer.tables.files.disk_errors import write_parts
from gpu_pricer.tables.files.replacing import replacing_file


def predict_held_out(network: DemandNetwork, artefact: ArtefactShares, units: Tensor, path: Path) -> None:
    """Write one row per offer of the test periods: the probability that it was bought in the visit, and whether it was.

    units [r, S]: of a choice of the artefact's shelf rows by a user's segment, from units_per_choice.
    Columns: period, category_id, user_id, product_id, price_ratio, probability, bought, weight: how many occasions the
    sampled one stands for, segment_id, and artefact_probability: the prediction for the user's segment by the artefact.
    expected_units and artefact_expected_units: the units that each of the two expects the user to buy of the product in
    the visit.
    Several occasions of a user in one period and category count as one.
    """
    test = network.data.split()[2]
    with torch.no_grad(), replacing_file(path) as fresh:
        write_parts(_parts(network, artefact, units, test), fresh)


def _parts(network: DemandNetwork, artefact: ArtefactShares, units: Tensor, test: Tensor) -> Iterator[pl.DataFrame]:
    """Yield the rows of predict_held_out, BATCH occasions at a time: there are several times as many as sales."""
    data, generator = network.data, torch.Generator().manual_seed(0)
    bought = _bought_offers(data, test)
    for index in _first_of_each_occasion(data, test).split(BATCH):
        batch = gather_batch(data, index, EVERY_ALTERNATIVE, generator)
        predicted = {"": choice_shares(network(batch), batch), "artefact_": artefact.of_batch(batch)}
        units_there = units[batch.row - artefact.first, artefact.segment[batch.user][batch.occasion]]
        offers = _described(data, _offers(data, batch, predicted, units_there), bought)
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


def _offers(data: ChoiceData, batch: Batch, predicted: dict[str, Tensor], units: Tensor) -> pl.DataFrame:
    """Return the batch's offers, with the choice shares by model as purchase probabilities and as expected units.

    units [A]: of a choice of each alternative.
    """
    probabilities = {f"{of}probability": purchase_probabilities(data, batch, share) for of, share in predicted.items()}
    expected = {f"{of}expected_units": share * units for of, share in predicted.items()}
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
