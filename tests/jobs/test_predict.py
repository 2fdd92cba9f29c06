"""predict: the network's own held-out probabilities, for known and unknown users and products."""

from datetime import date

import numpy as np
import polars as pl
import pytest


@pytest.fixture
def offers(trained_work):
    """The held-out offers as a table in random order, with the probabilities that `train` gave them."""
    held_out = pl.read_parquet(trained_work / "train" / "held_out.parquet")
    shelf = pl.read_parquet(trained_work / "data" / "shelf.parquet").select("period", "product_id", "price")
    joined = held_out.join(shelf, on=("period", "product_id"), maintain_order="left")
    return joined.select(
        "user_id", "product_id", "price", time="period", expected="probability",
        occasion_id=pl.format("{} {}", "user_id", "period"),
    ).sample(fraction=1, shuffle=True, seed=1)  # fmt: skip


@pytest.fixture
def predict(gpu_pricer, trained_work, tmp_path):
    """predict(offers) is the table that the job writes, and its log."""

    def job(offers, *overrides):
        offers.write_parquet(tmp_path / "offers.parquet")
        arguments = ("predict.offers=offers.parquet", "predict.out=out.parquet")
        paths = (f"paths.data={trained_work / 'data'}", f"paths.demand={trained_work / 'demand'}")
        ended = gpu_pricer("predict", *arguments, *paths, *overrides)
        assert (ended.status, ended.said) == (0, []), ended
        return pl.read_parquet(tmp_path / "out.parquet"), ended.log

    return job


def test_predictions_are_those_of_the_held_out_periods_row_by_row(predict, offers):
    predicted, _ = predict(offers)

    assert predicted.drop("probability").equals(offers)
    np.testing.assert_allclose(predicted["probability"], offers["expected"], atol=1e-6)


def test_later_purchases_do_not_change_a_prediction(predict, offers, trained_work, tmp_path):
    first = offers.filter(pl.col("time") == offers["time"].min())
    before = predict(first)[0]
    choices = pl.read_parquet(trained_work / "data" / "choices.parquet")
    later = pl.col("period") >= first["time"][0]
    shuffled = choices.with_columns(product_id=pl.when(later).then(1).otherwise("product_id"))
    for name in ("shelf", "visits", "users", "products"):
        table = pl.read_parquet(trained_work / "data" / f"{name}.parquet")
        table.write_parquet(tmp_path / f"{name}.parquet")
    shuffled.write_parquet(tmp_path / "choices.parquet")

    after = predict(first, f"paths.data={tmp_path}")[0]

    np.testing.assert_allclose(after["probability"], before["probability"], atol=1e-7)


def test_unknown_users_and_products_are_judged_and_counted_once(predict, offers):
    strange = offers.head(40).with_columns(
        user_id=pl.when(pl.int_range(pl.len()) < 20).then(10_000).otherwise("user_id"),
        product_id=pl.when(pl.int_range(pl.len()) % 10 == 0).then(5_000).otherwise("product_id"),
    )

    predicted, log = predict(strange)

    assert predicted.drop("probability").equals(strange)
    assert predicted["probability"].is_between(0, 1, closed="none").all()
    warnings = [line for line in log if "not in the training data" in line]
    assert len(warnings) == 2
    assert (
        "products were not in the training data: 0 are predicted by their attributes, 1 as the average" in warnings[0]
    )
    assert "users were not in the training data: 0 are predicted by their attributes, 1 as the average" in warnings[1]


def test_a_new_product_takes_its_attributes_from_the_catalog(predict, offers, trained_work, tmp_path):
    catalog = pl.read_parquet(trained_work / "data" / "products.parquet").filter(pl.col("product_id") == 7)
    catalog.with_columns(product_id=pl.lit(5_000)).write_parquet(tmp_path / "new.parquet")
    new = offers.filter(pl.col("product_id") == 7).with_columns(product_id=pl.lit(5_000))

    with_catalog, log = predict(new, "paths.catalog=new.parquet")
    without, _ = predict(new)

    assert "1 are predicted by their attributes, 0 as the average" in "".join(log)
    assert (with_catalog["probability"] != without["probability"]).all()


def test_the_catalogs_price_is_what_a_new_products_offers_are_compared_with(predict, offers, trained_work, tmp_path):
    """Without one, an offer is compared with itself, which is told."""
    catalog = pl.read_parquet(trained_work / "data" / "products.parquet").filter(pl.col("product_id") == 7)
    catalog.with_columns(product_id=pl.lit(5_000)).write_parquet(tmp_path / "new.parquet")
    usual = catalog["price"].cast(pl.Float64)[0]
    new = offers.filter(pl.col("product_id") == 7).with_columns(product_id=pl.lit(5_000), price=pl.lit(usual))
    cheap = new.with_columns(price=pl.lit(0.9 * usual))

    found = {key: [predict(table, *key) for table in (new, cheap)] for key in ((), ("paths.catalog=new.parquet",))}

    alone, compared = ([table["probability"] for table, _ in pair] for pair in found.values())
    assert alone[0].equals(alone[1])
    assert (compared[0] < compared[1]).all()
    told = ["1 of 1 new products have no price in the catalog" in "".join(pair[0][1]) for pair in found.values()]
    assert told == [True, False]


def test_demand_for_an_offer_falls_with_its_price(predict, offers):
    dearer = offers.with_columns(
        price=pl.when(pl.col("product_id") == 3).then(1.2 * pl.col("price")).otherwise("price")
    )

    change = predict(dearer)[0]["probability"] - predict(offers)[0]["probability"]

    own = offers["product_id"] == 3
    assert (change.filter(own) < 0).all()
    assert (change.filter(~own) >= -1e-7).all()


def test_offers_after_and_before_the_log_are_predicted_too(predict, offers):
    far = [date(2034, 5, 1), date(1994, 5, 1)]
    shifted = offers.head(40).with_columns(time=pl.Series(far).gather(np.arange(40) % 2))

    assert predict(shifted)[0]["probability"].is_between(0, 1, closed="none").all()


BROKEN = {
    "missing column": (lambda rows: rows.drop("price"), "must have the column price, found only"),
    "price": (
        lambda rows: rows.with_columns(price=-pl.col("price")), "breaks price_is_positive in",
    ),
    "no time": (lambda rows: rows.with_columns(time=pl.lit(None, pl.Date)), "breaks time_is_given in"),
    "empty": (lambda rows: rows.clear(), "must hold at least one row, found none"),
    "ids": (
        lambda rows: rows.with_columns(pl.col("user_id").cast(pl.String)),
        "user_id must be Int64 as in the tables trained on, found String: convert the column",
    ),
    "probability": (lambda rows: rows.rename({"expected": "probability"}), "must have no column probability"),
}  # fmt: skip


@pytest.mark.parametrize("fault", BROKEN)
def test_broken_offers_are_refused(refused, offers, trained_work, tmp_path, fault):
    change, message = BROKEN[fault]
    change(offers).write_parquet(tmp_path / "offers.parquet")
    (tmp_path / "out.parquet").write_text("yesterday's")
    paths = (f"paths.data={trained_work / 'data'}", f"paths.demand={trained_work / 'demand'}")

    message_found = refused("predict", "predict.offers=offers.parquet", "predict.out=out.parquet", *paths)

    assert message_found.startswith("offers.parquet")
    assert message in message_found


@pytest.mark.parametrize("value", [1e300, float("inf"), -(2.0**31)])
def test_context_that_no_training_can_have_seen_is_refused(refused, offers, trained_work, tmp_path, value):
    display = pl.when(pl.int_range(pl.len()) == 3).then(value).otherwise(0.0)
    offers.with_columns(display=display).write_parquet(tmp_path / "offers.parquet")
    paths = (f"paths.data={trained_work / 'data'}", f"paths.demand={trained_work / 'demand'}")

    found = refused("predict", "predict.offers=offers.parquet", "predict.out=out.parquet", *paths)

    assert found.startswith("predict.offers: display must lie within 1000 standard deviations of what training saw")
    assert "in 1 rows: mend them" in found


def test_what_is_missing_is_named(refused, offers, trained_work, tmp_path):
    offers.write_parquet(tmp_path / "offers.parquet")
    files = ("predict.offers=offers.parquet", "predict.out=out.parquet")

    assert "predict.offers must be a Parquet file, found None: set predict.offers=FILE" in refused("predict")
    assert "predict.out must be a Parquet file" in refused("predict", files[0])
    assert "nowhere.parquet must be a Parquet file or a folder" in refused(
        "predict", "predict.offers=nowhere.parquet", files[1]
    )
    assert "predict.out must be another file" in refused("predict", files[0], "predict.out=offers.parquet")
    assert "a trained network must lie in work/demand/network, found none" in refused("predict", *files)
    demand = f"paths.demand={trained_work / 'demand'}"
    assert "canonical tables must lie in work/data, found no shelf" in refused("predict", *files, demand)
