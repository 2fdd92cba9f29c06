"""The baseline that usually wins: boosted trees over price, promotion and history (LightGBM, extra `baselines`)."""

from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
import polars as pl

from gpu_pricer.checks import require_flag, require_number, require_whole
from gpu_pricer.errors import InputError
from gpu_pricer.evaluation.baselines.baseline import Predict

FALLING = ("price_ratio", "discount")
CODES = ("product_id", "category_id")
OTHERS = (
    "display", "mailer", "visits", "product_purchases", "category_purchases", "product_rate", "category_rate",
    "weeks_since_product", "weeks_since_category",
)  # fmt: skip
FEATURES = (*CODES, *FALLING, *OTHERS)


@dataclass(frozen=True)
class BoostedTrees:
    """rounds trees of `leaves` leaves, each learning at `rate` and from at least min_rows offers per leaf.

    monotone: whether demand may only fall with price.
    """

    monotone: bool
    rounds: int
    leaves: int
    rate: float
    min_rows: int

    def __post_init__(self) -> None:
        require_flag("lightgbm.monotone", self.monotone)
        for name, least in (("rounds", 1), ("leaves", 2), ("min_rows", 1)):
            require_whole(f"lightgbm.{name}", getattr(self, name), least)
        require_number("lightgbm.rate", self.rate, above=0, most=1)
        _lightgbm()

    def fit(self, offers: pl.DataFrame) -> Predict:
        """Boost the log likelihood of the offers."""
        lightgbm = _lightgbm()
        vocabulary = {name: offers[name].unique().sort() for name in CODES}
        table = lightgbm.Dataset(
            _features(offers, vocabulary),
            label=offers["bought"].to_numpy().astype(np.float32),
            weight=offers["weight"].to_numpy(),
            feature_name=list(FEATURES),
            categorical_feature=list(CODES),
            free_raw_data=True,
        )
        booster = lightgbm.train(self._settings(), table, num_boost_round=self.rounds)
        return lambda rows: np.asarray(booster.predict(_features(rows, vocabulary)))

    def _settings(self) -> dict[str, Any]:
        settings = {
            "objective": "binary",
            "num_leaves": self.leaves,
            "learning_rate": self.rate,
            "min_data_in_leaf": self.min_rows,
            "deterministic": True,
            "force_row_wise": True,
            "verbosity": -1,
        }
        falling = [-1 if name in FALLING else 0 for name in FEATURES]
        return settings | ({"monotone_constraints": falling} if self.monotone else {})


def _features(offers: pl.DataFrame, vocabulary: dict[str, pl.Series]) -> np.ndarray:
    """The feature matrix [N, F] in float32; NaN where there is no history, −1 for an unknown id."""
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
    return pl.DataFrame(codes).hstack(numbers).select(FEATURES).to_numpy()


def _lightgbm() -> Any:
    try:
        return import_module("lightgbm")
    except (ImportError, OSError) as error:  # OSError: the package is there, the system's libgomp is not
        reason = str(error).splitlines()[0]
        raise InputError(
            f"boosted trees must find the package lightgbm, found {reason}: "
            'pip install -e ".[baselines]" (and the system package libgomp1), or leave these baselines out'
        ) from error
