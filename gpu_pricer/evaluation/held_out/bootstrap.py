"""Intervals of held-out scores by the household bootstrap.

The offers of one user are not independent, so whole users are resampled (Efron & Tibshirani 1993, chapter 8).
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy.sparse import csr_array
from scipy.special import xlogy

from gpu_pricer.checks import require_integer, require_number
from gpu_pricer.evaluation.held_out.scores import CELL, moved_cells
from gpu_pricer.evaluation.metrics import SMALLEST_MEAN, calibration_error

Replicates = dict[str, np.ndarray]


@dataclass(frozen=True)
class Bootstrap:
    """The number of resamples of the users (replicates), and the share of them inside an interval (level)."""

    replicates: int
    level: float

    def __post_init__(self) -> None:
        require_integer("bootstrap.replicates", self.replicates, 1)
        require_number("bootstrap.level", self.level, above=0, below=1)

    def multiplicities(self, users: int, seed: int) -> np.ndarray:
        """Return how often each user occurs in each replicate, [B, U]; equal for equal users and seed."""
        draws = np.random.default_rng(seed).multinomial(users, np.full(users, 1 / users), size=self.replicates)
        return draws.astype(np.float64)

    def intervals(self, replicates: Replicates) -> dict[str, list[float]]:
        """Return the central interval [low, high] of every score."""
        tail = (1 - self.level) / 2
        return {name: np.quantile(value, [tail, 1 - tail]).tolist() for name, value in replicates.items()}


def bootstrap_scores(offers: pl.DataFrame, moves: pl.DataFrame, bootstrap: Bootstrap, seed: int) -> Replicates:
    """Return by name the scores [B] of evaluate_held_out for B resamples, shifted so that their mean is the score.

    offers, moves: as in evaluate_held_out, offers with user_id. Each resample draws whole users. Resampling
    adds noise to counts, and noise alone raises deviances and calibration errors; the shift removes this bias.
    """
    times = bootstrap.multiplicities(offers["user_id"].n_unique(), seed)
    scores = replicated_scores(offers, moves, np.vstack([np.ones(times.shape[1]), times]))
    return {name: value[1:] - value[1:].mean() + value[0] for name, value in scores.items()}


def replicated_scores(offers: pl.DataFrame, moves: pl.DataFrame, times: np.ndarray) -> Replicates:
    """Return by name the scores [B] when user u, in the order of ids, counts times[b, u] times; times [B, U].

    offers: as in evaluate_held_out, with user_id. Deviances are named poisson_deviance.all and so on.
    """
    offers = offers.sort("probability", maintain_order=True)
    user = (offers["user_id"].rank("dense") - 1).to_numpy()
    bought, probability, weight = (
        offers[name].cast(pl.Float64).to_numpy() for name in ("bought", "probability", "weight")
    )
    drawn = _Drawn(bought, probability, weight, user, times)
    return {
        **drawn.means(),
        "auc": drawn.auc(),
        "ece": drawn.ece(),
        **{f"poisson_deviance.{name}": value for name, value in _deviances(offers, moves, user, times).items()},
    }


@dataclass(frozen=True)
class _Drawn:
    """Offers sorted by probability: bought, probability, weight and user [N]; times [B, U]."""

    bought: np.ndarray
    probability: np.ndarray
    weight: np.ndarray
    user: np.ndarray
    times: np.ndarray

    def means(self) -> Replicates:
        """Return log_loss and predicted_over_actual, which are ratios of sums over offers, hence of sums over users."""
        loss = -xlogy(self.bought, self.probability) - xlogy(1 - self.bought, 1 - self.probability)
        weight, loss, predicted, bought = (
            self.times @ np.bincount(self.user, self.weight * value)
            for value in (np.ones_like(loss), loss, self.probability, self.bought)
        )
        return {"log_loss": loss / weight, "predicted_over_actual": predicted / np.maximum(bought, SMALLEST_MEAN)}

    def auc(self) -> np.ndarray:
        """Return [B]: the chance that a bought offer has a higher probability than another one; ties count half."""
        tie = np.cumsum(np.diff(self.probability, prepend=self.probability[0]) > 0)
        return np.array([self._auc(tie, self.weight * times[self.user]) for times in self.times])

    def _auc(self, tie: np.ndarray, weight: np.ndarray) -> float:
        positive, negative = np.bincount(tie, weight * self.bought), np.bincount(tie, weight * (1 - self.bought))
        pairs = positive.sum() * negative.sum()
        return float(positive @ (np.cumsum(negative) - negative / 2) / pairs) if pairs else float("nan")

    def ece(self) -> np.ndarray:
        """Return the calibration error of every replicate, [B]."""
        return np.array(
            [calibration_error(self.bought, self.probability, self.weight * times[self.user]) for times in self.times]
        )


def _deviances(offers: pl.DataFrame, moves: pl.DataFrame, user: np.ndarray, times: np.ndarray) -> Replicates:
    """Return by name of a subset of cells the Poisson deviances [B] of buyers per product and period."""
    cells = offers.select(CELL).unique(maintain_order=True).join(moves, on=CELL, how="left", maintain_order="left")
    cell = offers.join(cells.with_row_index("cell"), on=CELL, how="left", maintain_order="left")["cell"].to_numpy()
    shape = times.shape[1], cells.height
    buyers, predicted = (
        times @ csr_array((offers.select(pl.col("weight") * pl.col(name)).to_series().to_numpy(), (user, cell)), shape)
        for name in ("bought", "probability")
    )
    predicted = np.maximum(predicted, SMALLEST_MEAN)
    each = 2 * (xlogy(buyers, buyers / predicted) - (buyers - predicted))
    return {
        name: each[:, rows].mean(axis=1) if rows.any() else np.full(len(times), np.nan)
        for name, rows in moved_cells(cells["move"]).items()
    }
