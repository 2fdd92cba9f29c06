"""Who is told the validation loss of every epoch while a network trains, as a search that ends hopeless trainings."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import pytorch_lightning as pl

from gpu_pricer.heartbeat import beat

Listener = Callable[[int, float], None]
"""Takes an epoch and its validation loss; raises Pruned to end the training."""

_LISTENER: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextmanager
def told_every_epoch(listener: Listener) -> Iterator[None]:
    """Let the listener hear of every epoch of the trainings in the block."""
    token = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(token)


class TellEpoch(pl.Callback):
    """Tells the listener, if there is one, each epoch's validation loss, and the log how far the training is."""

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, outputs: object, batch: object, batch_idx: int
    ) -> None:
        """Log a heartbeat, unless a progress bar shows the same."""
        if trainer.progress_bar_callback is None:
            epoch, batches = trainer.current_epoch + 1, trainer.num_training_batches
            beat("gradient descent: batch %d of %d in epoch %d", batch_idx + 1, batches, epoch)

    def on_validation_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Call the listener; Pruned passes through Lightning, which first cleans up."""
        listener = _LISTENER.get()
        if listener is not None:
            listener(trainer.current_epoch, float(trainer.callback_metrics["validation/log_loss"]))
