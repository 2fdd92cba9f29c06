"""Loyalty against the ratios written out, and its laws."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_pricer.network.encoding.history import RECENCY
from gpu_pricer.network.model.loyalty import Frequencies, Loyalty

NEVER = torch.zeros(1, RECENCY)
COUNTS = st.lists(st.floats(0, 50), min_size=3, max_size=3)


def loyalty_of(half_lives=1):
    torch.manual_seed(half_lives)
    loyalty = Loyalty(half_lives)
    with torch.no_grad():
        for parameter in loyalty.parameters():
            parameter.add_(0.5 * torch.rand_like(parameter))
    return loyalty


def test_appeal_is_that_of_the_ratios_written_out():
    loyalty, rng = loyalty_of(3), np.random.default_rng(0)
    bought, expected = (torch.from_numpy(rng.gamma(1.0, 2.0, (7, 3, 3))).float() for _ in range(2))
    recency = torch.from_numpy(rng.gamma(1.0, 2.0, (7, RECENCY))).float()

    with torch.no_grad():
        found = loyalty(Frequencies(bought, expected, recency)).numpy()

    mix = np.exp(loyalty.mix.detach().numpy())
    mix /= mix.sum()
    k, theta = np.exp(loyalty.log_concentration.detach().numpy()), loyalty.exponent.detach().numpy()
    for row in range(7):
        n, average = bought[row].numpy() @ mix, expected[row].numpy() @ mix
        user = (n[0] + k[0]) / (average[0] + k[0])
        category = (n[1] + k[1]) / (user * average[1] + k[1])
        product = (n[2] + k[2]) / (user * category * average[2] + k[2])
        lately = recency[row].numpy() @ loyalty.recency.detach().numpy()
        assert found[row] == pytest.approx(theta @ np.log([user, category, product]) + lately, rel=1e-4, abs=1e-5)


def test_a_user_without_a_past_is_the_average_one():
    nothing = torch.zeros(1, 3, 2)

    assert float(loyalty_of(2)(Frequencies(nothing, nothing, NEVER)).detach()) == 0.0


@settings(deadline=None)
@given(bought=COUNTS, expected=COUNTS, more=st.floats(0.1, 10))
def test_who_bought_more_of_a_product_likes_it_more(bought, expected, more):
    loyalty = loyalty_of()
    counts, average = (torch.tensor(values)[None, :, None] for values in (bought, expected))
    again = counts.clone()
    again[0, 2] += more

    with torch.no_grad():
        before, after = (float(loyalty(Frequencies(n, average, NEVER))) for n in (counts, again))

    assert after > before
