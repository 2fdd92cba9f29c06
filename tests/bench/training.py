"""How fast the demand network is trained, as one line of JSON: python -m tests.bench.training

    python -m tests.bench.training [--batches N] [--repeats N]

On the grocery benchmark and on the whole catalog of Complete Journey:
samples_per_s: choices a second in steps of forward, backward and optimiser, of our batches and of a DataLoader over
rows (tests/bench/plain_rows.py), for the same network and batch size; on the whole catalog ours draws alternatives, as
in training, and the rows have all of them (offers_per_choice). feeding: the share of our step that makes the batch.
ratio_dataloader: ours over a Dataset of offers, as in a table for boosted trees; ratio_dataloader_choices: over one of
choices with padded offers; of 0 and 2 worker processes the better.
On the grocery benchmark alone train_s: the whole training, the average household included, against the boosted trees of
evaluate=baselines on the same choices; ratio_lightgbm: the trees' seconds over ours.
Medians over rounds, in which every contestant runs once. On a busy machine run it with OMP_NUM_THREADS=1: waiting for
each other, two threads make a step of 11 ms one of 250.
"""

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import polars as pl
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import DictConfig
from torch import Tensor

from gpu_pricer.evaluation.held_out.offers import Log, describe_offers, offers_of, reference_prices
from gpu_pricer.network.encoding.batches import Batch, IndexBatches
from gpu_pricer.network.encoding.choice_data import ChoiceData
from gpu_pricer.network.encoding.loading import load_choice_data
from gpu_pricer.network.model.objective import batch_of, log_likelihood
from gpu_pricer.network.training.fitting import ModelConfig, Plan, Workplace, fit_network
from gpu_pricer.network.training.lightning_module import DemandTraining
from gpu_pricer.network.training.market import learn_market
from tests.bench.plain_rows import PlainBatch, as_batch, batches_of_choices, batches_of_offers, offer_table, utility_of
from tests.bench.timing import arguments, report, rounded, say

BATCHES, REPEATS = 20, 3
CATALOG_SHARE = 8  # it has a batch for so many of the benchmark: its choice sets are larger
WORKERS = (0, 2)

ROOT = Path(__file__).parents[2]
BENCHMARK = ["experiment=grocery_benchmark", "evaluate=baselines"]
CATALOG: list[str] = []


def main() -> None:
    """Measure, and print the line."""
    given = arguments(batches=BATCHES, repeats=REPEATS)
    with TemporaryDirectory() as text:
        benchmark, catalog = (Path(text) / name for name in ("benchmark", "catalog"))
        config, data = prepared(BENCHMARK, benchmark)
        found = feeding(data, config, given.batches, given.repeats) | fitting(data, config, benchmark, given.repeats)
        del data
        config, data = prepared(CATALOG, catalog)
        report(**found, whole_catalog=feeding(data, config, -(-given.batches // CATALOG_SHARE), given.repeats))


def prepared(overrides: list[str], folder: Path) -> tuple[DictConfig, ChoiceData]:
    """Return configuration and data, once `prepare` has written the canonical tables to folder/data."""
    command = [sys.executable, "-m", "gpu_pricer", "prepare", *overrides, f"paths.work={folder}"]
    subprocess.run(command, cwd=ROOT, check=True, stderr=subprocess.DEVNULL)
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = compose("config", overrides)
    return config, load_choice_data(folder / "data", instantiate(config.train.encoding), instantiate(config.split))


def feeding(data: ChoiceData, config: DictConfig, batches: int, repeats: int) -> dict[str, object]:
    """Return how fast every way to feed the network makes its steps."""
    steps = Steps(data, config, batches)
    samples = samples_per_s(steps, repeats)
    plain = {row: max(samples[f"{row}_{workers}_workers"] for workers in WORKERS) for row in ("choices", "offers")}
    return {
        "torch_threads": torch.get_num_threads(),
        "offers_per_choice": round(steps.table.ends[-1] / len(steps.index), 1),
        "samples_per_s": rounded(samples),
        "ratio_dataloader": round(samples["ours"] / plain["offers"], 2),
        "ratio_dataloader_choices": round(samples["ours"] / plain["choices"], 2),
        "feeding": round(samples["ours"] / samples["ours_without_steps"], 3),
    }


def fitting(data: ChoiceData, config: DictConfig, folder: Path, repeats: int) -> dict[str, object]:
    """Return how long the whole training takes, and boosted trees on the same choices."""
    trees, (table, log) = config.evaluate.baselines.lightgbm_monotone, trained_offers(folder / "data", data)
    seconds = {
        "ours": median(timed(lambda: train(data, config, folder)) for _ in range(repeats)),
        "lightgbm": median(timed(lambda: instantiate(trees).fit(table, log)) for _ in range(repeats)),
    }
    return {
        "choices": len(data.split()[0]),
        "offers": table.height,
        "train_s": rounded(seconds),
        "ratio_lightgbm": round(seconds["lightgbm"] / seconds["ours"], 3),
    }


@dataclass
class Steps:
    """One network and its optimiser, and the ways to feed it."""

    data: ChoiceData
    config: DictConfig
    batches: int

    def __post_init__(self) -> None:
        self.optimiser_config = instantiate(self.config.model.optimiser)
        torch.manual_seed(self.config.seed)
        network = instantiate(self.config.model.network)
        self.module = DemandTraining(self.data, network, self.optimiser_config, self.config.seed)
        self.optimiser = torch.optim.AdamW(self.module.parameters(), lr=self.optimiser_config.rate, fused=True)
        trained = self.data.split()[0]
        batch_size = Plan.of(len(trained), self.optimiser_config.steps).batch_size
        drawn = trained[torch.randperm(len(trained))[: (self.batches + 1) * batch_size]]
        self.index, self.batch_size = drawn.sort().values, batch_size
        self.table = offer_table(self.data, self.index)

    def ours(self) -> Iterator[Batch]:
        """Yield batches as training makes them."""
        for index in IndexBatches(self.index, self.batch_size, self.config.seed):
            yield batch_of(self.data, index, self.optimiser_config, self.module.draws)

    def step(self, batch: Batch) -> None:
        """Take one step of the optimiser on a batch of ours."""
        self._step(self.module.log_loss(batch, batch.weight.sum()))

    def plain_step(self, plain: PlainBatch) -> None:
        """Take one step of the optimiser on a batch of a DataLoader."""
        batch, utility = as_batch(plain), utility_of(self.module.network, plain)
        likelihood = log_likelihood(self.data, utility, batch, self.optimiser_config)
        self._step(-likelihood.sum() / batch.weight.sum())

    def _step(self, loss: Tensor) -> None:
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()


def samples_per_s(steps: Steps, rounds: int) -> dict[str, float]:
    """Return the median rate of every way to feed the network; the first batch starts workers and counts for none."""
    seconds: dict[str, list[float]] = {}
    for _ in range(rounds):
        for name, feed, step in contestants(steps):
            batch_iterator = feed()
            step(next(batch_iterator))
            start = perf_counter()
            for batch in batch_iterator:
                step(batch)
            seconds.setdefault(name, []).append(perf_counter() - start)
            say(f"{name}: {seconds[name][-1]:.3g} s")
    return {name: steps.batches * steps.batch_size / median(found) for name, found in seconds.items()}


def contestants(steps: Steps) -> Iterator[tuple[str, Callable[[], Iterator], Callable[[Any], object]]]:
    """Yield name, batches and what is done with them."""
    yield "ours", steps.ours, steps.step
    yield "ours_without_steps", steps.ours, lambda batch: None
    for row, feed in {"choices": batches_of_choices, "offers": batches_of_offers}.items():
        for workers in WORKERS:
            yield f"{row}_{workers}_workers", partial(feed, steps.table, steps.batch_size, workers), steps.plain_step


def train(data: ChoiceData, config: DictConfig, folder: Path) -> None:
    """Train as `gpu-pricer train` does, the average household included, on the canonical tables in folder/data."""
    household = learn_market(data, folder / "data", instantiate(config.train.response)).household
    model = ModelConfig(instantiate(config.model.network), instantiate(config.model.optimiser))
    place = Workplace(folder / "train", resume=False, logger=instantiate(config.logger), settings={})
    fit_network(data, household, model, instantiate(config.trainer), place, config.seed)


def trained_offers(folder: Path, data: ChoiceData) -> tuple[pl.DataFrame, Log]:
    """Return the described offers of the periods trained on, and their log."""
    log = Log(*(pl.read_parquet(folder / f"{name}.parquet") for name in ("shelf", "choices", "visits")))
    periods = data.calendar.periods[data.calendar.history_periods : data.calendar.trained_periods]
    return describe_offers(offers_of(log, periods), log, reference_prices(log.shelf, periods)), log


def timed(work: Callable[[], object]) -> float:
    """Return the wall-clock seconds that the work took."""
    start = perf_counter()
    work()
    return perf_counter() - start


if __name__ == "__main__":
    main()
