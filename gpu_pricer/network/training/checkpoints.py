"""The checkpoints of a training: which training they belong to, and whether one can go on from them."""

import logging
import shutil
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from torch import nn

from gpu_pricer.errors import first_line
from gpu_pricer.network.training.loggers import EVENTS

log = logging.getLogger(__name__)

LAST, BEST = "last.ckpt", "best.ckpt"
INPUTS = "inputs"  # a checkpoint's entry: hash of the data and the configuration that it was trained with


class Stamp(pl.Callback):
    """Writes the hash of the training's inputs into every checkpoint."""

    def __init__(self, inputs: str) -> None:
        self.inputs = inputs

    def on_save_checkpoint(self, trainer: pl.Trainer, module: pl.LightningModule, checkpoint: dict[str, Any]) -> None:
        """Add the hash."""
        checkpoint[INPUTS] = self.inputs


def checkpoint_to_resume(checkpoints: ModelCheckpoint, inputs: str, module: nn.Module) -> Path | None:
    """Return the last checkpoint of a training of the module on the same inputs.

    None where there is none, and, with a line in the log that says why, where training cannot go on from it or from the
    best one that it refers to.
    """
    directory = Path(str(checkpoints.dirpath))
    last = directory / LAST
    if not last.is_file():
        return None
    try:
        state = _checked(last, inputs, module)["callbacks"][checkpoints.state_key]
        if state["dirpath"] != checkpoints.dirpath:
            raise ValueError(f"{LAST} was written in {state['dirpath']}")
        if state["best_model_path"]:
            _checked(directory / BEST, inputs, module)
    except ValueError as error:
        log.warning("%s cannot be resumed, %s: training starts from the beginning", last, error)
        return None
    log.info("training continues from %s", last)
    return last


def _checked(path: Path, inputs: str, module: nn.Module) -> dict[str, Any]:
    """Return what the checkpoint holds; ValueError where it is torn, or of another training."""
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # half a checkpoint, or what is none, makes torch.load raise anything
        raise ValueError(f"{path.name} is torn or no checkpoint ({first_line(error)})") from error
    if not isinstance(found, dict) or found.get(INPUTS) != inputs:
        raise ValueError(f"{path.name} is of other choices or another configuration")
    saved, expected = ({k: v.shape for k, v in state.items()} for state in (found["state_dict"], module.state_dict()))
    if saved != expected:
        raise ValueError(f"{path.name} is of another network")
    return found


def start_afresh(directory: Path) -> None:
    """Remove an earlier training's checkpoints and TensorBoard events."""
    for leftover in ("checkpoints", EVENTS):
        shutil.rmtree(directory / leftover, ignore_errors=True)
    directory.mkdir(parents=True, exist_ok=True)
