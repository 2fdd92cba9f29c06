"""Training the demand network: where it runs, where it resumes, and which epoch it returns."""

import copy
import hashlib
import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import LearningRateMonitor, ModelCheckpoint
from pytorch_lightning.loggers import Logger
from torch import Tensor
from torch.utils.data import DataLoader

from gpu_pricer.checks import require_integer
from gpu_pricer.errors import InputError
from gpu_pricer.network.encoding.batches import IndexBatches
from gpu_pricer.network.encoding.choice_data import ChoiceData
from gpu_pricer.network.model.demand_network import NetworkConfig
from gpu_pricer.network.model.objective import OptimiserConfig
from gpu_pricer.network.response.threads import single_thread
from gpu_pricer.network.storage.saved_network import SavedNetwork
from gpu_pricer.network.training.average_household import AverageHousehold, adopt
from gpu_pricer.network.training.checkpoints import LAST, Stamp, checkpoint_to_resume, start_afresh
from gpu_pricer.network.training.init_from import start_from
from gpu_pricer.network.training.lightning_module import DemandTraining
from gpu_pricer.network.training.loggers import BEST, LoggerConfig, Settings
from gpu_pricer.network.training.loyalty_fitting import fit_loyalty
from gpu_pricer.network.training.reporting import TellEpoch
from gpu_pricer.network.training.sales import Sales
from gpu_pricer.network.training.stopping import StopAtSignal

log = logging.getLogger(__name__)

STEPS_AN_EPOCH, SMALLEST_BATCH, LARGEST_BATCH = 50, 128, 8192
MOST_EPOCHS = 12
MOST_TOGETHER = 8  # choices of a visit in a batch; more would make its steps noisier
VALIDATED_AT_ONCE, MOST_VALIDATED = 8192, 131_072  # choices; so many tell two networks apart
HARMLESS = (  # warnings of Lightning 2.6 about choices made on purpose: batches of row numbers, no worker processes
    ".*`isinstance\\(treespec, LeafSpec\\)` is deprecated",
    ".*does not have many workers",
    "Your `IterableDataset` has `__len__` defined",
    "Checkpoint directory .* exists and is not empty",
    "The `srun` command is available on your system but is not used",  # as on a cluster's login node
    "You're resuming from a checkpoint that ended before the epoch ended",  # _AdvanceEpoch skips what it has seen
)


@dataclass(frozen=True)
class TrainerConfig:
    """Where training runs: Lightning's accelerator, devices per node, nodes, strategy and precision."""

    accelerator: str
    devices: int
    num_nodes: int
    strategy: str
    precision: str

    def __post_init__(self) -> None:
        for name in ("devices", "num_nodes"):
            require_integer(f"trainer.{name}", getattr(self, name), 1)
        if self.accelerator == "gpu" and not torch.cuda.is_available():
            raise InputError("trainer=gpu must find a CUDA device, found none: use trainer=cpu, or mend the driver")


@dataclass(frozen=True)
class ModelConfig:
    """The network's architecture and how it is trained."""

    network: NetworkConfig
    optimiser: OptimiserConfig


@dataclass(frozen=True)
class Workplace:
    """The folder of a training, and what is recorded there.

    directory receives checkpoints/. resume: go on from the last checkpoint there if it belongs to the same choices and
    configuration; otherwise training starts afresh and logs so. logger: records the course, and `settings` with it.
    """

    directory: Path
    resume: bool
    logger: LoggerConfig
    settings: Settings


@dataclass(frozen=True)
class Plan:
    """How many choices make a batch, which all processes share, and how many epochs there are."""

    batch_size: int
    epochs: int

    @classmethod
    def of(cls, choices: int, steps: int) -> "Plan":
        """Return the plan for about so many steps: batches are small enough for STEPS_AN_EPOCH steps in an epoch."""
        batch_size = min(max(choices // STEPS_AN_EPOCH, SMALLEST_BATCH), LARGEST_BATCH)
        an_epoch = max(choices // batch_size, 1)
        return cls(batch_size, min(max(round(steps / an_epoch), 1), MOST_EPOCHS))


class _AdvanceEpoch(pl.Callback):
    """Sets the epoch and the first batch of the index batches before each epoch.

    Only an epoch that a checkpoint cut does not begin with batch 0; Lightning resumes it without a new start.
    """

    def __init__(self, batches: IndexBatches) -> None:
        self.batches = batches

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._set(trainer, trainer.global_step % len(self.batches))

    def on_train_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._set(trainer, 0)

    def _set(self, trainer: pl.Trainer, first: int) -> None:
        self.batches.epoch = trainer.current_epoch
        self.batches.first = first


def fit_network(
    data: ChoiceData,
    household: AverageHousehold,
    model: ModelConfig,
    trainer: TrainerConfig,
    place: Workplace,
    seed: int,
    start: SavedNetwork | None = None,
) -> DemandTraining:
    """Return the trained network of the epoch with the best validation, in a LightningModule, which tells its loss.

    Where no epoch predicts the validation periods better than what gradients start from, which is the average household
    with loyalty and the tastes of `start`, it is that.
    household: of the trained periods.
    start: a network of other tables, whose parameters training starts from where they fit.
    Raise Interrupted after a signal, once a checkpoint is written, and Pruned where a search ends the training.
    """
    pl.seed_everything(seed, workers=True, verbose=False)
    directory, optimiser = place.directory, model.optimiser
    module = DemandTraining(data, model.network, optimiser, seed)
    if start is not None:
        start_from(start, module.network)
    adopt(module.network, household, Sales.of(data))
    data.set_aside()
    fit_loyalty(module.network, optimiser, seed)
    trained, validated, _ = data.split()
    plan = Plan.of(len(trained), optimiser.steps)
    batches = IndexBatches(trained, plan.batch_size, seed, _choices_together(data, len(trained)))
    judged = IndexBatches(_sample(validated, MOST_VALIDATED, seed), VALIDATED_AT_ONCE)
    plain, plain_loss = copy.deepcopy(module.state_dict()), module.validation_loss(judged)
    module.train()
    checkpoint = ModelCheckpoint(
        directory / "checkpoints", filename="best", monitor="validation/log_loss", save_last=True,
        enable_version_counter=False,
    )  # fmt: skip
    origin = start.fingerprint if start else None
    known = f"{data.fingerprint()} {household.fingerprint()} {model} {trainer} {seed} {origin}"
    inputs = hashlib.sha256(known.encode()).hexdigest()
    stop = StopAtSignal(directory / "checkpoints" / LAST)
    callbacks = [checkpoint, Stamp(inputs), stop, _AdvanceEpoch(batches), TellEpoch()]
    with _without_harmless_warnings():
        engine = _engine(trainer, plan.epochs, place, len(batches), callbacks)
    resumed = checkpoint_to_resume(checkpoint, inputs, module) if place.resume else None
    if engine.is_global_zero and resumed is None:
        start_afresh(directory)
    place.logger.describe(engine.logger, place.settings)
    _fit(engine, module, batches, judged, resumed)
    stop.end()
    parameters, module.best_loss = _best(checkpoint, plain, plain_loss)
    module.load_state_dict(parameters)
    if engine.logger is not None:
        engine.logger.log_metrics({BEST: module.best_loss}, engine.global_step)
    module.network.data = data  # on_fit_start replaced it by a copy on the device
    return module.cpu().eval()


def _choices_together(data: ChoiceData, count: int) -> int:
    """Return how many consecutive choices batches keep together: at most MOST_TOGETHER, and the mean of a visit.

    count: of choices that are trained on. What a user had bought before a visit is looked up once for all its choices
    in a batch, which took most of a step.
    """
    visits = data.visits_before(data.calendar.trained_periods) - data.visits_before(data.calendar.history_periods)
    return min(max(count // max(int(visits.sum()), 1), 1), MOST_TOGETHER)


def _best(checkpoint: ModelCheckpoint, start: dict[str, Tensor], start_loss: float) -> tuple[dict[str, Tensor], float]:
    """Return the parameters and the validation loss of the best epoch.

    Where no epoch predicts better than what gradients started from, it is that.
    """
    loss = float(checkpoint.best_model_score or 0)
    if loss < start_loss:
        log.info("validation log loss %.5f, before gradient descent %.5f", loss, start_loss)
        found = torch.load(checkpoint.best_model_path, map_location="cpu", weights_only=True)["state_dict"]
        return dict(found), loss
    log.warning(
        "gradient descent is discarded: validation log loss %.5f, before it %.5f; only loyalty and response are used",
        loss, start_loss,
    )  # fmt: skip
    return start, start_loss


def _sample(index: Tensor, most: int, seed: int) -> Tensor:
    """Return at most so many of the numbers [n], in order."""
    drawn = torch.randperm(len(index), generator=torch.Generator().manual_seed(seed))[:most]
    return index[drawn.sort().values]


def _engine(
    trainer: TrainerConfig,
    epochs: int,
    place: Workplace,
    batches: int,
    callbacks: list[pl.Callback],
) -> pl.Trainer:
    logger: Logger | None = place.logger.start(place.directory)
    monitors = [] if logger is None else [LearningRateMonitor("step")]
    return pl.Trainer(
        accelerator=trainer.accelerator,
        devices=trainer.devices,
        num_nodes=trainer.num_nodes,
        strategy=trainer.strategy,
        precision=trainer.precision,  # type: ignore[arg-type]
        max_epochs=epochs,
        logger=logger or False,
        callbacks=[*callbacks, *monitors],
        # Under Slurm, Lightning goes on from any hpc_ckpt_* here; training that starts afresh empties this folder.
        default_root_dir=place.directory / "checkpoints",
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        enable_progress_bar=sys.stderr.isatty() and logging.getLogger().isEnabledFor(logging.INFO),
        enable_model_summary=False,
        log_every_n_steps=min(20, batches),
    )


@contextmanager
def _without_harmless_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        for message in HARMLESS:
            warnings.filterwarnings("ignore", message)
        yield


def _fit(
    engine: pl.Trainer, module: DemandTraining, training: IndexBatches, validation: IndexBatches, resumed: Path | None
) -> None:
    """Fit the module in one thread of the CPU, since the tensors of a batch are too small for two.

    On two idle cores without a GPU, Complete Journey took 32 s and 31 core-seconds with one thread, 37 s and 42
    core-seconds with two (December 2026). Several processes share the batches: trainer.devices.
    """
    with _without_harmless_warnings(), single_thread():
        engine.fit(
            module,
            DataLoader(training, batch_size=None),
            DataLoader(validation, batch_size=None),
            ckpt_path=resumed,
            weights_only=True,
        )
