"""A network's parameters with a label on every row: the product, user or word that the row belongs to.

With labels, parameters outlive the tables that they were learned from: another network takes the rows whose labels it
shares.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import polars as pl
import torch
from torch import Tensor

from gpu_pricer.network.encoding.choice_data import ChoiceData
from gpu_pricer.network.model.demand_network import DemandNetwork

SHELF_EFFECT = "shelf_effect"  # not transferred: its rows are products in periods of one log
TOWERS = ("product_taste", "product_level", "product_response", "user_taste", "user_level")
Labels: TypeAlias = Sequence[str | None]
Axes: TypeAlias = tuple[str | None, ...]


@dataclass(frozen=True)
class LabelledTensor:
    """A parameter's values and the name of each axis; None is an axis without labels, matched by position."""

    values: Tensor
    axes: Axes


@dataclass(frozen=True)
class LabelledParameters:
    """The parameters of a network by name, and the labels of every named axis, in order."""

    tensors: dict[str, LabelledTensor]
    labels: dict[str, Labels]


@dataclass(frozen=True)
class Transferred:
    """What one network took from another.

    labels: by axis, how many labels both share. layers: number of parameters without labels that were taken.
    left: names of the modules that nothing was taken for.
    """

    labels: dict[str, int]
    layers: int
    left: list[str]

    def __bool__(self) -> bool:
        """Return whether anything was taken."""
        return bool(self.layers or any(self.labels.values()))


def parameters_of(network: DemandNetwork) -> LabelledParameters:
    """Return the network's parameters, not copied, under names that do not depend on the order of attribute columns.

    The shelf's effects are left out: they belong to the log that they were learned from.
    """
    named = _named(network).items()
    tensors = {name: LabelledTensor(network.get_parameter(own), axes) for own, (name, axes) in named}
    return LabelledParameters(tensors, labels_of(network.data))


def labels_of(data: ChoiceData) -> dict[str, Labels]:
    """Return the labels of every named axis of a network on these data, in order."""
    labels: dict[str, Labels] = {
        "product": data.products.table["product_id"].cast(pl.String).to_list(),
        "user": data.users.table["user_id"].cast(pl.String).to_list(),
        "response": [None, *data.context_scale.names],
    }
    for side, attributes in (("product", data.products.attributes), ("user", data.users.attributes)):
        words, scales = attributes.vocabulary.words, attributes.vocabulary.scales
        labels |= {f"{side} {column}": [None, *known] for column, known in words.items()}
        labels[f"{side} numbers"] = [f"{name} {i}" for name, scale in scales.items() for i in range(len(scale.centre))]
    return labels


def copy_shared(source: LabelledParameters, target: LabelledParameters) -> Transferred:
    """Write into the target's parameters the source's rows of the same labels, and return what was taken.

    If a parameter's shapes differ on an axis without labels, its whole module is left alone, because a module's
    parameters only make sense together.
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
    return Transferred(labels, layers, sorted({*map(_module, target.tensors)} - {*map(_module, taken)}))


def _named(network: DemandNetwork) -> dict[str, tuple[str, Axes]]:
    """Return the lasting name and the axes of every parameter, by its name in the network."""
    data = network.data
    kept = [(name, parameter) for name, parameter in network.named_parameters() if name != SHELF_EFFECT]
    named: dict[str, tuple[str, Axes]] = {name: (name, (None,) * parameter.ndim) for name, parameter in kept}
    for side, attributes in (("product", data.products.attributes), ("user", data.users.attributes)):
        for tower in (name for name in TOWERS if name.startswith(side)):
            width = "response" if tower == "product_response" else None
            named[f"{tower}.own.weight"] = (f"{tower}.own", (side, width))
            for place, column in enumerate(attributes.vocabulary.words):
                named[f"{tower}.values.{place}.weight"] = (f"{tower}.{column}", (f"{side} {column}", width))
            if attributes.vocabulary.scales:
                named[f"{tower}.slope.weight"] = (f"{tower}.slope", (width, f"{side} numbers"))
                named[f"{tower}.slope.bias"] = (f"{tower}.slope bias", (width,))
    named |= {"mean_response": ("mean_response", ("response",))}
    named |= {"log_slope": ("log_slope", ("user", None)), "product_rate": ("product_rate", ("product", None))}
    named |= {name: (name, ("product", None)) for name in ("next_shock", "support")}
    if network.history is not None:
        named |= {"history.bought.weight": ("history.bought", ("product", None))}
        named |= {"history.of_category.weight": ("history.of_category", ("product category_id", None))}
        for name, (lasting, axes) in named.items():
            if name.startswith(("history.", "loyalty.")):  # the history's features depend on the half-lives
                named[name] = (f"{lasting} of {data.history.half_lives}", axes)
    return named


def _module(name: str) -> str:
    return name.partition(".")[0]


def _fits(mine: LabelledTensor, theirs: LabelledTensor) -> bool:
    """Return whether the parameters have the same axes, of equal length where an axis has no labels."""
    if theirs.axes != mine.axes:
        return False
    sizes = zip(mine.axes, mine.values.shape, theirs.values.shape, strict=True)
    return all(axis or here == there for axis, here, there in sizes)


def _places(source: Labels, target: Labels) -> tuple[Tensor, Tensor]:
    """Return the positions of the shared labels in the target and in the source, [n] each."""
    place = {label: i for i, label in enumerate(source)}
    to = [i for i, label in enumerate(target) if label in place]
    return torch.tensor(to, dtype=torch.int64), torch.tensor([place[target[i]] for i in to], dtype=torch.int64)


def _all(size: int) -> tuple[Tensor, Tensor]:
    return torch.arange(size), torch.arange(size)


def _mesh(index: list[Tensor]) -> tuple[Tensor, ...]:
    """Return positions on each axis as an index of all their combinations."""
    return tuple(places.reshape([-1 if i == own else 1 for i in range(len(index))]) for own, places in enumerate(index))
