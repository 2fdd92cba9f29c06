"""The reference `true_types`: prices from a fixed-effects logit that knows the type of every user."""

from dataclasses import replace

import numpy as np
import polars as pl

from gpu_pricer.evaluation.truth.fixed_effects import count_by_group, fit_logit
from gpu_pricer.policy.policy import Policy
from gpu_pricer.pricing.problem.pricing_problem import pricing_problem
from gpu_pricer.pricing.tiles.solving import reference_cells
from gpu_pricer.tables.artefact import DemandArtefact

LEAST_SENSITIVITY = 0.05  # a slope below this, or of the wrong sign, is replaced by it


def true_types_price(
    truth: DemandArtefact, catalog: pl.DataFrame, policy: Policy, shelf: pl.DataFrame, choices: pl.DataFrame
) -> np.ndarray:
    """Return prices [P, T] in cents in the order of the benchmark: products by category, types by id.

    shelf, choices: the canonical tables. The logit knows each user's type, promotions and the true reference price of
    every product. It does not correct the prices of the log for endogeneity.
    """
    assert truth.user_segments is not None
    types = truth.segments.select(pl.col("segment_id")).with_row_index("group")
    users = truth.user_segments.select(pl.col("user_id").cast(choices.schema["user_id"]), "segment_id")
    products = truth.products.select("product_id", "category_id", "reference_price").with_row_index("row")
    products = products.sort("category_id", "product_id")
    group = users.join(types, on="segment_id").select("user_id", pl.col("group").cast(pl.Int64))
    fitted = fit_logit(count_by_group(shelf, choices, group, products.drop("row")))
    order = products["row"].arg_sort().to_numpy()
    factors = {
        "appeal": fitted.appeal[:, order].astype(np.float32),
        "sensitivity": np.maximum(fitted.sensitivity[:, order], LEAST_SENSITIVITY).astype(np.float32),
    }
    known = truth.products.select("product_id", "category_id", "availability")
    offered = catalog.drop("category_id", "availability").join(known, on="product_id")
    problem = pricing_problem(replace(truth, factors=factors, offsets=None), offered, policy)
    return reference_cells(problem).price.astype(np.float64)
