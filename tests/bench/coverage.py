"""How often do intervals of the posterior hold the true sensitivity? python -m tests.bench.coverage

On markets with known truth (data=synthetic) whose categories all have one dissimilarity γ. The response model is told
the users' types, so that what it errs by is its own; a cell is a type in a category, its sensitivity the mean over the
products that teach. A last line of JSON, for each γ over all seeds:
coverage: the share of the cells whose true sensitivity lies in its 90 % interval.
z_mean, z_sd: of the distance of log true from log learned sensitivity in posterior standard deviations, 0 and 1 where
the posterior is right. apart: mean of that distance itself; apart_by_third: from the cells that sell least to those
that sell most. dissimilarity: the mean of what was learned.
Unknown arguments are overrides of `prepare`.
"""

import argparse
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import torch
from hydra import compose, initialize_config_dir

from gpu_pricer import CONF
from gpu_pricer.jobs.train_settings import TrainSettings, train_settings
from gpu_pricer.network.encoding.choice_data import ChoiceData
from gpu_pricer.network.encoding.loading import load_choice_data
from gpu_pricer.network.response.fitting.fit import Fit, fit_response
from gpu_pricer.network.response.posterior import draw_deviations
from gpu_pricer.network.training.market import Market, learn_market
from gpu_pricer.tables.artefact import DemandArtefact, read_artefact
from tests.bench.panels.ours import ROOT
from tests.bench.timing import report, say, short

CATEGORIES, PRODUCTS = 30, 400
DRAWS, SEED = 400, 0
TAIL = 0.05  # of a 90 % interval, on either side


@dataclass(frozen=True)
class Cells:
    """What the posterior says of N cells: log of true over learned sensitivity, and choices, [N]; draws [D, N]."""

    apart: np.ndarray
    draws: np.ndarray
    choices: np.ndarray
    dissimilarity: float

    def judged(self) -> dict[str, object]:
        """Return the numbers of the JSON."""
        low, high = np.quantile(self.draws, [TAIL, 1 - TAIL], axis=0)
        z = self.apart / self.draws.std(axis=0)
        thirds = np.array_split(np.argsort(self.choices), 3)
        return {
            "coverage": float(((self.apart >= low) & (self.apart <= high)).mean()),
            "z_mean": float(z.mean()),
            "z_sd": float(z.std()),
            "apart": float(self.apart.mean()),
            "apart_by_third": [float(self.apart[third].mean()) for third in thirds],
            "dissimilarity": self.dissimilarity,
        }

    @classmethod
    def together(cls, markets: list["Cells"]) -> "Cells":
        """Return the cells of all markets."""
        parts = [[getattr(cells, name) for cells in markets] for name in ("apart", "draws", "choices")]
        joined = (np.concatenate(part, axis=-1) for part in parts)
        return cls(*joined, float(np.mean([cells.dissimilarity for cells in markets])))


def main() -> None:
    """Print the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("work/coverage"), help="where markets go; they are kept")
    parser.add_argument("--dissimilarities", type=float, nargs="+", default=[0.2, 0.6, 1.0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[101, 102])
    given, overrides = parser.parse_known_args()
    found = {}
    for gamma in given.dissimilarities:
        markets = []
        for seed in given.seeds:
            work = prepared((given.folder / f"{gamma}-{seed}").resolve(), gamma, seed, overrides)
            markets.append(cells_of(work))
            say(f"dissimilarity {gamma}, seed {seed}: {short(markets[-1].judged())}")
        found[str(gamma)] = short(Cells.together(markets).judged())
    report(benchmark="coverage", seeds=given.seeds, dissimilarities=found)


def prepared(work: Path, gamma: float, seed: int, overrides: list[str]) -> Path:
    """Return the work folder of a market, which is made unless it is there."""
    if not (work / "data" / "summary.json").is_file():
        source = {"assortment.categories": CATEGORIES, "assortment.products": PRODUCTS}
        source["tastes.dissimilarity"] = f"[{gamma},{gamma}]"
        given = ["data=synthetic", f"seed={seed}", *(f"data.source.{name}={value}" for name, value in source.items())]
        command = [sys.executable, "-m", "gpu_pricer", "prepare", *given, f"paths.work={work}", *overrides]
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return work


def cells_of(work: Path) -> Cells:
    """Return the cells of a prepared market, from the response of its types."""
    settings, truth = _settings(work), read_artefact(work / "truth")
    data = load_choice_data(settings.data, settings.encoding, settings.split).with_every_period()
    fit = fit_of_types(learn_market(data, settings.data, settings.response), data, truth, settings)
    grid, learned = fit.grid, fit.sensitivity.numpy()
    products = data.products.table.select("product_id", "reference_price")[grid.row.numpy()]
    category = grid.category.numpy()
    means = [mean_by_category(values, category) for values in (true_sensitivity(truth, products), learned)]
    none_untaught = [torch.zeros(0, dtype=torch.float64)] * grid.categories
    draws = draw_deviations(fit, none_untaught, DRAWS, SEED).taught
    return Cells(
        apart=np.log(means[0] / means[1]).ravel(),
        draws=draws.reshape(DRAWS, -1),
        choices=mean_by_category(fit.counts.bought.sum(2).numpy().T, category).ravel(),
        dissimilarity=float(fit.state.dissimilarity.mean()),
    )


def fit_of_types(market: Market, data: ChoiceData, truth: DemandArtefact, settings: TrainSettings) -> Fit:
    """Return the response of the true types, in the order of the truth's segments."""
    assert truth.user_segments is not None
    users, types = data.users.table.select("user_id"), truth.segments["segment_id"]
    typed = users.join(truth.user_segments, on="user_id", how="left", maintain_order="left")["segment_id"]
    number = typed.replace_strict(types, np.arange(len(types)), return_dtype=pl.Int64).to_numpy(writable=True)
    grid = market.known.grid
    counts = market.known.log.counts(
        grid, torch.from_numpy(number)[:, None].expand(-1, grid.columns.periods), len(types)
    )
    return fit_response(grid, counts, settings.response.fit, market.household.fit)


def true_sensitivity(truth: DemandArtefact, products: pl.DataFrame) -> np.ndarray:
    """Return the true b [S, n] of the products, per 100 % of the reference price that stands beside their id."""
    known = truth.products.select("product_id", true_reference="reference_price").with_row_index("row")
    found = products.join(known, on="product_id", how="left", maintain_order="left")
    ratio = (found["reference_price"] / found["true_reference"]).to_numpy()
    return truth.factors["sensitivity"][:, found["row"].to_numpy()].astype(np.float64) * ratio


def mean_by_category(values: np.ndarray, category: np.ndarray) -> np.ndarray:
    """Return the means [S, G] of values [S, n] over the products of each category; category [n]: from 0, ascending."""
    starts = np.flatnonzero(np.diff(category, prepend=-1))
    return np.add.reduceat(values, starts, axis=1) / np.bincount(category)


def _settings(work: Path) -> TrainSettings:
    with initialize_config_dir(str(CONF), version_base=None):
        return train_settings(compose("config", ["data=synthetic", f"paths.work={work}"]))


if __name__ == "__main__":
    main()
