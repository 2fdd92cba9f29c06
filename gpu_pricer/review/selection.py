"""Which products the page shows: those that match the words and the choices of a person, in an order."""

from dataclasses import dataclass

import polars as pl

from gpu_pricer.gates.approval import OPEN, STALE
from gpu_pricer.review.desk import Desk
from gpu_pricer.tables.version.decisions import CHANGES

TO_DECIDE, ASKED, DECIDED, CHANGED, EVERYTHING = (
    "To decide",
    "Asked about",
    "Decided",
    "Rejected or set",
    "All products",
)
SHOWN = (TO_DECIDE, ASKED, DECIDED, CHANGED, EVERYTHING)
ANY_CATEGORY = "All categories"
DIRECTIONS = {"Up and down": None, "Up": "up", "Down": "down", "Up and down by segment": "mixed", "As today": "kept"}
ORDERS = {"Most money moved": "money", "Largest move": "move_most", "Name": "name"}


@dataclass
class Selection:
    """What a person has chosen. words: found in the id, the name or the category. page: counts from 0."""

    words: str = ""
    shown: str = TO_DECIDE
    category: str = ANY_CATEGORY
    direction: str = "Up and down"
    order: str = "Most money moved"
    page: int = 0

    def of(self, desk: Desk) -> pl.DataFrame:
        """Return the chosen rows of the desk's figures, with what was decided: state, decision, decided_price, note."""
        decided = desk.standing.drop("category_id", "today", "low", "high", "move").rename({"price": "decided_price"})
        table = desk.figures.join(decided, on="product_id", maintain_order="left")
        return table.filter(*self._conditions()).sort(
            self._key(), "product_id", descending=[self.order != "Name", False], nulls_last=True
        )

    def _key(self) -> pl.Expr:
        return pl.col(ORDERS[self.order])

    def _conditions(self) -> list[pl.Expr]:
        state, found = pl.col("state"), []
        found.append(
            {
                TO_DECIDE: state.is_in([OPEN, STALE]),
                ASKED: pl.col("is_asked"),
                DECIDED: pl.col("decision").is_not_null(),
                CHANGED: pl.col("decision").is_in(CHANGES),
                EVERYTHING: pl.lit(True),
            }[self.shown]
        )
        if self.category != ANY_CATEGORY:
            found.append(pl.col("category_id") == self.category)
        if DIRECTIONS[self.direction] is not None:
            found.append(pl.col("direction") == DIRECTIONS[self.direction])
        text = pl.concat_str("product_id", "name", "category_id", separator=" ", ignore_nulls=True).str.to_lowercase()
        found += [text.str.contains(word, literal=True) for word in self.words.lower().split()]
        return [condition.fill_null(False) for condition in found]
