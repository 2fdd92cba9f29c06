"""A network's parameters with a label on every row: which product, user, word or choice set it belongs to.

So that parameters survive the tables they were learned from: another network takes the rows whose labels it shares.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TypeAlias

import polars as pl
import torch
from torch import Tensor

from gpu_pricer.network.encoding.choice_data import ChoiceData
from gpu_pricer.network.model.demand_network import DemandNetwork

PAST = "shock"  # of a product in a period of the log: no other tables have that row
TOWERS = ("taste", "level", "sensitivity")
Labels: TypeAlias = Sequence[str | None]
Axes: TypeAlias = tuple[str | None, ...]


@dataclass(frozen=True)
class Labelled:
    """A parameter's values and, for each axis, the name of its labels; an axis without a name has positions only."""

    values: Tensor
    axes: Axes


@dataclass(frozen=True)
class Parameters:
    """The parameters of a network by name, and the labels of every named axis, in order."""

    tensors: dict[str, Labelled]
    labels: dict[str, Labels]


@dataclass(frozen=True)
class Shared:
    """What one network took from another: labels by axis, parameters without any label, and modules left alone."""

    labels: dict[str, int]
    layers: int
    left: list[str]

    def __bool__(self) -> bool:
        """Whether it took anything."""
        return bool(self.layers or any(self.labels.values()))


def parameters_of(network: DemandNetwork) -> Parameters:
    """The network's parameters, not copied, under names that do not depend on the order of attribute columns.

    All but the shocks, which belong to the log they were learned from.
    """
    named = _named(network).items()
    tensors = {name: Labelled(network.get_parameter(own), axes) for own, (name, axes) in named}
    return Parameters(tensors, labels_of(network.data))


def labels_of(data: ChoiceData) -> dict[str, Labels]:
    """The labels of every named axis of a network on these data."""
    categories = data.categories.table["category_id"].to_list()
    labels: dict[str, Labels] = {
        "product": data.products.table["product_id"].cast(pl.String).to_list(),
        "user": data.users.table["user_id"].cast(pl.String).to_list(),
        "context": data.context_scale.names,
        "level": [None, *data.context_scale.names],
        "choice_set": [
            set_label(data.calendar.periods[period], categories[category])
            for period, category in zip(data.sets.period.tolist(), data.sets.category.tolist(), strict=True)
        ],
    }
    for side, attributes in (("product", data.products.attributes), ("user", data.users.attributes)):
        words, scales = attributes.vocabulary.words, attributes.vocabulary.scales
        labels |= {f"{side} {column}": [None, *known] for column, known in words.items()}
        labels[f"{side} numbers"] = [f"{name} {i}" for name, scale in scales.items() for i in range(len(scale.centre))]
    return labels


def set_label(period: date, category: str) -> str:
    """The label of a category's choice set in a period."""
    return f"{period.isoformat()} {category}"


def copy_shared(source: Parameters, target: Parameters) -> Shared:
    """Write into the target's parameters what the source has under the same labels.

    A module whose shapes differ otherwise is left alone as a whole: its parameters make sense together only.
    """
    places = {axis: _places(source.labels.get(axis, []), labels) for axis, labels in target.labels.items()}
    shared = {name: (mine, source.tensors[name]) for name, mine in target.tensors.items() if name in source.tensors}
    others = {_module(name) for name, (mine, theirs) in shared.items() if not _fits(mine, theirs)}
    taken = {name: pair for name, pair in shared.items() if _module(name) not in others}
    layers = 0
    with torch.no_grad():
        for mine, saved in taken.values():
            here, theirs = mine.values, saved.values
            grid = [places[axis] if axis else _all(size) for axis, size in zip(mine.axes, here.shape, strict=True)]
            here[_mesh([to for to, _ in grid])] = theirs[_mesh([origin for _, origin in grid])].to(here.dtype)
            layers += bool(mine.axes) and not any(mine.axes)
    known = {axis: {*labels} - {None} for axis, labels in source.labels.items()}
    labels = {axis: len(known.get(axis, set()) & {*labels}) for axis, labels in target.labels.items()}
    return Shared(labels, layers, sorted({*map(_module, target.tensors)} - {*map(_module, taken)}))


def _named(network: DemandNetwork) -> dict[str, tuple[str, Axes]]:
    """The lasting name and the axes of every parameter, by its name in the network."""
    data = network.data
    named: dict[str, tuple[str, Axes]] = {
        name: (name, (None,) * parameter.ndim) for name, parameter in network.named_parameters() if name != PAST
    }
    for side, attributes in (("product", data.products.attributes), ("user", data.users.attributes)):
        for tower in (f"{side}_{part}" for part in TOWERS):
            width = "level" if tower == "product_level" else None
            named[f"{tower}.own.weight"] = (f"{tower}.own", (side, width))
            for place, column in enumerate(attributes.vocabulary.words):
                named[f"{tower}.values.{place}.weight"] = (f"{tower}.{column}", (f"{side} {column}", width))
            if attributes.vocabulary.scales:
                named[f"{tower}.slope.weight"] = (f"{tower}.slope", (width, f"{side} numbers"))
                named[f"{tower}.slope.bias"] = (f"{tower}.slope bias", (width,))
    named |= {"mean_effect": ("mean_effect", ("context",)), "season.weight": ("season", ("choice_set", None))}
    if network.history is not None:
        named |= {"history.bought.weight": ("history.bought", ("product", None))}
        named |= {"history.of_category.weight": ("history.of_category", ("product category_id", None))}
        for name, (lasting, axes) in named.items():
            if name.startswith("history."):  # its features are of these half-lives and no others
                named[name] = (f"{lasting} of {data.history.half_lives}", axes)
    return named


def _module(name: str) -> str:
    return name.partition(".")[0]


def _fits(mine: Labelled, theirs: Labelled) -> bool:
    """Whether the parameters have the same axes, equally long where these have no labels."""
    if theirs.axes != mine.axes:
        return False
    sizes = zip(mine.axes, mine.values.shape, theirs.values.shape, strict=True)
    return all(axis or here == there for axis, here, there in sizes)


def _places(source: Labels, target: Labels) -> tuple[Tensor, Tensor]:
    """Where the shared labels are in the target and in the source."""
    place = {label: i for i, label in enumerate(source)}
    to = [i for i, label in enumerate(target) if label in place]
    return torch.tensor(to, dtype=torch.int64), torch.tensor([place[target[i]] for i in to], dtype=torch.int64)


def _all(size: int) -> tuple[Tensor, Tensor]:
    return torch.arange(size), torch.arange(size)


def _mesh(index: list[Tensor]) -> tuple[Tensor, ...]:
    """Positions on each axis as an index of all their combinations."""
    return tuple(places.reshape([-1 if i == own else 1 for i in range(len(index))]) for own, places in enumerate(index))
