"""Training that a signal ends: first comes a checkpoint of the step that it had reached."""

import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import pytorch_lightning as pl

from gpu_pricer.errors import SIGNALS, Interrupted


class StopAtSignal(pl.Callback):
    """Writes a checkpoint to `last` after the step in which a signal came, and raises Interrupted.

    At the end of an epoch the ModelCheckpoint has written it already. A second signal ends training at once.
    """

    def __init__(self, last: Path) -> None:
        self.last = last
        self.received: int | None = None

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Take the signals from Lightning, which ends with status 0 at SIGTERM, and requeues Slurm jobs by itself.

        When training ends, Lightning gives them back to their former handlers.
        """
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                if signal.getsignal(number) is not signal.SIG_IGN:
                    signal.signal(number, self._receive)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None:
            raise Interrupted(number)
        self.received = number

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Write the checkpoint and end training if a signal has come; validation still follows the last step."""
        if not trainer.is_last_batch and self._is_told(trainer):
            trainer.save_checkpoint(self.last)
            self.end()

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """End training if a signal has come."""
        if self._is_told(trainer):
            self.end()

    def _is_told(self, trainer: pl.Trainer) -> bool:
        """Return whether a signal has come, to any of the processes that train together."""
        told = self.received is not None
        if trainer.world_size > 1 and trainer.strategy.reduce_boolean_decision(told, all=False):
            self.received = self.received or signal.SIGTERM
        return self.received is not None

    def end(self) -> None:
        """Raise Interrupted if a signal has come."""
        if self.received is not None:
            raise Interrupted(self.received)
