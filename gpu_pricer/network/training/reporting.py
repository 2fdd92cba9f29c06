"""Who is told the validation loss of every epoch while a network trains, as a search that ends hopeless trainings."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import pytorch_lightning as pl

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
    """Tells the listener, if there is one, each epoch's validation loss."""

    def on_validation_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Call the listener; Pruned passes through Lightning, which first cleans up."""
        listener = _LISTENER.get()
        if listener is not None:
            listener(trainer.current_epoch, float(trainer.callback_metrics["validation/log_loss"]))
