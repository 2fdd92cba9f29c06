"""What records the course of a training: TensorBoard, MLflow, Weights & Biases, or nothing."""

import importlib.util
import logging
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urlparse

from pytorch_lightning.loggers import Logger, MLFlowLogger, TensorBoardLogger, WandbLogger

from gpu_pricer.errors import InputError, first_line

EVENTS = "tensorboard"
"""The folder of TensorBoard's events in the training's own."""


BEST = "validation/best_log_loss"
"""The metric of a whole training: the validation loss of the network that it returns."""

Settings = dict[str, str | int | float | bool]
"""Settings of a training by dotted key."""


class LoggerConfig(Protocol):
    """A choice of the group `logger`."""

    def start(self, directory: Path) -> Logger | None:
        """Return the logger of a training in the directory, None for none."""

    def describe(self, logger: Logger | None, settings: Settings) -> None:
        """Record the settings of the training that begins."""

    def keep(self, logger: Logger | None, artefact: Path) -> None:
        """Keep the finished artefact with the training's record, where the logger keeps such."""


@dataclass(frozen=True)
class NoLogger:
    """Records nothing."""

    def start(self, directory: Path) -> None:
        """Return None."""

    def describe(self, logger: Logger | None, settings: Settings) -> None:
        """Record nothing."""

    def keep(self, logger: Logger | None, artefact: Path) -> None:
        """Keep nothing."""


@dataclass(frozen=True)
class TensorBoard:
    """Records curves and settings in <directory>/tensorboard."""

    def start(self, directory: Path) -> TensorBoardLogger:
        """Return the logger."""
        return TensorBoardLogger(directory, name=EVENTS, version="")

    def describe(self, logger: Logger | None, settings: Settings) -> None:
        """Record the settings beside BEST, which TensorBoard must know from the beginning; its last value counts."""
        assert isinstance(logger, TensorBoardLogger)
        logger.log_hyperparams(dict(settings), {BEST: math.nan})

    def keep(self, logger: Logger | None, artefact: Path) -> None:
        """Keep nothing: TensorBoard's events hold no files."""


@dataclass(frozen=True)
class MLflow:
    """Records curves, settings and the artefact as a run of MLflow. Raises InputError where MLflow is not installed.

    store: a database's or a server's address, or a folder. files: where artefacts lie, None to leave that to the store.
    model: under which name the registry lists the artefacts; None: it does not.
    """

    store: str
    files: str | None
    experiment: str
    model: str | None

    def __post_init__(self) -> None:
        _require("mlflow", "logger=mlflow", "mlflow")

    def start(self, directory: Path) -> MLFlowLogger:
        """Return the logger."""
        logging.getLogger("mlflow").setLevel(logging.WARNING)  # it tells of every table that it creates
        address, scheme = self.store, urlparse(self.store).scheme
        if not scheme:
            os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")  # MLflow wants to be told that a folder is meant
            address = Path(self.store).resolve().as_uri()
        elif scheme == "sqlite":
            Path(self.store.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
        place = None if self.files is None else Path(self.files).resolve().as_uri()
        with self._answering():
            return MLFlowLogger(self.experiment, tracking_uri=address, artifact_location=place)

    def describe(self, logger: Logger | None, settings: Settings) -> None:
        """Record the settings."""
        assert isinstance(logger, MLFlowLogger)
        with self._answering():
            logger.log_hyperparams(dict(settings))

    def keep(self, logger: Logger | None, artefact: Path) -> None:
        """Copy the artefact into the run, and register that copy as a version of the model, if that has a name."""
        assert isinstance(logger, MLFlowLogger)
        client, run = logger.experiment, str(logger.run_id)
        with self._answering():
            client.log_artifacts(run, str(artefact), artefact.name)
            if self.model is not None:
                if not client.search_registered_models(f"name = '{self.model}'"):
                    client.create_registered_model(self.model)
                source = f"{client.get_run(run).info.artifact_uri}/{artefact.name}"
                client.create_model_version(self.model, source, run)

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """Raise InputError where the store does not do what MLflow asks."""
        try:
            yield
        except Exception as error:  # beside MLflow's own errors those of its databases and servers
            raise InputError(
                f"logger.store must be a store of MLflow that answers, found {self.store}: {first_line(error)}: "
                "mend it, or set logger=tensorboard"
            ) from error


@dataclass(frozen=True)
class WandB:
    """Records curves and settings as a run of Weights & Biases. Raises InputError where it is not installed."""

    project: str
    mode: str

    def __post_init__(self) -> None:
        if self.mode not in ("offline", "online"):
            raise InputError(f"logger.mode must be offline or online, found {self.mode!r}")
        _require("wandb", "logger=wandb", "wandb")

    def start(self, directory: Path) -> WandbLogger:
        """Return the logger."""
        directory.mkdir(parents=True, exist_ok=True)
        return WandbLogger(project=self.project, save_dir=directory, offline=self.mode == "offline")

    def describe(self, logger: Logger | None, settings: Settings) -> None:
        """Record the settings."""
        assert isinstance(logger, WandbLogger)
        logger.log_hyperparams(dict(settings))

    def keep(self, logger: Logger | None, artefact: Path) -> None:
        """End the run, whose files are then complete; the artefact stays where it is."""
        assert isinstance(logger, WandbLogger)
        logger.experiment.finish()


def _require(module: str, choice: str, extra: str) -> None:
    if importlib.util.find_spec(module) is None:
        raise InputError(f'{choice} needs {module}, found none: pip install -e ".[{extra}]"')
