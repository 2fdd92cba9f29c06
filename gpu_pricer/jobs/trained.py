"""What `train` has learned, written as the demand artefact and the artefacts beside it."""

import logging
import shutil
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np

from gpu_pricer.jobs.train_settings import TrainSettings
from gpu_pricer.network.model.demand_network import DemandNetwork
from gpu_pricer.network.response.applying import with_response, with_units_of, without_controls
from gpu_pricer.network.response.fitting.fit import Fit
from gpu_pricer.network.segments.export import export_artefact, export_members
from gpu_pricer.network.segments.forming import Segmentation
from gpu_pricer.network.segments.members import period_to_price
from gpu_pricer.network.storage.saved_network import write_network
from gpu_pricer.process.run_record import MEMBERS, NAIVE
from gpu_pricer.tables.artefact import NETWORK, DemandArtefact, write_artefact
from gpu_pricer.tables.files.replacing import whole_or_absent

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Trained:
    """A network and the price response of its segments, ready for export.

    quantities: the response of the segments' units per choice, None where all purchases are of one unit.
    tastes_until: the last period that its tastes were learned from; levels and price response may have been refitted to
    later periods.
    """

    network: DemandNetwork
    segmentation: Segmentation
    response: Fit
    quantities: Fit | None
    tastes_until: date


def write_trained(trained: Trained, settings: TrainSettings) -> None:
    """Write the artefact with its network, and beside it the naive artefact and the members' artefact."""
    network, calendar = trained.network, trained.network.data.calendar
    visits = network.data.expected_visits(calendar.count, network.config.carry_periods)
    now = datetime.now(UTC)
    run, created = f"{now:%Y%m%dT%H%M%S}", now.isoformat(timespec="seconds")
    plain = export_artefact(network, trained.segmentation.segment, visits, settings.export, run, created)
    members = export_members(network, visits, settings.export, run, created)
    ratio = np.ones(plain.products.height)  # of the fallbacks of categories, too
    ratio[: network.data.products.count] = period_to_price(network).price_ratio.numpy()
    response, quantities = trained.response, trained.quantities
    artefact = with_response(plain, response, quantities, settings.response, settings.seed, ratio)
    if members is not None:
        segment = trained.segmentation.segment
        members = with_units_of(artefact, members, response.grid.bend, quantities, segment, ratio)
    _replace(settings.work / MEMBERS, members)
    _replace(settings.work / NAIVE, _naive(plain, trained, settings, ratio))
    folder = settings.work / NETWORK
    shutil.rmtree(folder, ignore_errors=True)  # what a killed training left would become part of the artefact
    with whole_or_absent(folder):
        write_network(network, trained.segmentation, trained.tastes_until, folder)
        write_artefact(artefact, settings.demand, folder)
    log.info(
        "wrote %s: %d segments × %d products, fingerprint %s",
        settings.demand, artefact.segments.height, artefact.products.height, artefact.fingerprint(),
    )  # fmt: skip


def _naive(
    plain: DemandArtefact, trained: Trained, settings: TrainSettings, price_ratio: np.ndarray
) -> DemandArtefact | None:
    """Return the artefact whose price response takes prices as they are; None where no instrument corrects it."""
    config = settings.response
    if config.endogeneity.instruments is None:
        return None
    response = without_controls(trained.response, config.fit)
    quantities = None if trained.quantities is None else without_controls(trained.quantities, config.fit)
    return with_response(plain, response, quantities, config, settings.seed, price_ratio)


def _replace(directory: Path, artefact: DemandArtefact | None) -> None:
    """Let the artefact take the directory's place; without one the directory is removed."""
    if artefact is None:
        shutil.rmtree(directory, ignore_errors=True)
    else:
        write_artefact(artefact, directory)
