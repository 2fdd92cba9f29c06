"""How fast the demand network is trained on the grocery benchmark, as one line of JSON: python -m tests.bench.training

    python -m tests.bench.training [--batches N] [--repeats N]

samples_per_s: choices a second in steps of forward, backward and optimiser, of our batches and of a DataLoader over
rows, for the same network and batch size; of 0 and 2 worker processes the better. ratio_dataloader: ours over a
Dataset of choices and over one of offers. feeding: the share of our step that makes the batch. train_s: the whole
training, its price response included, against the boosted trees of evaluate=baselines on the same choices;
ratio_lightgbm: the trees' seconds over ours. Medians over rounds, in which every contestant runs once.
On a busy machine run it with OMP_NUM_THREADS=1: waiting for each other, two threads make a step of 11 ms one of 250.
"""

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

import polars as pl
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import DictConfig
from torch.utils.data import DataLoader

from gpu_pricer.evaluation.offers import Log, described, offers_of, reference_prices
from gpu_pricer.network.batches import Batch, IndexBatches
from gpu_pricer.network.choice_data import ChoiceData
from gpu_pricer.network.loading import load_choice_data
from gpu_pricer.network.price_response import settle_price_response
from gpu_pricer.network.training import DemandTraining, batch_of, fit_network
from tests.bench.plain_rows import batch_of_choices, batch_of_offers, loader_of_choices, loader_of_offers
from tests.bench.timing import arguments, report, rounded, say

BATCHES, REPEATS = 20, 3
WORKERS = (0, 2)

ROOT = Path(__file__).parents[2]
EXPERIMENT = ["experiment=grocery_benchmark", "evaluate=baselines"]

Batches = Callable[[], Iterator[Batch]]


def main() -> None:
    """Measure, and print the line."""
    given = arguments(batches=BATCHES, repeats=REPEATS)
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = compose("config", EXPERIMENT)
    with TemporaryDirectory() as text:
        folder = Path(text)
        command = [sys.executable, "-m", "gpu_pricer", "prepare", *EXPERIMENT, f"paths.data={folder / 'data'}"]
        subprocess.run([*command, f"paths.work={folder}"], cwd=ROOT, check=True, stderr=subprocess.DEVNULL)
        report(**measure(config, folder, given.batches, given.repeats))


def measure(config: DictConfig, folder: Path, batches: int, repeats: int) -> dict[str, object]:
    """Return the figures for the canonical tables in folder/data."""
    data = load_choice_data(folder / "data", instantiate(config.train.encoding), instantiate(config.split))
    samples = samples_per_s(Steps(data, config), batches, repeats)
    plain = {row: max(samples[f"{row}_{workers}_workers"] for workers in WORKERS) for row in ("choices", "offers")}
    trees, table = config.evaluate.baselines.lightgbm_monotone, trained_offers(folder / "data", data)
    seconds = {
        "ours": median(timed(lambda: train(data, config, folder / "train")) for _ in range(repeats)),
        "lightgbm": median(timed(lambda: instantiate(trees).fit(table)) for _ in range(repeats)),
    }
    return {
        "torch_threads": torch.get_num_threads(),
        "choices": len(data.split()[0]),
        "offers": table.height,
        "samples_per_s": rounded(samples),
        "ratio_dataloader": rounded({row: samples["ours"] / rate for row, rate in plain.items()}),
        "feeding": round(samples["ours"] / samples["ours_without_steps"], 3),
        "train_s": rounded(seconds),
        "ratio_lightgbm": round(seconds["lightgbm"] / seconds["ours"], 3),
    }


@dataclass
class Steps:
    """One network and its optimiser, and the ways to feed it."""

    data: ChoiceData
    config: DictConfig

    def __post_init__(self) -> None:
        self.optimiser_config = instantiate(self.config.model.optimiser)
        torch.manual_seed(self.config.seed)
        network = instantiate(self.config.model.network)
        self.module = DemandTraining(self.data, network, self.optimiser_config, self.config.seed)
        self.optimiser = torch.optim.AdamW(self.module.parameters(), lr=self.optimiser_config.rate, fused=True)
        self.index = self.data.split()[0]

    def ours(self) -> Iterator[Batch]:
        """Yield batches as training makes them."""
        for index in IndexBatches(self.index, self.optimiser_config.batch_size, self.config.seed):
            yield batch_of(self.data, index, self.optimiser_config, self.module.draws)

    def of_rows(
        self, loader: Callable[..., DataLoader], gather: Callable[[ChoiceData, dict], Batch], workers: int
    ) -> Iterator[Batch]:
        """Yield batches from a DataLoader over rows."""
        for columns in loader(self.data, self.index, self.optimiser_config.batch_size, workers):
            yield gather(self.data, columns)

    def step(self, batch: Batch) -> None:
        """Take one step of the optimiser."""
        self.optimiser.zero_grad()
        loss = self.module.log_loss(batch) + self.module.network.season_penalty(batch)
        loss.backward()
        self.optimiser.step()


def samples_per_s(steps: Steps, batches: int, rounds: int) -> dict[str, float]:
    """Return the median rate of every way to feed the network; the first batch starts workers and counts for none."""
    seconds: dict[str, list[float]] = {}
    for _ in range(rounds):
        for name, feed, step in contestants(steps):
            batch_iterator = feed()
            step(next(batch_iterator))
            start = perf_counter()
            for batch in islice(batch_iterator, batches):
                step(batch)
            seconds.setdefault(name, []).append(perf_counter() - start)
            say(f"{name}: {seconds[name][-1]:.3g} s")
    return {name: batches * steps.optimiser_config.batch_size / median(found) for name, found in seconds.items()}


def contestants(steps: Steps) -> Iterator[tuple[str, Batches, Callable[[Batch], object]]]:
    """Yield name, batches and what is done with them."""
    yield "ours", steps.ours, steps.step
    yield "ours_without_steps", steps.ours, lambda batch: None
    rows = {"choices": (loader_of_choices, batch_of_choices), "offers": (loader_of_offers, batch_of_offers)}
    for row, (loader, gather) in rows.items():
        for workers in WORKERS:
            name, made = f"{row}_{workers}_workers", (loader, gather, workers)
            yield name, lambda made=made: steps.of_rows(*made), steps.step


def train(data: ChoiceData, config: DictConfig, folder: Path) -> None:
    """Train as `gpu-pricer train` does, price response included."""
    parts = (instantiate(config.model[name]) for name in ("network", "optimiser", "price_response"))
    network, optimiser, price_response = parts
    module = fit_network(data, network, optimiser, instantiate(config.trainer), folder, config.seed, resume=False)
    settle_price_response(module.network, price_response, optimiser, config.seed)


def trained_offers(folder: Path, data: ChoiceData) -> pl.DataFrame:
    """Return the described offers of the periods trained on."""
    log = Log(*(pl.read_parquet(folder / f"{name}.parquet") for name in ("shelf", "choices", "visits")))
    periods = data.periods[data.history_periods : data.trained_periods]
    return described(offers_of(log, periods), log, reference_prices(log.shelf, periods))


def timed(work: Callable[[], object]) -> float:
    """Return the wall-clock seconds that the work took."""
    start = perf_counter()
    work()
    return perf_counter() - start


if __name__ == "__main__":
    main()
