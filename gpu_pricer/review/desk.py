"""The desk: the products of a version, what was decided about them, and what the decisions lead to."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from gpu_pricer.errors import InputError
from gpu_pricer.gates.approval import OPEN, STALE, Approval, proposals_of, standing_of
from gpu_pricer.report.scored import Scored
from gpu_pricer.review.consequences import CategoryMarket, Consequence
from gpu_pricer.review.guardrails import Guardrails
from gpu_pricer.review.sheet import figures_of
from gpu_pricer.review.sheet_file import SheetRow
from gpu_pricer.tables.price_table import CENTS
from gpu_pricer.tables.spreadsheet import zeros_hint
from gpu_pricer.tables.version.decisions import (
    ACCEPT,
    CHANGES,
    OVERRIDE,
    REJECT,
    SCHEMA,
    Decision,
    append_decisions,
    now,
    read_decisions,
)
from gpu_pricer.tables.version.names import RECORD
from gpu_pricer.tables.version.stock_record import unit_limits_of


class Counts(NamedTuple):
    """How many products people are asked about, how many wait, how many of these are stale, and what was decided.

    off_shelf: moved products off the shelf that nobody is asked about.
    """

    asked: int
    waiting: int
    stale: int
    accepted: int
    rejected: int
    overridden: int
    off_shelf: int


class Totals(NamedTuple):
    """Units and profit of a period: at today's prices, at the proposed ones, and with what was decided."""

    units_today: float
    units_proposed: float
    units_decided: float
    profit_today: float
    profit_proposed: float
    profit_decided: float


class Desk:
    """The decisions about one version, recorded in the log beside it.

    figures: from figures_of. standing: Standing.products, as of the last `refresh`.
    """

    def __init__(self, prices: Path, scored: Scored, approval: Approval, names: pl.DataFrame, who: str) -> None:
        """prices: the folder of the versions; names: product_id and name; who: the name that decisions carry."""
        self.prices, self.scored, self.approval, self.who = prices, scored, approval, who
        self.guardrails, self.proposals = Guardrails(scored), proposals_of(scored.folder, scored.version)
        self.figures = figures_of(scored, self.proposals, names)
        self._rows = dict(self.figures.select("product_id", "row").iter_rows())
        self._limit = unit_limits_of(scored.folder / RECORD, scored.problem.products.product_id)
        self._markets: dict[int, CategoryMarket] = {}
        self._effects: dict[tuple, tuple[float, float]] = {}
        self.refresh()

    def refresh(self) -> None:
        """Read the log again: others may have decided meanwhile."""
        standing = standing_of(self.proposals, read_decisions(self.prices), SCHEMA.to_frame(), self.approval)
        self.standing = standing.products
        changed = self.standing.filter(pl.col("decision").is_in(CHANGES))
        self.changes = {row["product_id"]: row for row in changed.iter_rows(named=True)}
        self._changed: dict[int, list[tuple[int, int]]] = {}
        for product_id, change in self.changes.items():
            price = change["today"] if change["decision"] == REJECT else change["price"]
            cell = (self._rows[product_id], round(price * CENTS))
            self._changed.setdefault(self._category(product_id), []).append(cell)

    def decide(self, product_ids: Sequence[str], decision: str, price: float | None = None, note: str = "") -> None:
        """Record one decision about products; raise InputError for an override that no person may set."""
        if decision == OVERRIDE:
            for product_id in product_ids:
                self.require_allowed(product_id, price)
        decided = self.proposals.filter(pl.col("product_id").is_in([*product_ids]))
        proposal = dict(decided.select("product_id", "proposal").iter_rows())
        when, run = now(), self.scored.version.run
        amount = price if decision == OVERRIDE else None
        append_decisions(
            self.prices,
            [Decision(when, self.who, run, name, proposal[name], decision, amount, note) for name in product_ids],
        )
        self.refresh()

    def record(self, answers: Sequence[SheetRow]) -> tuple[int, int]:
        """Record a sheet's answers; return how many were new, and how many were about other prices and do not count.

        Nothing is recorded where one cannot be: InputError.
        """
        known = dict(zip(self.standing["product_id"], self.standing.iter_rows(named=True), strict=True))
        fresh, stale, when, run = [], 0, now(), self.scored.version.run
        for answer in answers:
            row = known.get(answer.product_id)
            if row is None:
                hint = zeros_hint(answer.product_id, [*known]) or ": mend it"
                raise InputError(f"{answer.place} must name a product of {run}, found {answer.product_id}{hint}")
            if answer.proposal not in (None, row["proposal"]):
                stale += 1
                continue
            if answer.decision == OVERRIDE:
                self.require_allowed(answer.product_id, answer.price, f"{answer.place}: ")
            answered = (answer.decision, answer.price, answer.note)
            if answered != (row["decision"], row["price"], row["note"]):
                fresh.append(Decision(when, self.who, run, answer.product_id, row["proposal"], *answered))
        append_decisions(self.prices, fresh)
        self.refresh()
        return len(fresh), stale

    def require_allowed(self, product_id: str, price: float | None, place: str = "") -> None:
        """Raise InputError for a price that no person may set."""
        refusal = "none was given"
        if price is not None:
            refusal = self.guardrails.verdict(self._rows[product_id], price).refusal
        if refusal:
            raise InputError(f"{place}the price of {product_id} must be one that can be set, found {price}: {refusal}")

    def counts(self) -> Counts:
        """Return how many products stand how."""
        state = self.standing["state"]
        stale, waiting = int((state == STALE).sum()), int(state.is_in([OPEN, STALE]).sum())
        accepted, rejected, overridden = (int((state == decision).sum()) for decision in (ACCEPT, REJECT, OVERRIDE))
        off_shelf = self.standing.filter((pl.col("move") > 0) & ~pl.col("is_on_shelf") & ~pl.col("is_asked")).height
        return Counts(int(self.standing["is_asked"].sum()), waiting, stale, accepted, rejected, overridden, off_shelf)

    def market(self, product_id: str) -> CategoryMarket:
        """Return the market of the product's category."""
        index = self._category(product_id)
        if index not in self._markets:
            self._markets[index] = CategoryMarket(self.scored.problem, self._rows[product_id], self._limit)
        return self._markets[index]

    def _category(self, product_id: str) -> int:
        """Return the position of the product's category in the problem."""
        start = self.scored.problem.products.category_start
        return int(np.searchsorted(start, self._rows[product_id], side="right")) - 1

    def today_prices(self, market: CategoryMarket) -> np.ndarray:
        """Return today's prices of a category, [n, 1] in cents."""
        return self.scored.problem.products.today[market.products, None]

    def proposed_prices(self, market: CategoryMarket) -> np.ndarray:
        """Return the version's prices of a category, [n, S] in cents."""
        return self.scored.price[market.products]

    def decided_prices(self, market: CategoryMarket) -> np.ndarray:
        """Return the prices [n, S] in cents of a category as decided so far."""
        price = self.proposed_prices(market)
        for row, cents in self._changes_of(market):
            price = market.with_price(price, row, cents)
        return price

    def consequence(self, product_id: str, price: float | None) -> Consequence:
        """Return what a price in currency for all segments leads to, beside what was decided; None: the proposal."""
        market, row = self.market(product_id), self._rows[product_id]
        prices = self.decided_prices(market)
        if price is None:
            prices = prices.copy()
            prices[row - market.products.start] = self.proposed_prices(market)[row - market.products.start]
        else:
            prices = market.with_price(prices, row, round(price * CENTS))
        return market.consequence(row, prices)

    def today(self, product_id: str) -> Consequence:
        """Return what today's prices of the whole category lead to."""
        market = self.market(product_id)
        return market.consequence(self._rows[product_id], self.today_prices(market))

    def totals(self) -> Totals:
        """Return the units and the profit of a period with what was decided."""
        tally, markets = (
            self.scored.version.tally,
            {self.market(name).index: self.market(name) for name in self.changes},
        )
        effects = [self._effect(market) for market in markets.values()]
        units, profit = (sum(effect[k] for effect in effects) for k in (0, 1))
        return Totals(
            tally.units_today, tally.units_new, tally.units_new + units,
            tally.profit_today, tally.profit_new, tally.profit_new + profit,
        )  # fmt: skip

    def _effect(self, market: CategoryMarket) -> tuple[float, float]:
        """Return what the decisions add to the units and the profit that the proposed prices of a category lead to."""
        key = (market.index, *self._changes_of(market))
        if key not in self._effects:
            row = market.products.start
            now_, before = (
                market.consequence(row, prices(market)).category
                for prices in (self.decided_prices, self.proposed_prices)
            )
            self._effects[key] = (now_.units - before.units, now_.profit - before.profit)
        return self._effects[key]

    def _changes_of(self, market: CategoryMarket) -> list[tuple[int, int]]:
        """Return the decided products of a category by position in the problem, with their prices in cents."""
        return self._changed.get(market.index, [])
