"""Do prices stay good when the system learns from its own? python -m tests.bench.closed_loop --folder work/closed_loop

A shop with a known demand sells for a year at its own prices. Then every Monday prepare, train, score, publish, history
and outcome run on its log, users see the published prices of their segment for a week, and what they buy goes into the
log. Where --promotions is given, the shop takes part of the products down on top of these prices, and does not say so.
With --one-list everybody sees one price list, which is the shop's from then on. Unknown arguments are overrides of the
market, such as data.source.people.users=2000. Each night prints a line, the last line is JSON:

* gain: the expected profit of the week under the truth, over that at the shop's prices of the launch.
* attainable: the same of the best prices for each type of user within 10 % of these, which no limit on units or on the
  price index restrains. share: mean gain over mean attainable.
* error, of the first and last night: mean and standard deviation over users and products of log (estimated / true
  sensitivity).
* verdicts: how many promises were kept, as `outcome` judges.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import torch
from hydra.utils import instantiate

from gpu_pricer import CONF
from gpu_pricer.data.sources.synthetic import tables
from gpu_pricer.data.sources.synthetic.history import MarketHistory, draw_history
from gpu_pricer.data.sources.synthetic.market import SyntheticMarket, draw_market
from gpu_pricer.data.sources.synthetic.price_groups import GroupHistory
from gpu_pricer.data.sources.synthetic.sales import Sales, draw_lines, draw_sales, utility
from gpu_pricer.data.sources.synthetic.source import Synthetic
from gpu_pricer.tables.artefact import read_artefact
from tests.test_composing import composed

LAUNCH = 52  # weeks at the shop's own prices
SMALL = ("data.source.people.users=1000", "data.source.assortment.products=100", "data.source.assortment.categories=8")
LARGEST_MOVE = 0.1
STEPS, RATE = 300, 0.05  # of the ascent to the best prices, which are within .1 % of those of 1,000 steps


@dataclass(frozen=True)
class Shop:
    """A market, and its weeks before and after the launch, in which list prices and costs stay what they were."""

    source: Synthetic
    market: SyntheticMarket
    history: MarketHistory
    ids: np.ndarray
    users: pl.DataFrame

    @property
    def everybody(self) -> np.ndarray:
        """Return group 0 for each user."""
        return np.zeros(len(self.market.user_type), dtype=np.int64)

    def weeks(self, first: int, until: int) -> MarketHistory:
        """Return some weeks of the history."""
        both = {name: getattr(self.history, name)[first : until + 1] for name in ("season", "on_shelf")}
        names = ("cost", "list_price", "price", "display", "mailer", "shock")
        return replace(self.history, **both, **{name: getattr(self.history, name)[first:until] for name in names})

    def monday(self, week: int) -> date:
        """Return the first day of a week."""
        return date.fromisoformat(self.source.start) + timedelta(weeks=week)

    def lines(self, sales: Sales, first: int, until: int, seen: GroupHistory) -> pl.DataFrame:
        """Return the lines of the sales in some weeks, without the group."""
        weeks = self.weeks(first, until)
        lines = tables.transactions_table(self.market, weeks, seen, sales, self.ids, self.monday(first))
        return lines.drop("price_group", strict=False)

    def sell_until_launch(self) -> tuple[pl.DataFrame, np.ndarray]:
        """Return the lines before the launch, and extra: the categories' units beyond the first, [G]."""
        everybody = GroupHistory(self.everybody, self.history.price[:LAUNCH, None], first_week=0)
        settings = self.source.tastes, self.weeks(0, LAUNCH), everybody, self.source.baskets
        sales = draw_sales(self.market, *settings, np.random.default_rng(self.source.seed))
        return self.lines(sales, 0, LAUNCH, everybody), sales.extra_units

    def sell(self, week: int, price: np.ndarray, group: np.ndarray, extra: np.ndarray) -> pl.DataFrame:
        """Return the lines of a week in which users see the prices [K, P], in cents, of their group [U]."""
        seen = GroupHistory(group, price[None], first_week=0)
        settings = self.source.tastes, self.weeks(week, week + 1), seen, self.source.baskets
        rng = np.random.default_rng([self.source.seed, week])
        return self.lines(draw_lines(self.market, *settings, extra, rng), week, week + 1, seen)

    def profit(self, week: int, price: torch.Tensor, visits: np.ndarray, extra: np.ndarray) -> torch.Tensor:
        """Return the expected profit of a week under the truth, in currency.

        price [T, P]: what each type pays, in cents. visits [T]: of the types. extra [G]: mean units of a choice beyond
        the first, of the categories at base prices.
        """
        market, baskets = self.market, self.source.baskets
        category, base = torch.from_numpy(market.category), torch.from_numpy(100.0 * market.base_price)
        at_base = torch.from_numpy(utility(market, self.source.tastes, self.history, week, 100.0 * market.base_price))
        weight = torch.exp(at_base - torch.from_numpy(market.sensitivity) * (price / base - 1))
        total = torch.zeros(len(weight), len(extra), dtype=weight.dtype).index_add(1, category, weight)
        nothing = torch.where(total > 0, total, 1.0) ** (1 - torch.from_numpy(market.dissimilarity))
        share = weight / (nothing + total)[:, category]
        further = torch.from_numpy(extra)[category] * torch.exp(-baskets.quantity_sensitivity * (price / base - 1))
        units = torch.from_numpy(visits)[:, None] * share * (1 + baskets.second_choice) * (1 + further)
        return (units * (price - torch.from_numpy(self.history.cost[week]))).sum() / 100

    def profit_at(self, week: int, price: np.ndarray, group: np.ndarray, extra: np.ndarray) -> float:
        """Return the expected profit of a week where users see the prices [K, P] of their group [U]."""
        market, found = self.market, 0.0
        for number, own in enumerate(price):
            rate = np.where(group == number, market.visit_rate, 0.0)
            visits = np.bincount(market.user_type, weights=rate, minlength=len(market.sensitivity))
            found += float(self.profit(week, torch.from_numpy(own).double().expand(len(visits), -1), visits, extra))
        return found

    def best_profit(self, week: int, extra: np.ndarray) -> float:
        """Return the most that prices of each type can earn within LARGEST_MOVE of the shop's, by gradient ascent."""
        visits = np.bincount(self.market.user_type, weights=self.market.visit_rate)
        now = torch.from_numpy(self.history.price[week].astype(np.float64))
        move = torch.zeros(len(visits), len(now), dtype=torch.float64, requires_grad=True)
        ascent = torch.optim.Adam([move], lr=RATE, maximize=True)
        for _ in range(STEPS):
            ascent.zero_grad()
            found = self.profit(week, now * (1 + LARGEST_MOVE * torch.tanh(move)), visits, extra)
            found.backward()
            ascent.step()
        return found.item()


def open_shop(overrides: Sequence[str], nights: int, promotions: bool) -> Shop:
    """Return a shop that keeps its prices and costs from the launch on."""
    config = composed(CONF, ["data=synthetic", *SMALL, "paths.truth=unused", *overrides])
    source = instantiate(config.data.source)
    of_market, of_weeks, _, of_labels, _ = np.random.default_rng(source.seed).spawn(5)
    market = draw_market(source.people, source.assortment, source.tastes, of_market)
    settings = market, source.assortment, source.tastes, source.manager
    history = draw_history(*settings, LAUNCH + nights, of_weeks)
    share = history.price[LAUNCH:] / history.list_price[LAUNCH:] if promotions else 1.0
    for name in ("list_price", "cost"):
        getattr(history, name)[LAUNCH:] = getattr(history, name)[LAUNCH - 1]
    history.price[LAUNCH:] = np.rint(history.list_price[LAUNCH:] * share)
    ids = tables.product_ids(market, of_labels)
    return Shop(source, market, history, ids, tables.users_table(market, of_labels))


class Night:
    """The jobs of a shop in a folder, night after night."""

    def __init__(self, shop: Shop, folder: Path, has_segments: bool) -> None:
        self.shop, self.folder, self.tables, self.has_segments = shop, folder, folder / "tables", has_segments
        self.tables.mkdir(parents=True)
        shop.users.write_parquet(self.tables / "users.parquet")

    def run(self, week: int, lines: Sequence[pl.DataFrame], own: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the prices [K, P] in cents that are published for a week, and the segment [U] of each user.

        own [P]: the shop's prices, in cents.
        """
        shop, before, day = self.shop, self.shop.weeks(0, week), self.shop.monday(week)
        products = tables.products_table(shop.market, before, shop.ids).drop("price", "list_price")
        stated = pl.DataFrame({"product_id": shop.ids, "price": own / 100})
        tables_of = {
            "transactions": pl.concat(lines).sort("time", "user_id", "product_id"),
            "context": tables.context_table(before, shop.ids, shop.monday(0)),
            "products": products.join(stated, on="product_id").with_columns(list_price="price"),
        }
        for name, table in tables_of.items():
            table.write_parquet(self.tables / f"{name}.parquet")
        self._job("prepare", "data=parquet", f"data.path={self.tables}")
        self._job("train", *([] if self.has_segments else ["train.segments.count=1"]))
        self._job("score", f"day={day}")
        self._job("publish", f"day={day}")
        if self.has_segments:
            self._job("history", f"history.out={self.tables / 'group_prices.parquet'}")
        self._job("outcome")
        return self._published(own)

    def _job(self, *arguments: str) -> None:
        paths = [f"paths.work={self.folder / 'work'}", f"paths.prices={self.folder / 'prices'}", "quiet=true"]
        subprocess.run([sys.executable, "-m", "gpu_pricer", *arguments, *paths], check=True, stdout=subprocess.DEVNULL)

    def _published(self, own: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return prices and segments as in run; a product that is not priced keeps the shop's."""
        shop, names = self.shop, read_artefact(self.folder / "work/demand").segments["segment_id"].to_list()
        row = pl.DataFrame({"product_id": shop.ids, "row": np.arange(len(shop.ids))})
        table = pl.read_parquet(self.folder / "prices/_current/*.parquet").join(row, on="product_id")
        price = np.tile(own.astype(np.float64), (len(names), 1))
        segment = table["segment_id"].replace_strict(names, range(len(names)))
        price[segment, table["row"]] = np.rint(100 * table["price"].cast(pl.Float64).to_numpy())
        of_users = shop.users.join(read_artefact(self.folder / "work/demand").user_segments, on="user_id", how="left")
        found = of_users["segment_id"].replace_strict(names, range(len(names)), default=0).to_numpy()
        return price.astype(np.int64), found

    def error(self, segment: np.ndarray) -> tuple[float, float]:
        """Return mean and standard deviation of log (estimated / true) sensitivity over users and products."""
        market, demand = self.shop.market, read_artefact(self.folder / "work/demand")
        row = pl.DataFrame({"product_id": self.shop.ids, "row": np.arange(len(self.shop.ids))})
        products = demand.products.with_row_index("column").join(row, on="product_id")
        estimated = demand.factors["sensitivity"][:, products["column"]] / products["reference_price"].to_numpy()
        true = (market.sensitivity / market.base_price)[market.user_type][:, products["row"]]
        off = np.log(estimated[segment] / true)
        return float(off.mean()), float(off.std())


def main() -> None:
    """Run the nights and print the lines."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--nights", type=int, default=10)
    parser.add_argument("--folder", type=Path, required=True, help="of tables, work and prices; must not exist")
    parser.add_argument("--promotions", action="store_true")
    parser.add_argument("--one-list", action="store_true")
    options, overrides = parser.parse_known_args()
    shop = open_shop(overrides, options.nights, options.promotions)
    night = Night(shop, options.folder, not options.one_list)
    past, extra = shop.sell_until_launch()
    no_group = pl.lit(None, pl.Int64).alias("price_group")
    lines, own = [past.with_columns(no_group)], shop.history.list_price[LAUNCH - 1]
    gains, errors = [], []
    for week in range(LAUNCH, LAUNCH + options.nights):
        price, segment = night.run(week, lines, own)
        today = shop.history.price[week]
        seen = np.rint(price * (today / shop.history.list_price[week])).astype(np.int64)
        before = shop.profit_at(week, today[None], shop.everybody, extra)
        now, best = shop.profit_at(week, seen, segment, extra), shop.best_profit(week, extra)
        gains.append((now / before - 1, best / before - 1))
        errors.append(night.error(segment))
        group = no_group if options.one_list else pl.Series("price_group", segment)
        of_user = shop.users.select("user_id", group)
        lines.append(shop.sell(week, seen, segment, extra).join(of_user, on="user_id", maintain_order="left"))
        own = price[0] if options.one_list else own
        print(
            f"week {week}: {len(price)} segments, gain {gains[-1][0]:+.1%}, attainable {gains[-1][1]:+.1%}, "
            f"error {errors[-1][0]:+.2f} ± {errors[-1][1]:.2f}",
            flush=True,
        )
    print(json.dumps(summary_of(gains, errors, pl.read_parquet(options.folder / "work/ledger.parquet"))))


def summary_of(
    gains: list[tuple[float, float]], errors: list[tuple[float, float]], ledger: pl.DataFrame
) -> dict[str, object]:
    """Return what the last line says. gains: each night's and the attainable one. ledger: as `outcome` writes it."""
    half = len(gains) // 2
    (gain, attainable), verdicts = np.mean(gains, axis=0), ledger.filter(pl.col("category_id").is_null())["verdict"]
    return {
        "gain": round(gain, 4),
        "attainable": round(attainable, 4),
        "share": _share(gains),
        "share_first_half": _share(gains[:half]),
        "share_second_half": _share(gains[half:]),
        "first_error": [round(value, 3) for value in errors[0]],
        "last_error": [round(value, 3) for value in errors[-1]],
        "verdicts": dict(verdicts.value_counts().rows()),
    }


def _share(gains: list[tuple[float, float]]) -> float:
    """Return mean gain over mean attainable gain."""
    gain, attainable = np.mean(gains, axis=0)
    return round(float(gain / attainable), 3)


if __name__ == "__main__":
    main()
