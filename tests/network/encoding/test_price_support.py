"""The supported range of prices against the log, product by product."""

import numpy as np
import pytest

from gpu_pricer.network.encoding.price_support import SupportConfig, price_support

NEVER = 10**9  # purchases of a product in a period


@pytest.mark.parametrize("purchases", [1, 30, NEVER])
@pytest.mark.parametrize(("quantile", "width"), [(0.0, 0.0), (0.1, 0.05), (0.01, 0.9)])
def test_support_covers_own_prices_those_of_the_category_that_are_not_rare_or_were_paid_and_a_width(
    market, quantile, width, purchases
):
    data = market[1]
    rows = np.arange(data.shelf.count)
    trained = (data.sets.period_of_rows() < data.calendar.trained_periods).numpy()
    chosen = data.choices.chosen[data.split()[0].long()].numpy()
    bought = (chosen[:, None] == rows[trained]).sum(0)
    ratio, product = data.shelf.price_ratio.numpy()[trained], data.shelf.product.numpy()[trained]
    category = data.products.category.numpy()

    found = price_support(data, SupportConfig(quantile, purchases, width))

    for place in range(data.products.count):
        own, is_other = ratio[product == place], category[product] == category[place]
        low, high = np.quantile(np.sort(ratio[is_other]), [quantile, 1 - quantile], method="inverted_cdf")
        paid = [*ratio[is_other & (bought >= purchases)], 1.0]
        expected = min(own.min(), low, *paid, 1 - width), max(own.max(), high, *paid, 1 + width)
        assert found.product[place].tolist() == pytest.approx(expected, abs=2e-2 if quantile else 1e-6)
    for place in range(data.categories.count):
        members = found.product[data.products.category == place]
        assert found.category[place, 0] >= members[:, 0].min() - 1e-6
        assert found.category[place, 1] <= members[:, 1].max() + 1e-6


def test_rare_price_is_support_where_enough_of_a_product_were_bought_at_it(market):
    data = market[1]
    least = [SupportConfig(0.2, purchases, 0.0) for purchases in (1, 30, NEVER)]

    few, several, none = (price_support(data, config).category[:, 0].mean() for config in least)

    assert few < several < none


@pytest.mark.parametrize(
    ("quantile", "purchases", "width"), [(0.5, 5, 0.1), (-0.1, 5, 0.1), (0.01, 5, 1.0), (0.01, 0, 0.1)]
)
def test_ranges_that_are_none_are_refused(quantile, purchases, width):
    with pytest.raises(ValueError, match=r"export.support_"):
        SupportConfig(quantile, purchases, width)
