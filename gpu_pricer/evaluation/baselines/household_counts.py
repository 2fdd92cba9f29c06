"""What households bought before a period, beside what an average household would have bought of the same offers."""

import math

import numpy as np
import polars as pl

from gpu_pricer.evaluation.held_out.offers import OCCASION, Log

LEVELS = {
    "household": ["user_id"],
    "category": ["user_id", "category_id"],
    "product": ["user_id", "category_id", "product_id"],
}


def household_counts(rows: pl.DataFrame, sales: Log, average: pl.DataFrame, half_lives: list[float]) -> np.ndarray:
    """Return the decayed purchases and expected purchases before each row's period, float32 [N, 3, 2, H].

    rows: user_id, category_id, product_id and period. average: period, category_id, product_id and probability, an
    average household's chance of buying each offer of the shelf. Axes: the household's purchases of everything, of the
    category, of the product (LEVELS); bought and expected; the H half-lives in periods, of which infinity is one.
    A purchase or an offer t periods ago counts 0.5^(t / half-life); those of the row's own period do not count.
    """
    calendar = pl.concat([sales.shelf["period"], sales.visits["period"]]).unique().sort()
    past = calendar.to_frame().with_row_index("t")
    seen = _occasions(sales, rows["user_id"].unique())
    shelves = average.group_by("period", "category_id")
    by_category = shelves.agg(value=pl.col("probability").sort().sum())  # sorted: parallel sums differ in the last bits
    expected = seen.join(by_category, on=["period", "category_id"], maintain_order="left")
    bought = sales.purchases.join(rows.select("user_id").unique(), on="user_id", how="semi").with_columns(value=1.0)
    now = rows["period"].replace_strict(calendar, np.arange(len(calendar)), return_dtype=pl.Int64).to_numpy()
    decay = 0.5 ** (1 / np.array(half_lives, dtype=np.float64))
    counts = np.empty((rows.height, len(LEVELS), 2, len(decay)), np.float32)
    for level, key in enumerate(LEVELS.values()):
        units = rows.select(key).unique(maintain_order=True).with_row_index("unit")
        unit = rows.join(units, on=key, how="left", maintain_order="left")["unit"].to_numpy()
        is_product = "product_id" in key
        grids = (
            _by_period(units, key, bought, past),
            _offered(units, seen, average, past) if is_product else _by_period(units, key, expected, past),
        )
        for kind, grid in enumerate(grids):
            counts[:, level, kind] = _decayed(grid, unit, now, decay)
    return counts


def _occasions(sales: Log, users: pl.Series) -> pl.DataFrame:
    """Return user_id, period and category_id of all occasions of the users, those without purchase included.

    Where the log keeps only a sample of the occasions without purchase, every visit that found the category on the
    shelf is one.
    """
    known = users.to_frame()
    if sales.choices["outside_rate"].min() == 1:
        return sales.choices.join(known, on="user_id", how="semi").select(OCCASION).unique(maintain_order=True)
    shelves = sales.shelf.select("period", "category_id").unique(maintain_order=True)
    visits = sales.visits.join(known, on="user_id", how="semi", maintain_order="left")
    return visits.join(shelves, on="period", maintain_order="left_right").select(OCCASION)


def _by_period(units: pl.DataFrame, key: list[str], events: pl.DataFrame, past: pl.DataFrame) -> np.ndarray:
    """Return the sum of the events' values by unit and period, float32 [M, T]; units: the key of each `unit`."""
    found = (
        events.select(*key, "period", "value")
        .join(units, on=key, maintain_order="left")
        .join(past, on="period", maintain_order="left")
    )
    place, shape = found["unit"].cast(pl.Int64) * past.height + found["t"], (units.height, past.height)
    sums = np.bincount(place.to_numpy(), found["value"].to_numpy(), minlength=math.prod(shape))
    return sums.astype(np.float32).reshape(shape)


def _offered(units: pl.DataFrame, seen: pl.DataFrame, average: pl.DataFrame, past: pl.DataFrame) -> np.ndarray:
    """Return the average probability of the unit's product where its household saw the category, float32 [M, T]."""
    grids = []
    for key, events in (
        (LEVELS["category"], seen.with_columns(value=1.0)),
        (["product_id"], average.rename({"probability": "value"})),
    ):
        distinct = units.select(key).unique(maintain_order=True).with_row_index("number")
        number = units.join(distinct, on=key, how="left", maintain_order="left")["number"].to_numpy()
        grids.append(_by_period(distinct.rename({"number": "unit"}), key, events, past)[number])
    return grids[0] * grids[1]


def _decayed(grid: np.ndarray, unit: np.ndarray, now: np.ndarray, decay: np.ndarray) -> np.ndarray:
    """Return Σ over t < now of grid[unit, t] · decay^(now − t), [N, H].

    grid [M, T]; unit [N] and now [N]: a row of the grid and a period each; decay [H] per period.
    """
    sums = np.zeros((len(unit), len(decay)), np.float32)
    for period in np.unique(now):
        rows = np.flatnonzero(now == period)
        weight = decay ** (period - np.arange(period))[:, None]
        sums[rows] = grid[unit[rows], :period] @ weight.astype(np.float32)
    return sums
