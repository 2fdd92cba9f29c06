"""The blocks of metrics.json that judge the probabilities of held-out offers, for any model."""

from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import cast

import numpy as np
import polars as pl

from gpu_pricer.evaluation.held_out.bootstrap import Bootstrap, Replicates, bootstrap_scores
from gpu_pricer.evaluation.held_out.expected_sales import estimated_sums
from gpu_pricer.evaluation.held_out.offers import Log, reference_prices, units_bought
from gpu_pricer.evaluation.held_out.price_ages import price_ages, scores_by_age
from gpu_pricer.evaluation.held_out.scores import (
    CELL,
    PREDICTED,
    SEGMENT_CELL,
    evaluate_held_out,
    price_moves,
    select_moved_most,
)
from gpu_pricer.heartbeat import beat

OURS = {"network": "", "artefact": "artefact_"}
"""By model, how its columns of predictions begin."""


@dataclass(frozen=True)
class HeldOut:
    """Held-out offers and the settings by which models are judged on them.

    offers: as `train` wrote them. sales: the canonical log. off_policy_share: share of the products in off_policy.
    seed: of the bootstrap. sums: as `train` wrote them: by period, product_id and segment_id, what network and artefact
    expect of all occasions, also of those that the offers are no sample of; None: not known.
    """

    offers: pl.DataFrame
    sales: Log
    bootstrap: Bootstrap
    off_policy_share: float
    seed: int
    sums: pl.DataFrame | None = None

    @cached_property
    def earlier_periods(self) -> list[date]:
        """Return the periods before the first held-out period."""
        return self.sales.shelf.filter(pl.col("period") < self._first_period)["period"].unique().sort().to_list()

    def probabilities(self) -> dict[str, np.ndarray]:
        """Return by model, network and (where the offers have it) artefact, the probabilities [N] of the offers."""
        names = {name: f"{prefix}probability" for name, prefix in OURS.items()}
        return {name: self.offers[column].to_numpy() for name, column in names.items() if column in self.offers.columns}

    def part(self, offers: pl.DataFrame) -> "HeldOut":
        """Return some of the offers, held out: the sums over all occasions are not those of some."""
        return self if offers.height == self.offers.height else replace(self, offers=offers, sums=None)

    def blocks(self) -> dict[str, dict]:
        """Return the block test and, where the offers have an artefact_probability, the block artefact."""
        names = {"network": "test"}
        return {
            names.get(name, name): self.judge(pl.Series(value), self._units(f"{OURS[name]}expected_units"), name)[0]
            for name, value in self.probabilities().items()
        }

    def artefact_offers(self, categories: pl.Series) -> pl.DataFrame | None:
        """Return the offers of these categories, or None where offers have no artefact_probability."""
        if "artefact_probability" not in self.offers.columns:
            return None
        return self.offers.filter(pl.col("category_id").is_in(categories.unique().to_list()))

    def judge(
        self, probability: pl.Series, units: pl.Series | None = None, ours: str | None = None
    ) -> tuple[dict, Replicates]:
        """Return the block of a model's probabilities [N], and the bootstrap's replicates of its scores.

        units [N]: those that the model expects to be bought, None where it does not say. ours: which of OURS the model
        is, whose sums over all occasions are known; None: another one, whose sums are estimated (expected_sales.py).

        The block has the scores, their intervals, under off_policy the scores of the products whose prices moved most,
        and under by_price_age how far predictions are off by the age of the price (scores_by_age). The replicates draw
        the same users and cells for every model.
        """
        offers, sums = self._predicted(probability, units), self._sums(probability, units, ours)
        scores = evaluate_held_out(offers, self._moves, sums)
        beat("held-out predictions: scores are known, and intervals follow")
        replicates = bootstrap_scores(offers, self._moves, self.bootstrap, self.seed, _points(scores))
        beat("held-out predictions: intervals are known, and scores by age of the price follow")
        off_policy = offers.join(self._moved_most, on="product_id", how="semi")
        block = scores | {
            "intervals": self.bootstrap.intervals(replicates),
            "off_policy": evaluate_held_out(off_policy, self._moves, sums),
            "by_price_age": scores_by_age(offers, self._ages, self.bootstrap, self.seed, sums),
        }
        return block, replicates

    def scores(self, probability: pl.Series, units: pl.Series | None, ours: str | None) -> dict[str, object]:
        """Return the scores of a model, without intervals; arguments as in judge."""
        offers = self._predicted(probability, units)
        return evaluate_held_out(offers, self._moves, self._sums(probability, units, ours))

    def _predicted(self, probability: pl.Series, units: pl.Series | None) -> pl.DataFrame:
        """Return the offers with a model's predictions and, where it has units, the units that were bought.

        No probability is 0 or 1, so that one wrong certainty does not make a loss infinite and all others count for
        nothing; the least is that of scikit-learn's log_loss.
        """
        least = float(np.finfo(probability.to_numpy().dtype).eps)
        offers = self.offers.with_columns(probability=probability.clip(least, 1 - least))
        offers = offers.drop("expected_units", strict=False)
        return offers if units is None else offers.with_columns(expected_units=units, units=self._units_bought)

    def _sums(self, probability: pl.Series, units: pl.Series | None, ours: str | None) -> pl.DataFrame | None:
        """Return a model's sums over all occasions: known for one of OURS, estimated for another, or None."""
        if self.sums is None:
            return None
        prefix = OURS[ours or "network"]
        known = self.sums.select(*SEGMENT_CELL, **{name: pl.col(f"{prefix}{name}") for name in PREDICTED})
        if ours is not None:
            return known
        beside = self.offers.select(*CELL, "weight", **{f"known_{name}": pl.col(name) for name in PREDICTED})
        predicted = beside.with_columns(probability=probability)
        if units is not None:
            predicted = predicted.with_columns(expected_units=units)
        return estimated_sums(predicted, known.group_by(CELL).agg(pl.col(PREDICTED).sum()))

    def _units(self, name: str) -> pl.Series | None:
        return self.offers[name] if name in self.offers.columns else None

    @property
    def _first_period(self) -> date:
        return cast(date, self.offers["period"].min())

    @cached_property
    def _units_bought(self) -> pl.Series:
        return units_bought(self.offers, self.sales)

    @cached_property
    def _moves(self) -> pl.DataFrame:
        return price_moves(self.sales.shelf)

    @cached_property
    def _ages(self) -> pl.DataFrame:
        return price_ages(self.sales.shelf, self._first_period)

    @cached_property
    def _moved_most(self) -> pl.DataFrame:
        cells = self.offers.select("period", "product_id").unique()
        shelf = self.sales.shelf.join(cells, on=["period", "product_id"], how="semi")
        return select_moved_most(shelf, reference_prices(self.sales.shelf, self.earlier_periods), self.off_policy_share)


def _points(scores: dict[str, object]) -> dict[str, float]:
    """Return by the names of replicates the scores that come from sums."""
    deviances = scores["poisson_deviance"]
    assert isinstance(deviances, dict)
    over_actual = scores["predicted_over_actual"]
    assert isinstance(over_actual, float)
    return {f"poisson_deviance.{name}": value for name, value in deviances.items()} | {
        "predicted_over_actual": over_actual
    }
