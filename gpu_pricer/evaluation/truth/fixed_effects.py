"""A multinomial logit with fixed effects for known groups of users, as a careful analyst would fit it.

u = level[group, product] + level[product] + effect[category × period] + promotion · effect
    − (slope + slope[group] + slope[category]) · (price / reference − 1)
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy.optimize import minimize

from gpu_pricer.tables.schemas import CHOICE_COUNT, PROMOTIONS

MOST_STEPS = 500
CARRY_PERIODS = 4  # the period after the log takes the mean effect of this many last periods
# Light ridges, just enough to identify every effect of a small market. A heavier ridge on the effects would leave part
# of the season unexplained, and the prices would explain it.
PRECISION = {
    "common": 0.01,
    "level": 1.0,
    "effect": 0.01,
    "promotion": 0.0,
    "slope": 0.0,
    "group_slope": 0.1,
    "category_slope": 0.1,
}
Parts = dict[str, np.ndarray]


@dataclass(frozen=True)
class Counts:
    """The choices of T groups of users from C choice sets (category × period) with R shelf rows, sorted by set.

    set_start [C + 1]: the rows of set c are set_start[c]:set_start[c + 1]; set_category, set_period [C].
    product, set_of_row [R]: numbers; promotion [R, 2]; move [R]: price / reference − 1; product_category [P].
    bought [T, R]: choices; visits [T, C]: occasions with or without a choice.
    """

    set_start: np.ndarray
    set_category: np.ndarray
    set_period: np.ndarray
    product: np.ndarray
    set_of_row: np.ndarray
    product_category: np.ndarray
    promotion: np.ndarray
    move: np.ndarray
    bought: np.ndarray
    visits: np.ndarray


@dataclass(frozen=True)
class FixedEffectsLogit:
    """The fitted appeal [T, P] and sensitivity [T, P].

    The appeal is that at the reference price in the period after the log, without promotion.
    """

    appeal: np.ndarray
    sensitivity: np.ndarray


def count_by_group(
    shelf: pl.DataFrame, choices: pl.DataFrame, user_group: pl.DataFrame, products: pl.DataFrame
) -> Counts:
    """Return the counts of the canonical shelf and choices by group.

    user_group: user_id and group, whole numbers from 0. products [P]: product_id, category_id, reference_price, sorted
    by category. A sampled occasion without purchase counts as all the occasions that it stands for.
    """
    known = products.with_row_index("product").with_columns(category=pl.col("category_id").rle_id())
    rows = (
        shelf.drop("category_id")
        .join(known, on="product_id")
        .sort("category", "period", "product")
        .with_columns(set=pl.struct("category", "period").rle_id())
        .with_row_index("row")
    )
    sets = rows.group_by("set", maintain_order=True).agg(pl.col("category", "period").first(), pl.len())
    is_bought = pl.col("product_id").is_not_null()
    chosen = (
        choices.join(user_group, on="user_id")
        .join(known.select("category", "category_id").unique(), on="category_id")
        .join(sets.drop("len"), on=["category", "period"])
        .join(rows.select("period", "product_id", "row"), on=["period", "product_id"], how="left")
        .filter(~is_bought | pl.col("row").is_not_null())
        .with_columns(count=CHOICE_COUNT)
    )
    groups = int(user_group["group"].max()) + 1  # type: ignore[arg-type]
    bought, visits = np.zeros((groups, rows.height)), np.zeros((groups, sets.height))
    for grid, place in ((visits, "set"), (bought, "row")):
        found = chosen.drop_nulls(place)
        np.add.at(grid, (found["group"].to_numpy(), found[place].to_numpy()), found["count"].to_numpy())
    return Counts(
        set_start=np.concatenate([[0], np.cumsum(sets["len"].to_numpy())]).astype(np.int64),
        set_category=sets["category"].to_numpy(),
        set_period=sets["period"].rank("dense").to_numpy(),
        product=rows["product"].to_numpy(),
        set_of_row=rows["set"].to_numpy(),
        product_category=known["category"].to_numpy(),
        promotion=rows.select(PROMOTIONS).to_numpy(),
        move=(rows["price"] / rows["reference_price"] - 1).to_numpy(),
        bought=bought,
        visits=visits,
    )


def fit_logit(counts: Counts) -> FixedEffectsLogit:
    """Return the logit that maximises the likelihood, which is concave (McFadden 1974), by L-BFGS.

    A product that was never on the shelf gets the mean level and the slope of its category.
    """
    shapes = _shapes(counts)
    start = np.zeros(sum(int(np.prod(shape)) for shape in shapes.values()))
    options = {"maxiter": MOST_STEPS, "maxfun": 2 * MOST_STEPS}
    found = minimize(_loss, start, (counts, shapes), jac=True, method="L-BFGS-B", options=options)
    part = _parts(found.x, shapes)
    level = part["common"] + part["level"]
    category, categories = counts.product_category, len(part["category_slope"])
    is_known = np.isin(np.arange(len(category)), counts.product)
    size = np.maximum(np.bincount(category, is_known, minlength=categories), 1)
    mean = np.stack([np.bincount(category, row * is_known, minlength=categories) / size for row in level])
    recent = counts.set_period > counts.set_period.max() - CARRY_PERIODS
    total = np.bincount(counts.set_category[recent], part["effect"][recent], minlength=categories)
    effect = total / np.maximum(np.bincount(counts.set_category[recent], minlength=categories), 1)
    slope = part["slope"] + part["group_slope"][:, None] + part["category_slope"][category]
    return FixedEffectsLogit(np.where(is_known, level, mean[:, category]) + effect[category], slope)


def _shapes(counts: Counts) -> dict[str, tuple[int, ...]]:
    groups, products = len(counts.bought), len(counts.product_category)
    return {
        "common": (products,),
        "level": (groups, products),
        "effect": (len(counts.set_category),),
        "promotion": (counts.promotion.shape[1],),
        "slope": (1,),
        "group_slope": (groups,),
        "category_slope": (int(counts.product_category.max()) + 1,),
    }


def _parts(theta: np.ndarray, shapes: dict[str, tuple[int, ...]]) -> Parts:
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes.values()])[:-1]
    return {n: p.reshape(shapes[n]) for n, p in zip(shapes, np.split(theta, ends), strict=True)}


def _loss(theta: np.ndarray, counts: Counts, shapes: dict[str, tuple[int, ...]]) -> tuple[float, np.ndarray]:
    """Return the negative log likelihood per occasion, with the ridges, and its gradient."""
    part, category = _parts(theta, shapes), counts.product_category[counts.product]
    slope = part["slope"] + part["group_slope"][:, None] + part["category_slope"][category]
    everyone = part["common"][counts.product] + part["effect"][counts.set_of_row] + counts.promotion @ part["promotion"]
    utility = part["level"][:, counts.product] + everyone - slope * counts.move
    weight = np.exp(utility)
    total = np.add.reduceat(weight, counts.set_start[:-1], axis=1)
    residual = weight * (counts.visits / (1 + total))[:, counts.set_of_row] - counts.bought
    value = (counts.visits * np.log1p(total)).sum() - (counts.bought * utility).sum()
    gradient = _gradient(residual, counts, shapes, category)
    value += sum(PRECISION[name] / 2 * (values**2).sum() for name, values in part.items())
    flat = np.concatenate([(gradient[name] + PRECISION[name] * part[name]).ravel() for name in shapes])
    return float(value / counts.visits.sum()), flat / counts.visits.sum()


def _gradient(residual: np.ndarray, counts: Counts, shapes: dict[str, tuple[int, ...]], category: np.ndarray) -> Parts:
    level = np.stack([np.bincount(counts.product, row, minlength=shapes["level"][1]) for row in residual])
    everyone, steep = residual.sum(axis=0), -residual * counts.move
    return {
        "common": level.sum(axis=0),
        "level": level,
        "effect": np.add.reduceat(everyone, counts.set_start[:-1]),
        "promotion": everyone @ counts.promotion,
        "slope": steep.sum(keepdims=True).ravel(),
        "group_slope": steep.sum(axis=1),
        "category_slope": np.bincount(category, steep.sum(axis=0), minlength=shapes["category_slope"][0]),
    }
