"""Training on markets whose demand the test knows."""

import shutil
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from gpu_pricer.errors import Interrupted, Pruned
from gpu_pricer.network.encoding.batches import EVERY_ALTERNATIVE, gather_batch
from gpu_pricer.network.encoding.loading import load_choice_data
from gpu_pricer.network.model.demand_network import DemandNetwork
from gpu_pricer.network.model.likelihood import log_probability
from gpu_pricer.network.training import fitting as training
from gpu_pricer.network.training.fitting import ModelConfig, Plan, fit_network
from gpu_pricer.network.training.market import learn_market
from gpu_pricer.network.training.reporting import told_every_epoch
from tests.canonical import SPLIT, write_canonical
from tests.cluster.environment import SLURM
from tests.network.small import (
    CPU,
    ENCODING,
    NETWORK,
    OPTIMISER,
    RESPONSE,
    continued,
    fresh,
    mean_sensitivity_of_products,
    trained_network,
)


@pytest.fixture(scope="module")
def learning(tmp_path_factory):
    """What a training of 43 steps an epoch begins with: the data of 100 users, and their average household."""
    folder = tmp_path_factory.mktemp("learning") / "data"
    write_canonical(folder, users=100)
    data = load_choice_data(folder, ENCODING, SPLIT)
    return data, learn_market(data, folder, RESPONSE).household


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


SAMPLED = ModelConfig(NETWORK, replace(OPTIMISER, max_alternatives=3, steps=130))


@pytest.fixture(scope="module")
def uninterrupted(learning, tmp_path_factory):
    return fit_network(*learning, SAMPLED, CPU, fresh(tmp_path_factory.mktemp("whole")), seed=1)


def end_in_the_middle(learning, folder, monkeypatch, cut, error):
    """Begin a training in the folder that the LightningModule `cut` ends with the error."""
    with monkeypatch.context() as patch:
        patch.setattr(training, "DemandTraining", cut)
        with pytest.raises(error):
            fit_network(*learning, SAMPLED, CPU, fresh(folder), seed=1)


@pytest.mark.parametrize("way", ["a lost machine", "a signal within an epoch", "a signal at the end of an epoch"])
def test_a_resumed_training_ends_where_an_uninterrupted_one_does(
    learning, uninterrupted, tmp_path, monkeypatch, caplog, way
):
    cut, error = WAYS[way]
    end_in_the_middle(learning, tmp_path, monkeypatch, cut, error)

    with caplog.at_level("INFO"):
        resumed = fit_network(*learning, SAMPLED, CPU, continued(tmp_path), seed=1)

    assert "training continues from" in caplog.text
    for name, value in uninterrupted.state_dict().items():
        torch.testing.assert_close(resumed.state_dict()[name], value, rtol=1e-3, atol=2e-3)


def test_a_signal_ends_training_in_the_step_that_it_came_in(learning, tmp_path, monkeypatch):
    handlers = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGUSR1)]

    end_in_the_middle(learning, tmp_path, monkeypatch, _SignalledWithinAnEpoch, Interrupted)

    last = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)
    assert last["global_step"] == _SignalledWithinAnEpoch.step + 1
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGUSR1)] == handlers


def test_a_second_signal_ends_training_at_once(learning, tmp_path, monkeypatch):
    end_in_the_middle(learning, tmp_path, monkeypatch, _SignalledTwice, Interrupted)

    assert not (tmp_path / "checkpoints" / "last.ckpt").exists()


def torn(path):
    path.write_bytes(path.read_bytes()[:-1000])


def emptied(path):
    path.write_bytes(b"")


def foreign(path):
    torch.save({"state_dict": {}, "weights": torch.zeros(3)}, path)


def of_another_seed(path):
    torch.save(torch.load(path, weights_only=True) | {"inputs": "another hash"}, path)


def of_another_network(path):
    saved = torch.load(path, weights_only=True)
    saved["state_dict"].popitem()
    torch.save(saved, path)


@pytest.mark.parametrize(
    ("damage", "name", "reason"),
    [
        (torn, "last.ckpt", "last.ckpt is torn or no checkpoint"),
        (emptied, "last.ckpt", "last.ckpt is torn or no checkpoint"),
        (foreign, "last.ckpt", "last.ckpt is of other choices or another configuration"),
        (of_another_seed, "last.ckpt", "last.ckpt is of other choices or another configuration"),
        (of_another_network, "last.ckpt", "last.ckpt is of another network"),
        (torn, "best.ckpt", "best.ckpt is torn or no checkpoint"),
        (Path.unlink, "best.ckpt", "best.ckpt is torn or no checkpoint"),
    ],
)
def test_training_starts_afresh_where_no_checkpoint_can_be_resumed(
    learning, trained_once, tmp_path, caplog, damage, name, reason
):
    folder, config, whole = trained_once
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    point_at(tmp_path / "checkpoints")
    damage(tmp_path / "checkpoints" / name)

    with caplog.at_level("WARNING", "gpu_pricer.network.training.checkpoints"):
        again = fit_network(*learning, config, CPU, continued(tmp_path), seed=1)

    (said,) = [record.getMessage() for record in caplog.records if "checkpoints" in record.name]
    assert reason in said
    assert said.endswith(": training starts from the beginning")
    for key, value in whole.state_dict().items():
        torch.testing.assert_close(again.state_dict()[key], value, rtol=1e-3, atol=2e-3)


def test_a_training_that_had_ended_is_resumed_without_a_step(learning, trained_once, tmp_path, monkeypatch):
    folder, config, whole = trained_once
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    point_at(tmp_path / "checkpoints")
    monkeypatch.setattr(training, "DemandTraining", _LostInAnyStep)

    again = fit_network(*learning, config, CPU, continued(tmp_path), seed=1)

    for key, value in whole.state_dict().items():
        torch.testing.assert_close(again.state_dict()[key], value)


@pytest.fixture(scope="module")
def trained_once(learning, tmp_path_factory):
    """A folder in which a short training has ended, its configuration, and what it returned."""
    folder, config = tmp_path_factory.mktemp("once"), ModelConfig(NETWORK, replace(OPTIMISER, steps=10))
    return folder, config, fit_network(*learning, config, CPU, fresh(folder), seed=1)


def point_at(checkpoints):
    """Make the last checkpoint one that was written in this folder."""
    saved = torch.load(checkpoints / "last.ckpt", weights_only=True)
    (state,) = [state for key, state in saved["callbacks"].items() if key.startswith("ModelCheckpoint")]
    state |= {"dirpath": str(checkpoints), "best_model_path": str(checkpoints / "best.ckpt")}
    torch.save(saved, checkpoints / "last.ckpt")


def test_training_starts_afresh_in_a_folder_that_was_moved(learning, trained_once, tmp_path, caplog):
    folder, config, _ = trained_once
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)

    fit_network(*learning, config, CPU, continued(tmp_path), seed=1)

    assert f"last.ckpt was written in {folder / 'checkpoints'}: training starts from the beginning" in caplog.text


def test_a_checkpoint_of_another_configuration_is_not_resumed(learning, trained_once, tmp_path, caplog):
    folder, config, _ = trained_once
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)

    fit_network(*learning, config, CPU, continued(tmp_path), seed=2)

    assert "last.ckpt is of other choices or another configuration: training starts from the beginning" in caplog.text


def test_lightning_goes_on_from_nothing_of_its_own_under_slurm(learning, tmp_path, monkeypatch):
    for name, value in SLURM.items():
        monkeypatch.setenv(name, value)
    for folder in (tmp_path, tmp_path / "train", tmp_path / "train" / "checkpoints"):
        folder.mkdir(exist_ok=True)
        (folder / "hpc_ckpt_1.ckpt").write_text("another job's")
    monkeypatch.chdir(tmp_path)
    config = ModelConfig(NETWORK, replace(OPTIMISER, steps=10))

    fit_network(*learning, config, CPU, continued(Path("train")), seed=1)

    assert (tmp_path / "hpc_ckpt_1.ckpt").read_text() == "another job's"


def test_whoever_listens_hears_every_epoch_and_can_end_the_training(learning, tmp_path):
    heard = []

    def listen(epoch, loss):
        heard.append((epoch, loss))
        if epoch == 1:
            raise Pruned(loss)

    with told_every_epoch(listen), pytest.raises(Pruned) as pruned:
        fit_network(*learning, SAMPLED, CPU, fresh(tmp_path), seed=1)

    assert [epoch for epoch, _ in heard] == [0, 1]
    assert pruned.value.loss == heard[1][1]


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


class _Lost(RuntimeError):
    """What stands for a lost machine."""


class _LostAfterAnEpoch(training.DemandTraining):
    def on_train_epoch_start(self):
        super().on_train_epoch_start()
        if self.current_epoch == 1:
            raise _Lost


class _LostInAnyStep(training.DemandTraining):
    def training_step(self, index):
        raise _Lost


class _SignalledTwice(training.DemandTraining):
    def on_train_batch_start(self, index, batch_idx):
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)


class _SignalledWithinAnEpoch(training.DemandTraining):
    step = 75

    def on_train_batch_start(self, index, batch_idx):
        super().on_train_batch_start(index, batch_idx)
        if self.global_step == self.step:
            assert 0 < batch_idx < self.trainer.num_training_batches - 1
            signal.raise_signal(signal.SIGUSR1)


class _SignalledAtTheEndOfAnEpoch(training.DemandTraining):
    def on_train_batch_end(self, *of_batch):
        if self.trainer.is_last_batch and self.current_epoch == 1:
            signal.raise_signal(signal.SIGTERM)


WAYS = {
    "a lost machine": (_LostAfterAnEpoch, _Lost),
    "a signal within an epoch": (_SignalledWithinAnEpoch, Interrupted),
    "a signal at the end of an epoch": (_SignalledAtTheEndOfAnEpoch, Interrupted),
}
