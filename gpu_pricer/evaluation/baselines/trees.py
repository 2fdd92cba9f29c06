"""The strongest baseline as a rule: boosted trees over price, promotion and history (LightGBM, extra `baselines`)."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
import polars as pl
from scipy.special import expit, logit

from gpu_pricer.checks import require_flag, require_integer, require_number
from gpu_pricer.errors import InputError, first_line
from gpu_pricer.evaluation.baselines.baseline import Predict
from gpu_pricer.evaluation.held_out.offers import Log

FALLING = ("price_ratio", "discount")
CODES = ("product_id", "category_id")
OTHERS = (
    "display", "mailer", "visits", "product_purchases", "category_purchases", "product_rate", "category_rate",
    "weeks_since_product", "weeks_since_category",
)  # fmt: skip
FEATURES = (*CODES, *FALLING, *OTHERS)
RECENT = "recent_ratio"  # a feature of network_past, price / recent price; monotone demand may only fall with it


class NotInstalledError(InputError):
    """A model needs a library that is not installed."""


@dataclass(frozen=True)
class BoostedTrees:
    """Settings of boosted trees.

    monotone: whether the predicted demand may only fall with price.
    optional: whether a missing LightGBM is allowed; fit then raises NotInstalledError.
    network_past: whether the trees also see the network's features of the past (held_out.past), beside the counts and
    ages of past purchases.
    rounds: trees; leaves: per tree; rate: learning rate; min_rows: least offers in a leaf.
    Raises NotInstalledError where LightGBM is not installed, unless optional.
    """

    monotone: bool
    network_past: bool
    optional: bool
    rounds: int
    leaves: int
    rate: float
    min_rows: int

    def __post_init__(self) -> None:
        for name in ("monotone", "network_past", "optional"):
            require_flag(f"lightgbm.{name}", getattr(self, name))
        for name, least in (("rounds", 1), ("leaves", 2), ("min_rows", 1)):
            require_integer(f"lightgbm.{name}", getattr(self, name), least)
        require_number("lightgbm.rate", self.rate, above=0, most=1)
        if not self.optional:
            _lightgbm()

    def fit(self, offers: pl.DataFrame, sales: Log) -> Predict:
        """Return the predictor whose trees are boosted on the log likelihood of the offers.

        Where drawing has multiplied the odds of a purchase (sampled_odds, see Sample.training), the trees add to the
        logarithm of that, without weights; what they add is the log odds of an offer.
        """
        if "sampled_odds" not in offers.columns:
            return self.boosted(offers, offers["bought"], "binary")
        base = float(logit(np.average(offers["bought"], weights=offers["weight"])))
        predict = self._train(offers, offers["bought"], "binary", None, offers["sampled_odds"].log() + base)
        return lambda rows: expit(base + predict(rows, raw_score=True))

    def boosted(self, offers: pl.DataFrame, outcome: pl.Series, objective: str) -> Predict:
        """Return the predictor of an outcome [N] of the offers, whose trees are boosted by a LightGBM objective.

        The objective is "binary" where the outcome is whether an offer was bought, "poisson" where it is the units.
        """
        return self._train(offers, outcome, objective, offers["weight"], None)

    def _train(
        self,
        offers: pl.DataFrame,
        outcome: pl.Series,
        objective: str,
        weight: pl.Series | None,
        start: pl.Series | None,
    ) -> Callable[..., np.ndarray]:
        """Return the prediction of trees as a function of offers and of keywords of LightGBM's Booster.predict.

        start [N]: the score of every offer to which the trees add, and which is no part of the prediction.
        """
        lightgbm = _lightgbm()
        vocabulary = {name: offers[name].unique().sort() for name in CODES}
        features = self._features(offers, vocabulary)
        table = lightgbm.Dataset(
            features.to_numpy(),
            label=outcome.cast(pl.Float32).to_numpy(),
            weight=None if weight is None else weight.to_numpy(),
            init_score=None if start is None else start.to_numpy(),
            feature_name=features.columns,
            categorical_feature=list(CODES),
            free_raw_data=True,
        )
        settings = self._settings(features.columns) | {"objective": objective}
        booster = lightgbm.train(settings, table, num_boost_round=self.rounds)

        def predict(rows: pl.DataFrame, **options: bool) -> np.ndarray:
            """Return the prediction for offers [N]."""
            return np.asarray(booster.predict(self._features(rows, vocabulary).to_numpy(), **options))

        return predict

    def _settings(self, names: list[str]) -> dict[str, Any]:
        settings = {
            "num_leaves": self.leaves,
            "learning_rate": self.rate,
            "min_data_in_leaf": self.min_rows,
            "deterministic": True,
            "force_row_wise": True,
            "verbosity": -1,
        }
        falling = [-1 if name in (*FALLING, RECENT) else 0 for name in names]
        return settings | ({"monotone_constraints": falling} if self.monotone else {})

    def _features(self, offers: pl.DataFrame, vocabulary: dict[str, pl.Series]) -> pl.DataFrame:
        features = _features(offers, vocabulary)
        return features.hstack(_network_past(offers)) if self.network_past else features


def _features(offers: pl.DataFrame, vocabulary: dict[str, pl.Series]) -> pl.DataFrame:
    """Return the features [N, F] in float32: NaN where there is no history, −1 for an id that training did not see."""
    codes = [
        offers.select(name)
        .join(known.to_frame().with_row_index("code"), on=name, how="left", maintain_order="left")["code"]
        .cast(pl.Float32)
        .fill_null(-1.0)
        .alias(name)
        for name, known in vocabulary.items()
    ]
    visits = pl.col("visits") + 1.0
    numbers = offers.with_columns(
        price_ratio=pl.col("price") / pl.col("reference_price"),
        discount=pl.col("price") / pl.coalesce("list_price", "price"),
        product_rate=pl.col("product_purchases") / visits,
        category_rate=pl.col("category_purchases") / visits,
    ).select(pl.col(*FALLING, *OTHERS).cast(pl.Float32))
    return pl.DataFrame(codes).hstack(numbers).select(FEATURES)


def _network_past(offers: pl.DataFrame) -> pl.DataFrame:
    """Return the recent price ratio and the network's features of the past, past_0, past_1, …, in float32."""
    recent = offers.select((pl.col("price") / pl.col("recent_price")).cast(pl.Float32).alias(RECENT))
    past = offers["past"].to_numpy()
    return recent.hstack(pl.from_numpy(past, [f"past_{i}" for i in range(past.shape[1])]))


def _lightgbm() -> Any:
    try:
        return import_module("lightgbm")
    except (ImportError, OSError) as error:  # OSError: the package is installed, the system library libgomp is not
        reason = first_line(error)
        raise NotInstalledError(
            f"boosted trees must find the package lightgbm, found {reason}: "
            'pip install -e ".[baselines]" (and the system package libgomp1), or leave these baselines out'
        ) from error
