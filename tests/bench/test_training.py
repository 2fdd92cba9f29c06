"""The benchmark of training: every way to feed the network feeds it the same."""

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from gpu_pricer.network.encoding.batches import EVERY_ALTERNATIVE, gather_batch
from gpu_pricer.network.encoding.loading import load_choice_data
from gpu_pricer.network.model.objective import log_likelihood
from tests.bench import training
from tests.bench.plain_rows import as_batch, batches_of_choices, batches_of_offers, offer_table, utility_of
from tests.canonical import write_canonical

SMALL = [
    "evaluate=baselines", "model=tiny", "model.optimiser.max_alternatives=null", "model.optimiser.steps=20",
    "evaluate.baselines.lightgbm.rounds=2",
]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("training")
    write_canonical(folder / "data", users=40, periods=12)
    return folder


@pytest.fixture(scope="module")
def config():
    with initialize_config_dir(str(training.ROOT / "conf"), version_base="1.3"):
        return compose("config", SMALL)


@pytest.fixture(scope="module")
def data(folder, config):
    return load_choice_data(folder / "data", instantiate(config.train.encoding), instantiate(config.split))


@pytest.mark.parametrize("batches_of", [batches_of_choices, batches_of_offers])
def test_rows_of_a_dataset_have_the_utilities_and_the_loss_of_our_batches(data, config, batches_of):
    index = torch.tensor([3, 250, 500, 1500])
    steps = training.Steps(data, config, batches=1)
    for values in (*steps.module.network.parameters(), steps.module.network.category_rate):
        torch.nn.init.uniform_(values, 0.1, 0.5)  # an untrained network would have no response, rates or loyalty
    network, ours = steps.module.network.eval(), gather_batch(data, index, EVERY_ALTERNATIVE, torch.Generator())

    (plain,) = batches_of(offer_table(data, index), batch_size=9, workers=0)

    likelihood = log_likelihood(data, utility_of(network, plain), as_batch(plain), steps.optimiser_config)
    order = plain.choices["choice_set"].argsort()
    expected = network.utility(ours, data.trusted_move(ours.row))
    torch.testing.assert_close(
        likelihood[order], log_likelihood(data, expected, ours, steps.optimiser_config)[ours.choice_set.argsort()]
    )
    assert plain.offers["is_bought"].any()


@pytest.mark.filterwarnings("ignore:price response")
def test_the_benchmark_answers_every_question(monkeypatch, folder, data, config):
    pytest.importorskip("lightgbm")
    monkeypatch.setattr(training, "WORKERS", (0,))

    found = training.feeding(data, config, batches=2, repeats=1) | training.fitting(data, config, folder, repeats=1)

    assert set(found) == {
        "torch_threads", "choices", "offers", "offers_per_choice", "samples_per_s", "ratio_dataloader",
        "ratio_dataloader_choices", "feeding", "train_s", "ratio_lightgbm",
    }  # fmt: skip
    assert 0 < found["feeding"] < 1
