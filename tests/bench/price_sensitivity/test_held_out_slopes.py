"""Held-out weeks show the response that made them, whatever was predicted."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from tests.bench.price_sensitivity.held_out_slopes import slopes_beyond

TRUE = -1.6


@pytest.mark.parametrize("learned", [-0.4, -1.6, -2.5])
def test_slope_is_the_way_from_the_predicted_to_the_true_elasticity(learned):
    rng = np.random.default_rng(3)
    weeks, products, offers = 7, 12, 400
    level, season = rng.normal(-2.5, 0.4, products), rng.normal(0, 0.3, weeks)
    log_price = rng.normal(0, 0.2, (products, weeks))
    product, week, _ = (index.ravel() for index in np.indices((products, weeks, offers)))
    truth, predicted = (
        np.exp(level[product] + extra[week] + e * log_price[product, week])
        for e, extra in ((TRUE, season), (learned, np.zeros(weeks)))
    )
    table = pl.DataFrame({
        "category_id": "milk",
        "product_id": product,
        "period": [date(2025, 1, 6) + timedelta(weeks=int(number)) for number in week],
        "price_ratio": np.exp(log_price)[product, week],
        "weight": 1.0,
        "artefact_probability": predicted,
        "bought": rng.random(len(week)) < truth,
    })  # fmt: skip

    found = slopes_beyond(table)["milk"]

    assert found.holds(TRUE - learned)
    assert 0.1 < found.high - found.low < 0.8
