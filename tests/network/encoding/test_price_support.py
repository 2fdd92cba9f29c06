"""The supported range of prices against the log, product by product."""

import numpy as np
import pytest

from gpu_pricer.network.encoding.price_support import SupportConfig, price_support


@pytest.mark.parametrize(("quantile", "width"), [(0.0, 0.0), (0.1, 0.05), (0.01, 0.9)])
def test_support_covers_own_prices_most_of_the_category_s_and_a_width(market, quantile, width):
    data = market[1]
    trained = (data.sets.period_of_rows() < data.calendar.trained_periods).numpy()
    ratio, product = data.shelf.price_ratio.numpy()[trained], data.shelf.product.numpy()[trained]
    category = data.products.category.numpy()

    found = price_support(data, SupportConfig(quantile, width))

    for place in range(data.products.count):
        own = ratio[product == place]
        others = np.sort(ratio[category[product] == category[place]])
        low, high = np.quantile(others, [quantile, 1 - quantile], method="inverted_cdf")
        expected = min(own.min(), low, 1 - width), max(own.max(), high, 1 + width)
        assert found.product[place].tolist() == pytest.approx(expected, abs=2e-2 if quantile else 1e-6)
    for place in range(data.categories.count):
        members = found.product[data.products.category == place]
        assert found.category[place, 0] >= members[:, 0].min() - 1e-6
        assert found.category[place, 1] <= members[:, 1].max() + 1e-6


@pytest.mark.parametrize(("quantile", "width"), [(0.5, 0.1), (-0.1, 0.1), (0.01, 1.0)])
def test_ranges_that_are_none_are_refused(quantile, width):
    with pytest.raises(ValueError, match=r"export.support_"):
        SupportConfig(quantile, width)
