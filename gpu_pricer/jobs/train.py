"""train: canonical tables -> demand artefact."""

import logging
import shutil
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
from hydra.utils import instantiate
from omegaconf import DictConfig

from gpu_pricer.errors import InputError
from gpu_pricer.jobs.layout import MEMBERS, NAIVE
from gpu_pricer.network.encoding.loading import load_choice_data
from gpu_pricer.network.inference.held_out import predict_held_out
from gpu_pricer.network.model.demand_network import DemandNetwork
from gpu_pricer.network.price_response.settling import settle_price_response
from gpu_pricer.network.segment_response.correction import ResponseConfig, learn_responses
from gpu_pricer.network.segments.export import export_artefact, export_members
from gpu_pricer.network.segments.forming import Segmentation, SegmentsConfig, form_segments, keep_ids, overlap
from gpu_pricer.network.segments.members import Members, period_to_judge, period_to_price
from gpu_pricer.network.storage.saved_network import write_network
from gpu_pricer.network.training.fitting import fit_network
from gpu_pricer.network.training.init_from import read_start, warn_of_foresight
from gpu_pricer.tables.artefact import ARTEFACT_FILES, NETWORK, DemandArtefact, read_segments, write_artefact
from gpu_pricer.tables.reading import require_whole
from gpu_pricer.tables.replacing import require_own

log = logging.getLogger(__name__)


def inputs(config: DictConfig) -> list[Path]:
    """What `train` reads."""
    start = [] if config.init_from is None else [Path(str(config.init_from))]
    return [Path(config.paths.data), *start]


def main(config: DictConfig) -> None:
    """Learn demand from the canonical tables and write the demand artefact.

    Reads   paths.data      what `prepare` wrote
            init_from       an artefact, or a work folder with one: training starts from its network where it fits
    Writes  paths.demand    the artefact: segments × products, appeal and price sensitivity; in network/ the network.
                            Segments keep the ids of those that they replace there, as far as members stay
            paths.work/train/naive/   with train.response and instruments: the same with prices taken as they are
            paths.work/train/members/   the demand of every user in the categories bought most, for `evaluate`
            paths.work/train/   checkpoints, TensorBoard events, predictions of the held-out periods

    Example: gpu-pricer train model=tiny trainer=cpu train.segments.count=16
    Watch:   tensorboard --logdir work/train
    """
    folder, data_folder = Path(config.paths.work) / "train", Path(config.paths.data)
    split = instantiate(config.split)
    encoding, segments, export = (instantiate(config.train[key]) for key in ("encoding", "segments", "export"))
    architecture, optimiser, price_response = (
        instantiate(config.model[key]) for key in ("network", "optimiser", "price_response")
    )
    trainer, response = instantiate(config.trainer), instantiate(config.train.response)
    if response is not None and price_response.draws:
        raise InputError(
            "model.price_response.draws must be 0 with train.response, which draws its own, "
            f"found {price_response.draws}"
        )
    require_own(Path(config.paths.demand), ARTEFACT_FILES)
    require_whole(data_folder)
    data = load_choice_data(data_folder, encoding, split)
    log.info(
        "%d choices of %d users in %d choice sets, %d products",
        data.choices.count, data.users.count, data.sets.count, data.products.count,
    )  # fmt: skip
    start = None if config.init_from is None else read_start(Path(str(config.init_from)))
    if start is not None:
        warn_of_foresight(start, data)
    module = fit_network(data, architecture, optimiser, trainer, folder, config.seed, config.train.resume, start)
    if module.global_rank:
        return
    network = module.network
    posterior = settle_price_response(network, price_response, optimiser, config.seed)
    _judge(network, segments, response is None, config.seed, folder / "held_out.parquet")
    if config.train.refit:
        network.go_on_with(data.with_every_period())
        posterior = settle_price_response(network, price_response, optimiser, config.seed)
    seen = data.visits_before(data.calendar.count)
    segmentation = form_segments(Members(network, period_to_price(network)), segments, seen, config.seed)
    segmentation = _with_stable_ids(segmentation, data.users.table, Path(config.paths.demand))
    visits, now = data.expected_visits(data.calendar.count, architecture.carry_periods), datetime.now(UTC)
    run, created = f"{now:%Y%m%dT%H%M%S}", now.isoformat(timespec="seconds")
    artefact = export_artefact(network, segmentation.segment, visits, export, run, created, posterior)
    _keep(export_members(network, visits, export, run, created), folder / MEMBERS)
    artefact = _with_response(artefact, response, data_folder, folder / NAIVE, config.seed)
    write_network(network, segmentation, data.calendar.last_trained, folder / NETWORK)
    write_artefact(artefact, Path(config.paths.demand), folder / NETWORK)
    log.info(
        "wrote %s: %d segments × %d products, fingerprint %s",
        config.paths.demand, artefact.segments.height, artefact.products.height, artefact.fingerprint(),
    )  # fmt: skip


def _judge(network: DemandNetwork, config: SegmentsConfig, is_priced: bool, seed: int, path: Path) -> None:
    """Predict the test periods; where the network's own response is priced, by segments formed just before them too."""
    data = network.data
    if data.calendar.validated_periods == data.calendar.count:
        path.unlink(missing_ok=True)
        return
    if not is_priced:
        log.info("train.response replaces the network's price response: the artefact is not judged on held-out periods")
        predict_held_out(network, None, path)
        return
    visits = data.visits_before(data.calendar.validated_periods)
    members = Members(network, period_to_judge(network, data.calendar.validated_periods))
    predict_held_out(network, form_segments(members, config, visits, seed).segment, path)


def _with_stable_ids(segmentation: Segmentation, users: pl.DataFrame, demand: Path) -> Segmentation:
    """The segmentation with the ids of the artefact that this one replaces, where there is one that tells them."""
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


def _keep(artefact: DemandArtefact | None, directory: Path) -> None:
    """Write an artefact for `evaluate`; none leaves no old one either."""
    shutil.rmtree(directory, ignore_errors=True)
    if artefact is not None:
        write_artefact(artefact, directory)


def _with_response(
    artefact: DemandArtefact, config: ResponseConfig | None, data: Path, naive: Path, seed: int
) -> DemandArtefact:
    """The artefact with the response its segments showed, where asked for; the naive one is left beside it."""
    _keep(None, naive)
    if config is None:
        return artefact
    trained = pl.col("period") <= date.fromisoformat(artefact.info.training_end)
    shelf, choices = (pl.read_parquet(data / f"{name}.parquet").filter(trained) for name in ("shelf", "choices"))
    responses = learn_responses(artefact, shelf, choices, config, seed)
    if responses.naive is not None:
        write_artefact(responses.naive, naive)
    return responses.corrected
