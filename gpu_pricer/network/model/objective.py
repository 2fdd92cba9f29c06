"""What training maximises: the log likelihood of a batch of choices, and the settings of its optimiser."""

from dataclasses import dataclass

import torch
from torch import Tensor

from gpu_pricer.checks import require_integer, require_number
from gpu_pricer.network.encoding.batches import EVERY_ALTERNATIVE, Batch, Share, gather_batch
from gpu_pricer.network.encoding.choice_data import ChoiceData
from gpu_pricer.network.model.likelihood import LIKELIHOODS


@dataclass(frozen=True)
class OptimiserConfig:
    """Settings of AdamW with a one-cycle learning rate.

    likelihood: choices (of one product or nothing) or purchases (of each product in the visit, from complete choice
    sets).
    rate: the largest learning rate.
    weight_decay: as in AdamW. steps: about how many there are, in at least one epoch; batches and epochs follow.
    max_alternatives: larger choice sets are sampled in training; null: none is sampled.
    """

    likelihood: str
    rate: float
    weight_decay: float
    steps: int
    max_alternatives: int | None

    def __post_init__(self) -> None:
        require_integer("optimiser.steps", self.steps, 1)
        if self.likelihood not in LIKELIHOODS:
            raise ValueError(f"optimiser.likelihood must be one of {sorted(LIKELIHOODS)}, found {self.likelihood!r}")
        if self.max_alternatives is not None:
            require_integer("optimiser.max_alternatives", self.max_alternatives, 1)
            if self.likelihood == "purchases":
                raise ValueError(
                    "optimiser.max_alternatives must be null for optimiser.likelihood=purchases, which needs whole "
                    f"choice sets, found {self.max_alternatives}"
                )
        require_number("optimiser.rate", self.rate, above=0, below=1)
        require_number("optimiser.weight_decay", self.weight_decay, least=0)

    @property
    def most_alternatives(self) -> int:
        """Return max_alternatives, or more than any choice set has."""
        return self.max_alternatives or EVERY_ALTERNATIVE


def batch_of(
    data: ChoiceData, index: Tensor, optimiser: OptimiserConfig, draws: torch.Generator, share: Share | None = None
) -> Batch:
    """Return the batch of the choices `index` [N], or a share of it.

    Each choice has at most optimiser.max_alternatives alternatives.
    """
    return gather_batch(data, index, optimiser.most_alternatives, draws, share)


def log_likelihood(data: ChoiceData, utility: Tensor, batch: Batch, optimiser: OptimiserConfig) -> Tensor:
    """Return the weighted log likelihood of every choice of the batch [N], given the alternatives' utility [A]."""
    per_purchase = data.choices_per_purchase(batch.choice_set)
    return LIKELIHOODS[optimiser.likelihood](utility, batch, per_purchase)
