"""The blocks of metrics.json that judge probabilities of held-out offers, whoever gave them."""

from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np
import polars as pl

from gpu_pricer.evaluation.held_out.bootstrap import Bootstrap, Replicates, bootstrap_scores
from gpu_pricer.evaluation.held_out.off_policy import moved_most
from gpu_pricer.evaluation.held_out.offers import Log, reference_prices
from gpu_pricer.evaluation.held_out.scores import evaluate_held_out, price_moves


@dataclass(frozen=True)
class HeldOut:
    """Held-out offers, as `train` wrote them, the canonical log, and how they are judged."""

    offers: pl.DataFrame
    sales: Log
    bootstrap: Bootstrap
    off_policy_share: float
    seed: int

    @cached_property
    def before(self) -> list[date]:
        """The periods before the first that was held out."""
        first = self.offers["period"].min()
        return self.sales.shelf.filter(pl.col("period") < first)["period"].unique().sort().to_list()

    def probabilities(self) -> dict[str, np.ndarray]:
        """What the network and, where the offers say it, the artefact think of every offer, [N] each."""
        names = {"network": "probability", "artefact": "artefact_probability"}
        return {name: self.offers[column].to_numpy() for name, column in names.items() if column in self.offers.columns}

    def blocks(self) -> dict[str, dict]:
        """The block test and, where the offers have an artefact_probability, the block artefact."""
        names = {"network": "test"}
        return {names.get(name, name): self.judged(pl.Series(value))[0] for name, value in self.probabilities().items()}

    def of_artefact(self, categories: pl.Series) -> pl.DataFrame | None:
        """The offers of some categories, if they say what the artefact thinks of them."""
        if "artefact_probability" not in self.offers.columns:
            return None
        return self.offers.filter(pl.col("category_id").is_in(categories.unique().to_list()))

    def judged(self, probability: pl.Series) -> tuple[dict, Replicates]:
        """Scores of probabilities [N], their intervals and those of the products whose price moved most.

        The replicates behind the intervals are of the same users for every model.
        """
        offers = self.offers.with_columns(probability=probability)
        replicates = bootstrap_scores(offers, self._moves, self.bootstrap, self.seed)
        off_policy = offers.join(self._moved_most, on="product_id", how="semi")
        block = evaluate_held_out(offers, self._moves) | {
            "intervals": self.bootstrap.intervals(replicates),
            "off_policy": evaluate_held_out(off_policy, self._moves),
        }
        return block, replicates

    @cached_property
    def _moves(self) -> pl.DataFrame:
        return price_moves(self.sales.shelf)

    @cached_property
    def _moved_most(self) -> pl.DataFrame:
        cells = self.offers.select("period", "product_id").unique()
        shelf = self.sales.shelf.join(cells, on=["period", "product_id"], how="semi")
        return moved_most(shelf, reference_prices(self.sales.shelf, self.before), self.off_policy_share)
