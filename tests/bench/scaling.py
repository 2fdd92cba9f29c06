"""Mcells/s of our prices as a market grows in each direction, as one line of JSON.

    python -m tests.bench.scaling [--products N] [--segments N] [--repeats N]

Each row varies one thing of a base market; its markets take turns in every round. --products is the base number of
products, the row of products has a fifth, once and five times as many. spread_*: the largest deviation from the
median rate of a row, as a share of it; that of categories leaves single products out, which have no substitutes.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from statistics import median

from tests.bench.crew import run_all
from tests.bench.grocery_markets import Market, MarketSize, dense, grocery_market
from tests.bench.ours import prices_alone
from tests.bench.timing import ROUNDS, arguments, rates, report, rounded

PRODUCTS, SEGMENTS = 100_000, 64


def main() -> None:
    """Measure row after row, and print the line."""
    given = arguments(products=PRODUCTS, segments=SEGMENTS, repeats=ROUNDS)
    base = MarketSize(given.products, given.segments)
    rows = {name: rounded(rates_of(make, given.repeats)) for name, make in rows_of(base).items()}
    categories = [rate for size, rate in rows["category_size"].items() if size != "1"]
    report(
        mcells_per_s=rows,
        spread_products=round(spread(list(rows["products"].values())), 3),
        spread_category=round(spread(categories), 3),
    )


def rows_of(base: MarketSize) -> dict[str, dict[str, Callable[[], Market]]]:
    """Return the rows: how to make each market, by what it differs in."""
    few = replace(base, products=base.products // 5)
    return {
        "products": sizes(base, "products", [base.products // 5, base.products, 5 * base.products]),
        "segments": sizes(base, "segments", [16, 64, 100, 256]),
        "category_size": sizes(base, "category_size", [1, 10, 50, 200, 500]),
        "factors": sizes(base, "factors", [(8, 4), (64, 16), (128, 32)]),
        "form": {"factors": lambda: grocery_market(few), "dense": lambda: dense(grocery_market(few))},
    }


def sizes(base: MarketSize, field: str, values: list) -> dict[str, Callable[[], Market]]:
    """Return how to make the base market with each value of the field; a width reads 64+16."""
    names = ["+".join(map(str, value)) if isinstance(value, tuple) else str(value) for value in values]
    markets = [partial(grocery_market, replace(base, **{field: value})) for value in values]
    return dict(zip(names, markets, strict=True))


def rates_of(make: Mapping[str, Callable[[], Market]], rounds: int) -> dict[str, float]:
    """Return the rate of every market of a row, which are all kept until the row is done."""
    markets = {name: make_one() for name, make_one in make.items()}
    passes = {name: prices_alone(market) for name, market in markets.items()}
    cells = {name: market.cells for name, market in markets.items()}
    return rates(cells, lambda name, repeats: run_all(passes[name], repeats), rounds)


def spread(row: list[float]) -> float:
    """Return the largest deviation from the row's median, as a share of it."""
    return max(abs(rate / median(row) - 1) for rate in row)


if __name__ == "__main__":
    main()
