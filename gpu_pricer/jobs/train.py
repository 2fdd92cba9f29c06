"""train: canonical tables -> demand artefact."""

import logging
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from omegaconf import DictConfig

from gpu_pricer.errors import InputError
from gpu_pricer.jobs.train_settings import TrainSettings, train_settings
from gpu_pricer.jobs.trained import Trained, write_trained
from gpu_pricer.network.encoding.choice_data import ChoiceData
from gpu_pricer.network.encoding.loading import load_choice_data
from gpu_pricer.network.encoding.price_support import price_support
from gpu_pricer.network.encoding.tensor_files import TensorFiles
from gpu_pricer.network.inference.artefact_shares import artefact_shares
from gpu_pricer.network.inference.held_out import predict_held_out
from gpu_pricer.network.inference.held_out_sums import write_held_out_sums
from gpu_pricer.network.inference.units import units_per_choice
from gpu_pricer.network.model.demand_network import DemandNetwork
from gpu_pricer.network.response.fitting.fit import Fit, fit_response
from gpu_pricer.network.response.quantities import fit_quantities, fit_segments_quantities
from gpu_pricer.network.segments.choosing import Choice
from gpu_pricer.network.segments.forming import (
    Membership,
    count_former,
    form_segments,
    former_segments,
    keep_ids,
    require_enough_users,
    segmentation_of,
    segments_to_keep,
)
from gpu_pricer.network.segments.matching import match_average_household
from gpu_pricer.network.segments.members import MarketPoint, Members, period_to_judge, period_to_price
from gpu_pricer.network.training.average_household import AverageHousehold, adopt
from gpu_pricer.network.training.fitting import Workplace, fit_network
from gpu_pricer.network.training.init_from import read_start, warn_of_foresight
from gpu_pricer.network.training.lightning_module import DemandTraining
from gpu_pricer.network.training.market import Market, learn_market
from gpu_pricer.network.training.sales import Sales
from gpu_pricer.process.run_record import HELD_OUT, HELD_OUT_SUMS
from gpu_pricer.tables.artefact import (
    ARTEFACT_FILES,
    read_artefact,
    read_segments,
)
from gpu_pricer.tables.files.replacing import require_own
from gpu_pricer.tables.reading import require_readable

log = logging.getLogger(__name__)


def inputs(config: DictConfig) -> list[Path]:
    """Return what `train` reads."""
    given = [Path(str(path)) for path in (config.init_from, config.train.told) if path is not None]
    return [Path(config.paths.data), *given]


def main(config: DictConfig) -> dict[str, object] | None:
    """Learn demand from the canonical tables and write the demand artefact.

    Reads   paths.data      what `prepare` wrote
            init_from       an artefact, or a work folder with one: training starts from its network where it fits
            train.told      for studies: users' true types and hidden shocks, which are then not learned
    Writes  paths.demand    the artefact: segments × products, appeal and price sensitivity; in network/ the network.
                            Segments keep the ids of the artefact that they replace, as far as members stay
            paths.work/train/naive/   with instruments: the artefact whose price response takes prices as they are
            paths.work/train/members/   the demand of every user in the categories bought most, for `evaluate`
            paths.work/train/   checkpoints, predictions of the held-out periods, and what `logger` records there

    logger=tensorboard records curves and settings (tensorboard --logdir work/train), logger=mlflow also the artefact,
    and with logger.model=NAME a version of it in MLflow's registry. The record, run.json, has validation_loss: the
    negative log likelihood per choice of the best epoch in the validation periods, by which trials are ranked.

    Example: gpu-pricer train model=tiny trainer=cpu train.segments.count=16
             gpu-pricer train -m model.network.taste_width=4,8,16
    """
    settings = train_settings(config)
    data = _load(settings)
    is_judged = data.calendar.validated_periods < data.calendar.count
    market = learn_market(data, settings.data, settings.response, settings.told)
    household = market.household
    if is_judged or settings.refit:
        del market  # it holds every line of the log, and so does the next one
    fitted = _fit(data, household, settings)
    data.set_aside()
    if fitted.global_rank:  # one of the helpers of a distributed training
        return None
    network, former = fitted.network, _former_segments(settings.demand, data.users.table)
    network.set_support(price_support(data, settings.export.support))
    units, chosen, to_keep = None, None, former
    if is_judged:
        market = _learn_through(data.with_validation_periods(), network, household.fit, settings)
        household, units = market.household, _units(market, settings)
        learned = _respond(network.data, market, units, settings, former_count=count_former(former))
        if settings.refit:
            del market
        _match(network, period_to_judge(network, data.calendar.validated_periods))
        _judge(network, learned, settings)
        chosen, to_keep = learned.membership.choice, segments_to_keep(former, learned.membership)
        del learned  # what each segment bought of every product in every period
        data.set_aside()
    else:
        for name in (HELD_OUT_SUMS, HELD_OUT):
            (settings.work / name).unlink(missing_ok=True)
    if settings.refit:
        market = _learn_through(data.with_every_period(), network, household.fit, settings)
    units = _units(market, settings, units)
    learned = _respond(network.data, market, units, settings, chosen, to_keep, count_former(former))
    if former is not None:
        stay, known = (learned.membership.segment == former).sum(), (former >= 0).sum()
        log.info("segments keep the ids of the last training: %d of %d known users stay", stay, known)
    del market
    if settings.refit or not is_judged:  # otherwise what is exported is what was judged
        _match(network, period_to_price(network))
    visits = network.data.visits_before(network.data.calendar.count)
    members = Members(network, period_to_price(network))
    segmentation = segmentation_of(learned.membership, members, visits, settings.export.segment_members)
    until = data.calendar.last_trained
    write_trained(Trained(network, segmentation, learned.choices, learned.units, until), settings)
    settings.logger.keep(fitted.trainer.logger, settings.demand)
    return {"artefact": read_artefact(settings.demand).fingerprint(), "validation_loss": fitted.best_loss}


def _load(settings: TrainSettings) -> ChoiceData:
    """Return the canonical tables as tensors, in files, once it is known that the artefact may be written."""
    require_own(settings.demand, ARTEFACT_FILES)
    require_readable(settings.data)
    data = load_choice_data(settings.data, settings.encoding, settings.split, TensorFiles(settings.work))
    if settings.told is None:
        require_enough_users(settings.segments, data.users.count)
    log.info(
        "%d choices of %d users in %d choice sets, %d products",
        data.choices.count, data.users.count, data.sets.count, data.products.count,
    )  # fmt: skip
    return data


def _fit(data: ChoiceData, household: AverageHousehold, settings: TrainSettings) -> DemandTraining:
    """Return the trained network; in all processes of a distributed training but the first it counts for nothing."""
    start = None if settings.init_from is None else read_start(settings.init_from)
    if start is not None:
        warn_of_foresight(start, data)
    place = Workplace(settings.work, settings.resume, settings.logger, settings.recorded)
    return fit_network(data, household, settings.model, settings.trainer, place, settings.seed, start)


class _Learned(NamedTuple):
    """Segments and the price response of their choices and of their units per choice; units None: always one."""

    membership: Membership
    choices: Fit
    units: Fit | None


def _respond(
    data: ChoiceData,
    market: Market,
    units: Fit | None,
    settings: TrainSettings,
    chosen: Choice | None = None,
    former: np.ndarray | None = None,
    former_count: int = 1,
) -> _Learned:
    """Return the segments, and their price response, from the periods that are trained on.

    units: the response of all users' units per choice, None where all take one. chosen: how many segments of what
    classes, as the judged periods chose. former [U], former_count: see form_segments. The ids of former segments are
    kept as far as members stay.
    """
    known, pooled = market.known, market.household.fit
    visits = data.visits_before(data.calendar.trained_periods)
    if settings.told is None:
        membership = form_segments(
            market.scores(), settings.segments, visits, settings.seed, chosen, former, former_count
        )
    else:
        membership = settings.told.membership(data, known.grid.columns.count)
        if former is not None:
            membership = keep_ids(former, membership)
    by_period, count, fit = membership.by_period, membership.count, settings.response.fit
    choices = fit_response(known.grid, known.log.counts(known.grid, by_period, count), fit, pooled)
    own = None if units is None else fit_segments_quantities(units, known.log, by_period, count, fit).require_settled()
    return _Learned(membership, choices.require_settled(), own)


def _units(market: Market, settings: TrainSettings, start: Fit | None = None) -> Fit | None:
    """Return the response of the units per choice in the periods that are trained on, None where all take one unit.

    start: that of other periods, from which the search starts.
    """
    return fit_quantities(market.known.grid, market.known.log, settings.response.fit, start)


def _learn_through(data: ChoiceData, network: DemandNetwork, before: Fit, settings: TrainSettings) -> Market:
    """Return the market of the trained periods of `data`, the network's tables with other such periods, and adopt it.

    before: the response in the network's periods, from which the search starts. What gradients learned stays.
    """
    network.go_on_with(data)
    network.set_support(price_support(data, settings.export.support))
    sales = Sales.of(data)
    data.set_aside()
    market = learn_market(data, settings.data, settings.response, settings.told, before)
    adopt(network, market.household, sales)
    data.set_aside()
    return market


def _judge(network: DemandNetwork, learned: _Learned, settings: TrainSettings) -> None:
    """Write the predictions of the test periods, and their sums over all occasions.

    They include those of an artefact whose segments and price response, of goods and of the units per choice, are
    these: of the periods that are trained on. Old sums are removed first and the new ones come last, so that there are
    never sums of other predictions.
    """
    network.eval()
    membership = learned.membership
    artefact = artefact_shares(network, membership.segment, learned.choices, settings.export.segment_members)
    units = units_per_choice(network.data, learned.units, membership.count, network.support, artefact.first)
    sums = settings.work / HELD_OUT_SUMS
    sums.unlink(missing_ok=True)
    predict_held_out(network, artefact, units, settings.work / HELD_OUT)
    write_held_out_sums(network, artefact, units, sums)


def _match(network: DemandNetwork, point: MarketPoint) -> None:
    """Let the network's users together buy what the average household buys at the point, where they may buy nothing.

    Where they may not, there are no sales to expect but shares, of which users tell more than their average.
    """
    if not network.data.has_outside_option:
        return
    match_average_household(network, point, network.data.expected_visits(point.period, network.config.carry_periods))
    network.data.set_aside()


def _former_segments(demand: Path, users: pl.DataFrame) -> np.ndarray | None:
    """Return the users' segments [U] of the artefact in `demand`, None where there is none that can be read."""
    if not (demand / "user_segments.parquet").is_file():
        return None
    try:
        _, previous = read_segments(demand)
    except InputError as error:
        log.warning("segments get new ids: %s", error)
        return None
    return None if previous is None else former_segments(previous, users)
