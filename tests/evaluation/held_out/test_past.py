"""The past that baselines see: the features that the network itself reads, and nothing later."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch

from gpu_pricer.evaluation.held_out.offers import Log, describe_offers, offers_of, reference_prices
from gpu_pricer.evaluation.held_out.past import with_network_past
from gpu_pricer.network.encoding.history import half_lives_of
from gpu_pricer.network.encoding.loading import EncodingConfig, load_choice_data
from gpu_pricer.network.encoding.teaching import TeachingRule
from tests.canonical import SPLIT, write_canonical

ENCODING = EncodingConfig(min_count=1, teaching=TeachingRule(0.0, 0, 0.0))
PERIODS = 12
ADDED = ("recent_price", "past")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Write canonical tables of twelve weeks, in each of which two of three users visit; return their folder."""
    folder = tmp_path_factory.mktemp("market") / "data"
    write_canonical(folder, users=60, categories=3, size=3, periods=PERIODS, keep_zeros=0.5)
    for name in ("choices", "visits"):
        table = pl.read_parquet(folder / f"{name}.parquet")
        comes = pl.struct("user_id", "period").hash(seed=1) % 3 > 0
        table.filter(comes).write_parquet(folder / f"{name}.parquet")
    return folder


@pytest.fixture(scope="module")
def log(folder) -> Log:
    return Log(*(pl.read_parquet(folder / f"{name}.parquet") for name in ("shelf", "choices", "visits")))


def remembered(log: Log, offers: pl.DataFrame) -> pl.DataFrame:
    periods = log.shelf["period"].unique().sort().to_list()
    return with_network_past(offers, log, reference_prices(log.shelf, periods[:4]))


def all_offers(log: Log) -> pl.DataFrame:
    offers = offers_of(log, log.shelf["period"].unique().to_list())
    return offers.sample(fraction=1.0, shuffle=True, seed=5)


def test_the_past_is_what_the_network_reads(folder, log):
    data = load_choice_data(folder, ENCODING, SPLIT)
    ids = {
        "user_id": data.users.table["user_id"],
        "product_id": data.products.table["product_id"],
        "category_id": data.categories.table["category_id"],
        "period": pl.Series(data.calendar.periods),
    }
    reference = reference_prices(log.shelf, data.calendar.periods[: data.calendar.trained_periods])
    offers = describe_offers(all_offers(log), log, reference)

    rows = with_network_past(offers, log, reference)

    number = [torch.tensor([list(known).index(value) for value in rows[name]]) for name, known in ids.items()]
    assert rows.select(offers.columns).equals(offers)
    assert np.array_equal(rows["past"].to_numpy(), data.history.features(*number).numpy())


def test_the_recent_price_is_the_mean_of_the_last_eight_and_the_reference_before_there_was_any(log):
    product, reference = 5, 2.5
    shelf = log.shelf.filter(product_id=product).sort("period")
    price = shelf["price"].to_numpy()
    offers = shelf.select("period", "product_id", "category_id").with_columns(user_id=pl.lit(0, pl.Int64))

    rows = with_network_past(offers, log, pl.DataFrame({"product_id": [product], "reference_price": [reference]}))

    expected = [reference, *(price[max(t - 8, 0) : t].mean() for t in range(1, len(price)))]
    assert len(price) > 9
    assert rows["recent_price"].to_list() == pytest.approx(expected)


@pytest.mark.parametrize("now", [4, 9])
def test_what_happens_from_an_offers_period_on_cannot_change_its_past(log, now):
    periods = log.shelf["period"].unique().sort().to_list()
    offers = all_offers(log).filter(pl.col("period") <= periods[now])
    later = pl.col("period") >= periods[now]
    rng = np.random.default_rng(6)
    drawn = pl.Series(rng.integers(0, 9, log.choices.height))
    changed = replace(
        log,
        shelf=log.shelf.with_columns(price=pl.when(later).then(9.0).otherwise("price")),
        choices=log.choices.with_columns(product_id=pl.when(later).then(drawn).otherwise("product_id")),
        visits=log.visits.filter(~later),
    )

    original, after = (remembered(world, offers).select(ADDED) for world in (log, changed))

    assert original.equals(after)
    everything = all_offers(log)
    assert not remembered(log, everything).select(ADDED).equals(remembered(changed, everything).select(ADDED))


def test_the_past_of_a_user_who_never_bought_has_only_visits(log):
    new_user = log.visits.select("period").unique().with_columns(user_id=pl.lit(99, pl.Int64))
    visits = pl.concat([log.visits.select("user_id", "period"), new_user.select("user_id", "period")])
    offers = log.shelf.select("period", "product_id", "category_id").with_columns(user_id=pl.lit(99, pl.Int64))

    past = remembered(replace(log, visits=visits), offers)["past"].to_numpy()

    of_purchases, of_visits = np.split(past, [3 * len(half_lives_of(PERIODS))], axis=1)
    assert (of_purchases == 0).all()
    assert len(np.unique(of_visits[:, 0])) == log.shelf["period"].n_unique()
