"""A trained network as files, which can be used without the tables it learned from.

network.json (settings), parameters.safetensors, and as Parquet: labels (axis, label), products, users and categories.
No file holds anything executable.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from gpu_pricer.errors import InputError, first_line
from gpu_pricer.network.encoding.attributes import UNKNOWN, Scale, Vocabulary
from gpu_pricer.network.encoding.choice_data import ChoiceData
from gpu_pricer.network.encoding.context_scale import ContextScale
from gpu_pricer.network.model.demand_network import DemandNetwork, NetworkConfig
from gpu_pricer.network.model.history_encoder import HistoryConfig
from gpu_pricer.network.model.towers import Tower
from gpu_pricer.network.segments.forming import Segmentation
from gpu_pricer.network.storage.parameter_transfer import (
    LabelledParameters,
    LabelledTensor,
    Labels,
    copy_shared,
    parameters_of,
)
from gpu_pricer.tables.files.disk_errors import disk_errors, share, write_table

FORMAT_VERSION = 3
CENTRE = "segment centre"  # the name of the centres in parameters.safetensors
PRODUCT_COLUMNS = ("product_id", "category_id", "reference_price", "is_trained")
PLAIN = (  # settings that JSON stores as they are
    "half_lives", "period_days", "has_outside_option", "price_spread", "tastes_until",
)  # fmt: skip
OF_CATEGORY = ("season", "purchase_rate", "support_low", "support_high")
TABLES = ("products", "users", "categories", "shelf")


@dataclass(frozen=True)
class NetworkSettings:
    """What the parameters mean: the architecture, and how tables are encoded.

    half_lives, context and the vocabularies: as in training (ChoiceData).
    period_days, has_outside_option: of the data.
    price_spread: of the coordinates in which users are compared (see forming.py).
    tastes_until: the last period that tastes were learned from, as an ISO date.
    """

    architecture: NetworkConfig
    half_lives: list[float]
    period_days: int
    has_outside_option: bool
    price_spread: float
    tastes_until: str
    context: ContextScale
    product_vocabulary: Vocabulary
    user_vocabulary: Vocabulary


@dataclass(frozen=True)
class SavedNetwork:
    """A network that can be used on other tables.

    settings, parameters: what was learned.
    products: product_id, category_id, reference_price, is_trained, attributes. users: user_id, is_trained, attributes.
    The names of attributes carry the prefix of canonical.set_apart, here and in the vocabularies.
    categories: category_id, choices_per_purchase, units_per_choice, season (the effect in a period not trained on),
    purchase_rate (the average user's purchases in a visit), support_low and support_high (see price_support.py).
    shelf: product_id, period and effect, the shelf effect of every row at the usual prices of the log that taught.
    centre [S, D]: the segments' centres in the coordinates in which users are compared, in the order of segment_id.
    fingerprint: hash of the parameters' file.
    """

    settings: NetworkSettings
    parameters: LabelledParameters
    products: pl.DataFrame
    users: pl.DataFrame
    categories: pl.DataFrame
    shelf: pl.DataFrame
    centre: np.ndarray
    fingerprint: str


def write_network(network: DemandNetwork, segments: Segmentation, tastes_until: date, directory: Path) -> None:
    """Write a trained network and its segments' centres for read_network.

    tastes_until: the last period that its tastes were learned from.
    """
    data = network.data
    settings = NetworkSettings(
        architecture=network.config,
        half_lives=data.history.half_lives,
        period_days=data.calendar.period_days,
        has_outside_option=data.has_outside_option,
        price_spread=segments.price_spread,
        tastes_until=tastes_until.isoformat(),
        context=data.context_scale,
        product_vocabulary=data.products.attributes.vocabulary,
        user_vocabulary=data.users.attributes.vocabulary,
    )
    product_columns = dict.fromkeys([*PRODUCT_COLUMNS, *settings.product_vocabulary.columns])
    parameters = _trained(network)
    tensors = {name: parameter.values.detach().contiguous() for name, parameter in parameters.tensors.items()}
    labels = [pl.DataFrame({"label": pl.Series(known, dtype=pl.String)}).select(pl.lit(axis).alias("axis"), "label")
              for axis, known in parameters.labels.items()]  # fmt: skip
    directory.mkdir(parents=True, exist_ok=True)
    with disk_errors(directory / "parameters.safetensors") as path:
        save_file(tensors | {CENTRE: torch.from_numpy(segments.centre)}, path)
    share(path)
    axes = {name: parameter.axes for name, parameter in parameters.tensors.items()}
    (directory / "network.json").write_text(
        json.dumps({"format_version": FORMAT_VERSION} | asdict(settings) | {"axes": axes}, indent=1) + "\n"
    )
    write_table(pl.concat(labels), directory / "labels.parquet")
    write_table(data.products.table.select(*product_columns), directory / "products.parquet")
    is_trained = pl.Series(data.is_user_trained().numpy())
    users = data.users.table.with_columns(is_trained=is_trained)
    write_table(users.select("user_id", "is_trained", *settings.user_vocabulary.columns), directory / "users.parquet")
    of_category = dict(zip(OF_CATEGORY, _of_categories(network), strict=True))
    categories = data.categories.table.with_columns(pl.Series(k, v.numpy()) for k, v in of_category.items())
    write_table(categories, directory / "categories.parquet")
    effect = pl.Series("effect", network.shelf_effect.detach().numpy())
    is_usual = pl.Series(data.sets.is_usual().numpy())
    write_table(_shelf_keys(data).with_columns(effect).filter(is_usual), directory / "shelf.parquet")


def read_network(directory: Path) -> SavedNetwork:
    """Return what write_network wrote; InputError where it is absent or damaged."""
    if not (directory / "network.json").is_file():
        raise InputError(f"a trained network must lie in {directory}, found none: run `gpu-pricer train` first")
    try:
        raw = json.loads((directory / "network.json").read_text())
        if raw.get("format_version") != FORMAT_VERSION:
            raise ValueError(f"format_version {raw.get('format_version')} instead of {FORMAT_VERSION}")
        tensors = load_file(directory / "parameters.safetensors")
        tables = {name: pl.read_parquet(directory / f"{name}.parquet") for name in ("labels", *TABLES)}
        parts = tables.pop("labels").partition_by("axis", maintain_order=True)
        labels: dict[str, Labels] = {rows["axis"][0]: rows["label"].to_list() for rows in parts}
        centre = tensors.pop(CENTRE).numpy()
        named = {name: LabelledTensor(tensor, tuple(raw["axes"][name])) for name, tensor in tensors.items()}
        digest = hashlib.sha256((directory / "parameters.safetensors").read_bytes()).hexdigest()
        return SavedNetwork(
            _settings(raw), LabelledParameters(named, labels), **tables, centre=centre, fingerprint=digest
        )
    except (KeyError, TypeError, ValueError, OSError, SafetensorError, pl.exceptions.PolarsError) as error:
        reason = first_line(error)
        raise InputError(f"the network in {directory} must be whole, found {reason}: train it again") from error


def restore_network(saved: SavedNetwork, data: ChoiceData) -> DemandNetwork:
    """Return the saved network on other data.

    Products, users and words that training saw keep their learned parameters; all others get average ones.
    """
    network = DemandNetwork(data, saved.settings.architecture)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        for name, values in zip(OF_CATEGORY, _of_categories(network), strict=True):
            values.copy_(torch.from_numpy(data.categories.table[name].to_numpy(writable=True)))
        network.support.copy_(network.category_support[data.products.category])
        transferred = copy_shared(saved.parameters, parameters_of(network))
        network.shelf_effect.copy_(_shelf_effects(network, saved.shelf))
    left = {*transferred.left} - {"bend"}  # networks that were saved before there was one have none
    assert not left, left
    for module in network.modules():
        if isinstance(module, Tower):
            module.is_trained.fill_(1.0)  # the deviations of new rows are zeros already
    return network.eval()


def _of_categories(network: DemandNetwork) -> list[Tensor]:
    """Return what the network knows of each category, [G] each, in the order of OF_CATEGORY."""
    return [network.next_season, network.category_rate, *network.category_support.T]


def _shelf_keys(data: ChoiceData) -> pl.DataFrame:
    """Return product_id and period of every shelf row."""
    product, period = data.shelf.product.numpy(), data.sets.period_of_rows().numpy()
    periods = pl.Series("period", data.calendar.periods).gather(period)
    return pl.DataFrame({"product_id": data.products.table["product_id"].gather(product), "period": periods})


def _shelf_effects(network: DemandNetwork, known: pl.DataFrame) -> Tensor:
    """Return the shelf effect of every row [R]: the known one, else season and shock of the next period."""
    data = network.data
    category = data.products.category[data.shelf.product]
    expected = network.next_season[category] + network.next_shock[data.shelf.product, 0]
    keys = _shelf_keys(data)
    found = keys.join(known, on=("product_id", "period"), how="left", maintain_order="left")
    effect = found.select(pl.coalesce("effect", pl.Series("expected", expected.numpy())))
    return torch.from_numpy(effect.to_series().to_numpy(writable=True))


@torch.no_grad()
def _trained(network: DemandNetwork) -> LabelledParameters:
    """Return the network's parameters, with rows that training never saw set to the average.

    A product's or user's own deviation becomes 0. The row of the unknown word becomes the mean of the other words' rows
    where all words were known in training.
    """
    parameters, data = parameters_of(network), network.data
    tensors = dict(parameters.tensors)
    shares = _word_shares(data)
    towers = {name: module for name, module in network.named_children() if isinstance(module, Tower)}
    for name, parameter in parameters.tensors.items():
        tower = towers.get(name.partition(".")[0], network.product_taste)
        if (parameter.axes[:1] == ("product",) and name != "support") or name in ("user_taste.own", "user_level.own"):
            tensors[name] = LabelledTensor(parameter.values * tower.is_trained, parameter.axes)
        elif parameter.axes and parameter.axes[0] in shares:
            values = parameter.values.clone()
            values[UNKNOWN] = shares[parameter.axes[0]] @ values
            tensors[name] = LabelledTensor(values, parameter.axes)
    return LabelledParameters(tensors, parameters.labels)


def _word_shares(data: ChoiceData) -> dict[str, Tensor]:
    """Return the share of the rows with each word, for every axis of words on which training had no unknown word."""
    shares = {}
    for side, attributes in (("product", data.products.attributes), ("user", data.users.attributes)):
        for column, codes, size in zip(attributes.vocabulary.words, attributes.codes.T, attributes.sizes, strict=True):
            count = torch.bincount(codes, minlength=size).float()
            if count[UNKNOWN] == 0:
                shares[f"{side} {column}"] = count / count.sum()
    return shares


def _settings(raw: dict[str, Any]) -> NetworkSettings:
    architecture = dict(raw["architecture"])
    if architecture["history"] is not None:
        architecture["history"] = HistoryConfig(**architecture["history"])
    return NetworkSettings(
        architecture=NetworkConfig(**architecture),
        context=ContextScale(**raw["context"]),
        product_vocabulary=_vocabulary(raw["product_vocabulary"]),
        user_vocabulary=_vocabulary(raw["user_vocabulary"]),
        **{name: raw[name] for name in PLAIN},
    )


def _vocabulary(raw: dict[str, Any]) -> Vocabulary:
    return Vocabulary(raw["words"], {name: Scale(**scale) for name, scale in raw["scales"].items()})
