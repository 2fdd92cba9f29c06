"""Training on markets whose demand the test knows."""

from dataclasses import replace

import pytest
import torch

from gpu_pricer.network.encoding.batches import EVERY_ALTERNATIVE, gather_batch
from gpu_pricer.network.model.demand_network import DemandNetwork
from gpu_pricer.network.model.likelihood import log_probability
from gpu_pricer.network.training import fitting as training
from gpu_pricer.network.training.fitting import ModelConfig, Plan, fit_network
from gpu_pricer.network.training.market import learn_market
from tests.network.small import (
    CPU,
    NETWORK,
    OPTIMISER,
    RESPONSE,
    mean_sensitivity_of_products,
    trained_network,
)


@pytest.fixture(scope="module")
def household(market, tables):
    return learn_market(market[1], tables[0], RESPONSE).household


def test_training_beats_shares_that_know_no_user_and_no_price(market, trained):
    _, data = market
    _, validation, _ = data.split()
    bought = data.choices.chosen[validation] >= 0
    counts = torch.bincount(data.shelf.product[data.choices.chosen[validation][bought]], minlength=data.products.count)
    share = counts / (len(validation) / data.categories.count)
    outside = 1 - torch.zeros(data.categories.count).index_add(0, data.products.category, share)
    category = data.sets.category[data.choices.choice_set[validation]]
    known = torch.where(
        bought, share[data.shelf.product[data.choices.chosen[validation].clamp(min=0)]], outside[category]
    )

    batch = gather_batch(data, validation, EVERY_ALTERNATIVE, torch.Generator())
    with torch.no_grad():
        ours = log_probability(trained(batch), batch.occasion, batch.chosen, batch.outside).mean()

    assert ours > known.log().mean() + 0.02


def test_fixed_effects_alone_learn_prices_and_no_tastes(market, tables, tmp_path):
    drawn, data = market
    linear = replace(NETWORK, taste_width=0, history=None)
    network = trained_network(data, tables[0], tmp_path, linear)

    batch = gather_batch(data, data.split()[0][:100], EVERY_ALTERNATIVE, torch.Generator())

    assert (network.tastes(batch) == 0).all()
    assert mean_sensitivity_of_products(network).mean() == pytest.approx(drawn.sensitivity.mean(), rel=0.2)


def test_habits_in_a_batch_are_those_of_its_users_and_products_one_by_one(market, trained):
    _, data = market
    late = data.split()[1]
    batch = gather_batch(data, late[::7], max_alternatives=3, generator=torch.Generator())
    user, period = batch.user[batch.occasion], data.sets.period[batch.choice_set][batch.occasion]

    with torch.no_grad():
        found = trained.history.habits_in(data, batch)
        expected = trained.history.habits(data, user, data.shelf.product[batch.row], period)

    assert 0.1 < data.history.has_bought(user, data.shelf.product[batch.row], period).float().mean() < 0.9
    torch.testing.assert_close(found, expected)


def test_protected_columns_never_enter_the_network(market):
    _, data = market

    assert data.users.attributes.sizes == ()
    assert data.users.attributes.numbers.shape[1] == 0


def test_a_resumed_training_ends_where_an_uninterrupted_one_does(market, household, tmp_path, monkeypatch):
    _, data = market
    sampled = ModelConfig(NETWORK, replace(OPTIMISER, max_alternatives=3, steps=250))
    whole = fit_network(data, household, sampled, CPU, tmp_path / "whole", seed=1, resume=False)
    with monkeypatch.context() as patch:
        patch.setattr(training, "DemandTraining", _LostAfterThreeEpochs)
        with pytest.raises(_Interrupted):
            fit_network(data, household, sampled, CPU, tmp_path / "cut", seed=1, resume=False)

    resumed = fit_network(data, household, sampled, CPU, tmp_path / "cut", seed=1, resume=True)

    for name, value in whole.state_dict().items():
        torch.testing.assert_close(resumed.state_dict()[name], value, rtol=1e-3, atol=2e-3)


def test_a_checkpoint_of_another_configuration_is_not_resumed(market, household, tmp_path, caplog):
    _, data = market
    short = ModelConfig(NETWORK, replace(OPTIMISER, steps=10))
    fit_network(data, household, short, CPU, tmp_path, seed=1, resume=False)

    with caplog.at_level("INFO"):
        fit_network(data, household, short, CPU, tmp_path, seed=2, resume=True)

    assert "training starts afresh" in caplog.text


@pytest.mark.parametrize("choices", [30, 2_000, 300_000, 50_000_000])
def test_small_logs_have_small_batches_and_large_ones_the_steps_asked_for(choices):
    plan = Plan.of(choices, steps=500)

    steps = plan.epochs * max(choices // plan.batch_size, 1)
    assert 128 <= plan.batch_size <= 8192
    assert steps <= 750 or plan.epochs == 1
    assert plan.epochs == 12 or steps >= 350


def test_sampling_alternatives_keeps_the_likelihood_consistent(market):
    _, data = market
    network = DemandNetwork(data, NETWORK).eval()
    index = torch.arange(data.choices.count)[:2000]
    full = gather_batch(data, index, EVERY_ALTERNATIVE, torch.Generator())
    with torch.no_grad():
        expected = _purchase_share(network, full)
        draws = [
            _purchase_share(network, gather_batch(data, index, 3, torch.Generator().manual_seed(n))) for n in range(40)
        ]

    assert torch.stack(draws).mean() == pytest.approx(float(expected), rel=0.02)


def _purchase_share(network, batch):
    """The expected number of purchases of the occasions in which nothing was bought."""
    weight = torch.zeros(len(batch.user)).index_add(0, batch.occasion, torch.exp(network(batch) + batch.correction))
    return weight[batch.chosen < 0].mean()


class _Interrupted(RuntimeError):
    """What stands for a lost machine."""


class _LostAfterThreeEpochs(training.DemandTraining):
    def on_train_epoch_start(self):
        super().on_train_epoch_start()
        if self.current_epoch == 3:
            raise _Interrupted
