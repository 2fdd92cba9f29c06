"""Intervals of held-out scores by the pigeonhole bootstrap of users and of products in periods.

Neither the offers of one user are independent, nor those of one product in one period, which share its shock. So whole
users and whole cells, products in periods, are resampled, each on its own, and an offer counts as often as its user
times its cell (Owen 2007, The pigeonhole bootstrap). Where neither matters, and single offers are noise, the intervals
are too wide by up to the root of 3; they are not too narrow.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import polars as pl
from scipy.sparse import csr_array
from scipy.special import xlogy

from gpu_pricer.checks import require_integer, require_number
from gpu_pricer.evaluation.held_out.resampled_scores import resampled_scores
from gpu_pricer.evaluation.held_out.scores import CELL, moved_cells
from gpu_pricer.evaluation.metrics import SMALLEST_MEAN

Replicates = dict[str, np.ndarray]


@dataclass(frozen=True)
class Bootstrap:
    """The number of resamples (replicates), and the share of them inside an interval (level)."""

    replicates: int
    level: float

    def __post_init__(self) -> None:
        require_integer("bootstrap.replicates", self.replicates, 1)
        require_number("bootstrap.level", self.level, above=0, below=1)

    def multiplicities(self, count: int, seed: int | list[int]) -> np.ndarray:
        """Return how often each of `count` users, or cells, occurs in each replicate, [B, count].

        Equal for equal count and seed.
        """
        draws = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=self.replicates)
        return draws.astype(np.float64)

    def intervals(self, replicates: Replicates) -> dict[str, list[float]]:
        """Return the central interval [low, high] of every score, over the replicates in which it has a value."""
        tail = (1 - self.level) / 2
        known = {name: value[~np.isnan(value)] for name, value in replicates.items()}
        return {
            name: np.quantile(value, [tail, 1 - tail]).tolist() if len(value) else [np.nan, np.nan]
            for name, value in known.items()
        }


@dataclass(frozen=True)
class Resample:
    """How often each user, in the order of ids, and each cell, in that of period and product, counts.

    user [B, U], cell [B, C].
    """

    user: np.ndarray
    cell: np.ndarray


def bootstrap_scores(
    offers: pl.DataFrame,
    moves: pl.DataFrame,
    bootstrap: Bootstrap,
    seed: int,
    points: Mapping[str, float] | None = None,
) -> Replicates:
    """Return by name the scores [B] of evaluate_held_out for B resamples, shifted so that their mean is the score.

    offers, moves: as in evaluate_held_out, offers with user_id. points: by name, scores that better sums than those of
    the offers give. Each resample draws whole users and whole cells.
    Resampling adds noise to counts, and noise alone raises deviances and calibration errors; the shift removes this
    bias. A score is NaN in a resample that drew no cell it is of.
    """
    return _shifted(replicated_scores(offers, moves, _once_and_drawn(offers, bootstrap, seed)), points or {})


def bootstrap_calibration(
    offers: pl.DataFrame, group: pl.Series, bootstrap: Bootstrap, seed: int, points: Mapping[str, float] | None = None
) -> Replicates:
    """Return predicted over bought [B] of the offers of each group, for the resamples of bootstrap_scores.

    offers, points: as in bootstrap_scores. group [N]: the name of each offer's, constant in a cell; null: of none. The
    mean is shifted as there. A value is NaN in a resample in which nothing of the group was bought.
    """
    times = _once_and_drawn(offers, bootstrap, seed)
    user, cell = _places(offers)
    found = {}
    for name in group.drop_nulls().unique().sort():
        rows = (group == name).fill_null(False).to_numpy()
        kept, column = np.unique(cell[rows], return_inverse=True)
        part, of_group = offers.filter(rows), Resample(times.user, times.cell[:, kept])
        values = (part[score] * part["weight"] for score in ("probability", "bought"))
        sums = (_sums_by_cell(value, user[rows], column, of_group) for value in values)
        predicted, bought = ((by_cell * of_group.cell).sum(axis=1) for by_cell in sums)
        found[name] = np.divide(predicted, bought, out=np.full_like(predicted, np.nan), where=bought > 0)
    return _shifted(found, points or {})


def replicated_scores(offers: pl.DataFrame, moves: pl.DataFrame, times: Resample) -> Replicates:
    """Return by name the scores [B] when an offer counts as often as its user times its cell.

    offers: as in evaluate_held_out, with user_id. Deviances are named poisson_deviance.all and so on.
    """
    offers = offers.sort("probability", maintain_order=True)
    user, cell = _places(offers)
    bought, probability, weight = (
        offers[name].cast(pl.Float64).to_numpy() for name in ("bought", "probability", "weight")
    )
    drawn = _Drawn(bought, probability, weight, user, cell, times)
    cells = offers.select(CELL).unique().sort(CELL)
    move = cells.join(moves, on=CELL, how="left", maintain_order="left")["move"]
    return {
        **drawn.scores(),
        **{f"poisson_deviance.{name}": value for name, value in drawn.deviances(move).items()},
    }


def _once_and_drawn(offers: pl.DataFrame, bootstrap: Bootstrap, seed: int) -> Resample:
    """Return the resamples of the users and cells of the offers, after one in which each counts once."""
    return _resample(bootstrap, seed, offers["user_id"].n_unique(), offers.select(CELL).n_unique())


@lru_cache(maxsize=1)  # every model's judgement asks for the same one
def _resample(bootstrap: Bootstrap, seed: int, users: int, cells: int) -> Resample:
    """Return the resamples of so many users and cells, whose arrays nobody may change."""
    counts = users, cells
    drawn = (bootstrap.multiplicities(n, [seed, way]) for way, n in enumerate(counts))
    return Resample(*(np.vstack([np.ones((1, n)), times]) for n, times in zip(counts, drawn, strict=True)))


def _places(offers: pl.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return the places of the user and of the cell of every offer in a Resample, [N] each."""
    cells = offers.select(CELL).unique().sort(CELL).with_row_index("cell")
    user = (offers["user_id"].rank("dense") - 1).to_numpy()
    return user, offers.join(cells, on=CELL, how="left", maintain_order="left")["cell"].to_numpy()


def _shifted(scores: Replicates, points: Mapping[str, float]) -> Replicates:
    """Return the replicates behind the first, shifted so that their mean is the score.

    The score is the one in points, or else the first replicate.
    """
    return {name: value[1:] - _mean(value[1:]) + points.get(name, value[0]) for name, value in scores.items()}


def _sums_by_cell(value: np.ndarray | pl.Series, user: np.ndarray, cell: np.ndarray, times: Resample) -> np.ndarray:
    """Return the sums [B, C] over the offers of a cell of a value [N], when users are resampled."""
    value = np.asarray(value, np.float64)
    counts = np.flatnonzero(value)  # of what was bought almost all are 0
    sparse = csr_array((value[counts], (user[counts], cell[counts])), (times.user.shape[1], times.cell.shape[1]))
    return np.asarray(times.user @ sparse)


def _mean(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else np.nan


@dataclass(frozen=True)
class _Drawn:
    """Offers sorted by probability: bought, probability, weight, user and cell [N]; times: B resamples."""

    bought: np.ndarray
    probability: np.ndarray
    weight: np.ndarray
    user: np.ndarray
    cell: np.ndarray
    times: Resample

    def scores(self) -> Replicates:
        """Return log_loss, auc, ece and predicted_over_actual of every resample, each [B]."""
        offers = self.bought, self.probability, self.weight, self.user, self.cell
        weight, loss, predicted, bought, auc, ece = resampled_scores(*offers, self.times.user, self.times.cell).T
        log_loss, over_actual = (
            np.divide(sums, of, out=np.full_like(sums, np.nan), where=of > 0)
            for sums, of in ((loss, weight), (predicted, bought))
        )
        return {"log_loss": log_loss, "predicted_over_actual": over_actual, "auc": auc, "ece": ece}

    def deviances(self, move: pl.Series) -> Replicates:
        """Return by name of a subset of cells the Poisson deviances [B] of buyers per cell; move [C]: of their prices.

        A cell that was drawn twice counts twice in the mean over cells.
        """
        buyers, predicted = self._by_cell(self.bought), np.maximum(self._by_cell(self.probability), SMALLEST_MEAN)
        each = 2 * (xlogy(buyers, buyers / predicted) - (buyers - predicted)) * self.times.cell
        found = {}
        for name, rows in moved_cells(move).items():
            cells = self.times.cell[:, rows].sum(axis=1)
            total = each[:, rows].sum(axis=1)
            found[name] = np.divide(total, cells, out=np.full_like(total, np.nan), where=cells > 0)
        return found

    def _by_cell(self, value: np.ndarray) -> np.ndarray:
        return _sums_by_cell(self.weight * value, self.user, self.cell, self.times)
