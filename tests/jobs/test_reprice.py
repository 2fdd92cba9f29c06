"""reprice: after any events the prices are those of a full run on the updated catalog, bit for bit."""

import json
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable

from gpu_pricer.gates.record import last_undone
from gpu_pricer.tables.delta_log import current_run, published_runs
from gpu_pricer.tables.events import event_files, updated_catalog
from gpu_pricer.tables.published.publishing import commit_version
from gpu_pricer.tables.version.seal import require_sealed
from gpu_pricer.tables.version.version_files import checked_files
from tests.jobs.event_chains import (
    ARTEFACT,
    COUPLING,
    OFFERED,
    POLICIES,
    Chain,
    after,
    catalog_for,
    full_run,
    rows_of,
)
from tests.markets import a_policy
from tests.shops import copied, lay_out, run_job


@pytest.mark.parametrize("name", POLICIES)
def test_any_events_give_the_prices_of_a_full_run(tmp_path, name):
    chain, carried = Chain(tmp_path, name, 5), 0

    for _ in range(2 if name in COUPLING else 12):
        full = chain.advance()

        base, version = chain.base, chain.base.version
        assert rows_of(base.folder).equals(rows_of(full.folder))
        assert pl.read_parquet(base.folder / "_record/unpriced.parquet").equals(
            pl.read_parquet(full.folder / "_record/unpriced.parquet")
        )
        assert version.catalog == full.version.catalog
        assert version.tally.moved == full.version.tally.moved
        assert version.tally.profit_new == pytest.approx(full.version.tally.profit_new, rel=1e-12)
        assert len([*checked_files(base.folder, version)]) == len(version.files)
        require_sealed(base.folder)
        carried += sum(origin != version.run for origin in version.origins)

    assert (carried > 0) == (name not in COUPLING)


def test_only_files_of_touched_categories_are_written(tmp_path):
    policy, catalog = a_policy(), catalog_for(a_policy())
    base = full_run(tmp_path / "base", catalog, policy)
    event = pl.DataFrame({"product_id": ["p005"], "cost": [1.0], "withdrawn": [None]})

    made = after(base, updated_catalog(catalog, event), tmp_path / "next").version

    nodes = {path.stat().st_ino for path in (tmp_path / "base").glob("*.parquet")}
    new = [path for path in (tmp_path / "next").glob("*.parquet") if path.stat().st_ino not in nodes]
    assert len(base.version.files) == 4
    assert len(new) == 1
    assert "p005" in pl.read_parquet(new[0])["product_id"].unique()
    assert [name for name, origin in zip(made.files, made.origins, strict=True) if origin == "next"] == [new[0].name]


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A folder with a published version of four files, and a folder for events."""
    folder = lay_out(tmp_path_factory.mktemp("published"), ARTEFACT, OFFERED)
    (folder / "incoming").mkdir()
    score = ("score", "policy=profit", "score.cells_per_file=30", "backend=cpu")
    assert [run_job(folder, *job) for job in (score, ("publish",))] == [0, 0]
    return folder


@pytest.fixture
def shop(published, tmp_path):
    """A copy of that folder, as working directory of the gpu_pricer fixture."""
    return copied(published, tmp_path)


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
    day = f"day={date.today() + timedelta(days=7)}"  # the shop's first version is of today, and history goes forward
    assert gpu_pricer("score", "backend=cpu", day).status == 0
    assert gpu_pricer("publish", "publish=unguarded").status == 0
    after = OFFERED.with_columns(price=pl.when(pl.col("product_id") == "p006").then(4.0).otherwise("price"))
    after.write_parquet(shop / "after.parquet")
    changes = ["paths.catalog=after.parquet", "paths.shards=full/again", "backend=cpu", day]
    assert gpu_pricer("score", *changes).status == 0
    pl.DataFrame({"product_id": ["p006"], "price": [4.0]}).write_parquet(shop / "incoming/a.parquet")

    exactly = ("reprice.max_violation=0", "reprice.max_gap_increase=0")  # else the version's multipliers may stay
    ended = gpu_pricer("reprice", "events=incoming", "publish=unguarded", *exactly)

    assert ended.status == 0, ended.said
    assert rows_of(shop / "prices/_current").equals(rows_of(shop / "full/again"))
    history = [
        pl.read_parquet(shop / place / "_record/price_history.parquet") for place in ("prices/_current", "full/again")
    ]
    assert history[0].equals(history[1])


def test_chain_of_events_under_the_default_policy_keeps_its_multipliers_and_explains_its_prices(gpu_pricer, shop):
    assert gpu_pricer("score", "backend=cpu", "score.cells_per_file=30").status == 0
    assert gpu_pricer("publish", "publish=unguarded").status == 0
    solved = current_run(shop / "prices")

    for name, price in (("a", 4.0), ("b", 4.1)):
        pl.DataFrame({"product_id": ["p006"], "price": [price]}).write_parquet(shop / f"incoming/{name}.parquet")
        allowed = ["reprice.max_violation=1", "reprice.max_gap_increase=10", "score.cells_per_file=30"]
        ended = gpu_pricer("reprice", "events=incoming", "publish=unguarded", *allowed)
        assert ended.status == 0, ended.said

    record = shop / "prices/_current/_record"
    assert json.loads((record / "certificate.json").read_text())["kept"]["solved"] == solved
    price = rows_of(shop / "prices/_current").filter(product_id="p006", segment_id="s1")["price"].item()
    told = gpu_pricer("explain", "product=p006", "segment=s1")
    assert told.status == 0, told.said
    assert f"{price:.2f}" in told.out


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
        patch.setattr("gpu_pricer.versions.publication.commit_version", killed)
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


def test_watch_goes_on_when_an_old_file_is_taken_out_while_it_looks(gpu_pricer, shop, monkeypatch):
    for number, name in enumerate(("a.parquet", "b.parquet")):
        put(shop, name, 1.0 + number)
    assert gpu_pricer("reprice", "events=incoming", "score.cells_per_file=30").status == 0
    looks = iter(["of the job's record", "of the watch"])

    def listed(path):
        files = event_files(path)
        if next(looks, None) == "of the watch":
            files[0].unlink()
        return files

    def end(seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr("gpu_pricer.jobs.reprice.event_files", listed)
    monkeypatch.setattr("gpu_pricer.jobs.reprice.time.sleep", end)

    ended = gpu_pricer("reprice", "events=incoming", "watch=true")

    assert not (shop / "incoming/a.parquet").exists()
    assert ended.status == 130, ended.said


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (
            {"product_id": ["p005"], "cots": [1.0]},
            "events must have columns that the version's policy reads, found cots",
        ),
        ({"product_id": ["p005"], "frozen": [True]}, "such as policy.bounds.frozen=frozen"),
        ({"product_id": ["p005"], "price": [-1.0]}, "incoming/a.parquet breaks price_is_positive in 1 rows"),
        (
            {"product_id": ["p099"], "price": [1.0]},
            "products that are not in the catalog must give price and cost, found 1 that do not, such as ['p099']",
        ),
        ({"product_id": ["p001"], "withdrawn": ["yes"]}, "withdrawn must be a number or Boolean, found String"),
        ({"product_id": [5], "price": [1.0]}, "product_id of the events must be String as in the catalog"),
    ],
)
def test_events_that_cannot_be_right_change_nothing(refused, shop, columns, said):
    pl.DataFrame(columns).write_parquet(shop / "incoming/a.parquet")

    assert said in refused("reprice", "events=incoming", "score.cells_per_file=30")


def test_events_that_change_no_product_are_taken_without_a_version(gpu_pricer, shop):
    before, known = current_run(shop / "prices"), OFFERED.filter(product_id="p005")["price"].item()
    for name, columns in {"a": {"price": [known]}, "b": {"stock": [5.0]}, "c": {"withdrawn": [True]}, "d": {}}.items():
        of = "p099" if name == "c" else "p005"
        pl.DataFrame({"product_id": [of]} | columns).write_parquet(shop / f"incoming/{name}.parquet")

    tried = gpu_pricer("reprice", "events=incoming", "score.cells_per_file=30", "publish.dry_run=true")
    ended = gpu_pricer("reprice", "events=incoming", "score.cells_per_file=30")
    again = gpu_pricer("reprice", "events=incoming", "score.cells_per_file=30")

    assert tried.out == ended.out == f"no new version: the events change no product of {before}\n"
    assert (again.status, again.out) == (0, "no new events\n")
    assert [*published_runs(shop / "prices")] == [before]
    assert batches(shop) == [["a.parquet", "b.parquet", "c.parquet", "d.parquet"]]
    put(shop, "e.parquet", 1.0)
    assert gpu_pricer("reprice", "events=incoming", "score.cells_per_file=30").status == 0
    assert [*published_runs(shop / "prices").values()] == [0, 2]
    listed = gpu_pricer("versions").out
    assert before in listed
    assert current_run(shop / "prices") in listed


def test_slip_of_the_decimal_point_is_said_and_refused(gpu_pricer, shop):
    before, price = current_run(shop / "prices"), OFFERED.filter(product_id="p005")["price"].item()
    pl.DataFrame({"product_id": ["p005"], "price": [10 * price]}).write_parquet(shop / "incoming/a.parquet")
    open_gates = [f"publish.gates.{name}=null" for name in ("max_mean_move", "max_share_far", "max_category_change")]

    ended = gpu_pricer("reprice", "events=incoming", "score.cells_per_file=30", *open_gates)

    assert ended.status == 3
    slip = "1 products have a price more than 3 times above or below the one before, such as p005 with a price of "
    assert any(slip in line for line in ended.log)
    assert "the largest move of a single price must be at most 4, found" in ended.said[-1]
    assert ", product p005 in segment " in ended.said[-1]
    assert current_run(shop / "prices") == before


def test_file_that_changed_since_it_was_scored_is_not_carried_over(refused, shop):
    pl.DataFrame({"product_id": ["p005"], "cost": [1.0]}).write_parquet(shop / "incoming/a.parquet")
    files = sorted((shop / "prices").glob("2*/*.parquet"))
    changed = next(file for file in files if "p005" not in pl.read_parquet(file)["product_id"])
    cheap = pl.read_parquet(changed).with_columns(price=pl.lit("0.10").cast(pl.Decimal(12, 2)))
    cheap.write_parquet(changed, metadata=pl.read_parquet_metadata(changed))

    said = refused("reprice", "events=incoming", "score.cells_per_file=30")

    assert f"{changed.relative_to(shop)} must be as `score` left it, byte for byte, found another than" in said


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


@pytest.mark.parametrize(
    ("event", "example"),
    [
        ({"product_id": ["p005"], "cost": [1.0]}, "p005 with a cost of {before} instead of 1.0"),
        ({"product_id": ["p900"], "cost": [1.0], "price": [2.0], "category_id": ["c0"]}, "p900 that was new"),
    ],
    ids=["value", "new"],
)
def test_version_that_was_scored_before_events_says_what_it_forgets(gpu_pricer, shop, event, example):
    full = current_run(shop / "prices")
    assert gpu_pricer("score", "policy=profit", "backend=cpu").status == 0
    pl.DataFrame(event).write_parquet(shop / "incoming/a.parquet")
    assert gpu_pricer("reprice", "events=incoming").status == 0
    assert current_run(shop / "prices") != full

    ended = gpu_pricer("publish")

    assert ended.status == 0, ended.said
    before = OFFERED.filter(product_id="p005")["cost"].item()
    told = [line for line in ended.log if "WARNING" in line]
    assert len(told) == 1
    assert f" lacks what events have changed for 1 product since {full}, " in told[0]
    assert f"such as {example.format(before=before)}: readers would get the values from before the events" in told[0]
    (said,) = last_undone(shop / "prices" / current_run(shop / "prices"))
    assert told[0].endswith(said)


def prices_of(shop):
    return pl.read_parquet(shop / "prices/_current/*.parquet")


def test_products_that_events_withdrew_come_back_only_if_somebody_accepts_it(gpu_pricer, shop):
    pl.DataFrame({"product_id": ["p005"], "withdrawn": [True]}).write_parquet(shop / "incoming/a.parquet")
    assert gpu_pricer("reprice", "events=incoming").status == 0
    repriced = current_run(shop / "prices")
    assert gpu_pricer("score", "policy=profit", "backend=cpu").status == 0

    refused = gpu_pricer("publish")

    assert refused.status == 3
    assert "events withdrew must not come back by a full score, found 1 priced again: p005" in refused.said[0]
    assert current_run(shop / "prices") == repriced
    kept = gpu_pricer("score", "policy=profit", "backend=cpu", "paths.catalog=prices/_current/_record/catalog.parquet")
    assert kept.status == gpu_pricer("publish").status == 0
    assert "p005" not in prices_of(shop)["product_id"]


def test_withdrawn_product_may_be_accepted_and_is_not_asked_about_again(gpu_pricer, shop):
    pl.DataFrame({"product_id": ["p005"], "withdrawn": [True]}).write_parquet(shop / "incoming/a.parquet")
    assert gpu_pricer("reprice", "events=incoming").status == 0
    back = ("paths.shards=prices/back",)
    assert gpu_pricer("score", "policy=profit", "backend=cpu", *back).status == 0

    accepted = gpu_pricer(
        "publish", *back, "publish.accept=[no_withdrawn_products]", "publish.reason='the recall is over'"
    )

    assert accepted.status == 0, accepted.said
    assert "p005" in prices_of(shop)["product_id"]
    assert gpu_pricer("score", "policy=profit", "backend=cpu").status == gpu_pricer("publish").status == 0


@pytest.mark.parametrize("cost", [1.0, 1.2], ids=["known", "newer"])
def test_version_whose_catalog_knows_the_events_forgets_nothing(gpu_pricer, shop, cost):
    pl.DataFrame({"product_id": ["p005"], "cost": [1.0]}).write_parquet(shop / "incoming/a.parquet")
    assert gpu_pricer("reprice", "events=incoming").status == 0
    known = pl.when(pl.col("product_id") == "p005").then(cost).otherwise("cost").alias("cost")
    OFFERED.with_columns(known).write_parquet(shop / "known.parquet")
    assert gpu_pricer("score", "policy=profit", "backend=cpu", "paths.catalog=known.parquet").status == 0

    ended = gpu_pricer("publish")

    assert ended.status == 0, ended.said
    assert not [line for line in ended.log if "WARNING" in line]


@pytest.mark.parametrize("watch", ["false", "true"])
def test_files_that_are_no_events_are_named_once(gpu_pricer, shop, monkeypatch, watch):
    (shop / "incoming/costs.csv").touch()
    (shop / "incoming/2026-11-30").mkdir()
    (shop / "incoming/_coming.csv").touch()
    naps = iter(range(3))

    def nap(seconds):
        if next(naps, None) is None:
            raise KeyboardInterrupt

    monkeypatch.setattr("gpu_pricer.jobs.reprice.time.sleep", nap)

    ended = gpu_pricer("reprice", "events=incoming", f"watch={watch}")

    assert ended.status == (130 if watch == "true" else 0)
    assert [line.partition("reprice: ")[2] for line in ended.log if "WARNING" in line] == [
        "2 files in incoming are no events, such as 2026-11-30: events are Parquet files whose names end in .parquet"
    ]
