"""The schemas of the demand artefact's tables."""

import dataframely as dy
import polars as pl

from gpu_pricer.tables.files.low_memory import is_unique
from kernels import LEAST_DISSIMILARITY

MOST_VISITS = 1e15
"""The most visits of a segment: sums of more would not be exact, and far more would overflow."""


class Segments(dy.Schema):
    """One row per segment; visits is how many visits (user-periods) it is expected to make in the pricing period."""

    segment_id = dy.Any()
    visits = dy.Float64(min=0, max=MOST_VISITS)

    @dy.rule()
    def segment_is_given(cls) -> pl.Expr:
        return pl.col("segment_id").is_not_null()

    @dy.rule()
    def segment_is_unique(cls) -> pl.Expr:
        return pl.col("segment_id").is_unique()


class DemandProducts(dy.Schema):
    """One row per product; a null product_id is its category's fallback for products never trained on.

    units_per_choice: the most units that a choice could take, by which probabilities are multiplied; without a
    quantity_sensitivity those that it takes at any price. quantity_sensitivity: the part κ of the sensitivity by which
    the units of a choice answer the price; what is left is that of choosing the product at all (see
    demand_of_units.py). Both are means over the segments, by their choices.
    """

    product_id = dy.Any()
    category_id = dy.String()
    reference_price = dy.Float64(min_exclusive=0)
    min_price = dy.Float64(min_exclusive=0)
    max_price = dy.Float64(min_exclusive=0)
    availability = dy.Float64(min=0, max=1)
    choices_per_purchase = dy.Float64(min=1)
    units_per_choice = dy.Float64(min_exclusive=0)
    quantity_sensitivity = dy.Float64(min=0)

    @dy.rule()
    def support_holds_the_reference_price(cls) -> pl.Expr:
        return pl.col("reference_price").is_between(pl.col("min_price"), pl.col("max_price"))

    @dy.rule()
    def product_is_unique(cls) -> pl.Expr:
        # Not a test for unique pairs of product and category: hashing the pairs takes 200 bytes a product (at a million
        # products), more than the table itself.
        is_fallback = pl.col("product_id").is_null()
        fallback_is_unique = pl.when(is_fallback).then("category_id").is_unique()
        return pl.when(is_fallback).then(fallback_is_unique).otherwise(is_unique("product_id"))


class Posterior(dy.Schema):
    """One row per segment, category and draw from the posterior of price sensitivity.

    log_deviation is log b in the draw minus log b in the artefact. Rows with equal `draw` are one joint draw over all
    segments and categories. Rows without a category_id are of stand-ins, numbered from 0: every category without rows
    of its own, of whose price response the log says nothing, has the draws of one of these.
    """

    segment_id = dy.Any()
    category_id = dy.String(nullable=True)
    stand_in = dy.Int64(nullable=True, min=0)
    draw = dy.Int64(min=0)
    log_deviation = dy.Float32()

    @dy.rule()
    def either_category_or_stand_in_is_given(cls) -> pl.Expr:
        return pl.col("category_id").is_null() != pl.col("stand_in").is_null()


class DemandCategories(dy.Schema):
    """One row per category that taught the price response; of all this only the dissimilarity decides a price.

    season: what the season adds to the appeal of all its products in the pricing period, against a mean period, with
    its 5 % and 95 % quantiles; the appeal holds it already. sensitivity_from_log: how far the log told its products'
    sensitivities, from 0 (they are those of any category) to 1. prior_elasticity: the mean of the published
    elasticities that training took as known beside the log, null where the log alone taught. dissimilarity: how far
    prices move buyers into and out of the category, beside between its products; 1, the default and that of categories
    without a row, is the logit (see kernels/nesting.py).
    """

    category_id = dy.String(primary_key=True)
    season = dy.Float64()
    season_low = dy.Float64()
    season_high = dy.Float64()
    sensitivity_from_log = dy.Float64(min=0, max=1)
    prior_elasticity = dy.Float64(nullable=True, min_exclusive=0)
    dissimilarity = dy.Float64(min=LEAST_DISSIMILARITY, max=1)


def is_from_log() -> pl.Expr:
    """Return whether at least half of what is known of a category's price response comes from its own log."""
    return pl.col("sensitivity_from_log") >= 0.5
