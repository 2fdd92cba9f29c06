"""The demand that prices are computed from, of units and in nests, made of the logit of choices that training learns.

Training learns a logit of choices with sensitivities b, and units per choice with elasticities −κ. The artefact holds
one logit, of units, with sensitivity b + κ. Its probability P̃ is the expected units over `units_per_choice`, which
stands for the most units that a choice could take: (b + κ) / b times those at the reference price.

So P̃ = P b / (b + κ), and at the reference prices units answer prices as choices and units per choice do together. Their
elasticity to the own price is −(b + κ)(1 − P̃) = −b (1 − P) − κ, to another product's (b + κ) P̃ = b P.

Away from the reference prices this is an approximation: units per choice fall as a logit does, not as a power. So it is
between segments whose κ are different shares of their b, since a product has one `units_per_choice` for all. Training
takes today's prices for the reference prices here, and the appeals at them, so that it is right where prices are set.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import polars as pl
from scipy.special import expit

from gpu_pricer.tables.artefact.demand_artefact import DemandArtefact

LARGEST_RATIO = 1000.0  # of the most units of a choice to those at the reference price, where b is close to 0
NOTHING = 1e-300  # stands for 0 in a logarithm


def demand_of_units(
    choices: DemandArtefact, categories: pl.DataFrame | None, quantity_sensitivity: np.ndarray, share: np.ndarray
) -> DemandArtefact:
    """Return the demand of units that belongs to a dense logit of choices, in the nests of the categories.

    choices: its units_per_choice are those at the reference price. categories: with the dissimilarities of choices;
    None where no category is a nest. quantity_sensitivity: κ, float32 [S, P]. share [S]: of the segments in the
    choices, by which means over the segments are taken.
    """
    mean = share @ quantity_sensitivity
    ratio = most_units(share @ choices.factors["sensitivity"], mean)
    products = choices.products.with_columns(
        units_per_choice=choices.products["units_per_choice"] * ratio,
        quantity_sensitivity=pl.Series(mean).cast(pl.Float64),
    )
    units = replace(logit_of_units(choices, quantity_sensitivity, ratio), products=products)
    return units if categories is None else with_nests(units, _nests_of_units(choices, units, categories))


def most_units(sensitivity: np.ndarray, quantity_sensitivity: np.ndarray) -> np.ndarray:
    """Return the most units that a choice could take, over those at the reference price: (b + κ) / b, [P].

    sensitivity, quantity_sensitivity [P]: b and κ, means over the segments.
    """
    total = sensitivity.astype(np.float64) + quantity_sensitivity
    return np.divide(total, np.maximum(sensitivity, total / LARGEST_RATIO), out=np.ones_like(total), where=total > 0)


def logit_of_units(choices: DemandArtefact, quantity_sensitivity: np.ndarray, ratio: np.ndarray) -> DemandArtefact:
    """Return the dense logit of units that belongs to a dense logit of choices; its products stay as they are.

    quantity_sensitivity: κ, float32 [S, P]. ratio [P]: from most_units. Without an outside option every visit chooses,
    so that probabilities sum to 1; only the sensitivities then change.
    """
    factors = choices.factors | {"sensitivity": choices.factors["sensitivity"] + quantity_sensitivity}
    if choices.info.outside_option:
        shelf = _Shelf(choices.products)
        left = np.log(np.maximum(1 - 1 / ratio, NOTHING))
        factors["appeal"] = choices.factors["appeal"].copy()
        for own in factors["appeal"]:
            moves = np.logaddexp(0, shelf.log_odds(own + left))[shelf.category] + np.log(ratio)
            own -= moves.astype(np.float32)
    return replace(choices, factors=factors)


def with_nests(logit: DemandArtefact, categories: pl.DataFrame) -> DemandArtefact:
    """Return the dense logit with the categories, its appeals moved so that demand at reference prices stays.

    A nested logit has the odds V^γ of buying in a category, where the logit has V, the sum of exp(appeal) over the
    products on the shelf: (1 / γ − 1) log V adds to all appeals of the category.
    """
    return _moved(logit, categories, lambda gamma: 1 / gamma - 1)


def without_nests(nested: DemandArtefact) -> DemandArtefact:
    """Return the dense logit that sells at reference prices what a dense artefact with nests does, see with_nests."""
    if nested.categories is None:
        return nested
    return replace(_moved(nested, nested.categories, lambda gamma: gamma - 1), categories=None)


def at_prices(artefact: DemandArtefact, price_ratio: np.ndarray) -> DemandArtefact:
    """Return the dense artefact with appeals at prices [P] over the reference ones in place of those at the latter."""
    return _along(artefact, price_ratio - 1)


def at_reference_prices(artefact: DemandArtefact, price_ratio: np.ndarray) -> DemandArtefact:
    """Return the dense artefact again whose appeals are those at prices [P] over the reference ones, see at_prices."""
    return _along(artefact, 1 - price_ratio)


def _along(artefact: DemandArtefact, move: np.ndarray) -> DemandArtefact:
    """Return the artefact with the appeals that it has where prices rise by a move [P], relative to the reference."""
    appeal = artefact.factors["appeal"] - artefact.factors["sensitivity"] * move
    return replace(artefact, factors=artefact.factors | {"appeal": appeal.astype(np.float32)})


def _moved(
    artefact: DemandArtefact, categories: pl.DataFrame, steepness: Callable[[np.ndarray], np.ndarray]
) -> DemandArtefact:
    """Return the artefact with the categories; in nests log V, times steepness of γ, adds to the appeals.

    The artefact may lack products of some categories.
    """
    is_here = pl.col("category_id").is_in(artefact.products["category_id"].implode())
    nested = categories.filter(pl.col("dissimilarity") < 1, is_here)
    if nested.is_empty():
        return replace(artefact, categories=categories)
    shelf, appeal = _Shelf(artefact.products), artefact.factors["appeal"].copy()
    rows, steep = shelf.numbers(nested["category_id"]), steepness(nested["dissimilarity"].to_numpy())
    for own in appeal:
        moves, odds = np.zeros(len(shelf.names)), shelf.log_odds(own)[rows]
        moves[rows] = steep * np.where(np.isfinite(odds), odds, 0.0)
        own += moves[shelf.category].astype(np.float32)
    return replace(artefact, factors=artefact.factors | {"appeal": appeal}, categories=categories)


def _nests_of_units(choices: DemandArtefact, units: DemandArtefact, categories: pl.DataFrame) -> pl.DataFrame:
    """Return the categories with the dissimilarities γ̃ of units in place of those of choices, γ.

    choices, units: the logits. In a nest a product's price moves the choices of another by b times its share of the
    category's choices times 1 − γ (1 − Q), Q the probability to choose anything of the category. Units are moved
    likewise if 1 − γ̃ (1 − Q̃) = (1 − γ (1 − Q)) Q̃ / Q. Q and Q̃ are means over all visits. γ̃ is never below γ.
    """
    shelf = _Shelf(choices.products)
    rows = shelf.numbers(categories["category_id"])
    bought, taken = (shelf.bought(demand)[rows] for demand in (choices, units))
    gamma = categories["dissimilarity"].to_numpy()
    kept = np.divide(taken, bought, out=np.ones_like(taken), where=bought > 0) * (1 - gamma * (1 - bought))
    found = np.where(gamma < 1, (1 - kept) / (1 - taken), 1.0)
    return categories.with_columns(dissimilarity=pl.Series(found.clip(gamma, 1.0)))


class _Shelf:
    """The products that a visit chooses from, by category: known ones with an availability above 0.

    names: the ids of the artefact's categories, [G]. category [P]: the number of each product's category.
    """

    def __init__(self, products: pl.DataFrame) -> None:
        self.names = products["category_id"].unique(maintain_order=True)
        self.category = self.numbers(products["category_id"])
        available = products["availability"].to_numpy() * products["product_id"].is_not_null().to_numpy()
        rows = np.flatnonzero(available)
        self.rows = rows[np.argsort(self.category[rows], kind="stable")]
        self.first = np.flatnonzero(np.diff(self.category[self.rows], prepend=-1))
        self.log_available = np.log(available[self.rows])

    def numbers(self, category_id: pl.Series) -> np.ndarray:
        """Return the numbers of categories by their ids, [n]."""
        return category_id.replace_strict(self.names, range(len(self.names)), return_dtype=pl.Int64).to_numpy()

    def log_odds(self, utility: np.ndarray) -> np.ndarray:
        """Return the log of the sum of e^utility [P] over each category's products, [G]; minus infinity without any."""
        odds = np.full(len(self.names), -np.inf)
        if len(self.rows):
            known = utility[self.rows].astype(np.float64) + self.log_available
            odds[self.category[self.rows[self.first]]] = np.logaddexp.reduceat(known, self.first)
        return odds

    def bought(self, logit: DemandArtefact) -> np.ndarray:
        """Return the probability that a visit chooses anything at reference prices, [G], the mean over all visits."""
        of_segments = np.stack([expit(self.log_odds(own)) for own in logit.factors["appeal"]])
        return np.average(of_segments, axis=0, weights=np.maximum(logit.segments["visits"].to_numpy(), NOTHING))
