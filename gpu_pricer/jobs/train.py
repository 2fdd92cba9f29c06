"""train: canonical tables -> demand artefact."""

import logging
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
from hydra.utils import instantiate
from omegaconf import DictConfig

from gpu_pricer.network.choice_data import ChoiceData, load_choice_data
from gpu_pricer.network.export import export_artefact
from gpu_pricer.network.held_out import predict_held_out
from gpu_pricer.network.price_response import settle_price_response
from gpu_pricer.network.segments import assign_segments
from gpu_pricer.network.training import fit_network
from gpu_pricer.tables.artefact import ARTEFACT_FILES, write_artefact
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
            paths.work/train/   checkpoints, TensorBoard events, predictions of the held-out periods

    Example: gpu-pricer train model=tiny trainer=cpu train.segments.count=16
    Watch:   tensorboard --logdir work/train
    """
    folder, data_folder = Path(config.paths.work) / "train", Path(config.paths.data)
    encoding, segments, export = (instantiate(config.train[key]) for key in ("encoding", "segments", "export"))
    network, optimiser, price_response = (
        instantiate(config.model[key]) for key in ("network", "optimiser", "price_response")
    )
    trainer = instantiate(config.trainer)
    require_own(Path(config.paths.demand), ARTEFACT_FILES)
    require_whole(data_folder)
    data = load_choice_data(data_folder, encoding)
    log.info(
        "%d choices of %d users in %d choice sets, %d products",
        len(data.user), data.users.height, len(data.set_category), data.products.height,
    )  # fmt: skip
    module = fit_network(data, network, optimiser, trainer, folder, config.seed, config.train.resume)
    if module.global_rank:
        return
    settle_price_response(module.network, price_response, optimiser, config.seed)
    predict_held_out(module.network, folder / "held_out.parquet")
    if config.train.refit:
        module.network.data = data.with_every_period()
        settle_price_response(module.network, price_response, optimiser, config.seed)
    visits = _visits(data, data_folder)
    segment = assign_segments(module.network, segments, visits, config.seed)
    created = datetime.now(UTC)
    artefact = export_artefact(
        module.network,
        segment,
        visits,
        export,
        f"{created:%Y%m%dT%H%M%S}",
        created.isoformat(timespec="seconds"),
    )
    write_artefact(artefact, Path(config.paths.demand))
    log.info(
        "wrote %s: %d segments × %d products, fingerprint %s",
        config.paths.demand, artefact.segments.height, artefact.products.height, artefact.fingerprint(),
    )  # fmt: skip


def _visits(data: ChoiceData, folder: Path) -> np.ndarray:
    """How many periods each user came in, in the order of data.users, [U]."""
    counts = pl.read_parquet(folder / "visits.parquet").group_by("user_id").len("visits")
    joined = data.users.select("user_id").join(counts, on="user_id", how="left", maintain_order="left")
    return joined["visits"].fill_null(0).cast(pl.Float64).to_numpy(writable=True)
