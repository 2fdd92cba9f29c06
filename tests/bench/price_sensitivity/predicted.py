"""How sensitive an artefact says that each user is to each product, by user or by the user's segment."""

from collections.abc import Callable

import numpy as np

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
    return sensitivity(artefact) * (1 - probability(artefact))


def probability(artefact: DemandArtefact) -> np.ndarray:
    """Return the probability of each product at reference prices, all known ones on the shelf, [S, P]."""
    factors = artefact.factors
    if artefact.info.form == "dense":
        appeal = factors["appeal"].astype(float)
    else:
        appeal = factors["segment_appeal"].astype(float) @ factors["product_appeal"].T
    weight = np.exp(appeal) * artefact.products["product_id"].is_not_null().to_numpy()
    category = artefact.products["category_id"].rank("dense").to_numpy().astype(int) - 1
    total = 1 + weight @ np.eye(category.max() + 1)[category]
    return weight / total[:, category]


def expected(artefact: DemandArtefact, place: Place, counts: Counts) -> Counts:
    """Return the counts with the purchases that the artefact expects; place: by_user or by_segment.

    Of the elasticity of units it leaves out that of the units per choice.
    """
    of_choices = place(artefact, lambda of: elasticity(of) - of.products["quantity_sensitivity"].to_numpy(), counts)
    known = dict(artefact.products.select("product_id", "reference_price").iter_rows())
    reference = np.array([known.get(product, np.nan) for product in counts.products], float)
    return counts.expected(place(artefact, probability, counts), of_choices, reference)


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
