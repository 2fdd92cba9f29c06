"""reprice: after any events the prices are those of a full run on the updated catalog, bit for bit."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from deltalake import DeltaTable
from polars.testing import assert_frame_equal

from gpu_pricer.jobs.priced_catalog import PricedCatalog
from gpu_pricer.jobs.repriced_version import Base, reprice
from gpu_pricer.jobs.scored_version import score
from gpu_pricer.jobs.version_sources import Sources
from gpu_pricer.pricing import Tiling
from gpu_pricer.tables.artefact import write_artefact
from gpu_pricer.tables.events import updated_catalog
from gpu_pricer.tables.published_table import current_run
from gpu_pricer.tables.publishing import commit_version
from gpu_pricer.tables.seal import require_sealed
from gpu_pricer.tables.version_files import checked_files
from tests.markets import USUAL, a_policy, catalog_of, small_artefact

ARTEFACT = small_artefact(71, segments=3, products=36, categories=9)
ALL = catalog_of(ARTEFACT).with_columns(
    competitor_price=pl.col("price") * 1.02, frozen=pl.lit(False), family=pl.col("product_id").str.tail(1)
)
OFFERED = ALL.filter(~pl.col("product_id").is_in(["p004", "p017", "p030"]))
TILING = Tiling(layout="long", cells_per_file=30, shards=1, shard=None, writers=2, details=["parts", "note"])

POLICIES = {
    "usual": a_policy(),
    "rules": a_policy(replace(USUAL, max_above_competitor=0.05, frozen="frozen", max_segment_ratio=1.1)),
    "whole cents and families": a_policy(replace(USUAL, family_column="same"), None),
    "constraints": a_policy(
        constraints={"volume": {"measure": "units", "at_least": 0.99, "relative_to": "current_prices"}}
    ),
    "a budget of changes": a_policy(replace(USUAL, max_changes=20)),
}
COUPLING = ("constraints", "a budget of changes")


def catalog_for(policy):
    """The offered products with the columns that the policy reads."""
    catalog = OFFERED.with_columns(same=pl.col("category_id") + pl.col("family").cast(pl.Int64).mod(2).cast(pl.String))
    needed = ["product_id", "category_id", "price", "cost", "availability", *policy.columns]
    return catalog.select([*dict.fromkeys(needed)])


def random_events(rng, catalog):
    """A few changes of one or two products' rows, at times a withdrawn product, a new one or one without demand."""
    known = catalog["product_id"].to_list()
    rows = []
    for product in rng.choice(known, rng.integers(1, 4), replace=False):
        price = round(float(rng.uniform(2, 8)), 2)
        change = {"cost": price * 0.6} if rng.random() < 0.5 else {"price": price, "cost": price * 0.55}
        if rng.random() < 0.2:
            change = {"availability": float(rng.choice([0.0, 0.7]))}
        if rng.random() < 0.15:
            change = {"withdrawn": True}
        if "competitor_price" in catalog.columns and rng.random() < 0.3:
            change |= {"competitor_price": price * 0.97, "frozen": bool(rng.random() < 0.5)}
        rows.append({"product_id": str(product), **change})
    absent = [name for name in [*ALL["product_id"], "unheard of"] if name not in known]
    if absent and rng.random() < 0.4:
        name = str(rng.choice(absent))
        category = dict(ALL.select("product_id", "category_id").rows()).get(name, "c2")
        rows.append({"product_id": name, "category_id": category, "price": 4.5, "cost": 2.25})
    schema = {"product_id": pl.String, "category_id": pl.String, "withdrawn": pl.Boolean, "frozen": pl.Boolean}
    schema |= dict.fromkeys(("price", "cost", "availability", "competitor_price"), pl.Float64)
    events = pl.DataFrame(rows, schema=schema)
    is_read = [name for name in schema if name in (*catalog.columns, "withdrawn")]
    return events.select(is_read).with_columns(pl.col("withdrawn").cast(pl.Float64))


def catalog_after(catalog, events):
    """The catalog after events, row by row in plain Python."""
    table = {row["product_id"]: row for row in catalog.iter_rows(named=True)}
    for event in events.iter_rows(named=True):
        given = {name: value for name, value in event.items() if value is not None and name in catalog.columns}
        if event["withdrawn"]:
            table.pop(event["product_id"], None)
        else:
            empty = dict.fromkeys(catalog.columns)
            table[event["product_id"]] = table.get(event["product_id"], empty) | given
    return pl.DataFrame([*table.values()], schema=catalog.schema).sort("product_id")


def rows_of(folder):
    return pl.read_parquet(folder / "*.parquet").sort("product_id", "segment_id")


def full_run(folder, catalog, policy):
    return score(ARTEFACT, PricedCatalog(catalog), policy, TILING, folder, "cpu")


@pytest.mark.parametrize("name", POLICIES)
def test_any_events_give_the_prices_of_a_full_run(tmp_path, name):
    policy, rng = POLICIES[name], np.random.default_rng(5)
    catalog = catalog_for(policy)
    base = Base(tmp_path / "base", full_run(tmp_path / "base", catalog, policy), Sources(ARTEFACT, catalog, policy))
    carried = 0

    for number in range(2 if name in COUPLING else 12):
        events = random_events(rng, catalog)
        catalog = updated_catalog(catalog, events)
        assert_frame_equal(catalog.sort("product_id"), catalog_after(base.sources.catalog, events))

        version = reprice(base, catalog, tmp_path / f"event{number}", TILING, lambda version: None)

        full = full_run(tmp_path / f"full{number}", catalog, policy)
        assert rows_of(tmp_path / f"event{number}").equals(rows_of(tmp_path / f"full{number}"))
        assert pl.read_parquet(tmp_path / f"event{number}/_record/unpriced.parquet").equals(
            pl.read_parquet(tmp_path / f"full{number}/_record/unpriced.parquet")
        )
        assert version.catalog == full.catalog
        assert version.tally.moved == full.tally.moved
        assert version.tally.profit_new == pytest.approx(full.tally.profit_new, rel=1e-12)
        assert len([*checked_files(tmp_path / f"event{number}", version)]) == len(version.files)
        require_sealed(tmp_path / f"event{number}")
        carried += sum(origin != version.run for origin in version.origins)
        base = Base(tmp_path / f"event{number}", version, Sources(ARTEFACT, catalog, policy))

    assert (carried > 0) == (name not in COUPLING)


def test_only_files_of_touched_categories_are_written(tmp_path):
    policy, catalog = a_policy(), catalog_for(a_policy())
    version = full_run(tmp_path / "base", catalog, policy)
    base = Base(tmp_path / "base", version, Sources(ARTEFACT, catalog, policy))
    event = pl.DataFrame({"product_id": ["p005"], "cost": [1.0], "withdrawn": [None]})

    made = reprice(base, updated_catalog(catalog, event), tmp_path / "next", TILING, lambda version: None)

    nodes = {path.stat().st_ino for path in (tmp_path / "base").glob("*.parquet")}
    new = [path for path in (tmp_path / "next").glob("*.parquet") if path.stat().st_ino not in nodes]
    assert len(version.files) == 4
    assert len(new) == 1
    assert "p005" in pl.read_parquet(new[0])["product_id"].unique()
    assert [name for name, origin in zip(made.files, made.origins, strict=True) if origin == "next"] == [new[0].name]


@pytest.fixture
def shop(gpu_pricer, tmp_path):
    """A published version of four files, and a folder for events."""
    write_artefact(ARTEFACT, tmp_path / "work/demand")
    (tmp_path / "work/data").mkdir()
    OFFERED.write_parquet(tmp_path / "work/data/products.parquet")
    (tmp_path / "incoming").mkdir()
    assert gpu_pricer("score", "policy=profit", "score.cells_per_file=30", "backend=cpu").status == 0
    assert gpu_pricer("publish").status == 0
    return tmp_path


def test_events_are_published_once_with_their_catalog(gpu_pricer, shop):
    before = current_run(shop / "prices")
    pl.DataFrame({"product_id": ["p005", "p006"], "cost": [1.0, None], "price": [None, 4.0]}).write_parquet(
        shop / "incoming/a.parquet"
    )

    ended = gpu_pricer("reprice", "events=incoming", "score.cells_per_file=30")

    assert ended.status == 0, ended.said
    run = current_run(shop / "prices")
    assert run != before
    latest = DeltaTable(str(shop / "prices")).history(1)[0]
    assert (latest["action"], latest["base"]) == ("reprice", before)
    assert [mark.partition(":")[0] for mark in json.loads(latest["events"])] == ["a.parquet"]
    kept = pl.read_parquet(shop / "prices" / run / "_record/catalog.parquet")
    assert kept.filter(product_id="p005")["cost"].item() == 1.0
    assert kept.filter(product_id="p006")["price"].item() == 4.0
    table = pl.scan_delta(str(shop / "prices")).collect()
    assert table.sort("product_id", "segment_id").equals(rows_of(shop / "prices/_current"))
    copy = f"paths.catalog=prices/{run}/_record/catalog.parquet"
    assert gpu_pricer("score", "policy=profit", "backend=cpu", copy, "paths.shards=full/again").status == 0
    assert rows_of(shop / "full/again").equals(rows_of(shop / "prices/_current"))

    again = gpu_pricer("reprice", "events=incoming", "score.cells_per_file=30")
    assert (again.status, again.out) == (0, "no new events\n")
    assert current_run(shop / "prices") == run


def test_events_under_the_default_policy_give_the_prices_of_a_full_run(gpu_pricer, shop):
    day = "day=2026-03-01"
    assert gpu_pricer("score", "backend=cpu", day).status == 0
    assert gpu_pricer("publish", "publish=unguarded").status == 0
    after = OFFERED.with_columns(price=pl.when(pl.col("product_id") == "p006").then(4.0).otherwise("price"))
    after.write_parquet(shop / "after.parquet")
    changes = ["paths.catalog=after.parquet", "paths.shards=full/again", "backend=cpu", day]
    assert gpu_pricer("score", *changes).status == 0
    pl.DataFrame({"product_id": ["p006"], "price": [4.0]}).write_parquet(shop / "incoming/a.parquet")

    ended = gpu_pricer("reprice", "events=incoming", "publish=unguarded")

    assert ended.status == 0, ended.said
    assert rows_of(shop / "prices/_current").equals(rows_of(shop / "full/again"))
    history = [
        pl.read_parquet(shop / place / "_record/price_history.parquet") for place in ("prices/_current", "full/again")
    ]
    assert history[0].equals(history[1])


def put(shop, name, cost):
    """Put a file of one event into the folder, whole at once."""
    fresh = shop / "incoming" / f".{name}"
    pl.DataFrame({"product_id": ["p005"], "cost": [cost]}).write_parquet(fresh)
    fresh.rename(shop / "incoming" / name)


def batches(shop):
    """The names of the event files of each version that reprice published, oldest first."""
    history = sorted(DeltaTable(str(shop / "prices")).history(), key=lambda entry: entry["version"])
    marks = [json.loads(entry["events"]) for entry in history if "events" in entry]
    return [[mark.partition(":")[0] for mark in names] for names in marks]


@pytest.mark.parametrize("moment", ["before the commit", "after the commit"])
def test_run_that_was_killed_loses_no_event_and_repeats_none(gpu_pricer, shop, monkeypatch, moment):
    put(shop, "a.parquet", 1.0)

    def killed(*arguments):
        if moment == "after the commit":
            commit_version(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("gpu_pricer.jobs.publish.commit_version", killed)
        assert gpu_pricer("reprice", "events=incoming", "score.cells_per_file=30").status == 130
    put(shop, "b.parquet", 1.1)
    assert gpu_pricer("reprice", "events=incoming", "score.cells_per_file=30").status == 0

    expected = [["a.parquet", "b.parquet"]] if moment == "before the commit" else [["a.parquet"], ["b.parquet"]]
    assert batches(shop) == expected
    catalog = pl.read_parquet(shop / "prices/_current/_record/catalog.parquet")
    assert catalog.filter(product_id="p005")["cost"].item() == 1.1


def test_watch_takes_what_has_come_together_and_each_file_once(gpu_pricer, shop, monkeypatch):
    arrivals = iter([["b.parquet"], [], ["c.parquet", "d.parquet"], []])
    put(shop, "a.parquet", 1.0)

    def wait(seconds):
        assert seconds == 0.5
        for number, name in enumerate(next(arrivals, None) or ()):
            put(shop, name, 1.1 + number)
        monkeypatch.setattr("gpu_pricer.jobs.reprice.time.sleep", wait if len(batches(shop)) < 3 else end)

    def end(seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr("gpu_pricer.jobs.reprice.time.sleep", wait)
    ended = gpu_pricer("reprice", "events=incoming", "watch=true", "watch_seconds=0.5", "score.cells_per_file=30")

    assert ended.status == 130
    assert batches(shop) == [["a.parquet"], ["b.parquet"], ["c.parquet", "d.parquet"]]


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (
            {"product_id": ["p005"], "cots": [1.0]},
            "events must have columns that the version's policy reads, found cots",
        ),
        ({"product_id": ["p005"], "frozen": [True]}, "such as policy.bounds.frozen=frozen"),
        ({"product_id": ["p005"], "price": [-1.0]}, "incoming/a.parquet breaks price_is_positive in 1 rows"),
        ({"product_id": ["p099"], "price": [1.0]}, "the catalog after the events breaks"),
        ({"product_id": [5], "price": [1.0]}, "product_id of the events must be String as in the catalog"),
    ],
)
def test_events_that_cannot_be_right_change_nothing(refused, shop, columns, said):
    pl.DataFrame(columns).write_parquet(shop / "incoming/a.parquet")

    assert said in refused("reprice", "events=incoming", "score.cells_per_file=30")


def test_reprice_needs_events_and_a_published_version(refused, tmp_path):
    pl.DataFrame({"product_id": ["p005"], "cost": [1.0]}).write_parquet(tmp_path / "a.parquet")

    assert refused("reprice").startswith("reprice needs events, found none: set events=")
    assert refused("reprice", "events=gone").startswith("events must be a Parquet file or a folder of them")
    assert refused("reprice", "events=a.parquet", "watch=true").startswith("watch=true needs a folder of events")
    assert "watch must be true or false, found 'false'" in refused("reprice", "events=a.parquet", "watch='false'")
    assert refused("reprice", "events=a.parquet", "watch_seconds=0").startswith(
        "watch_seconds must be a number above 0, found 0"
    )
    assert refused("reprice", "events=a.parquet").startswith(
        "prices must hold a published version for events to change"
    )
    assert not Path("prices").exists()
