"""The benchmark of training: every way to feed the network feeds it the same."""

from dataclasses import fields

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from gpu_pricer.network.batches import EVERY_ALTERNATIVE, gather_batch
from gpu_pricer.network.loading import load_choice_data
from tests.bench import training
from tests.bench.plain_rows import ChoiceRows, OfferRows, batch_of_choices, batch_of_offers
from tests.canonical import write_canonical

SMALL = [
    "evaluate=baselines", "model=tiny", "model.optimiser.max_alternatives=null", "model.optimiser.batch_size=64",
    "model.optimiser.max_epochs=1", "model.price_response.passes=2", "evaluate.baselines.lightgbm.rounds=2",
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


@pytest.mark.parametrize(("rows", "gather"), [(ChoiceRows, batch_of_choices), (OfferRows, batch_of_offers)])
def test_rows_of_a_dataset_make_the_same_batch(folder, config, rows, gather):
    data = load_choice_data(folder / "data", instantiate(config.train.encoding), instantiate(config.split))
    index = torch.tensor([3, 500, 7, 250])
    ours = gather_batch(data, index, EVERY_ALTERNATIVE, torch.Generator())

    of_rows = rows(data, index)
    collated = torch.utils.data.default_collate([of_rows[number] for number in range(len(of_rows))])

    theirs = gather(data, collated)
    for field in fields(ours):
        assert torch.equal(getattr(ours, field.name), getattr(theirs, field.name)), field.name


@pytest.mark.filterwarnings("ignore:price response")
def test_the_benchmark_answers_every_question(monkeypatch, folder, config):
    pytest.importorskip("lightgbm")
    monkeypatch.setattr(training, "WORKERS", (0,))

    found = training.measure(config, folder, batches=2, repeats=1)

    assert set(found) == {
        "torch_threads", "choices", "offers", "samples_per_s", "ratio_dataloader", "feeding", "train_s",
        "ratio_lightgbm",
    }  # fmt: skip
    assert set(found["ratio_dataloader"]) == {"choices", "offers"}
    assert 0 < found["feeding"] < 1
