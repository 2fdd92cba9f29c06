"""One optimisation step and one validation of the demand network, in Lightning's terms."""

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

    def on_fit_start(self) -> None:
        """Move the data to the device, once."""
        self.network.data = self.network.data.to(self.device)
        self.draws = torch.Generator(self.device)

    def on_train_epoch_start(self) -> None:
        """Seed the draws of alternatives by process and epoch, so that a resumed training draws the same ones."""
        self.draws.manual_seed((self.seed * 1_000_003 + self.current_epoch) * 4096 + self.global_rank)

    def on_train_batch_start(self, index: Tensor, batch_idx: int) -> None:
        """Seed dropout by process and step, so that a resumed training draws the same."""
        torch.manual_seed((self.seed * 1_000_003 + self.global_step) * 4096 + self.global_rank)

    def training_step(self, index: Tensor) -> Tensor:
        """Return the penalised negative log likelihood of the choices `index` [N] per unit of choice weight."""
        batch = batch_of(self.network.data, index, self.optimiser, self.draws)
        loss = self.log_loss(batch)
        self.log("train/log_loss", loss.detach())
        return loss + self.network.season_penalty(batch)

    def log_loss(self, batch: Batch) -> Tensor:
        """Return the negative log likelihood of a training batch, per unit of choice weight."""
        network, data = self.network, self.network.data
        utility = network.utility(batch, network.tastes(batch), data.trusted_moves(batch.row))
        return -log_likelihood(data, utility, batch, self.optimiser).sum() / batch.weight.sum()

    def validation_step(self, index: Tensor) -> None:
        """Log the negative log likelihood of the choices `index` [N] over complete choice sets, per choice weight.

        Lightning averages it over the validation periods.
        """
        data = self.network.data
        batch = gather_batch(data, index, EVERY_ALTERNATIVE, self.draws)
        loss = -log_likelihood(data, self.network(batch), batch, self.optimiser).sum() / batch.weight.sum()
        self.log("validation/log_loss", loss, prog_bar=True, sync_dist=True, batch_size=int(batch.weight.sum()))

    def on_train_epoch_end(self) -> None:
        """Log the mean price sensitivity, which hardly shows in the likelihood."""
        network = self.network
        vector = network.product_sensitivity.all_rows()
        mean = network.sensitivity(vector.new_zeros(1, network.config.sensitivity_width + 1), vector).mean(0).detach()
        self.log("train/mean_sensitivity", mean, sync_dist=True)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """Return AdamW in three groups: tastes, levels with sensitivities, and common means, which do not decay."""
        o, network = self.optimiser, self.network
        tastes = [network.product_taste, network.user_taste, network.user_level, *filter(None, [network.history])]
        levels = [
            network.product_level,
            network.season,
            network.product_sensitivity,
            network.user_sensitivity,
        ]
        groups = [
            {"params": nn.ModuleList(tastes).parameters(), "lr": o.rate},
            {"params": nn.ModuleList(levels).parameters(), "lr": o.level_rate},
            {"params": [network.mean_level, network.mean_effect, network.mean_sensitivity, network.memory],
             "lr": o.level_rate, "weight_decay": 0.0},
        ]  # fmt: skip
        optimiser = torch.optim.AdamW(groups, weight_decay=o.weight_decay, fused=True)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser,
            max_lr=[o.rate, o.level_rate, o.level_rate],
            total_steps=int(self.trainer.estimated_stepping_batches),
        )
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
