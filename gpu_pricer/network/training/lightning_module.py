"""One optimisation step and one validation of the demand network, in Lightning's terms."""

import math
from collections.abc import Iterable
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn

from gpu_pricer.network.encoding.batches import EVERY_ALTERNATIVE, Batch, gather_batch
from gpu_pricer.network.encoding.choice_data import ChoiceData
from gpu_pricer.network.model.demand_network import DemandNetwork, NetworkConfig
from gpu_pricer.network.model.objective import OptimiserConfig, batch_of, log_likelihood


class DemandTraining(pl.LightningModule):
    """Steps and validations of the network; a batch is a tensor of choice numbers [N]."""

    def __init__(self, data: ChoiceData, network: NetworkConfig, optimiser: OptimiserConfig, seed: int) -> None:
        super().__init__()
        self.network = DemandNetwork(data, network)
        self.optimiser = optimiser
        self.seed, self.draws = seed, torch.Generator()
        self.resumed_draws: Tensor | None = None
        self.best_loss = math.nan  # validation loss of the parameters, once training has ended

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the state of the draws, for training that resumes within an epoch; of the first process if several."""
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
        """Seed the draws of alternatives by process and epoch, so that a resumed training draws the same ones."""
        self.draws.manual_seed((self.seed * 1_000_003 + self.current_epoch) * 4096 + self.global_rank)

    def on_train_batch_start(self, index: Tensor, batch_idx: int) -> None:
        """Seed dropout by process and step, so that a resumed training draws the same."""
        torch.manual_seed((self.seed * 1_000_003 + self.global_step) * 4096 + self.global_rank)

    def training_step(self, index: Tensor) -> Tensor:
        """Return the negative log likelihood of the choices `index` [N] per unit of choice weight."""
        batch = batch_of(self.network.data, index, self.optimiser, self.draws)
        loss = self.log_loss(batch)
        self.log("train/log_loss", loss.detach())
        return loss

    def log_loss(self, batch: Batch) -> Tensor:
        """Return the negative log likelihood of a training batch, per unit of choice weight."""
        data = self.network.data
        utility = self.network.utility(batch, data.trusted_move(batch.row))
        return -log_likelihood(data, utility, batch, self.optimiser).sum() / batch.weight.sum()

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
