"""How much loyalty counts, brought to the optimum before tastes are learned: few numbers that every log tells well."""

import logging
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gpu_pricer.network.encoding.batches import Batch
from gpu_pricer.network.encoding.choice_data import AT_ONCE
from gpu_pricer.network.model.demand_network import DemandNetwork
from gpu_pricer.network.model.loyalty import Frequencies
from gpu_pricer.network.model.objective import OptimiserConfig, batch_of, log_likelihood
from gpu_pricer.network.response.threads import single_thread

log = logging.getLogger(__name__)

ALTERNATIVES = 400_000  # of about so many choices' alternatives; they tell a dozen numbers well enough
CHUNK = 8192  # choices per pass of the arithmetic
WIDTH = 2.0  # prior standard deviation of every parameter around its start, wide against what a log tells
STEPS = 40


@dataclass(frozen=True)
class _Chunk:
    """A batch, and of its alternatives the average household's utility and tastes [A] and the frequencies [A, 3, H]."""

    batch: Batch
    average: Tensor
    tastes: Tensor
    frequencies: Frequencies


@single_thread()
def fit_loyalty(network: DemandNetwork, optimiser: OptimiserConfig, seed: int) -> None:
    """Move loyalty, the scale c and the overall level to the most likely ones by L-BFGS (Nocedal & Wright 2006).

    Tastes stay as they are. A network without the past has no loyalty, and c stays 1.
    """
    network.eval()
    loyalty = network.loyalty
    if loyalty is None:
        return
    data, draws = network.data, torch.Generator().manual_seed(seed)
    trained = data.split()[0]
    sizes = data.sets.start.diff().clamp(max=optimiser.most_alternatives)
    alternatives = sum(int(sizes[data.choices.choice_set[part]].sum()) for part in trained.split(AT_ONCE))
    choices = int(ALTERNATIVES / (alternatives / len(trained)))
    sample = trained[torch.randperm(len(trained), generator=draws, dtype=trained.dtype)[:choices]]
    with torch.no_grad():
        chunks = []
        for index in sample.split(CHUNK):
            batch = batch_of(data, index, optimiser, draws)
            average = network.average_utility(batch, data.trusted_move(batch.row))
            chunks.append(_Chunk(batch, average, network.tastes(batch), network.frequencies_in(batch)))
    level = nn.Parameter(torch.zeros(()))
    parameters = [*loyalty.parameters(), network.log_scale.requires_grad_(True), level]
    starts: list[Tensor] = [parameter.detach().clone() for parameter in parameters]
    search = torch.optim.LBFGS(parameters, max_iter=STEPS, line_search_fn="strong_wolfe")

    def misfit() -> float:
        """Return the penalised negative log likelihood of the sample, and leave its gradients."""
        search.zero_grad()
        total = torch.zeros(())
        for chunk in chunks:
            common = network.log_scale.exp() * chunk.average + level
            utility = common + chunk.tastes + loyalty(chunk.frequencies)
            loss = -log_likelihood(data, utility, chunk.batch, optimiser).sum()
            loss.backward()
            total = total + loss.detach()
        apart = [(parameter - start).square().sum() for parameter, start in zip(parameters, starts, strict=True)]
        penalty = torch.stack(apart).sum() / (2 * WIDTH**2)
        penalty.backward()
        return float(total + penalty.detach())

    search.step(misfit)
    network.log_scale.requires_grad_(False)
    with torch.no_grad():
        network.mean_level.add_(level / network.log_scale.exp())
    log.info(
        "loyalty: exponents %s, concentrations %s, recency %s, scale %.2f",
        _rounded(loyalty.exponent), _rounded(loyalty.log_concentration.exp()), _rounded(loyalty.recency),
        float(network.log_scale.exp()),
    )  # fmt: skip


def _rounded(values: Tensor) -> str:
    return " ".join(f"{value:.2f}" for value in values.tolist())
