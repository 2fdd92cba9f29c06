"""What every segment bought of every category in every period, on a grid of periods × products."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from gpu_pricer.network.segment_response.endogeneity import EndogeneityConfig, first_stage, with_known_prices
from gpu_pricer.tables.artefact import DemandArtefact
from gpu_pricer.tables.schemas import CHOICE_COUNT, COST_SHIFTERS, PROMOTIONS, Shelf


@dataclass(frozen=True)
class CategoryCounts:
    """One category of n products in W periods, for S segments.

    row [n]: the products' rows in the artefact; on_shelf [W, n]; move [W, n]: price / reference − 1; surprise [W, n]:
    see endogeneity; context [C, W, n]; bought [S, W, n]: choices, visits [S, W]: occasions, with or without one;
    appeal, sensitivity [S, n]: those of the artefact. Off the shelf all of [W, n] are 0.
    """

    row: np.ndarray
    on_shelf: np.ndarray
    move: np.ndarray
    surprise: np.ndarray
    context: np.ndarray
    bought: np.ndarray
    visits: np.ndarray
    appeal: np.ndarray
    sensitivity: np.ndarray

    def price_spread(self) -> float:
        """Standard deviation of the log of price / reference."""
        return float(np.log1p(self.move[self.on_shelf]).std())


def count_choices(
    artefact: DemandArtefact,
    shelf: pl.DataFrame,
    choices: pl.DataFrame,
    endogeneity: EndogeneityConfig,
    min_price_coverage: float,
) -> list[CategoryCounts]:
    """Count canonical choices by the artefact's user_segments, for every category of which anything was sold.

    An occasion without purchase counts for all those that its sampling left out (outside_rate). A product whose price
    was seen in less than min_price_coverage of its periods is no alternative, and its purchases no choices: what is
    left is a logit again (independence of irrelevant alternatives).
    """
    products = artefact.products.with_row_index("row").drop_nulls("product_id")
    products = products.select("row", "product_id", "category_id", "reference_price").sort("category_id", "product_id")
    rows, context = _shelf_rows(shelf.drop("category_id").join(products, on="product_id"), endogeneity)
    rows = rows.filter((pl.col("price_age") == 0).mean().over("product_id") >= min_price_coverage)
    if rows.is_empty():
        return []
    products = products.filter(pl.col("product_id").is_in(rows["product_id"].unique().implode()))
    weeks = rows.select("period", "week").unique()
    known = _known_choices(artefact, choices, products["product_id"], weeks)
    of_shelf, of_choices, of_products = (
        table.partition_by("category_id", as_dict=True, maintain_order=True) for table in (rows, known, products)
    )
    shape = artefact.segments.height, 1 + weeks.select(pl.col("week").max()).item()
    return [
        _of_category(artefact, part, of_shelf[key], of_choices[key], context, shape)
        for key, part in of_products.items()
        if key in of_choices
    ]


def _known_choices(
    artefact: DemandArtefact, choices: pl.DataFrame, product_id: pl.Series, weeks: pl.DataFrame
) -> pl.DataFrame:
    """The choices of these products, or of nothing, with segment, week and count."""
    assert artefact.user_segments is not None
    is_known = pl.col("product_id").is_null() | pl.col("product_id").is_in(product_id.implode())
    return (
        choices.filter(is_known)
        .join(artefact.user_segments, on="user_id")
        .join(artefact.segments.select("segment_id").with_row_index("segment"), on="segment_id")
        .join(weeks, on="period")
        .with_columns(count=CHOICE_COUNT)
    )


def _shelf_rows(rows: pl.DataFrame, endogeneity: EndogeneityConfig) -> tuple[pl.DataFrame, list[str]]:
    """The rows with week, move and surprise, and the names of their context.

    Promotions stay as they are; any other context is standardised, 0 where it is not known.
    """
    own = {*Shelf.column_names(), *COST_SHIFTERS, *(endogeneity.instruments or []), "row", "reference_price"}
    others = [name for name in rows.columns if name not in own]
    scaled = [((pl.col(n) - pl.col(n).mean()) / pl.col(n).std()).fill_nan(0.0).fill_null(0.0) for n in others]
    context = [*PROMOTIONS, *others]
    rows = with_known_prices(rows.with_columns(scaled), context, endogeneity)
    rows = rows.with_columns(
        week=pl.col("period").rank("dense").cast(pl.Int64) - 1,
        surprise=pl.Series(first_stage(rows, context, endogeneity)),
        move=pl.col("price") / pl.col("reference_price") - 1,
    )
    return rows, context


def _of_category(
    artefact: DemandArtefact,
    products: pl.DataFrame,
    shelf: pl.DataFrame,
    choices: pl.DataFrame,
    context: list[str],
    shape: tuple[int, int],
) -> CategoryCounts:
    place = products.select("product_id").with_row_index("place")
    shelf = shelf.join(place, on="product_id")
    where = shelf["week"].to_numpy(), shelf["place"].to_numpy()
    grid = {name: np.zeros((shape[1], place.height)) for name in ("move", "surprise", *context)}
    for name, values in grid.items():
        values[where] = shelf[name].to_numpy()
    on_shelf = np.zeros((shape[1], place.height), bool)
    on_shelf[where] = True
    choices = choices.join(place, on="product_id", how="left")
    segment, week, count = (choices[name].to_numpy() for name in ("segment", "week", "count"))
    visits, bought = np.zeros(shape), np.zeros((*shape, place.height))
    np.add.at(visits, (segment, week), count)
    is_bought = choices["place"].is_not_null().to_numpy()
    np.add.at(bought, (segment[is_bought], week[is_bought], choices["place"].drop_nulls().to_numpy()), count[is_bought])
    row = products["row"].to_numpy()
    return CategoryCounts(
        row=row,
        on_shelf=on_shelf,
        move=grid["move"],
        surprise=grid["surprise"],
        context=np.stack([grid[name] for name in context]),
        bought=bought,
        visits=visits,
        appeal=artefact.factors["appeal"][:, row].astype(np.float64),
        sensitivity=artefact.factors["sensitivity"][:, row].astype(np.float64),
    )
