"""A market of the zoo: the raw tables that a retailer has, and the truth that he has not."""

import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from tests.bench.markets.quantities import Weights
from tests.bench.markets.sales import Lines, draw_lines
from tests.bench.markets.scenario import START, Scenario
from tests.bench.markets.true_demand import true_demand
from tests.bench.markets.truth import Truth


@dataclass(frozen=True)
class Market:
    """The raw tables by name, as data=parquet reads them, and the truth."""

    tables: dict[str, pl.DataFrame]
    truth: Truth

    def write(self, folder: Path) -> None:
        """Write the tables to folder/<table>.parquet."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, table in self.tables.items():
            table.write_parquet(folder / f"{name}.parquet")


def generator(family: str, seed: int) -> np.random.Generator:
    """Return the random generator of a family and a seed."""
    return np.random.default_rng([zlib.crc32(family.encode()), seed])


def drawn_market(scenario: Scenario, rng: np.random.Generator) -> Market:
    """Return the market whose log is drawn from the scenario."""
    lines = draw_lines(scenario, rng)
    goods, history = scenario.goods, scenario.history
    tables = {
        "transactions": _transactions(scenario, lines),
        "products": goods.table(history.today, history.cost[-1]),
        "users": scenario.people.table(rng),
        "context": _context(scenario),
    }
    return Market(tables, true_demand(scenario))


def _transactions(scenario: Scenario, lines: Lines) -> pl.DataFrame:
    """Return the raw table: goods that are weighed have the unit price that their spend, in whole cents, gives."""
    history, user_id = scenario.history, scenario.people.user_id
    price = history.paid[lines.week, lines.product]
    if isinstance(scenario.quantity, Weights):
        price = np.maximum(np.rint(np.rint(price * lines.quantity) / lines.quantity), 1)
    return pl.DataFrame(
        {
            "user_id": user_id[lines.user],
            "product_id": scenario.goods.product_id[lines.product],
            "time": np.datetime64(START, "D") + 7 * lines.week + lines.day,
            "quantity": lines.quantity,
            "price": price / 100,
            "list_price": history.regular[lines.week, lines.product] / 100,
        }
    ).sort("time", "user_id", "product_id")


def _context(scenario: Scenario) -> pl.DataFrame:
    week, product = np.nonzero(scenario.shelf)
    columns = {
        "product_id": scenario.goods.product_id[product],
        "time": np.datetime64(START, "D") + 7 * week,
        "display": scenario.history.display[week, product],
    }
    cost = {"cost": scenario.history.cost[week, product] / 100} if scenario.shows_cost else {}
    return pl.DataFrame(columns | cost).sort("time", "product_id")
