"""What a version promises is replaced with the version, and says nothing where nothing is known."""

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from gpu_pricer.errors import InputError
from gpu_pricer.pricing.tiling import Tiling
from gpu_pricer.tables.artefact import write_artefact
from gpu_pricer.tables.published.promises import (
    has_promise,
    has_spread,
    keep_promise,
    keep_spread,
    publications,
    read_promise,
)
from gpu_pricer.versions.priced_catalog import PricedCatalog
from gpu_pricer.versions.scored_version import score
from gpu_pricer.versions.version_sources import keep_sources
from tests.markets import a_policy, catalog_of, small_artefact

ARTEFACT = small_artefact(21, segments=3, products=12, categories=4)


def scored(folder, layout="long", seed=0, stock=None, artefact=ARTEFACT, **policy):
    demand, catalog, policy = folder / "demand", catalog_of(artefact, seed), a_policy(**policy)
    catalog = catalog if stock is None else catalog.with_columns(stock=pl.lit(stock))
    if not demand.is_dir():
        write_artefact(artefact, demand)
    return score(
        artefact, PricedCatalog(catalog), policy, Tiling(layout, 100, 1, None, 1), folder / "prices/one", "cpu",
        complete=lambda version: keep_sources(folder / "prices/one", version, demand, catalog, policy),
    )  # fmt: skip


def test_promise_of_a_version_that_is_scored_again_is_the_new_one(tmp_path):
    prices = tmp_path / "prices"
    assert keep_promise(prices, prices / "one", scored(tmp_path))
    keep_spread(prices, "one", {"": {"units": 0.1}})
    before = read_promise(prices, "one")

    assert keep_promise(prices, prices / "one", scored(tmp_path, seed=5))

    after = read_promise(prices, "one")
    assert before.spread == {"": {"units": 0.1}}
    assert (after.spread, has_spread(prices, "one")) == ({}, False)
    assert after.products["cost"].sum() != before.products["cost"].sum()
    assert (after.period_days, after.visits) == (7, pytest.approx(ARTEFACT.segments["visits"].sum()))


def test_a_promise_is_what_the_stock_can_serve_where_the_policy_heeds_it(tmp_path):
    limit = {"stock": {"measure": "units", "at_most": "stock", "per": "product_id"}}
    prices = tmp_path / "prices"
    assert keep_promise(prices, prices / "one", scored(tmp_path, stock=2.0))
    heedless = read_promise(prices, "one").products

    version = scored(tmp_path, stock=2.0, constraints=limit)
    assert keep_promise(prices, prices / "one", version)

    found = read_promise(prices, "one").products
    certificate = json.loads((prices / "one/_record/certificate.json").read_text())
    assert heedless["units"].max() > 2.0
    assert found["units"].max() == pytest.approx(2.0, rel=1e-6)
    assert certificate["stock"]["rationed_products"] > 0
    for total in (found["profit"].sum(), version.tally.profit_new):
        assert total == pytest.approx(certificate["objective"], rel=1e-5)
    assert found["units"].sum() == pytest.approx(version.tally.units_new, rel=1e-5)
    assert version.tally.units_today < heedless["units"].sum()


def test_wide_table_promises_nothing(tmp_path):
    prices = tmp_path / "prices"

    assert not keep_promise(prices, prices / "one", scored(tmp_path, layout="wide"))
    assert (has_promise(prices, "one"), read_promise(prices, "one"), publications(prices)) == (False, None, [])


@pytest.mark.parametrize("dtype", [pl.UInt8, pl.UInt64, pl.Int16])
def test_whole_numbers_of_segments_promise_what_their_text_does(tmp_path, dtype):
    numbers = pl.Series("segment_id", np.arange(ARTEFACT.segments.height))
    promises = []
    for name, ids in (("text", numbers.cast(pl.String)), ("numbers", numbers.cast(dtype))):
        prices = tmp_path / name / "prices"
        artefact = replace(ARTEFACT, segments=ARTEFACT.segments.with_columns(ids))

        assert keep_promise(prices, prices / "one", scored(tmp_path / name, artefact=artefact))

        promises.append(read_promise(prices, "one").products)
    assert promises[1].equals(promises[0])


def test_segments_of_another_type_than_the_demands_are_refused(tmp_path):
    prices = tmp_path / "prices"
    version = scored(tmp_path)
    for path in (prices / "one").glob("*.parquet"):
        pl.read_parquet(path).with_columns(pl.col("segment_id").rank("dense").cast(pl.Int64)).write_parquet(path)

    with pytest.raises(InputError, match=r"must have segments of the type String as in its demand artefact, found Int"):
        keep_promise(prices, prices / "one", version)


def test_broken_promise_is_named(tmp_path):
    prices = tmp_path / "prices"
    assert keep_promise(prices, prices / "one", scored(tmp_path))
    (prices / "_promises/one.parquet").write_bytes(b"half")

    with pytest.raises(InputError, match=r"must hold whole promises, found: .*: remove the files of one"):
        read_promise(prices, "one")
