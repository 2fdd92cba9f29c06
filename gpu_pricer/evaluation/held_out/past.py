"""The network's features of the past of every offer, for baselines that get the same information."""

import numpy as np
import polars as pl
import torch
from torch import Tensor

from gpu_pricer.evaluation.held_out.offers import Log
from gpu_pricer.evaluation.held_out.scores import recent_price
from gpu_pricer.network.encoding.history import UserHistory, build_history, half_lives_of
from gpu_pricer.network.encoding.purchase_events import Purchases

IDS = ("user_id", "product_id", "category_id", "period")
ROWS = 1 << 17  # offers computed at a time: computing a row takes several times the memory of its features


def with_network_past(offers: pl.DataFrame, log: Log, reference: pl.DataFrame) -> pl.DataFrame:
    """Return the offers, in their order, with the network's features of the log before each offer's period.

    reference: product_id and reference_price. Added columns: recent_price, the mean of the product's last REMEMBERED
    prices (the reference price where there were none), which shoppers compare today's with (Winer 1986), and past, an
    array [N, F] of the features of network.encoding.history.
    """
    recent = _recent_prices(log.shelf, reference)
    return offers.join(recent, on=["product_id", "period"], how="left", maintain_order="left").with_columns(
        past=pl.Series(_history_features(offers, log))
    )


def _recent_prices(shelf: pl.DataFrame, reference: pl.DataFrame) -> pl.DataFrame:
    """Return product_id, period and recent_price, the mean of the last REMEMBERED prices before the period."""
    known = shelf.join(reference, on="product_id", how="left")
    return known.select("product_id", "period", recent_price=pl.coalesce(recent_price(), "reference_price", "price"))


def _history_features(offers: pl.DataFrame, log: Log) -> np.ndarray:
    """Return the history features [N, F] of the offers, ROWS offers at a time."""
    known = _known_ids(log)
    history = _history(log, known)
    features = np.empty((offers.height, history.width), np.float32)
    for start in range(0, offers.height, ROWS):
        rows = slice(start, start + ROWS)
        features[rows] = history.features(*_numbers(offers[rows], known)).numpy()
    return features


def _known_ids(log: Log) -> dict[str, pl.Series]:
    """Return the sorted distinct ids of the log by column; the number of an id is its position."""
    users = pl.concat([log.visits["user_id"], log.choices["user_id"]])
    columns = {"user_id": users} | {name: log.shelf[name] for name in IDS[1:]}
    return {name: columns[name].unique().sort() for name in IDS}


def _history(log: Log, known: dict[str, pl.Series]) -> UserHistory:
    """Return the history of all users of the log."""
    users, products, categories, periods = (len(ids) for ids in known.values())
    purchases = Purchases(*(numbers.numpy() for numbers in _numbers(log.purchases, known)))
    user, period = (_number(log.visits[name], known[name]) for name in ("user_id", "period"))
    is_visit = np.zeros((users, periods), bool)
    is_visit[user, period] = True
    return build_history(purchases, is_visit, products, categories, half_lives_of(periods))


def _numbers(rows: pl.DataFrame, known: dict[str, pl.Series]) -> list[Tensor]:
    """Return the numbers [n] of user, product, category and period of n rows."""
    return [torch.from_numpy(_number(rows[name], ids)) for name, ids in known.items()]


def _number(column: pl.Series, ids: pl.Series) -> np.ndarray:
    return column.replace_strict(ids, np.arange(len(ids)), return_dtype=pl.Int64).to_numpy(writable=True)
