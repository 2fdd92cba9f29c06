"""The fixed-effects logit recovers the demand that the choices were drawn from."""

import numpy as np
import polars as pl

from gpu_pricer.evaluation.truth.fixed_effects import count_by_group, fit_logit
from tests.canonical import write_canonical


def test_slopes_and_levels_of_a_known_market_are_found(tmp_path):
    drawn = write_canonical(tmp_path / "data", users=600, periods=40)
    shelf, choices = (pl.read_parquet(tmp_path / "data" / f"{name}.parquet") for name in ("shelf", "choices"))
    products = shelf.group_by("product_id", "category_id").agg(reference_price=pl.col("price").median())
    products = products.sort("category_id", "product_id")
    half = pl.DataFrame({"user_id": np.arange(600), "group": np.arange(600) % 2})

    found = fit_logit(count_by_group(shelf, choices, half, products))

    of_category = [drawn.sensitivity[5 * g : 5 * g + 5].mean() for g in range(4)]
    np.testing.assert_allclose(found.sensitivity.mean(axis=0)[::5], of_category, rtol=0.15)
    assert np.corrcoef(found.appeal.mean(axis=0), drawn.appeal.mean(axis=0))[0, 1] > 0.95
