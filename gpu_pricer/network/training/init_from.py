"""Training that starts from another network: yesterday's of the same market, or that of a market with other ids."""

import logging
from collections.abc import Sequence
from pathlib import Path

import torch

from gpu_pricer.errors import InputError
from gpu_pricer.network.encoding.choice_data import ChoiceData
from gpu_pricer.network.model.demand_network import DemandNetwork
from gpu_pricer.network.storage.parameter_transfer import Labels, copy_shared, parameters_of
from gpu_pricer.network.storage.saved_network import SavedNetwork, read_network
from gpu_pricer.tables.artefact import NETWORK

log = logging.getLogger(__name__)


def read_start(directory: Path) -> SavedNetwork:
    """Return the network of an artefact or of the artefact in a work folder; InputError where there is none."""
    places = [directory / NETWORK, directory / "demand" / NETWORK]
    for place in places:
        if place.is_dir():
            return read_network(place)
    raise InputError(
        f"init_from must be a demand artefact or a work folder with one, found no network at "
        f"{' or '.join(map(str, places))}: train there first, or mend the path"
    )


def warn_of_foresight(saved: SavedNetwork, data: ChoiceData) -> None:
    """Log a warning where the saved tastes were learned from periods that this training holds out.

    Tastes, loyalty and what attributes say of levels start from there and can leak; the average household's response,
    seasons and levels are learned from the training periods alone.
    """
    held_out = data.calendar.periods[data.calendar.trained_periods :]
    if held_out and saved.settings.tastes_until >= held_out[0].isoformat():
        log.warning(
            "init_from has learned tastes from sales up to %s, but %s and later are held out: scores will be too good",
            saved.settings.tastes_until, held_out[0],
        )  # fmt: skip


def start_from(saved: SavedNetwork, network: DemandNetwork) -> None:
    """Copy into the network the saved rows of the products, users and words that both have; log how many.

    The scale and the supported prices are those of another log: they start anew. Raise InputError when nothing fits.
    """
    target = parameters_of(network)
    shared = copy_shared(saved.parameters, target)
    with torch.no_grad():
        network.log_scale.zero_()
        network.support.copy_(torch.tensor([0.0, torch.inf]))
    words = [axis for axis in target.labels if axis.startswith(("product ", "user "))]
    found = {
        "products": (shared.labels["product"], _count([target.labels["product"]])),
        "users": (shared.labels["user"], _count([target.labels["user"]])),
        "words of attributes": (sum(shared.labels[w] for w in words), _count([target.labels[w] for w in words])),
    }
    summary = ", ".join(f"{fits} of {count} {what}" for what, (fits, count) in found.items())
    if not (shared.layers or any(fits for fits, _ in found.values())):
        raise InputError(
            f"init_from must share something with these tables, found {summary} and layers of other shapes: "
            "train with init_from=null, or with that network's model"
        )
    log.info("training starts from the parameters of another network: %s, and %d layers", summary, shared.layers)
    if shared.left:
        log.info("not copied, because the shapes differ: %s", ", ".join(shared.left))


def _count(axes: Sequence[Labels]) -> int:
    return sum(label is not None for labels in axes for label in labels)
