"""The configuration of `train` as objects."""

from dataclasses import dataclass
from pathlib import Path

from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from gpu_pricer.errors import InputError
from gpu_pricer.network.encoding.loading import EncodingConfig
from gpu_pricer.network.response.applying import ResponseConfig, require_dense
from gpu_pricer.network.segments.export import ExportConfig
from gpu_pricer.network.segments.forming import SegmentsConfig
from gpu_pricer.network.training.fitting import ModelConfig, TrainerConfig
from gpu_pricer.network.training.loggers import LoggerConfig, Settings
from gpu_pricer.network.training.told import Told, read_told
from gpu_pricer.tables.periods import Split

RECORDED = ("model", "train", "split", "trainer")
"""The parts of the configuration that the logger records with a training."""


@dataclass(frozen=True)
class TrainSettings:
    """The configuration of `train` as objects.

    demand, data, work: folders of the artefact, of the canonical tables, and of this job (paths.work/train).
    init_from: the artefact or work folder whose network training starts from, if any. told: types and shocks, if any.
    seed, refit, resume, split, trainer: the configuration's values of that name.
    encoding, segments, export, response: those of train. model: the network and its training.
    logger: records the training; recorded: the settings that it records.
    """

    demand: Path
    data: Path
    work: Path
    init_from: Path | None
    told: Told | None
    seed: int
    refit: bool
    resume: bool
    split: Split
    encoding: EncodingConfig
    segments: SegmentsConfig
    export: ExportConfig
    model: ModelConfig
    trainer: TrainerConfig
    response: ResponseConfig
    logger: LoggerConfig
    recorded: Settings


def train_settings(config: DictConfig) -> TrainSettings:
    """Return the configuration as objects; InputError where the artefact's form cannot hold the price response."""
    train = config.train
    require_flags(train)
    require_dense(train.export.form)
    return TrainSettings(
        demand=Path(config.paths.demand),
        data=Path(config.paths.data),
        work=Path(config.paths.work) / "train",
        init_from=None if config.init_from is None else Path(str(config.init_from)),
        told=None if train.told is None else read_told(Path(str(train.told))),
        seed=config.seed,
        refit=train.refit,
        resume=train.resume,
        split=instantiate(config.split),
        encoding=instantiate(train.encoding),
        segments=instantiate(train.segments),
        export=instantiate(train.export),
        model=ModelConfig(instantiate(config.model.network), instantiate(config.model.optimiser)),
        trainer=instantiate(config.trainer),
        response=instantiate(train.response),
        logger=instantiate(config.logger),
        recorded=_recorded(config),
    )


def _recorded(config: DictConfig) -> Settings:
    """Return the settings that tell one training from another, by dotted key; lists and nulls as text."""
    found: Settings = {"seed": config.seed}
    for part in RECORDED:
        _flatten(part, OmegaConf.to_container(config[part], resolve=True), found)
    return found


def _flatten(key: str, entry: object, found: Settings) -> None:
    if isinstance(entry, dict):
        for name, value in entry.items():
            if not name.startswith("_"):  # _target_ and its like are no settings
                _flatten(f"{key}.{name}", value, found)
    else:
        found[key] = entry if isinstance(entry, str | int | float) else str(entry)


def require_flags(train: DictConfig) -> None:
    """Raise InputError unless the flags of the configuration `train` are true or false."""
    for name in ("refit", "resume"):
        if not isinstance(train[name], bool):
            raise InputError(f"train.{name} must be true or false, found {train[name]!r}: set train.{name}=true")
