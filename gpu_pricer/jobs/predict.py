"""predict: an offers table -> the probability that each offer is bought."""

import logging
from pathlib import Path

import polars as pl
from omegaconf import DictConfig

from gpu_pricer.errors import InputError
from gpu_pricer.network.inference.past import read_past
from gpu_pricer.network.inference.prediction import predict_offers
from gpu_pricer.network.inference.user_tables import (
    checked_table,
    new_file,
    read_known_table,
    required_path,
    with_ids_of,
    write_new,
)
from gpu_pricer.network.storage.saved_network import read_network
from gpu_pricer.tables.artefact import NETWORK
from gpu_pricer.tables.canonical import SHELF_OWN
from gpu_pricer.tables.schemas import OffersToPredict, Products, Users

log = logging.getLogger(__name__)


def inputs(config: DictConfig) -> list[Path]:
    """Return what `predict` reads."""
    paths = config.paths
    return [
        required_path("predict.offers", config.predict.offers),
        *map(Path, (paths.demand, paths.data, paths.catalog)),
    ]


def main(config: DictConfig) -> None:
    """Predict for every offer of a table the probability that it is bought in that visit.

    Reads   predict.offers  occasion_id, user_id, product_id, time, price; optional context such as display. The offers
                            of an occasion in one category are what its user chose from
            paths.demand    the network that `train` kept with the artefact
            paths.data      the sales log, of which the periods before an offer count, from `prepare`
            paths.catalog   attributes, categories and prices of products that were not trained on
    Writes  predict.out     the same rows in the same order, with `probability`, above 0 and below 1

    Products and users that training never saw are judged by their attributes, or else as the average one; their
    number is logged. The reference price of such a product, against which its offers are cheap or dear, is its
    price in paths.catalog, or else the median of its offered prices. Context that an offer lacks, such as its
    display, is that of the period's shelf or, where the product was off that shelf, its mean over the periods
    before. With train.refit=true the network has learned from every period of the sales log, so its predictions for
    these periods are in-sample: judge the network by `evaluate`, which uses predictions made before the refit.

    Example: gpu-pricer predict predict.offers=offers.parquet predict.out=predictions.parquet
    """
    path, out = required_path("predict.offers", config.predict.offers), new_file("predict.out", config.predict.out)
    if out.resolve() == path.resolve():
        raise InputError(f"predict.out must be another file than predict.offers, found {out} for both: name another")
    given, offers = checked_table(path, OffersToPredict, SHELF_OWN)
    if "probability" in given.columns:
        raise InputError(f"{path} must have no column probability, found one: predict adds it, so rename yours")
    saved = read_network(Path(config.paths.demand) / NETWORK)
    past = read_past(Path(config.paths.data), saved.settings.period_days)
    known = saved.settings
    catalog = read_known_table(Path(config.paths.catalog), Products, saved.products, known.product_vocabulary)
    users = read_known_table(Path(config.paths.data) / "users.parquet", Users, saved.users, known.user_vocabulary)
    offers = with_ids_of({"product_id": saved.products, "user_id": saved.users}, offers, str(path))
    offers = offers.with_columns(period=past.start(pl.col("time").dt.date()))
    probability = predict_offers(saved, offers, past, catalog, users)
    write_new(given.with_columns(probability=pl.Series(probability)), out)
    log.info("wrote %s: %d offers, mean purchase probability %.4f", out, given.height, probability.mean())
