"""One optimisation step and one validation of the demand network, in Lightning's terms."""

import math
from collections.abc import Iterable
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn

from gpu_pricer.network.encoding.batches import EVERY_ALTERNATIVE, Batch, Share, gather_batch
from gpu_pricer.network.encoding.choice_data import ChoiceData
from gpu_pricer.network.model.demand_network import DemandNetwork, NetworkConfig
from gpu_pricer.network.model.objective import OptimiserConfig, batch_of, log_likelihood

STEPS_IN_MEMORY = 20  # after so many steps the choices and histories that they read are set aside


class DemandTraining(pl.LightningModule):
    """Steps and validations of the network; a batch is a tensor of choice numbers [N].

    Processes that train together get the same batch. Each draws for all of it and computes its share, so that a step's
    gradient is that of one process, but for the order of sums. Each validates for itself.
    """

    def __init__(self, data: ChoiceData, network: NetworkConfig, optimiser: OptimiserConfig, seed: int) -> None:
        super().__init__()
        self.network = DemandNetwork(data, network)
        self.optimiser = optimiser
        self.seed, self.draws = seed, torch.Generator()
        self.resumed_draws: Tensor | None = None
        self.best_loss = math.nan  # validation loss of the parameters, once training has ended

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the state of the draws, the same in all processes, for training that resumes within an epoch."""
        checkpoint["draws"] = self.draws.get_state()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the state of the draws."""
        self.resumed_draws = checkpoint["draws"]

    def on_fit_start(self) -> None:
        """Move the data to the device, once, and take up the draws of the checkpoint."""
        self.network.data = self.network.data.to(self.device)
        self.draws = torch.Generator(self.device)
        if self.resumed_draws is not None:
            self.draws.set_state(self.resumed_draws.cpu())

    def on_train_epoch_start(self) -> None:
        """Seed the draws of alternatives by epoch, so that a resumed training draws the same ones."""
        self.draws.manual_seed(self._seed_of(self.current_epoch))

    def on_train_batch_start(self, index: Tensor, batch_idx: int) -> None:
        """Seed dropout by step, so that a resumed training draws the same; set aside what some steps have read."""
        torch.manual_seed(self._seed_of(self.global_step))
        if batch_idx % STEPS_IN_MEMORY == 0:
            self.network.data.set_aside()

    def _seed_of(self, number: int) -> int:
        return (self.seed * 1_000_003 + number) * 4096

    def training_step(self, index: Tensor) -> Tensor:
        """Return the loss of this process, whose mean over all processes is the log_loss of the choices `index` [N]."""
        processes = self.trainer.world_size
        loss = self.share_of_loss(index, Share.of(len(index), self.global_rank, processes), processes)
        self.log("train/log_loss", loss.detach(), sync_dist=True)
        return loss

    def share_of_loss(self, index: Tensor, share: Share, processes: int) -> Tensor:
        """Return the share's part of the log_loss of the choices `index` [N], times the number of processes.

        Distributed training takes the mean of the processes' gradients: that is then the gradient of the whole batch,
        whatever the shares weigh.
        """
        data = self.network.data
        batch = batch_of(data, index, self.optimiser, self.draws, share)
        return self.log_loss(batch, data.choices.weight(index).sum() / processes)

    def log_loss(self, batch: Batch, weight: Tensor) -> Tensor:
        """Return the negative log likelihood of a training batch per unit of choice weight, if it has this weight."""
        data = self.network.data
        utility = self.network.utility(batch, data.trusted_move(batch.row))
        return -log_likelihood(data, utility, batch, self.optimiser).sum() / weight

    def validation_step(self, index: Tensor) -> None:
        """Log the negative log likelihood of the choices `index` [N] over complete choice sets, per choice weight.

        Lightning averages it over the validation periods.
        """
        misfit, weight = self._misfit(index)
        self.log("validation/log_loss", misfit / weight, prog_bar=True, sync_dist=True, batch_size=int(weight))

    @torch.no_grad()
    def validation_loss(self, batches: Iterable[Tensor]) -> float:
        """Return the negative log likelihood of all choices of the batches, per choice weight."""
        self.eval()
        misfits, weights = zip(*map(self._misfit, batches), strict=True)
        return float(torch.stack(misfits).sum() / torch.stack(weights).sum())

    def _misfit(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Return the negative log likelihood of the choices `index` [N] over complete choice sets, and their weight."""
        data = self.network.data
        data.set_aside()
        batch = gather_batch(data, index, EVERY_ALTERNATIVE, self.draws)
        return -log_likelihood(data, self.network(batch), batch, self.optimiser).sum(), batch.weight.sum()

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """Return AdamW in two groups: tastes, and levels with loyalty, which do not decay."""
        o, network = self.optimiser, self.network
        tastes = [network.product_taste, network.user_taste, network.user_level, *filter(None, [network.history])]
        levels = [network.product_level, *filter(None, [network.loyalty])]
        groups: list[dict[str, Any]] = [
            {"params": nn.ModuleList(tastes).parameters()},
            {"params": [network.mean_level, *nn.ModuleList(levels).parameters()], "weight_decay": 0.0},
        ]
        optimiser = torch.optim.AdamW(groups, lr=o.rate, weight_decay=o.weight_decay, fused=True)
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=o.rate, total_steps=steps)
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
