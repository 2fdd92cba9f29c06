"""train: canonical tables -> demand artefact."""

import logging
import shutil
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
from hydra.utils import instantiate
from omegaconf import DictConfig

from gpu_pricer.errors import InputError
from gpu_pricer.jobs.run_record import MEMBERS, NAIVE
from gpu_pricer.network.encoding.choice_data import ChoiceData
from gpu_pricer.network.encoding.loading import EncodingConfig, load_choice_data
from gpu_pricer.network.inference.held_out import predict_held_out
from gpu_pricer.network.model.demand_network import DemandNetwork, NetworkConfig
from gpu_pricer.network.model.objective import OptimiserConfig
from gpu_pricer.network.price_response.laplace import LaplacePosterior
from gpu_pricer.network.price_response.settling import PriceResponseConfig, settle_price_response
from gpu_pricer.network.segment_response.correction import ResponseConfig, learn_responses
from gpu_pricer.network.segments.export import ExportConfig, export_artefact, export_members
from gpu_pricer.network.segments.forming import Segmentation, SegmentsConfig, form_segments, keep_ids, overlap
from gpu_pricer.network.segments.members import Members, period_to_judge, period_to_price
from gpu_pricer.network.storage.saved_network import write_network
from gpu_pricer.network.training.fitting import TrainerConfig, fit_network
from gpu_pricer.network.training.init_from import read_start, warn_of_foresight
from gpu_pricer.tables.artefact import ARTEFACT_FILES, NETWORK, DemandArtefact, read_segments, write_artefact
from gpu_pricer.tables.periods import Split
from gpu_pricer.tables.reading import require_readable
from gpu_pricer.tables.replacing import require_own

log = logging.getLogger(__name__)


def inputs(config: DictConfig) -> list[Path]:
    """Return what `train` reads."""
    start = [] if config.init_from is None else [Path(str(config.init_from))]
    return [Path(config.paths.data), *start]


@dataclass(frozen=True)
class TrainSettings:
    """The configuration of `train` as objects.

    demand, data, work: folders of the artefact, of the canonical tables, and of this job (paths.work/train).
    init_from: the artefact or work folder whose network training starts from, if any.
    seed, refit, resume, split, trainer: the configuration's values of that name.
    encoding, segments, export, response: those of train. network, optimiser, price_response: those of model.
    """

    demand: Path
    data: Path
    work: Path
    init_from: Path | None
    seed: int
    refit: bool
    resume: bool
    split: Split
    encoding: EncodingConfig
    segments: SegmentsConfig
    export: ExportConfig
    network: NetworkConfig
    optimiser: OptimiserConfig
    price_response: PriceResponseConfig
    trainer: TrainerConfig
    response: ResponseConfig | None


@dataclass(frozen=True)
class Trained:
    """A network that is ready for export.

    posterior: of its price response, if draws are configured. tastes_until: the last period that its tastes were
    learned from; levels and price response may have been refitted to later periods.
    """

    network: DemandNetwork
    posterior: LaplacePosterior | None
    tastes_until: date


def main(config: DictConfig) -> None:
    """Learn demand from the canonical tables and write the demand artefact.

    Reads   paths.data      what `prepare` wrote
            init_from       an artefact, or a work folder with one: training starts from its network where it fits
    Writes  paths.demand    the artefact: segments × products, appeal and price sensitivity; in network/ the network.
                            Segments keep the ids of the artefact that they replace, as far as members stay
            paths.work/train/naive/   with train.response and instruments: the artefact without their correction
            paths.work/train/members/   the demand of every user in the categories bought most, for `evaluate`
            paths.work/train/   checkpoints, TensorBoard events, predictions of the held-out periods

    Example: gpu-pricer train model=tiny trainer=cpu train.segments.count=16
    Watch:   tensorboard --logdir work/train
    """
    settings = _settings(config)
    data = _load(settings)
    network = _fit(data, settings)
    if network is None:
        return
    posterior = _settle(network, settings)
    _judge(network, settings)
    if settings.refit:
        network.go_on_with(data.with_every_period())
        posterior = _settle(network, settings)
    segmentation = _segment(network, settings)
    _export(Trained(network, posterior, data.calendar.last_trained), segmentation, settings)


def _settings(config: DictConfig) -> TrainSettings:
    """Return the configuration as objects; InputError where two of them exclude each other."""
    train, model = config.train, config.model
    settings = TrainSettings(
        demand=Path(config.paths.demand),
        data=Path(config.paths.data),
        work=Path(config.paths.work) / "train",
        init_from=None if config.init_from is None else Path(str(config.init_from)),
        seed=config.seed,
        refit=train.refit,
        resume=train.resume,
        split=instantiate(config.split),
        encoding=instantiate(train.encoding),
        segments=instantiate(train.segments),
        export=instantiate(train.export),
        network=instantiate(model.network),
        optimiser=instantiate(model.optimiser),
        price_response=instantiate(model.price_response),
        trainer=instantiate(config.trainer),
        response=instantiate(train.response),
    )
    if settings.response is not None and settings.price_response.draws:
        raise InputError(
            "model.price_response.draws must be 0 with train.response, which draws its own, "
            f"found {settings.price_response.draws}"
        )
    return settings


def _load(settings: TrainSettings) -> ChoiceData:
    """Return the canonical tables as tensors, once it is known that the artefact may be written."""
    require_own(settings.demand, ARTEFACT_FILES)
    require_readable(settings.data)
    data = load_choice_data(settings.data, settings.encoding, settings.split)
    log.info(
        "%d choices of %d users in %d choice sets, %d products",
        data.choices.count, data.users.count, data.sets.count, data.products.count,
    )  # fmt: skip
    return data


def _fit(data: ChoiceData, settings: TrainSettings) -> DemandNetwork | None:
    """Return the trained network; None in all processes of a distributed training but the first."""
    start = None if settings.init_from is None else read_start(settings.init_from)
    if start is not None:
        warn_of_foresight(start, data)
    module = fit_network(
        data,
        settings.network,
        settings.optimiser,
        settings.trainer,
        settings.work,
        settings.seed,
        settings.resume,
        start,
    )
    return None if module.global_rank else module.network


def _settle(network: DemandNetwork, settings: TrainSettings) -> LaplacePosterior | None:
    return settle_price_response(network, settings.price_response, settings.optimiser, settings.seed)


def _judge(network: DemandNetwork, settings: TrainSettings) -> None:
    """Write the predictions of the test periods, if there are any.

    Where the network's own price response is priced, they include those of an artefact whose segments are formed just
    before the test periods.
    """
    data, path = network.data, settings.work / "held_out.parquet"
    judged = data.calendar.validated_periods
    if judged == data.calendar.count:
        path.unlink(missing_ok=True)
        return
    if settings.response is not None:
        log.info("train.response replaces the network's price response: the artefact is not judged on held-out periods")
        predict_held_out(network, None, path)
        return
    members = Members(network, period_to_judge(network, judged))
    formed = form_segments(members, settings.segments, data.visits_before(judged), settings.seed)
    predict_held_out(network, formed.segment, path)


def _segment(network: DemandNetwork, settings: TrainSettings) -> Segmentation:
    """Return the segments for the period to price, with the ids of the artefact that they replace."""
    data = network.data
    members = Members(network, period_to_price(network))
    visits = data.visits_before(data.calendar.count)
    formed = form_segments(members, settings.segments, visits, settings.seed)
    return _with_stable_ids(formed, data.users.table, settings.demand)


def _with_stable_ids(segmentation: Segmentation, users: pl.DataFrame, demand: Path) -> Segmentation:
    """Return the segmentation with the ids of the artefact in `demand`, if there is one with user_segments."""
    if not (demand / "user_segments.parquet").is_file():
        return segmentation
    try:
        previous = read_segments(demand)[1]
    except InputError as error:
        log.warning("segments are numbered afresh: %s", error)
        return segmentation
    assert previous is not None
    matched = keep_ids(previous, users, segmentation)
    kept = overlap(previous, users, matched.segment, len(matched.centre))
    log.info("segments keep the ids of the last training: %d of %d known users stay", kept.trace(), kept.sum())
    return matched


def _export(trained: Trained, segmentation: Segmentation, settings: TrainSettings) -> None:
    """Write the artefact with its network, and beside it the naive artefact and the members' artefact."""
    network, calendar = trained.network, trained.network.data.calendar
    visits = network.data.expected_visits(calendar.count, network.config.carry_periods)
    now = datetime.now(UTC)
    run, created = f"{now:%Y%m%dT%H%M%S}", now.isoformat(timespec="seconds")
    artefact = export_artefact(network, segmentation.segment, visits, settings.export, run, created, trained.posterior)
    _replace(settings.work / MEMBERS, export_members(network, visits, settings.export, run, created))
    artefact = _with_response(artefact, settings)
    write_network(network, segmentation, trained.tastes_until, settings.work / NETWORK)
    write_artefact(artefact, settings.demand, settings.work / NETWORK)
    log.info(
        "wrote %s: %d segments × %d products, fingerprint %s",
        settings.demand, artefact.segments.height, artefact.products.height, artefact.fingerprint(),
    )  # fmt: skip


def _with_response(artefact: DemandArtefact, settings: TrainSettings) -> DemandArtefact:
    """Return the artefact with the price response that its segments showed, if train.response is set.

    The artefact without the correction by instruments is written to paths.work/train/naive.
    """
    _replace(settings.work / NAIVE, None)
    if settings.response is None:
        return artefact
    trained = pl.col("period") <= date.fromisoformat(artefact.info.training_end)
    tables = (pl.read_parquet(settings.data / f"{name}.parquet") for name in ("shelf", "choices"))
    shelf, choices = (table.filter(trained) for table in tables)
    responses = learn_responses(artefact, shelf, choices, settings.response, settings.seed)
    _replace(settings.work / NAIVE, responses.naive)
    return responses.corrected


def _replace(directory: Path, artefact: DemandArtefact | None) -> None:
    """Remove what the directory holds, and write the artefact there, if there is one."""
    shutil.rmtree(directory, ignore_errors=True)
    if artefact is not None:
        write_artefact(artefact, directory)
