"""The blocks of metrics.json that judge the probabilities of held-out offers, for any model."""

from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np
import polars as pl

from gpu_pricer.evaluation.held_out.bootstrap import Bootstrap, Replicates, bootstrap_scores
from gpu_pricer.evaluation.held_out.offers import Log, reference_prices, units_bought
from gpu_pricer.evaluation.held_out.price_ages import price_ages, scores_by_age
from gpu_pricer.evaluation.held_out.scores import evaluate_held_out, price_moves, select_moved_most


@dataclass(frozen=True)
class HeldOut:
    """Held-out offers and the settings by which models are judged on them.

    offers: as `train` wrote them. sales: the canonical log. off_policy_share: share of the products in off_policy.
    seed: of the bootstrap.
    """

    offers: pl.DataFrame
    sales: Log
    bootstrap: Bootstrap
    off_policy_share: float
    seed: int

    @cached_property
    def earlier_periods(self) -> list[date]:
        """Return the periods before the first held-out period."""
        first = self.offers["period"].min()
        return self.sales.shelf.filter(pl.col("period") < first)["period"].unique().sort().to_list()

    def probabilities(self) -> dict[str, np.ndarray]:
        """Return by model, network and (where the offers have it) artefact, the probabilities [N] of the offers."""
        names = {"network": "probability", "artefact": "artefact_probability"}
        return {name: self.offers[column].to_numpy() for name, column in names.items() if column in self.offers.columns}

    def blocks(self) -> dict[str, dict]:
        """Return the block test and, where the offers have an artefact_probability, the block artefact."""
        names, units = {"network": "test"}, {"network": "expected_units", "artefact": "artefact_expected_units"}
        return {
            names.get(name, name): self.judge(pl.Series(value), self._units(units[name]))[0]
            for name, value in self.probabilities().items()
        }

    def artefact_offers(self, categories: pl.Series) -> pl.DataFrame | None:
        """Return the offers of these categories, or None where offers have no artefact_probability."""
        if "artefact_probability" not in self.offers.columns:
            return None
        return self.offers.filter(pl.col("category_id").is_in(categories.unique().to_list()))

    def judge(self, probability: pl.Series, units: pl.Series | None = None) -> tuple[dict, Replicates]:
        """Return the block of a model's probabilities [N], and the bootstrap's replicates of its scores.

        units [N]: those that the model expects to be bought, None where it does not say.

        The block has the scores, their intervals, under off_policy the scores of the products whose prices moved most,
        and under by_price_age how far predictions are off by the age of the price (scores_by_age). The replicates draw
        the same users and cells for every model.
        """
        offers = self.offers.with_columns(probability=probability).drop("expected_units", strict=False)
        if units is not None:
            offers = offers.with_columns(expected_units=units, units=self._units_bought)
        replicates = bootstrap_scores(offers, self._moves, self.bootstrap, self.seed)
        off_policy = offers.join(self._moved_most, on="product_id", how="semi")
        block = evaluate_held_out(offers, self._moves) | {
            "intervals": self.bootstrap.intervals(replicates),
            "off_policy": evaluate_held_out(off_policy, self._moves),
            "by_price_age": scores_by_age(offers, self._ages, self.bootstrap, self.seed),
        }
        return block, replicates

    def _units(self, name: str) -> pl.Series | None:
        return self.offers[name] if name in self.offers.columns else None

    @cached_property
    def _units_bought(self) -> pl.Series:
        return units_bought(self.offers, self.sales)

    @cached_property
    def _moves(self) -> pl.DataFrame:
        return price_moves(self.sales.shelf)

    @cached_property
    def _ages(self) -> pl.DataFrame:
        return price_ages(self.sales.shelf)

    @cached_property
    def _moved_most(self) -> pl.DataFrame:
        cells = self.offers.select("period", "product_id").unique()
        shelf = self.sales.shelf.join(cells, on=["period", "product_id"], how="semi")
        return select_moved_most(shelf, reference_prices(self.sales.shelf, self.earlier_periods), self.off_policy_share)
