"""Seconds from a file of events to the readable version that contains it, as one line of JSON.

    python -m tests.bench.reprice [--products N] [--segments N] [--seed N] [--changed N] [--repeats N] [--policy NAME]

Prices of a market of N products × N segments are published once. Then one file after the other changes the costs of
some products, drawn from all categories, and `gpu-pricer reprice` runs on each in this process, whose imports and
kernels are warm, with the gates of `publish` as they are by default.
"""

import argparse
import os
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

import numpy as np
import polars as pl
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from gpu_pricer import CONF
from gpu_pricer.jobs import publish, reprice, score
from gpu_pricer.tables.artefact import write_artefact
from tests.bench.timing import report, rounded, say
from tests.constraints.markets import department_market

LEAST = 5
"""Files before the timed ones."""


def main() -> None:
    """Publish, change, and print the line."""
    given = _arguments()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        artefact, catalog = department_market(given.seed, given.products, given.segments)
        write_artefact(artefact, Path("work/demand"))
        Path("work/data").mkdir()
        catalog.write_parquet("work/data/products.parquet")
        settings = [f"policy={given.policy}", "backend=cpu"]
        score.main(_composed(settings))
        publish.main(_composed(settings))
        files = [_events(catalog, given.changed, number) for number in range(LEAST + given.repeats)]
        seconds = [_seconds(_composed([*settings, f"events={path}"])) for path in files]
        timed = np.array(seconds[LEAST:])
        report(
            products=given.products, segments=given.segments, changed=given.changed, policy=given.policy,
            versions=len(timed), **rounded({
                "median_seconds": median(timed[:, 0]), "largest_seconds": timed[:, 0].max(),
                "median_core_seconds": median(timed[:, 1]),
            }),
        )  # fmt: skip


def _arguments() -> argparse.Namespace:
    words = argparse.ArgumentParser(prog="python -m tests.bench.reprice", allow_abbrev=False)
    for name, default in (("products", 60_000), ("segments", 64), ("seed", 0), ("changed", 100), ("repeats", 50)):
        words.add_argument(f"--{name}", type=int, default=default, help=f"default {default}")
    words.add_argument("--policy", default="balanced", help="of the published prices, default balanced")
    return words.parse_args()


def _composed(words: list[str]) -> DictConfig:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("config", [*words, "fairness.users=none.parquet"])


def _events(catalog: pl.DataFrame, changed: int, seed: int) -> Path:
    """Write other costs of some products into a file, and return it."""
    path = Path(f"events{seed}.parquet")
    some = catalog.sample(changed, seed=seed).select("product_id", cost=pl.col("cost") * 1.01)
    some.write_parquet(path)
    return path


def _seconds(config: DictConfig) -> tuple[float, float]:
    """Return the seconds, and those of cores, that a job takes to publish a version; it must publish one."""
    clock, cores = perf_counter(), process_time()
    made = reprice.main(config)
    if made is None:
        raise RuntimeError(f"{config.events} must become a version")
    taken = perf_counter() - clock, process_time() - cores
    say(f"{config.events}: {taken[0]:.2f} s, {taken[1]:.2f} of cores")
    return taken


if __name__ == "__main__":
    main()
