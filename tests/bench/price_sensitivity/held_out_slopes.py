"""What held-out weeks say of elasticities: how far the response that they show goes beyond the predicted one."""

import numpy as np
import polars as pl

from tests.bench.price_sensitivity.regression import Elasticity, poisson_coefficients

CELL = ("category_id", "product_id", "period")


def slopes_beyond(offers: pl.DataFrame) -> dict[str, Elasticity]:
    """Return by category what is to be added to the artefact's elasticity to have that of the held-out weeks.

    offers: as `train` writes them. Purchases of a product in a week ~ Poisson(predicted · exp(effect of the week +
    e · ln price)): e is 0 where the predicted response is right. Products in weeks are independent parts.
    """
    weight = pl.col("weight")
    cells = offers.group_by(CELL).agg(
        bought=(weight * pl.col("bought")).sum(),
        predicted=(weight * pl.col("artefact_probability")).sum(),
        log_price=pl.col("price_ratio").first().log(),
    )
    return {
        str(category): _slope_beyond(rows)
        for (category,), rows in cells.sort(CELL).group_by("category_id", maintain_order=True)
    }


def _slope_beyond(cells: pl.DataFrame) -> Elasticity:
    bought, predicted = cells["bought"].to_numpy(), cells["predicted"].to_numpy()
    week = cells["period"].rank("dense").to_numpy().astype(int) - 1
    design = np.column_stack([cells["log_price"].to_numpy(), np.eye(week.max() + 1)[week]])
    coefficient = poisson_coefficients(design, bought, predicted)
    expected = predicted * np.exp(design @ coefficient)
    curvature = np.linalg.pinv((design * expected[:, None]).T @ design, hermitian=True)
    return Elasticity.of(coefficient[0], (bought - expected) * (design @ curvature)[:, 0])
