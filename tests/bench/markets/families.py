"""The open families of the zoo, by name."""

from collections.abc import Callable

from tests.bench.markets.by_goods import by_weight, new_products, rarely_sold, remembered_prices
from tests.bench.markets.by_people import by_category, continuous, drifting, lognormal_types
from tests.bench.markets.by_prices import displays, shocks_with_cost, shocks_without_cost
from tests.bench.markets.market import Market

FAMILIES: dict[str, Callable[[int], Market]] = {
    family.__name__: family
    for family in (
        lognormal_types,
        continuous,
        by_category,
        drifting,
        displays,
        shocks_with_cost,
        shocks_without_cost,
        new_products,
        by_weight,
        remembered_prices,
        rarely_sold,
    )
}
