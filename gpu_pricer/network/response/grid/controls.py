"""Controls for endogenous prices: prices that respond to demand which the log does not show.

A manager who foresees such demand raises prices when it is high; without controls, customers then look less sensitive
than they are. Four controls enter the utility beside the price; their effects are estimated like those of a promotion.

* The mean price move of a category in a period: the common part of its prices may respond to the common part of its
  demand (correlated random effects: Mundlak 1978), so that the response is identified by relative prices. Where
  dissimilarities are estimated (see fitting/dissimilarity.py), the control is the mean regular price instead, and cuts
  of all prices identify the dissimilarities.
* The regular price: with planned promotions only the list price is endogenous, and cuts from it are as good as random.
  On synthetic markets whose prices follow hidden demand (data=synthetic seed=101, confounding 0.2 and 0.4, true types)
  mean sensitivities are 31 and 50 % too low with the first control alone, and 7 and 17 % with this one too.
* The age of a product, where its launch is stated or the log shows it: goods are cut as they age, and sell less as
  they age. In a simulated fashion shop whose products end after ten to twenty weeks, the response is 25 % too small
  without it, and 10 % with it.
* With instruments, which move the price and not demand, such as the unit cost: the residual of the price given the
  instruments carries the endogenous part, and with it in the utility the price is as good as random (control function:
  Petrin & Train 2010, eq. 5-7). It replaces the control by the regular price.
"""

import logging
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl
import torch
from torch import Tensor

from gpu_pricer.checks import require_flag, require_integer
from gpu_pricer.errors import InputError
from gpu_pricer.network.response.grid.two_way_effects import TwoWayEffects
from gpu_pricer.network.response.hidden_prices.category_cuts import cuts_of_others
from gpu_pricer.network.response.hidden_prices.unseen_cuts import DEEPEST, cut_donors
from gpu_pricer.tables.canonical import SHELF_OWN
from gpu_pricer.tables.further_columns import given_name, name_apart

log = logging.getLogger(__name__)

LEAST_CUTS = 0.2  # share of the price moves within products that cuts must make, so that cuts alone can teach
REGULAR_OF = 9  # periods whose median price is the regular one where the log has no list price
KNOTS = (1, 8)  # ages in periods; the log of the age counts alike between them, and differently beyond
EARLY = 4  # periods at the start of a log, in which launches cannot be told from older products
AGES = tuple(f"age_{knot}" for knot in KNOTS)
WEAK = 10.0  # an F statistic below it names a weak instrument (Staiger & Stock 1997)


@dataclass(frozen=True)
class EndogeneityConfig:
    """instruments: context columns above 0 that move prices and not demand, such as the unit cost; null: there is none.

    planned_promotions: cuts from the list price are planned and answer no demand, only the list price may; false
    suspects the whole price. folds: blocks of periods; the first stage of each is learned from the others.
    """

    instruments: list[str] | None
    planned_promotions: bool
    folds: int

    def __post_init__(self) -> None:
        require_integer("endogeneity.folds", self.folds, 2)
        require_flag("endogeneity.planned_promotions", self.planned_promotions)
        if self.instruments is not None and not self.instruments:
            raise InputError("endogeneity.instruments must name columns, found none: name some, or say null")

    @property
    def instrument_columns(self) -> list[str]:
        """The names of the instruments in a shelf from read_canonical; none without instruments."""
        return [name_apart(name, SHELF_OWN) for name in self.instruments or []]


def with_ages(rows: pl.DataFrame, periods: list[date], ahead: int) -> pl.DataFrame:
    """Return the shelf rows with AGES, functions of the products' ages, and next_* of each, in the period to price.

    Each is the log of the age over a knot, and 0 below it, so that together they are piecewise linear in the log of the
    age. A product's age is 1 in the period of its launch, or the first one of its rows. One that is there in the first
    EARLY periods, without a launch until then, is of unknown age, and its columns are 0.
    The appeal beside them is that of a product at its launch. Appeals of today would lie far apart between products of
    different times, and their prices would seem to explain it; and products to come start at their launch.
    rows: product_id, period and launched, null where unknown. periods: all of the log, in order. ahead: from the last
    one to the one to price.
    """
    number = pl.DataFrame({"period": periods}).with_row_index("number", offset=1)
    length = (periods[1] - periods[0]).days
    launch = (pl.col("launched").dt.date() - pl.lit(periods[0])).dt.total_days().floordiv(length) + 1
    ages = rows.join(number, on="period", how="left", maintain_order="left").cast({"number": pl.Float64})
    first = pl.col("number").min().over("product_id")
    is_known = (first > EARLY) | (launch <= first).fill_null(False)
    born = pl.when(is_known).then(pl.min_horizontal(first, launch.cast(pl.Float64)))

    def since(knot: int, number: pl.Expr) -> pl.Expr:
        return ((number - born + 1) / knot).log().clip(lower_bound=0).fill_null(0.0)

    now = pl.lit(len(periods) + ahead)
    return ages.with_columns(
        since(knot, at).alias(prefix + name)
        for prefix, at in (("", pl.col("number")), ("next_", now))
        for knot, name in zip(KNOTS, AGES, strict=True)
    ).drop("number")


def with_known_prices(rows: pl.DataFrame, context: list[str], config: EndogeneityConfig) -> pl.DataFrame:
    """The shelf rows that have instruments, sorted by product and period, with a price and list_price for each.

    rows: also bought, the purchases, and is_listed, whether the product has a list price (see encoding/list_prices.py),
    which may be null in some periods. Other products have the price in its place.
    price_information: the share of the information on the response to prices that is real, for the product of each row.
    Where too few purchases show the price, the regular price is interpolated between the periods before and after,
    beside what instruments and context say of it, and the cut below it is drawn (see hidden_prices/unseen_cuts.py), as
    context and the category's other products tell of it (see hidden_prices/category_cuts.py); both in logs.
    The shelf's usual price comes from before; but a product goes unsold when it is dear, so that old prices look like
    low ones that sold nothing (a third of the sensitivity, on a market where prices answer demand).
    InputError where an instrument is missing or not positive.
    """
    instruments = config.instrument_columns
    _require_instruments(rows, instruments)
    rows = rows.drop_nulls(instruments).sort("product_id", "period")
    if rows.is_empty():
        names = ", ".join(map(given_name, instruments))
        raise InputError(f"{names} must be known somewhere on the shelf, found no row: mend context")
    causes = [pl.col(name).log() for name in instruments] + [pl.col(name).cast(pl.Float64) for name in context]
    seen = rows.with_columns(pl.when(pl.col("price_age") == 0).then(pl.col("price", "list_price")))
    regular = _log_regular_price(seen, causes)
    level = _interpolated(rows, regular, causes)
    cut = (seen["price"].log().cast(pl.Float64) - regular).clip(DEEPEST, 0.0)
    explained = pl.Series(_explained(rows, cut, causes))
    others = cuts_of_others(rows.select("product_id", "category_id", "period", cut=cut - explained))
    known = rows.select("product_id", "category_id", "period", "bought", *context, cut=cut, told=explained + others)
    donor, information = cut_donors(known.with_columns(regular=level, others=others), ("regular", "others", *context))
    price = rows.select(pl.coalesce(seen["price"], (level + cut.gather(donor)).exp(), "price")).to_series()
    listed = rows.select(pl.when("is_listed").then(pl.coalesce(seen["list_price"], level.exp()))).to_series()
    return rows.with_columns(
        price=price,
        list_price=pl.max_horizontal(price, listed),
        price_information=pl.Series(information, dtype=pl.Float64),
    )


def _log_regular_price(seen: pl.DataFrame, causes: list[pl.Expr]) -> pl.Series:
    """The log of the regular price [R], null where it is not known.

    It is the list price of a product that is listed, on a line between two known ones in less than REGULAR_OF periods
    before and after. Where none is that near, and of other products, it is the median price of REGULAR_OF periods
    beside what the causes say. seen: sorted by product and period, with prices where they were seen.
    """
    price = seen["price"].log()
    explained = pl.Series(_explained(seen, price, causes))
    rows = seen.select("product_id", "period", explained=explained, left=price - explained)
    middle = _middle(pl.col("left")).over("product_id", order_by="period") + pl.col("explained")
    is_interpolated = seen.select(pl.col("is_listed") & pl.col("price").is_null()).to_series()
    listed = pl.when("is_listed").then(pl.col("list_price").log())
    near = [fill(limit=REGULAR_OF - 1).is_not_null() for fill in (listed.forward_fill, listed.backward_fill)]
    between = pl.when(pl.all_horizontal(near)).then(listed.interpolate()).over("product_id", order_by="period")
    told = seen.select(between).to_series()
    return rows.select(pl.when(~is_interpolated).then(pl.coalesce(told, middle))).to_series()


def _middle(prices: pl.Expr) -> pl.Expr:
    """The median of the prices around each, which stands for the regular price where no list price tells it."""
    return prices.rolling_median(REGULAR_OF, center=True, min_samples=1)


def _interpolated(rows: pl.DataFrame, seen: pl.Series, causes: list[pl.Expr]) -> pl.Series:
    """The values [R], of which `seen` has those that were seen; null where the product's never were.

    Beside what the causes say, others lie on a line between those before and after, or have the nearest at the ends.
    """
    explained = pl.Series(_explained(rows, seen, causes))
    left = rows.select("product_id", "period", left=seen - explained)
    between = pl.col("left").interpolate().forward_fill().backward_fill()
    return left.select(between.over("product_id", order_by="period") + explained).to_series()


def first_stage(rows: pl.DataFrame, context: list[str], config: EndogeneityConfig) -> np.ndarray:
    """Log price [R] beyond what product, category × period, context and instruments explain; 0 without instruments.

    It is also 0 where an instrument is not known, as in a period that is predicted.
    rows: see with_known_prices. Products and category × periods have effects of their own, partialled out (Frisch &
    Waugh 1933); the other slopes come from other periods (Chernozhukov et al. 2018), so that no price explains itself.
    """
    if config.instruments is None:
        return np.zeros(rows.height)
    instruments = config.instrument_columns
    is_known = rows.select(pl.all_horizontal(pl.col(instruments) > 0).fill_null(False)).to_series().to_numpy()
    if not is_known.all():
        surprise = np.zeros(rows.height)
        surprise[is_known] = first_stage(rows.filter(is_known), context, config)
        return surprise
    answering = "list_price" if config.planned_promotions else "price"
    columns = [rows[name].log() for name in (answering, *instruments)] + [rows[name] for name in context]
    groups = _groups(rows)
    price, *causes = (_within(column.cast(pl.Float64).to_numpy(), groups) for column in columns)
    week = rows["period"].rank("dense").to_numpy().astype(np.int64) - 1
    degrees = len(price) - sum(int(group.max()) for group in groups) - len(causes) - 1
    _say_strength(price, causes, len(instruments), degrees)
    return _cross_fitted(price, np.column_stack(causes), week * config.folds // (week.max() + 1))


def category_move(move: Tensor, on_shelf: Tensor, sold: Tensor, category: Tensor) -> Tensor:
    """Return the mean price move of each product's category in each period, [P, W], weighted by what was sold.

    move [P, W]: price moves or logs of regular prices; on_shelf [P, W]; sold, category [P]. It is 0 for the only
    product of a category, whose price it would repeat.
    """
    weight = on_shelf * sold.clamp(min=1e-9)[:, None]
    zeros = torch.zeros(int(category.max()) + 1, move.shape[1], dtype=move.dtype)
    total, size = zeros.index_add(0, category, weight), torch.bincount(category)[category]
    mean = zeros.index_add(0, category, weight * move) / total.clamp(min=1e-12)
    return mean[category] * on_shelf * (size > 1)[:, None]


def regular_price_control(rows: pl.DataFrame, config: EndogeneityConfig) -> pl.Series | None:
    """Return the log of the regular price less its mean over the product's periods, [R], or None without the control.

    The regular price is the list price, or of a product that is not listed, the median price of REGULAR_OF periods.
    There is no control with instruments, without planned promotions, or where cuts are too few to teach alone.
    rows: sorted by product and period, with price, list_price and is_listed.
    """
    if config.instruments is not None or not config.planned_promotions:
        return None
    middle = _middle(pl.col("price")).over("product_id", order_by="period")
    regular = pl.when("is_listed").then("list_price").otherwise(middle)
    moves = rows.select("product_id", price=pl.col("price").log(), regular=regular.log()).select(
        pl.col("price", "regular") - pl.col("price", "regular").mean().over("product_id")
    )
    cuts = pl.col("price") - pl.col("regular")
    moved, cut = moves.select(moved=pl.col("price").pow(2).sum(), cut=cuts.pow(2).sum()).row(0)
    if cut < LEAST_CUTS * moved:
        log.info(
            "promotional cuts are %.0f %% of the price moves, too few: the price response is learned from all moves",
            100 * cut / moved,
        )
        return None
    return moves["regular"]


def _require_instruments(rows: pl.DataFrame, instruments: list[str]) -> None:
    missing = [given_name(name) for name in instruments if name not in rows.columns]
    if missing:
        raise InputError(
            f"endogeneity.instruments must name columns of the context table, found none called {', '.join(missing)}: "
            "add them to it, or set train.response.endogeneity.instruments=null"
        )
    for name in instruments:
        if not (rows[name].drop_nulls() > 0).all():
            raise InputError(
                f"the instrument {given_name(name)} must be above 0, since its log counts, found {rows[name].min()!r}"
            )


def _explained(rows: pl.DataFrame, values: pl.Series, causes: list[pl.Expr]) -> np.ndarray:
    """What the causes say of the values [R] in every row, by their slopes where these were seen: are not null."""
    seen = rows.filter(values.is_not_null())
    if not causes or seen.is_empty():
        return np.zeros(rows.height)
    groups = _groups(seen)
    outcome = _within(values.drop_nulls().to_numpy(), groups)
    design = np.column_stack([_within(seen.select(cause).to_series().to_numpy(), groups) for cause in causes])
    everywhere = np.column_stack([rows.select(cause).to_series().to_numpy() for cause in causes])
    return np.asarray(everywhere @ np.linalg.lstsq(design, outcome, rcond=None)[0])


def _groups(rows: pl.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Product, and category × period, of every row."""
    keys = (pl.col("product_id"), pl.struct("category_id", "period"))
    one, other = (rows.select(key.rank("dense")).to_series().to_numpy().astype(np.int64) - 1 for key in keys)
    return one, other


def _within(values: np.ndarray, groups: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Finite values less the effects of the groups of both kinds, each numbered from 0 without gaps."""
    left, is_settled = TwoWayEffects(*groups, np.ones(len(values))).residual(values)
    if not is_settled:
        log.warning(
            "the effects of products and of categories' periods have not settled: prices that no sale shows are less "
            "certain"
        )
    return left


def _cross_fitted(price: np.ndarray, causes: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """price [n] less causes [n, k] times slopes that were learned on the other folds."""
    residual = np.empty_like(price)
    for number in np.unique(fold):
        own = fold == number
        slope = np.linalg.lstsq(causes[~own], price[~own], rcond=None)[0]
        residual[own] = price[own] - causes[own] @ slope
    return residual


def _say_strength(price: np.ndarray, causes: list[np.ndarray], instruments: int, degrees: int) -> None:
    """Log what the instruments, the first of the causes, explain of the price beyond the rest, and warn if little."""
    full, without = _unexplained(price, causes), _unexplained(price, causes[instruments:])
    f_statistic = (without - full) / instruments / (full / max(degrees, 1))
    log.info("instruments explain %.0f %% of the price moves left, F = %.0f", 100 * (1 - full / without), f_statistic)
    if f_statistic < WEAK:
        log.warning("weak instruments (F = %.1f): the corrected price response is hardly identified", f_statistic)


def _unexplained(price: np.ndarray, causes: list[np.ndarray]) -> float:
    """The sum of squares that a least-squares fit leaves."""
    design = np.column_stack([np.zeros_like(price), *causes])
    return float(((price - design @ np.linalg.lstsq(design, price, rcond=None)[0]) ** 2).sum())
