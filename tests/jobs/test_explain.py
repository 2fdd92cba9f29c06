"""explain: the derivation of a published price agrees with its columns, and bad arguments get one line."""

import os
import re
import shutil
import time
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from gpu_pricer.explain.text import part_words
from gpu_pricer.jobs import score
from gpu_pricer.policy.rule_words import rule_words
from gpu_pricer.tables.artefact import write_artefact
from gpu_pricer.tables.price_table import PARTS, scan_prices
from gpu_pricer.tables.priced_products import catalog_fingerprint
from gpu_pricer.tables.published import kept_artefacts
from gpu_pricer.tables.version.names import CATALOG_COPY, RECORD
from gpu_pricer.tables.version.version_record import read_version
from gpu_pricer.versions.appraisal.never_sold import UNSOLD
from tests.markets import catalog_of, small_artefact, with_posterior, with_stand_ins
from tests.pricing.logit import category_value, dense_demand
from tests.shops import copied, lay_out, run_job

ARTEFACT = small_artefact(61, segments=4, products=24, categories=6)
CATALOG = catalog_of(ARTEFACT)


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A shop with a published version that has the parts of its prices, which no test may change."""
    folder = lay_out(tmp_path_factory.mktemp("explained"), ARTEFACT, CATALOG)
    assert run_job(folder, "score", "policy=profit", "score.details=[parts]", "paths.shards=prices/one") == 0
    assert run_job(folder, "publish", "publish.gates.max_share_moved=1", "publish.gates.max_mean_move=1") == 0
    return folder


@pytest.fixture
def shop(published, tmp_path):
    """A copy of that shop, where the jobs look for it."""
    return copied(published, tmp_path)


def part_line(part, out):
    """The line of the output of `explain` on a part of the price."""
    words = "effect of the limits" if part == "shadow_price" else part.replace("_", " ")
    return next(line for line in out.splitlines() if f"  {words}:" in line)


def numbers(text):
    return [float(word.replace(",", "")) for word in re.findall(r"[-+]?[\d,]*\.\d+", text)]


@pytest.mark.parametrize(("product", "segment"), [("p007", "s2"), ("p000", "s0"), ("p013", "s3")])
def test_derivation_is_that_of_the_row(gpu_pricer, shop, product, segment):
    ended = gpu_pricer("explain", f"product={product}", f"segment={segment}")

    assert ended.status == 0
    row = scan_prices(shop / "prices/one").filter(product_id=product, segment_id=segment).collect().row(0, named=True)
    lines = ended.out.splitlines()
    assert lines[0].startswith(f"Product {product} for segment {segment} in one: {row['price']} USD, today")
    for part in PARTS:
        line = next(line for line in lines if f"  {part_words(part)}:" in line)
        assert numbers(line)[0] == pytest.approx(float(row[part]), abs=0.011)
    found = [numbers(next(line for line in lines if f"  {part_words(p)}:" in line))[0] for p in PARTS]
    assert sum(found) == pytest.approx(float(row["price"]), abs=1e-9)
    free = next(line for line in lines if "= the best price without bounds and ladder" in line)
    assert numbers(free)[0] == pytest.approx(sum(found) - found[PARTS.index("adjustment")], abs=1e-9)
    rule = f"limiting rule: {rule_words(row['binding'])} ({row['binding']})"
    assert ("no rule for single prices limits this price" if row["binding"] == "none" else rule) in ended.out
    assert "off the shelf" not in ended.out


def test_runner_up_is_the_best_other_rung(gpu_pricer, shop):
    ended = gpu_pricer("explain", "product=p007", "segment=s2")

    table = scan_prices(shop / "prices/one").filter(segment_id="s2").collect()
    names = [f"p{i:03d}" for i in range(24) if i % 6 == 1]
    price = table.filter(pl.col("product_id").is_in(names)).sort("product_id")["price"].cast(pl.Float64).to_numpy()
    today = dict(CATALOG.select("product_id", "price").iter_rows())["p007"]
    support = ARTEFACT.products.row(7, named=True)
    cost = dict(CATALOG.select("product_id", "cost").iter_rows())["p007"]
    low = max(0.7 * today, cost / 0.95, support["min_price"])
    high = min(1.15 * today, support["max_price"])
    value = {}
    for cents in range(9, 2000, 10):
        if low <= cents / 100 <= high and cents != round(100 * price[1]):
            moved = price.copy()
            moved[1] = cents / 100
            value[cents] = category_value(ARTEFACT, CATALOG, dense_demand(ARTEFACT).index("s2"), names, moved)
    best = max(value, key=value.__getitem__)
    now = category_value(ARTEFACT, CATALOG, dense_demand(ARTEFACT).index("s2"), names, price)
    line = next(line for line in ended.out.splitlines() if "next best price" in line)
    assert numbers(line)[0] == best / 100
    assert numbers(line)[1] == pytest.approx(1000 * abs(now - value[best]), rel=1e-3, abs=2e-4)
    visits = dict(ARTEFACT.segments.iter_rows())["s2"]
    assert numbers(line)[2] == pytest.approx(visits * abs(now - value[best]), rel=1e-3, abs=2e-4)
    assert "count" not in ended.out, "profit alone is what prices maximise here"


def test_change_between_versions_is_shown_part_by_part(gpu_pricer, shop):
    dearer = pl.when(pl.col("product_id") == "p007").then(pl.col("cost") + 0.3).otherwise("cost").alias("cost")
    CATALOG.with_columns(dearer).write_parquet(shop / "work/data/products.parquet")
    gpu_pricer("score", "policy=profit", "score.details=[parts]", "paths.shards=prices/two")
    gpu_pricer("publish", "publish.gates.max_share_moved=1", "publish.gates.max_mean_move=1")

    ended = gpu_pricer("explain", "product=p007", "segment=s2", "explain.against=one")

    assert "From one to two:" in ended.out
    cost = next(line for line in ended.out.splitlines() if re.match(r"  unit_cost +[\d.]+ +[\d.]+", line))
    before, after, change = numbers(cost)
    assert change == pytest.approx(0.3, abs=0.011) == pytest.approx(after - before, abs=0.021)
    rows = [
        scan_prices(shop / f"prices/{run}").filter(product_id="p007", segment_id="s2").collect()
        for run in ("one", "two")
    ]
    price = next(line for line in ended.out.splitlines() if line.startswith("  price   "))
    assert numbers(price)[:2] == [float(row["price"][0]) for row in rows]


def test_posterior_says_how_far_elasticity_and_profit_may_be_off(gpu_pricer, shop):
    assert "90 % interval" not in gpu_pricer("explain", "product=p007", "segment=s2").out
    write_artefact(with_posterior(ARTEFACT, 0.5), shop / "work/demand")
    gpu_pricer(
        "score", "policy=profit", "policy.ladder=null", "uncertainty=posterior", "score.details=[parts,interval]",
        "paths.shards=prices/drawn",
    )  # fmt: skip

    ended = gpu_pricer("explain", "product=p007", "segment=s2", "paths.shards=prices/drawn", "policy.ladder=null")

    row = scan_prices(shop / "prices/drawn").filter(product_id="p007", segment_id="s2").collect().row(0, named=True)
    said = "90 % interval over 20 posterior draws of the price response: "
    line = next(line for line in ended.out.splitlines() if said in line)
    steepest, flattest, least, most = numbers(line.partition(":")[2])
    assert [least, most] == pytest.approx([row["profit_low"], row["profit_high"]], abs=0.006)
    expected = numbers(next(line for line in ended.out.splitlines() if "units per visit" in line))[-1]
    assert steepest < expected < flattest < 0
    at_price = numbers(next(line for line in ended.out.splitlines() if "  at this price" in line))
    assert at_price[:2] == pytest.approx([row["expected_units"], row["expected_profit"]], abs=0.006)
    for part in PARTS:
        found = numbers(next(line for line in ended.out.splitlines() if f"  {part_words(part)}:" in line))[0]
        assert found == pytest.approx(float(row[part]), abs=0.011)


def test_category_without_draws_is_explained_without_an_interval(gpu_pricer, shop):
    drawn = with_posterior(ARTEFACT, 0.5)
    some = replace(drawn, posterior=drawn.posterior.filter(pl.col("category_id") != "c1"))
    write_artefact(some, shop / "work/demand")
    gpu_pricer("score", "policy=profit", "paths.shards=prices/some")

    with_draws, without = (
        gpu_pricer("explain", f"product={product}", "segment=s2", "paths.shards=prices/some")
        for product in ("p008", "p007")
    )

    assert (with_draws.status, without.status) == (0, 0), without
    assert "90 % interval" in with_draws.out
    assert "90 % interval" not in without.out


def test_category_that_taught_nothing_is_explained_with_the_interval_of_a_stand_in(gpu_pricer, shop):
    taught = [f"c{k}" for k in range(6) if k != 1]
    write_artefact(with_stand_ins(with_posterior(ARTEFACT, 0.5), taught, 4, 0.5), shop / "work/demand")
    gpu_pricer("score", "policy=profit", "paths.shards=prices/all")

    ended = gpu_pricer("explain", "product=p007", "segment=s2", "paths.shards=prices/all")

    assert ended.status == 0, ended
    assert "90 % interval over 20 posterior draws" in ended.out


def test_wide_version_is_explained_too(gpu_pricer, shop):
    gpu_pricer("score", "policy=profit", "score.layout=wide", "paths.shards=prices/wide")

    wide = gpu_pricer("explain", "product=p007", "segment=s2", "paths.shards=prices/wide")
    long = gpu_pricer("explain", "product=p007", "segment=s2")

    assert wide.status == 0
    assert wide.out.splitlines()[2:8] == long.out.splitlines()[2:8]
    assert "limiting rule" not in wide.out


def test_price_of_a_product_off_the_shelf_is_said_to_be_one(gpu_pricer, shop):
    sold_out = pl.when(pl.col("product_id") == "p007").then(0.0).otherwise(1.0)
    CATALOG.with_columns(availability=sold_out).write_parquet(shop / "work/catalog.parquet")
    gpu_pricer("score", "policy=profit", "paths.shards=prices/sold-out", "paths.catalog=work/catalog.parquet")

    gone, sold = (
        gpu_pricer("explain", f"product={product}", "segment=s2", "paths.shards=prices/sold-out")
        for product in ("p007", "p001")
    )

    assert gone.out.splitlines()[1].startswith("The product is off the shelf")
    assert "off the shelf" not in sold.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("segment=s2",), "product must be an id of the price table, found none: set product=ID, such as product=p000"),
        (("product=p007", "segment=s9"), r"segment must be an id of the price table, found 's9': there are s0, s1, s2"),
        (("product=p999", "segment=s2"), r"product must be an id of the price table, found 'p999': there are"),
        (("product=p007", "segment=s2", "explain.version=7"), r"a version must be a run, .*, found '7': the last"),
        (("product=p007", "segment=s2", "paths.prices=elsewhere"), r"must hold a published version to explain, found"),
    ],
)
def test_price_that_cannot_be_explained_is_refused(refused, shop, arguments, message):
    assert re.search(message, refused("explain", *arguments))


COPIES = ("_record/policy.json", "_record/catalog.parquet", "_artefacts")


def without_copies(version):
    """Remove the copies of what a version was priced from, as of one that was scored before there were any."""
    (version / COPIES[0]).unlink()
    (version / COPIES[1]).unlink()
    shutil.rmtree(version.parent / COPIES[2])


def test_version_without_copies_is_explained_from_the_configuration(gpu_pricer, refused, shop):
    expected = gpu_pricer("explain", "product=p007", "segment=s2").out
    without_copies(shop / "prices/one")

    assert gpu_pricer("explain", "policy=profit", "product=p007", "segment=s2").out == expected
    said = refused("explain", "policy=profit", "product=p007", "segment=s2", "policy.bounds.max_increase=0.1")
    assert "policy and its overrides must be what one was scored from" in said


@pytest.mark.parametrize("place", ["prices", "what-if"])
def test_published_price_explains_itself_when_all_that_made_it_is_gone(gpu_pricer, shop, place):
    by_hand = pl.DataFrame({"product_id": ["p001"], "price": [4.29]})
    by_hand.write_csv(shop / "by-hand.csv")
    rules = ("policy=growth", "policy.bounds.max_increase=0.05", "policy.overrides=by-hand.csv")
    keep = "+policy.constraints.keep={measure: units, at_least: 0.9, relative_to: current_prices}"
    gpu_pricer("score", *rules, keep, "score.details=[parts]", f"paths.shards={place}/two")
    expected = gpu_pricer("explain", "product=p007", "segment=s2", f"paths.shards={place}/two").out
    opened = ("publish.gates.max_share_moved=1", "publish.gates.max_mean_move=1")
    assert gpu_pricer("publish", f"paths.shards={place}/two", *opened).status == 0
    for folder in ("work", "what-if"):
        shutil.rmtree(shop / folder, ignore_errors=True)
    (shop / "by-hand.csv").unlink()

    ended = gpu_pricer("explain", "product=p007", "segment=s2")

    assert ended.status == 0, ended.said
    assert ended.out == expected
    assert "in two: " in ended.out
    by_hand = gpu_pricer("explain", "product=p001", "segment=s0").out
    assert "p001 for segment s0 in two: 4.29 USD" in by_hand
    older = gpu_pricer("explain", "product=p007", "segment=s2", "explain.version=one")
    assert older.status == 0
    assert gpu_pricer("explain", "product=p007", "segment=s2", "explain.version=0").out == older.out


@pytest.mark.parametrize(
    ("copy", "message"),
    [
        ("prices/one/_record/policy.json", r"policy.json must be the policy that `gpu-pricer score` wrote, found: "),
        ("prices/one/_record/catalog.parquet", r"catalog.parquet must be a whole Parquet file, found: "),
    ],
)
def test_torn_copy_is_refused(refused, shop, copy, message):
    (shop / copy).write_text("{")

    assert re.search(message, refused("explain", "product=p007", "segment=s2"))


def test_copy_that_was_changed_is_refused(refused, shop):
    path = shop / "prices/one/_record/policy.json"
    path.write_text(path.read_text().replace('"max_increase": 0.15', '"max_increase": 0.14'))

    assert "policy.json must be what one was scored from" in refused("explain", "product=p007", "segment=s2")


def test_artefact_is_kept_once_and_goes_with_the_last_version_that_needs_it(gpu_pricer, shop):
    opened = ("publish=unguarded", "publish.gates.max_mean_move=1", "publish.keep_hours=0")
    gpu_pricer("score", "policy=profit", "paths.shards=prices/two")
    assert len([*shop.glob("prices/_artefacts/*")]) == 1
    write_artefact(small_artefact(62, segments=4, products=24, categories=6), shop / "work/demand")
    gpu_pricer("score", "policy=profit", "paths.shards=prices/three")
    kept = [*shop.glob("prices/_artefacts/*")]
    assert len(kept) == 2
    assert not [*shop.glob("prices/_artefacts/*/network")]
    for path in kept:
        for entry in (*path.iterdir(), path):
            os.utime(entry, (time.time() - 10**6,) * 2)

    gpu_pricer("publish", *opened, "publish.keep=1")
    assert len([*shop.glob("prices/_artefacts/*")]) == 2  # `two` was not published, but it is there
    shutil.rmtree(shop / "prices/two")
    gpu_pricer("publish", *opened, "publish.keep=1")

    assert len([*shop.glob("prices/_artefacts/*")]) == 1
    assert gpu_pricer("explain", "product=p007", "segment=s2").status == 0


def test_artefact_that_changes_while_it_is_priced_is_refused(gpu_pricer, shop, monkeypatch):
    shutil.rmtree(shop / "prices/_artefacts")
    other = small_artefact(62, segments=4, products=24, categories=6)
    monkeypatch.setattr(kept_artefacts, "read_artefact", lambda path: other)

    ended = gpu_pricer("score", "policy=profit", "paths.shards=prices/two")

    assert ended.status == 2
    assert "work/demand must stay as it is while it is priced" in ended.said[0]
    assert not (shop / "prices/two/_record/run.json").exists()  # nothing can publish it
    told = "prices/one is the current version already: nothing was scored since it was published"
    assert gpu_pricer("publish").log[-1].endswith(told)


def test_catalog_that_changes_while_it_is_priced_is_kept_as_it_was_priced(gpu_pricer, shop, monkeypatch):
    catalog, priced = shop / "work/data/products.parquet", score.score

    def and_change_the_catalog(*arguments):
        version = priced(*arguments)
        pl.read_parquet(catalog).with_columns(pl.col("cost") * 0.5).write_parquet(catalog)
        return version

    monkeypatch.setattr(score, "score", and_change_the_catalog)

    assert gpu_pricer("score", "policy=profit", "paths.shards=prices/two").status == 0

    copy = pl.read_parquet(shop / "prices/two" / RECORD / CATALOG_COPY)
    assert catalog_fingerprint(copy) == read_version(shop / "prices/two").catalog


def test_change_without_parts_is_refused(gpu_pricer, refused, shop):
    gpu_pricer("score", "policy=profit", "paths.shards=prices/plain")

    said = refused("explain", "product=p007", "segment=s2", "explain.against=plain")

    assert "explain.against needs two versions with the parts of this price, found prices/plain without" in said


def test_integer_ids_are_found(gpu_pricer, tmp_path):
    numbered = ARTEFACT.products.with_columns(product_id=pl.int_range(pl.len(), dtype=pl.UInt32))
    segments = ARTEFACT.segments.with_columns(segment_id=np.arange(4, dtype=np.uint8))
    artefact = replace(ARTEFACT, products=numbered, segments=segments)
    write_artefact(artefact, tmp_path / "work/demand")
    (tmp_path / "work/data").mkdir()
    catalog_of(artefact).write_parquet(tmp_path / "work/data/products.parquet")
    gpu_pricer("score", "policy=profit", "paths.shards=prices/one")

    ended = gpu_pricer("explain", "product=7", "segment=2", "paths.shards=prices/one")

    assert ended.status == 0, ended
    assert ended.out.startswith("Product 7 for segment 2 in one: ")


def test_a_product_that_was_never_sold_has_the_demand_of_others_and_says_so(gpu_pricer, shop):
    day = ARTEFACT.info.last_sales_day
    pl.DataFrame({"product_id": ["p000"], "day": [day]}).write_parquet(shop / "work/data/sales.parquet")

    unsold, sold = (gpu_pricer("explain", product, "s2").out.splitlines() for product in ("p007", "p000"))

    assert unsold[1] == UNSOLD
    assert UNSOLD not in sold
    taught = "  no sale of this product taught the demand: prices of other products, scaled to its level of "
    assert any(line.startswith(taught) for line in unsold)
    assert not any(line.startswith(taught) for line in sold)
