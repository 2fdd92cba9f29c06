"""How sensitive an artefact says that each user is to each product, by user or by the user's segment."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl

from gpu_pricer.tables.artefact import DemandArtefact
from tests.bench.price_sensitivity.thirds import Counts

Measure = Callable[[DemandArtefact], np.ndarray]
Place = Callable[[DemandArtefact, Measure, Counts], np.ndarray]


def sensitivity(artefact: DemandArtefact) -> np.ndarray:
    """Return b, the fall of utility per price / reference price, [S, P]."""
    factors = artefact.factors
    if artefact.info.form == "dense":
        return factors["sensitivity"].astype(float)
    return np.logaddexp(0, factors["segment_sensitivity"].astype(float) @ factors["product_sensitivity"].T)


def elasticity(artefact: DemandArtefact) -> np.ndarray:
    """Return the size of the own-price elasticity at reference prices, b (1 - P), [S, P]."""
    weight = np.exp(appeal(artefact)) * artefact.products["product_id"].is_not_null().to_numpy()
    category = artefact.products["category_id"].rank("dense").to_numpy().astype(int) - 1
    total = 1 + weight @ np.eye(category.max() + 1)[category]
    return sensitivity(artefact) * (1 - weight / total[:, category])


def appeal(artefact: DemandArtefact) -> np.ndarray:
    """Return the utility at reference prices, [S, P]."""
    factors = artefact.factors
    if artefact.info.form == "dense":
        return factors["appeal"].astype(float)
    return factors["segment_appeal"].astype(float) @ factors["product_appeal"].T


def expected(artefact: DemandArtefact, place: Place, counts: Counts) -> Counts:
    """Return the counts with the purchases that the artefact expects; place: by_user or by_segment."""
    products = pl.DataFrame({"product_id": counts.products}).join(
        artefact.products, on="product_id", how="left", maintain_order="left"
    )
    category, reference = products["category_id"], products["reference_price"].to_numpy()
    nests = {} if artefact.categories is None else dict(artefact.categories["category_id", "dissimilarity"].iter_rows())
    market = Nests(
        place(artefact, appeal, counts),
        place(artefact, sensitivity, counts),
        products["quantity_sensitivity"].to_numpy(),
        (category.rank("dense") - 1).fill_null(0).to_numpy().astype(int),
        np.array([nests.get(name, 1.0) for name in category.drop_nulls().unique().sort()]),
    )
    moves = counts.price / reference[:, None] - 1
    return counts.with_purchases(market.purchases(move) for move in moves.T)


@dataclass(frozen=True)
class Nests:
    """A nested logit of the units of J products in G categories, and which part of it are choices.

    appeal, sensitivity [U, J]; quantity_sensitivity [J]: how units per choice fall; category [J]; dissimilarity [G].
    """

    appeal: np.ndarray
    sensitivity: np.ndarray
    quantity_sensitivity: np.ndarray
    category: np.ndarray
    dissimilarity: np.ndarray

    def purchases(self, move: np.ndarray) -> np.ndarray:
        """Return the probabilities [U, J] to choose at price moves [J], NaN off the shelf, up to a factor of a product.

        Where anything is unknown they are 0.
        """
        weight = np.nan_to_num(np.exp(self.appeal - self.sensitivity * move))
        inside = weight @ np.eye(len(self.dissimilarity))[self.category]
        odds = inside**self.dissimilarity
        of_category = odds / (1 + odds) / np.maximum(inside, 1e-300)
        return weight * of_category[:, self.category] * np.nan_to_num(np.exp(self.quantity_sensitivity * move))


def by_user(members: DemandArtefact, measure: Measure, counts: Counts) -> np.ndarray:
    """Return the measure [U, J] of an artefact whose segments are the users; NaN where it lacks user or product."""
    return _placed(measure(members), members.segments["segment_id"].to_list(), members, counts)


def by_segment(artefact: DemandArtefact, measure: Measure, counts: Counts) -> np.ndarray:
    """Return the measure [U, J] of the users' segments; NaN where the artefact lacks user or product."""
    assert artefact.user_segments is not None
    row = {segment: i for i, segment in enumerate(artefact.segments["segment_id"].to_list())}
    users, segments = (artefact.user_segments[name].to_list() for name in ("user_id", "segment_id"))
    return _placed(measure(artefact)[[row[segment] for segment in segments]], users, artefact, counts)


def _placed(value: np.ndarray, users: list, artefact: DemandArtefact, counts: Counts) -> np.ndarray:
    """Return the values [S, P] of these users in the order of the counts, [U, J]."""
    row = {user: i for i, user in enumerate(users)}
    column = {product: i for i, product in enumerate(artefact.products["product_id"].to_list())}
    rows = [row.get(user, -1) for user in counts.users]
    columns = [column.get(product, -1) for product in counts.products]
    return np.pad(value, ((0, 1), (0, 1)), constant_values=np.nan)[np.ix_(rows, columns)]
