"""One step of the network, on one process and on the shares of several."""

from dataclasses import replace

import pytest
import torch

from gpu_pricer.network.encoding.batches import Share
from gpu_pricer.network.training.lightning_module import DemandTraining
from tests.network.small import NETWORK, OPTIMISER

SUM_ORDER = 1e-5  # relative to the largest gradient: shares add float32 numbers in another order


@pytest.fixture(params=["choices", "purchases"])
def module(request, market):
    """An untrained network whose tastes, habits and dropout matter, on choices of unequal weight."""
    data = market[1]
    sampled = replace(OPTIMISER, likelihood=request.param, max_alternatives=3 if request.param == "choices" else None)
    generator = torch.Generator().manual_seed(4)
    weight = 0.2 + 2 * torch.rand(data.choices.count, generator=generator)
    torch.manual_seed(0)
    module = DemandTraining(replace(data, choices=replace(data.choices, own_weight=weight)), NETWORK, sampled, seed=5)
    for parameter in module.parameters():
        if parameter.requires_grad:
            torch.nn.init.normal_(parameter, std=0.3)
    return module.train()


def step(module, index, processes):
    """Loss and gradients of the processes, averaged as distributed training does."""
    module.zero_grad()
    for rank in range(processes):
        module.on_train_epoch_start()
        module.on_train_batch_start(index, 0)
        loss = module.share_of_loss(index, Share.of(len(index), rank, processes), processes) / processes
        loss.backward()
        yield float(loss.detach())


@pytest.mark.parametrize("processes", [2, 4, 7])
@pytest.mark.parametrize("choices", [3, 301])
def test_processes_that_share_a_batch_have_the_loss_and_gradient_of_one(module, choices, processes):
    data = module.network.data
    trained = data.split()[0]
    index = trained[torch.argsort(data.choices.choice_set[trained], stable=True)[-choices:]]  # of the last sets
    (expected,) = step(module, index, 1)
    gradients = {name: value.grad.clone() for name, value in module.named_parameters() if value.requires_grad}

    found = sum(step(module, index, processes))

    assert found == pytest.approx(expected, rel=1e-6)
    for name, gradient in gradients.items():
        tolerance = SUM_ORDER * float(gradient.abs().max())
        torch.testing.assert_close(module.get_parameter(name).grad, gradient, rtol=0, atol=tolerance)
    assert float(gradients["network.history.bought.weight"].abs().max()) > 0
