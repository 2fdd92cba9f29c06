"""train: canonical tables -> demand artefact."""

import logging
import shutil
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
from hydra.utils import instantiate
from omegaconf import DictConfig

from gpu_pricer.jobs.layout import MEMBERS, NAIVE
from gpu_pricer.network.demand_network import DemandNetwork
from gpu_pricer.network.export import export_artefact, export_members
from gpu_pricer.network.held_out import JudgedSegments, predict_held_out
from gpu_pricer.network.loading import load_choice_data
from gpu_pricer.network.members import Members, period_to_judge, period_to_price
from gpu_pricer.network.price_response import settle_price_response
from gpu_pricer.network.response.correction import ResponseConfig, learn_responses
from gpu_pricer.network.segments import SegmentsConfig, assign_segments
from gpu_pricer.network.training import fit_network
from gpu_pricer.tables.artefact import ARTEFACT_FILES, DemandArtefact, write_artefact
from gpu_pricer.tables.reading import require_whole
from gpu_pricer.tables.replacing import require_own

log = logging.getLogger(__name__)


def inputs(config: DictConfig) -> list[Path]:
    """What `train` reads."""
    return [Path(config.paths.data)]


def main(config: DictConfig) -> None:
    """Learn demand from the canonical tables and write the demand artefact.

    Reads   paths.data      what `prepare` wrote
    Writes  paths.demand    the artefact: segments × products, appeal and price sensitivity
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
    trainer = instantiate(config.trainer)
    require_own(Path(config.paths.demand), ARTEFACT_FILES)
    require_whole(data_folder)
    data = load_choice_data(data_folder, encoding, split)
    log.info(
        "%d choices of %d users in %d choice sets, %d products",
        len(data.user), data.users.height, len(data.set_category), data.products.height,
    )  # fmt: skip
    module = fit_network(data, architecture, optimiser, trainer, folder, config.seed, config.train.resume)
    if module.global_rank:
        return
    network = module.network
    settle_price_response(network, price_response, optimiser, config.seed)
    _judge(network, segments, config.seed, folder / "held_out.parquet")
    if config.train.refit:
        network.data = data.with_every_period()
        settle_price_response(network, price_response, optimiser, config.seed)
    visits = data.visits_before(len(data.periods))
    segment = assign_segments(Members(network, period_to_price(network)), segments, visits, config.seed)
    now = datetime.now(UTC)
    run, created = f"{now:%Y%m%dT%H%M%S}", now.isoformat(timespec="seconds")
    artefact = export_artefact(network, segment, visits, export, run, created)
    _keep(export_members(network, visits, export, run, created), folder / MEMBERS)
    response = instantiate(config.train.response)
    artefact = _with_response(artefact, response, data_folder, folder / NAIVE, config.seed)
    write_artefact(artefact, Path(config.paths.demand))
    log.info(
        "wrote %s: %d segments × %d products, fingerprint %s",
        config.paths.demand, artefact.segments.height, artefact.products.height, artefact.fingerprint(),
    )  # fmt: skip


def _judge(network: DemandNetwork, config: SegmentsConfig, seed: int, path: Path) -> None:
    """Predict the test periods with segments formed just before them."""
    data = network.data
    if data.validated_periods == len(data.periods):
        path.unlink(missing_ok=True)
        return
    visits = data.visits_before(data.validated_periods)
    members = Members(network, period_to_judge(network, data.validated_periods))
    predict_held_out(network, JudgedSegments(assign_segments(members, config, visits, seed), visits), path)


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
