"""The synthetic market as a source of raw tables, which also saves its truth."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from gpu_pricer.checks import require_integer
from gpu_pricer.data.sources.source import RawTable
from gpu_pricer.data.sources.synthetic import tables
from gpu_pricer.data.sources.synthetic.history import Manager, MarketHistory, draw_history
from gpu_pricer.data.sources.synthetic.market import Assortment, People, SyntheticMarket, Tastes, draw_market
from gpu_pricer.data.sources.synthetic.price_groups import PriceGroups, draw_groups
from gpu_pricer.data.sources.synthetic.sales import Baskets, Sales, draw_sales
from gpu_pricer.data.sources.synthetic.truth import true_demand
from gpu_pricer.tables.artefact import DemandArtefact, write_artefact


@dataclass(frozen=True)
class Synthetic:
    """The settings of a market; start: a Monday, the first day of the log; truth: directory for the true demand."""

    seed: int
    start: str
    weeks: int
    currency: str
    truth: str
    people: People
    assortment: Assortment
    tastes: Tastes
    manager: Manager
    groups: PriceGroups
    baskets: Baskets

    def __post_init__(self) -> None:
        require_integer("seed", self.seed, 0)
        require_integer("weeks", self.weeks, 1)
        if not isinstance(self.start, str) or date.fromisoformat(self.start).weekday() != 0:
            raise ValueError(f"start must be the ISO date of a Monday, found {self.start!r}")
        if self.groups.count and self.groups.first_week >= self.weeks:
            raise ValueError(f"groups.first_week must be below weeks ({self.weeks}), found {self.groups.first_week}")

    def files(self) -> list[Path]:
        """Return no files: the settings determine the tables."""
        return []

    def tables(self) -> dict[str, RawTable]:
        """Return transactions, products, users, context and, with price groups, group_prices.

        The true demand is written to `truth`.
        """
        drawn = self.draw()
        write_artefact(drawn.truth, Path(self.truth))
        return {name: RawTable(rows.lazy(), f"synthetic {name}") for name, rows in drawn.tables.items()}

    def draw(self) -> "DrawnMarket":
        """Return the drawn market; equal settings give equal bits.

        Market, weeks and sales have random generators of their own, so that changing the manager does not change the
        demand.
        """
        of_market, of_weeks, of_sales, of_labels, of_groups = np.random.default_rng(self.seed).spawn(5)
        market = draw_market(self.people, self.assortment, self.tastes, of_market)
        history = draw_history(market, self.assortment, self.tastes, self.manager, self.weeks, of_weeks)
        groups = draw_groups(self.groups, market, history, of_groups)
        sales = draw_sales(market, self.tastes, history, groups, self.baskets, of_sales)
        ids, start = tables.product_ids(market, of_labels), date.fromisoformat(self.start)
        return DrawnMarket(
            market=market,
            history=history,
            sales=sales,
            truth=true_demand(market, history, sales, ids, start, f"synthetic-{self.seed}", self.currency),
            tables=({"group_prices": tables.group_prices_table(groups, ids, start)} if self.groups.count else {})
            | {
                "transactions": tables.transactions_table(market, history, groups, sales, ids, start),
                "products": tables.products_table(market, history, ids),
                "users": tables.users_table(market, of_labels),
                "context": tables.context_table(history, ids, start),
            },
        )


@dataclass(frozen=True)
class DrawnMarket:
    """A drawn market: its hidden part (market, history, sales, truth), and the raw tables that a retailer has."""

    market: SyntheticMarket
    history: MarketHistory
    sales: Sales
    truth: DemandArtefact
    tables: dict[str, pl.DataFrame]
