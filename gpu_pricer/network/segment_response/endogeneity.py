"""Prices that answer demand: the part of each price that no known cause explains, a control for what is hidden.

A manager who sees demand that the log does not show prices high when it is high; a model then takes people for less
sensitive than they are. What a category has in common in a period is absorbed by its own effect. For the rest an
instrument is needed: something that moves the price and not demand, such as the unit cost. The residual of the price
given the instruments carries all that answers demand; with it in the utility, the price is as good as random (control
function: Petrin & Train 2010, eq. 5-7).

This takes hidden demand to be linear in the residual. A cut that answers no demand breaks that, so that planned cuts
must be told from the rest: on markets with confounding 0.4 the sensitivities came out 11 to 17 % too low where the
whole price was suspected, and within 2 % where the list price alone was.
"""

import logging
from dataclasses import dataclass

import numpy as np
import polars as pl

from gpu_pricer.checks import require_integer
from gpu_pricer.errors import InputError

log = logging.getLogger(__name__)

CONVERGED = 1e-9  # in logs of a price
MOST_SWEEPS = 200
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
        if type(self.planned_promotions) is not bool:
            raise InputError(f"endogeneity.planned_promotions must be true or false, found {self.planned_promotions!r}")
        if self.instruments is not None and not self.instruments:
            raise InputError("endogeneity.instruments must name columns, found none: name some, or say null")


def with_known_prices(rows: pl.DataFrame, context: list[str], config: EndogeneityConfig) -> pl.DataFrame:
    """The shelf rows that have instruments, sorted by product and period, with a price and list_price for each.

    A price that no sale showed is interpolated between those before and after it, in logs and beside what instruments
    and context say of it. The shelf takes one from before; but a product goes unsold when it is dear, so that old
    prices look like low ones that sold nothing (a third of the sensitivity, on a market where prices answer demand).
    InputError where an instrument is missing or not positive.
    """
    instruments = config.instruments or []
    _require_instruments(rows, instruments)
    rows = rows.drop_nulls(instruments).sort("product_id", "period")
    if rows.is_empty():
        raise InputError(f"{', '.join(instruments)} must be known somewhere on the shelf, found no row: mend context")
    rows = rows.with_columns(pl.coalesce("list_price", "price").alias("list_price"))
    causes = [pl.col(name).log() for name in instruments] + [pl.col(name).cast(pl.Float64) for name in context]
    return rows.with_columns(_imputed(rows, name, causes) for name in ("price", "list_price"))


def _imputed(rows: pl.DataFrame, name: str, causes: list[pl.Expr]) -> pl.Series:
    """The prices of a column, interpolated where they were not seen; as they are for a product never seen."""
    is_seen = pl.col("price_age") == 0
    explained = pl.Series("explained", _explained(rows.filter(is_seen), name, causes, rows))
    left = pl.when(is_seen).then(pl.col(name).log() - pl.col("explained"))
    between = left.interpolate().forward_fill().backward_fill().over("product_id", order_by="period")
    price = pl.when(is_seen).then(name).otherwise((between + pl.col("explained")).exp()).fill_null(pl.col(name))
    return rows.with_columns(explained).select(price.alias(name)).to_series()


def first_stage(rows: pl.DataFrame, context: list[str], config: EndogeneityConfig) -> np.ndarray:
    """Log price [R] beyond what product, category × period, context and instruments explain; 0 without instruments.

    rows: see with_known_prices. Products and category × periods have effects of their own, partialled out (Frisch &
    Waugh 1933); the other slopes come from other periods (Chernozhukov et al. 2018), so that no price explains itself.
    """
    if config.instruments is None:
        return np.zeros(rows.height)
    answering = "list_price" if config.planned_promotions else "price"
    columns = [rows[name].log() for name in (answering, *config.instruments)] + [rows[name] for name in context]
    groups = _groups(rows)
    price, *causes = (_within(column.cast(pl.Float64).to_numpy(), groups) for column in columns)
    week = rows["period"].rank("dense").to_numpy().astype(np.int64) - 1
    degrees = len(price) - sum(int(group.max()) for group in groups) - len(causes) - 1
    _say_strength(price, causes, len(config.instruments), degrees)
    return _cross_fitted(price, np.column_stack(causes), week * config.folds // (week.max() + 1))


def _require_instruments(rows: pl.DataFrame, instruments: list[str]) -> None:
    missing = [name for name in instruments if name not in rows.columns]
    if missing:
        raise InputError(
            f"endogeneity.instruments must name columns of the context table, found none called {', '.join(missing)}: "
            "add them to it, or set train.response.endogeneity.instruments=null"
        )
    for name in instruments:
        if not (rows[name].drop_nulls() > 0).all():
            raise InputError(f"the instrument {name} must be above 0, since its log counts, found {rows[name].min()!r}")


def _explained(seen: pl.DataFrame, name: str, causes: list[pl.Expr], rows: pl.DataFrame) -> np.ndarray:
    """What the causes say of the log of a price in every row, by their slopes where it was seen."""
    if not causes or seen.is_empty():
        return np.zeros(rows.height)
    groups = _groups(seen)
    price = _within(seen[name].log().to_numpy(), groups)
    design = np.column_stack([_within(seen.select(cause).to_series().to_numpy(), groups) for cause in causes])
    everywhere = np.column_stack([rows.select(cause).to_series().to_numpy() for cause in causes])
    return np.asarray(everywhere @ np.linalg.lstsq(design, price, rcond=None)[0])


def _groups(rows: pl.DataFrame) -> list[np.ndarray]:
    """Product, and category × period, of every row."""
    keys = (pl.col("product_id"), pl.struct("category_id", "period"))
    return [rows.select(key.rank("dense")).to_series().to_numpy().astype(np.int64) - 1 for key in keys]


def _within(values: np.ndarray, groups: list[np.ndarray]) -> np.ndarray:
    """Values less the effects of all groups, by alternating projections (Guimaraes & Portugal 2010)."""
    sizes = [np.bincount(group) for group in groups]
    for _ in range(MOST_SWEEPS):
        before = values
        for group, size in zip(groups, sizes, strict=True):
            values = values - (np.bincount(group, values) / size)[group]
        if np.abs(values - before).max() < CONVERGED:
            break
    return values


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
