"""Prices of 30 nights whose demand is learned anew every Monday, with a cap against earlier prices and without.

    python -m tests.bench.price_walk --figure docs/price_walk.svg

A shop of two categories × four products whose best prices lie far above today's. Every night the jobs score and
publish, and the shop sells at these prices on the next day; on Mondays `prepare` and `train` learn from all sales so
far. A night may raise a price by 5 %, and prices may leave the support of the training. The figure shows the mean price
over that before the first night, once with policy.bounds.anchor and once without.
"""

import argparse
import tempfile
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
from matplotlib.ticker import PercentFormatter

from gpu_pricer.command_line.cli import main as gpu_pricer
from gpu_pricer.evaluation.plots import OURS, THEIRS, figure
from gpu_pricer.tables.price_table import scan_prices

FIRST_NIGHT, NIGHTS, WEEKS = date(2025, 6, 2), 30, 16  # a Monday; the weeks of sales before it
USERS, CATEGORIES, PRODUCTS = 150, 2, 8
SENSITIVITY = 1.2
"""Utility per 100 % of the first price: so little that the best prices are more than twice today's."""

DAYS, MAX_INCREASE, MAX_DECREASE = 28, 0.15, 0.30
CAP = (f"policy.bounds.anchor={{days: {DAYS}, max_increase: {MAX_INCREASE}, max_decrease: {MAX_DECREASE}}}",)
CAPPED, FREE = "within 15% of the price of 28 days ago", "without a cap"
RULES = ("policy=profit", "policy.bounds.max_increase=0.05", "policy.bounds.within_support=false", "policy.ladder=null")
SETTINGS = ("data=parquet", "model=tiny", "model.optimiser.steps=10", "train.segments.count=1", "backend=cpu")
FAST = ("train.response.draws=0", "train.export.member_cells=0")


class Shop:
    """A folder in which the jobs run, the prices of today [P], and all sales so far."""

    def __init__(self, folder: Path, rules: Sequence[str]) -> None:
        self.folder, self.rules, self.rng = folder, rules, np.random.default_rng(7)
        self.first = np.round(self.rng.uniform(2, 6, PRODUCTS), 2)
        self.sales: list[pl.DataFrame] = []
        for week in range(WEEKS, 0, -1):
            spread = 0.05 if week > 1 else 0.0
            self.price = np.round(self.first * np.exp(self.rng.normal(0, spread, PRODUCTS)), 2)
            for day in range(7):
                self.sell(FIRST_NIGHT + timedelta(day - 7 * week))

    def sell(self, day: date) -> None:
        """Add the purchases of a day, on which every seventh user shops: a product of each category, or nothing."""
        users = np.arange(day.weekday(), USERS, 7)
        utility = 0.5 - SENSITIVITY * (self.price / self.first - 1) + self.rng.gumbel(size=(len(users), PRODUCTS))
        for products in np.split(np.arange(PRODUCTS), CATEGORIES):
            best = products[utility[:, products].argmax(axis=1)]
            buys = utility[np.arange(len(users)), best] > self.rng.gumbel(size=len(users))
            rows = {"user_id": users[buys], "product_id": best[buys], "price": self.price[best[buys]]}
            self.sales.append(pl.DataFrame(rows).with_columns(time=pl.lit(day), quantity=pl.lit(1)))

    def night(self, day: date) -> np.ndarray:
        """Reprice on the night before a day and sell on it; return the prices [P]. On Mondays learn the demand anew."""
        if day.weekday() == 0:
            (self.folder / "tables").mkdir(exist_ok=True)
            pl.concat(self.sales).write_parquet(self.folder / "tables/transactions.parquet")
            self.write_catalog(self.folder / "tables/products.parquet")
            self.run("prepare")
            self.run("train")
        self.write_catalog(self.folder / "work/data/products.parquet")
        shards = f"paths.shards={self.folder / 'prices' / str(day)}"
        self.run("score", f"day={day}", shards, *RULES, *self.rules)
        self.run("publish", shards)
        table = scan_prices(self.folder / "prices" / str(day)).sort("product_id").collect()
        self.price = table["price"].cast(pl.Float64).to_numpy()
        self.sell(day)
        return self.price

    def write_catalog(self, path: Path) -> None:
        """Write the products at today's prices, with costs that do not change."""
        products = np.arange(PRODUCTS)
        category = [f"c{product * CATEGORIES // PRODUCTS}" for product in products]
        columns = {"product_id": products, "category_id": category, "price": self.price, "cost": 0.5 * self.first}
        pl.DataFrame(columns).write_parquet(path)

    def run(self, job: str, *overrides: str) -> None:
        """Run a job, which must succeed."""
        paths = {"data.path": "tables", "paths.work": "work", "paths.prices": "prices"}
        where = [f"{key}={self.folder / name}" for key, name in paths.items()]
        status = gpu_pricer([job, *SETTINGS, *FAST, *where, *overrides])
        if status:
            raise RuntimeError(f"{job} must succeed, found exit status {status}")


def walk(folder: Path, rules: Sequence[str], nights: int = NIGHTS) -> np.ndarray:
    """Return the prices [N + 1, P]: before the first night, and as each of N nights set them."""
    shop = Shop(folder, rules)
    found = [shop.price]
    found += [shop.night(FIRST_NIGHT + timedelta(night)) for night in range(nights)]
    return np.array(found)


def draw(path: Path, walks: dict[str, np.ndarray]) -> None:
    """Draw the mean price of each night over the first, for each walk, and mark the nights of new demand."""
    with figure(path, 6.4, 3.6) as drawn:
        axes = drawn.subplots()
        for (name, prices), colour in zip(walks.items(), (OURS, THEIRS), strict=True):
            index = (prices / prices[0]).mean(axis=1)
            axes.plot(index, marker="o", ms=2.5, lw=1.4, color=colour)
            axes.annotate(
                name, (len(index) - 1, index[-1]), (0, 6), textcoords="offset points", ha="right", color=colour
            )
        for night in range(1, len(next(iter(walks.values()))), 7):
            axes.axvline(night, color="#b7b7b7", lw=0.7, ls=":")
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
        axes.set(
            xlabel="night (dotted: the demand is learned anew)", ylabel="mean price, before the first night = 100%"
        )
        axes.set_title("Prices of 30 nights, each of which may raise them by 5%")


def main() -> None:
    """Draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--figure", type=Path, default=Path("work/price_walk.svg"), help="where the figure goes")
    figure_file, walks = parser.parse_args().figure, {}
    for name, rules in ((CAPPED, CAP), (FREE, ())):
        with tempfile.TemporaryDirectory() as folder:
            walks[name] = walk(Path(folder), rules)
    draw(figure_file, walks)


if __name__ == "__main__":
    main()
