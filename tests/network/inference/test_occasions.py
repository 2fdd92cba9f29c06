"""The context of offers of any period, against what the network itself saw of that shelf."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch

from gpu_pricer.network.encoding.batches import EVERY_ALTERNATIVE, gather_batch
from gpu_pricer.network.encoding.loading import load_choice_data
from gpu_pricer.network.encoding.price_support import SupportConfig, price_support
from gpu_pricer.network.inference.occasions import UnseenTables, encode_unseen
from gpu_pricer.network.inference.past import read_past
from gpu_pricer.network.inference.prediction import choice_shares, predict_offers
from gpu_pricer.network.model.demand_network import DemandNetwork
from gpu_pricer.network.model.likelihood import purchase_probability
from gpu_pricer.network.segments.forming import Segmentation
from gpu_pricer.network.segments.members import period_to_judge
from gpu_pricer.network.storage.saved_network import read_network, write_network
from gpu_pricer.tables.canonical import read_canonical
from tests.canonical import SPLIT, write_canonical
from tests.network.small import ENCODING, NETWORK

USERS, PERIODS = 60, 12
HUMIDITY = "further:humidity"


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """A log whose shelf has gaps, and whose humidity is not always known."""
    directory, rng = tmp_path_factory.mktemp("canonical") / "data", np.random.default_rng(1)
    write_canonical(directory, users=USERS, periods=PERIODS)
    shelf, choices = (pl.read_parquet(directory / f"{name}.parquet") for name in ("shelf", "choices"))
    humidity = pl.Series(rng.normal(5, 2, shelf.height))
    is_known, is_there = (pl.Series(rng.random(shelf.height) < share) for share in (0.7, 0.8))
    shelf = shelf.with_columns(humidity=pl.when(is_known).then(humidity)).filter(is_there)
    shelf.write_parquet(directory / "shelf.parquet")
    on_shelf = choices.join(shelf, on=("product_id", "period"), how="semi")
    pl.concat([on_shelf, choices.filter(pl.col("product_id").is_null())]).write_parquet(directory / "choices.parquet")
    return directory


@pytest.fixture(scope="module")
def network(tables):
    """A network that any context moves."""
    torch.manual_seed(0)
    network = DemandNetwork(load_choice_data(tables, ENCODING, SPLIT), NETWORK)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.15 * torch.randn_like(parameter))
        network.product_rate.abs_()
        network.category_rate.uniform_()
        network.next_season.normal_()
        network.set_support(price_support(network.data, SupportConfig(0.01, 5, 0.1)))
    return network.eval()


@pytest.fixture(scope="module")
def saved(network, tmp_path_factory):
    directory = tmp_path_factory.mktemp("network")
    segments = Segmentation(np.zeros(USERS, np.int64), np.zeros((1, 4)), 0.2)
    write_network(network, segments, network.data.calendar.periods[-1], directory)
    return read_network(directory)


@pytest.fixture
def past(tables, saved):
    return read_past(tables, saved.settings.period_days)


@pytest.fixture
def predict(tables, saved):
    users, catalog = (read_canonical(tables, name) for name in ("users", "products"))
    return lambda offers, past: predict_offers(saved, offers, past, catalog, users)


def offers_of(products, period, **context):
    """User 5 sees each of the products, on an occasion of its own."""
    ids = list(products)
    columns = {"occasion_id": ids, "product_id": ids, "user_id": 5, "period": period, "price": 2.0}
    return pl.DataFrame(columns | context)


def absent(past, period):
    """The products that are not on the shelf of a period, sorted."""
    return sorted(set(range(20)) - set(past.shelf.filter(pl.col("period") == past.periods[period])["product_id"]))


def test_offers_of_the_shelf_are_as_likely_as_in_the_network_itself(network, past, predict):
    data = network.data
    batch = gather_batch(data, data.split()[2], EVERY_ALTERNATIVE, torch.Generator())
    with torch.no_grad():
        share = choice_shares(network(batch), batch)
    per_purchase = data.choices_per_purchase(batch.choice_set)[batch.occasion]
    choice_set, product = batch.choice_set[batch.occasion].numpy(), data.shelf.product[batch.row].numpy()
    offers = pl.DataFrame({
        "user_id": data.users.table["user_id"].gather(batch.user[batch.occasion].numpy()),
        "product_id": data.products.table["product_id"].gather(product),
        "period": pl.Series(data.calendar.periods).gather(data.sets.period[choice_set].numpy()),
    }).with_columns(occasion_id=pl.struct("user_id", "period").rank("dense"))  # fmt: skip
    offers = offers.join(past.shelf, on=("product_id", "period"), maintain_order="left")

    predicted = predict(offers.drop(HUMIDITY, "display", "mailer"), past)

    assert offers[HUMIDITY].null_count() > 0
    np.testing.assert_allclose(predicted, purchase_probability(share, per_purchase), rtol=1e-5)


def test_network_that_was_saved_without_a_bend_answers_prices_evenly(saved, past, tables):
    users, catalog = (read_canonical(tables, name) for name in ("users", "products"))
    tensors, offers = saved.parameters.tensors, offers_of(range(20), past.periods[-1])
    even = tensors | {"bend": replace(tensors["bend"], values=torch.zeros(()))}
    of_before = {name: tensor for name, tensor in tensors.items() if name != "bend"}

    known, before, now = (
        predict_offers(replace(saved, parameters=replace(saved.parameters, tensors=kept)), offers, past, catalog, users)
        for kept in (even, of_before, tensors)
    )

    assert (before == known).all()
    assert not (before == now).all()


def test_the_context_of_later_periods_changes_no_prediction(past, predict):
    period = past.periods[6]
    later = past.shelf.with_columns(
        pl.when(pl.col("period") > period).then(1.0).otherwise(name).alias(name)
        for name in ("display", "mailer", HUMIDITY)
    )
    offers = offers_of(absent(past, 6), period)

    assert offers.height > 1
    assert (predict(offers, replace(past, shelf=later)) == predict(offers, past)).all()


@pytest.mark.parametrize("period", [0, 2, 6, PERIODS - 1, PERIODS, PERIODS + 9])
def test_missing_context_is_that_of_the_periods_before_as_in_pricing(network, saved, past, period):
    products = range(20) if period >= PERIODS else absent(past, period)
    offers = offers_of(products, past.calendar(period + 1)[period])
    users = saved.users.filter(pl.col("user_id") == 5)

    data, row = encode_unseen(saved, UnseenTables(offers, users, saved.products, past, now=0))

    expected = period_to_judge(network, min(period, PERIODS)).context[data.shelf.product]
    assert len(row) == len(products)
    assert expected.any() or period == 0
    torch.testing.assert_close(data.shelf.context, expected)


def test_the_context_of_an_offer_overrides_that_of_the_log(past, predict):
    period = past.periods[6]
    shelf = past.shelf.filter(pl.col("period") == period)
    with_humidity = predict(offers_of(shelf["product_id"], period, **{HUMIDITY: 9.0}), past)

    everywhere = replace(past, shelf=past.shelf.with_columns(pl.lit(9.0).alias(HUMIDITY)))

    assert (with_humidity != predict(offers_of(shelf["product_id"], period), past)).all()
    np.testing.assert_allclose(with_humidity, predict(offers_of(shelf["product_id"], period), everywhere))


def test_prices_beyond_the_support_count_as_the_nearest_and_are_counted(network, saved, past, predict, caplog):
    period, product = past.periods[6], 7
    place = network.data.products.table["product_id"].to_list().index(product)
    reference = network.data.products.table["reference_price"][place]
    low, high = (network.support[place].detach() * reference).tolist()
    inside = offers_of([product], period).with_columns(price=pl.lit(reference))
    outside = [inside.with_columns(price=pl.lit(price)) for price in (0.3 * low, low, high, 3 * high)]

    chances = [float(predict(offers, past)[0]) for offers in outside]

    assert chances[0] == pytest.approx(chances[1])
    assert chances[2] == pytest.approx(chances[3])
    assert chances[1] > float(predict(inside, past)[0]) > chances[2]
    assert caplog.text.count("1 of 1 offers have prices outside the range that the demand was learned from") == 2
