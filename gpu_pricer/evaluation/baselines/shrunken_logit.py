"""A strong plain rival: a logit whose households differ by shrunken frequencies of what they bought so far.

A logit without household terms says what an average household would have bought of every past offer. The ratio of what
the household bought to that sum, shrunk to 1 with learned concentrations, enters a second logit as log ratio. With
exponent 1 this is the posterior mean of a Poisson rate under a Gamma prior of mean 1 (Efron & Morris 1973 on why to
shrink; Clayton & Kaldor 1987 on ratios of observed to expected counts).
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy.special import expit, logit

from gpu_pricer.checks import require_number
from gpu_pricer.errors import InputError
from gpu_pricer.evaluation.baselines.baseline import Predict
from gpu_pricer.evaluation.baselines.household_counts import LEVELS, household_counts
from gpu_pricer.evaluation.baselines.logit import Logit, logged_cells
from gpu_pricer.evaluation.baselines.occasion_totals import SMALLEST, buys_always, share_of_total
from gpu_pricer.evaluation.baselines.shrunken_frequency import Choices, learn_habits
from gpu_pricer.evaluation.held_out.offers import OCCASION, Log, reference_prices

COUNTED = (*LEVELS["product"], "period")  # what a row's counts depend on, beside the log


@dataclass(frozen=True)
class ShrunkenLogit:
    """Settings of the logit with shrunken frequencies; everything about households is learned from the offers.

    spread: prior standard deviation of the coefficients without household, whose purpose is to keep them finite.
    half_lives: periods after which a past purchase counts half; the fit learns how much each of them counts.
    """

    spread: float
    half_lives: tuple[float, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "half_lives", tuple(self.half_lives))  # YAML gives a list, which has no hash
        require_number("shrunken_logit.spread", self.spread, above=0)
        if not self.half_lives or not all(value > 0 for value in self.half_lives):
            raise InputError(
                f"shrunken_logit.half_lives must be positive numbers of periods, found {list(self.half_lives)}"
            )

    def fit(self, offers: pl.DataFrame, sales: Log) -> Predict:
        """Return the predictor learned from the offers and from the log before each of them.

        The average household is learned from all offers of the same periods, also where `offers` is a sample of them:
        products that the sample never bought get a level of their own all the same.
        """
        periods = offers["period"].unique().sort().to_list()
        of_cells, is_always = Logit(self.spread).fit_cells(logged_cells(sales, periods)), buys_always(sales)

        def average(rows: pl.DataFrame, occasion: tuple[str, ...]) -> np.ndarray:
            """Return the average household's probability [N] to buy each row's product; occasion: its columns."""
            probability = of_cells(rows)
            return share_of_total(rows, probability, occasion) if is_always else probability

        shelf = sales.shelf.join(
            reference_prices(sales.shelf, periods), on="product_id", how="left", maintain_order="left"
        ).with_columns(reference_price=pl.coalesce("reference_price", "price"))
        expected = shelf.select(
            "period", "category_id", "product_id", probability=pl.Series(average(shelf, ("period", "category_id")))
        )

        counted: list[tuple[pl.DataFrame, np.ndarray]] = []

        def counts(rows: pl.DataFrame) -> np.ndarray:
            """Return the users' counts before each row, those of the last call for the same rows at other prices."""
            key = rows.select(COUNTED)
            if not counted or not key.equals(counted[-1][0]):
                counted[:] = [(key, household_counts(rows, sales, expected, list(self.half_lives)))]
            return counted[-1][1]

        def described(rows: pl.DataFrame) -> tuple[np.ndarray, np.ndarray]:
            """Return the users' counts before each row, and the average household's log odds [N]."""
            return counts(rows), logit(average(rows, OCCASION).clip(SMALLEST, 1 - SMALLEST))

        bought, weight = (offers[name].cast(pl.Float64).to_numpy() for name in ("bought", "weight"))
        habits = learn_habits(Choices(*described(offers), bought, weight))
        return lambda rows: expit(habits.log_odds(*described(rows)))
