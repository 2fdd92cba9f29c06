"""history: the prices that each segment saw and from when, as the table group_prices, from the published versions."""

import json
import shutil
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from operator import itemgetter
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tests.jobs.test_damaged_version import cut, empty, garble
from tests.markets import catalog_of, small_artefact
from tests.shops import copied, lay_out, run_job

TEXT_IDS = small_artefact(31, segments=2, products=12, categories=4)
ARTEFACT = replace(TEXT_IDS, segments=TEXT_IDS.segments.with_columns(segment_id=pl.Series([7, 8])))
CATALOG = catalog_of(ARTEFACT).sort("product_id")
GATES = [f"publish.gates.{name}=1" for name in ("max_share_missing", "max_mean_move", "max_share_beyond_moves")]
BOUNDS = [f"policy.bounds.{name}=0.9" for name in ("max_increase", "max_decrease")] + [
    "policy.bounds.within_support=false"
]
SETTINGS = ("policy=profit", "backend=cpu", "publish.gates.same_columns=null", *GATES, *BOUNDS)
FIRST, SECOND = date(2025, 3, 3), date(2025, 3, 11)
DEARER = pl.when(pl.col("category_id") == "c1").then(1.5).otherwise(1.0)
USUAL_PRICE = 1.01
FOLDER = Path("work/group_prices.parquet")


def night(folder, run, day, catalog, *settings):
    """Score a catalog and publish its prices on a day."""
    catalog.write_parquet(folder / "work/data/products.parquet")
    assert run_job(folder, "score", *SETTINGS, f"paths.shards=prices/{run}", f"day={day}", *settings) == 0
    assert run_job(folder, "publish", *SETTINGS, f"paths.shards=prices/{run}", f"day={day}") == 0


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A shop with two published versions: in the second one, eight days later, products of c1 cost more."""
    folder = lay_out(tmp_path_factory.mktemp("shop"), ARTEFACT, CATALOG)
    night(folder, "first", FIRST, CATALOG)
    night(folder, "second", SECOND, CATALOG.with_columns(cost=pl.col("cost") * DEARER))
    return folder


@pytest.fixture
def shop(published, tmp_path):
    """A copy of that folder, as working directory of the gpu_pricer fixture."""
    return copied(published, tmp_path)


def prices_of(shop, run):
    """The price of every cell, from the files of a version in the long layout alone."""
    rows = pl.read_parquet(shop / "prices" / run / "*.parquet").rows(named=True)
    return {(str(row["segment_id"]), row["product_id"]): float(row["price"]) for row in rows}


def prices_on(shop, day):
    """The last price of every cell that the folder tells up to a day."""
    rows = sorted(pl.read_parquet(shop / FOLDER / "*.parquet").rows(named=True), key=itemgetter("time"))
    return {(row["price_group"], row["product_id"]): row["price"] for row in rows if row["time"] <= day}


def bytes_of(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_the_folder_tells_the_price_of_every_cell_on_every_day(gpu_pricer, shop):
    ended = gpu_pricer("history")

    assert ended.status == 0, ended.said
    first, second = prices_of(shop, "first"), prices_of(shop, "second")
    changed = [cell for cell in first if first[cell] != second[cell]]
    assert any(first["7", product] != first["8", product] for _, product in first)
    assert 0 < len(changed) < len(first) == 24
    assert prices_on(shop, FIRST - timedelta(1)) == {}
    assert prices_on(shop, FIRST) == prices_on(shop, SECOND - timedelta(1)) == first
    assert prices_on(shop, SECOND) == second
    told = {path.name: pl.read_parquet(path) for path in sorted((shop / FOLDER).iterdir())}
    assert [*told] == ["00000000000000000000-first.parquet", "00000000000000000001-second.parquet"]
    assert [table.height for table in told.values()] == [24, len(changed)]
    assert {*map(str, told["00000000000000000000-first.parquet"].schema.items())} == {
        "('price_group', String)", "('product_id', String)", "('time', Date)", "('price', Float64)",
    }  # fmt: skip


def sales_of(weeks):
    """Lines of weeks: each of 40 users buys three products a week, at the usual prices or at those of a segment."""
    rng, found = np.random.default_rng(5), []
    for monday, price in weeks.items():
        for user in range(40):
            group = (None, "7", "8")[user % 3]
            for product in rng.choice(CATALOG["product_id"], 3, replace=False):
                paid = price[group, product] if group else USUAL_PRICE
                found.append((f"u{user}", product, monday + timedelta(int(rng.integers(7))), 1, paid, group))
    columns = ("user_id", "product_id", "time", "quantity", "price", "price_group")
    return pl.DataFrame(found, columns, orient="row", infer_schema_length=None)


def test_prepare_reads_the_folder_as_group_prices(gpu_pricer, shop):
    """In the middle of its week, a Thursday, each segment saw the prices of the version then in force.

    Of two versions of one day that is the later one.
    """
    night(shop, "third", SECOND, CATALOG.with_columns(cost=pl.col("cost") * 1.1))
    assert gpu_pricer("history", "history.out=tables/group_prices.parquet").status == 0
    first, third = prices_of(shop, "first"), prices_of(shop, "third")
    mondays = [FIRST + timedelta(7 * week) for week in range(5)]
    weeks = {monday: first if monday < SECOND - timedelta(1) else third for monday in mondays}
    sales_of(weeks).write_parquet(shop / "tables/transactions.parquet")
    CATALOG.drop("price").write_parquet(shop / "tables/products.parquet")

    ended = gpu_pricer(
        *("prepare", "data=parquet", "data.path=tables", "split.validation_periods=1", "split.test_periods=1"),
        "data.most_implausible=1",  # prices of few products that differ by more than five times
    )

    assert ended.status == 0, ended.said
    groups = json.loads((shop / "work/data/summary.json").read_text())["price_groups"]
    shelf, own = (pl.read_parquet(shop / f"work/data/{name}.parquet").rows(named=True)
                  for name in ("shelf", "group_shelf"))  # fmt: skip
    seen = {(row["period"], group, row["product_id"]): row["price"] for row in shelf for group in groups}
    seen |= {(row["period"], groups[row["price_group"] - 1], row["product_id"]): row["price"] for row in own}
    assert groups == ["7", "8"]
    assert {period for period, *_ in seen} >= {*mondays[1:]}
    assert seen == {key: weeks[key[0]][key[1:]] for key in seen}
    assert len(own) > len(seen) / 3


def test_last_screen_says_what_was_written_and_how_to_go_on(gpu_pricer, shop):
    rows = 24 + sum(before != after for before, after in zip(
        prices_of(shop, "first").values(), prices_of(shop, "second").values(), strict=True
    ))  # fmt: skip

    lines = gpu_pricer("history", "data=parquet", "data.path=tables").out.splitlines()

    assert lines[0] == (
        f"wrote 2 files with {rows} rows to {FOLDER}: prices that hold from 2025-03-03, the last from 2025-03-11"
    )
    assert "price_group" in lines[1]
    assert lines[2] == "go on: gpu-pricer prepare data=parquet data.path=tables"


def test_what_is_told_stays_and_is_not_told_again(gpu_pricer, shop):
    gpu_pricer("history")
    before = bytes_of(shop / FOLDER)

    ended = gpu_pricer("history")

    assert ended.out == f"nothing to add to {FOLDER}: no publication whose files are kept came since\n"
    assert bytes_of(shop / FOLDER) == before
    night(shop, "third", SECOND + timedelta(3), CATALOG)
    assert gpu_pricer("history").out.startswith("wrote 1 file with ")
    assert {name: content for name, content in bytes_of(shop / FOLDER).items() if name in before} == before
    assert prices_on(shop, SECOND + timedelta(3)) == prices_of(shop, "third")


def test_the_folder_outlives_the_versions(gpu_pricer, shop):
    first, second = prices_of(shop, "first"), prices_of(shop, "second")
    gpu_pricer("history")
    assert gpu_pricer("vacuum", "publish.keep=1", "publish.keep_hours=0").out == "removed prices/first\n"

    ended = gpu_pricer("history")

    assert (ended.status, ended.log) == (0, [])
    assert prices_on(shop, FIRST) == first
    assert prices_on(shop, SECOND) == second


def test_a_publication_that_was_removed_before_it_was_told_is_named(gpu_pricer, shop):
    gpu_pricer("history")
    for number, run in enumerate(("third", "fourth"), start=3):
        night(shop, run, SECOND + timedelta(number), CATALOG.with_columns(cost=pl.col("cost") * (1 + number / 20)))
    gpu_pricer("vacuum", "publish.keep=1", "publish.keep_hours=0")

    ended = gpu_pricer("history")

    (warning,) = [line for line in ended.log if " WARNING " in line]
    assert warning.endswith(
        "publications of prices cannot be told, since their files were removed before: 2 (third); run "
        "gpu-pricer history after each publication"
    )
    assert [path.name[19:] for path in sorted((shop / FOLDER).iterdir())] == [
        "0-first.parquet", "1-second.parquet", "3-fourth.parquet"
    ]  # fmt: skip
    assert prices_on(shop, SECOND + timedelta(4)) == prices_of(shop, "fourth")
    assert [line for line in gpu_pricer("history").log if " WARNING " in line] == []


def test_a_rollback_is_told_as_the_publication_that_it_is(gpu_pricer, shop):
    day = SECOND + timedelta(1)
    assert gpu_pricer("rollback", "first", "rollback.reason=costs", f"day={day}", *SETTINGS).status == 0

    gpu_pricer("history")

    assert (shop / FOLDER / "00000000000000000002-first.parquet").is_file()
    assert prices_on(shop, SECOND) == prices_of(shop, "second")
    assert prices_on(shop, day) == prices_of(shop, "first")


def test_prices_that_were_replaced_before_their_day_never_hold(gpu_pricer, shop):
    """A version for the 11th is published, then one for the 9th: from then on the latter are the prices."""
    night(shop, "third", SECOND - timedelta(2), CATALOG.with_columns(cost=pl.col("cost") * 1.2))

    gpu_pricer("history")

    assert prices_on(shop, SECOND) == prices_of(shop, "third")
    assert prices_on(shop, SECOND + timedelta(30)) == prices_of(shop, "third")


def test_prices_hold_from_the_day_that_they_were_scored_for(gpu_pricer, shop):
    """`publish` without a day is a commit of today: the version may be scored for a later one."""
    shutil.rmtree(shop / "prices")
    today = datetime.now(UTC).date()
    for run, day, cost in (("one", today - timedelta(9), 1), ("two", today + timedelta(2), 1.2)):
        CATALOG.with_columns(cost=pl.col("cost") * cost).write_parquet(shop / "work/data/products.parquet")
        assert gpu_pricer("score", *SETTINGS, f"paths.shards=prices/{run}", f"day={day}").status == 0
        assert gpu_pricer("publish", *SETTINGS, f"paths.shards=prices/{run}").status == 0

    gpu_pricer("history")

    assert prices_on(shop, today - timedelta(1)) == {}
    assert prices_on(shop, today + timedelta(1)) == prices_of(shop, "one")
    assert prices_on(shop, today + timedelta(2)) == prices_of(shop, "two")


def test_a_wide_version_among_long_ones_is_told_like_them(gpu_pricer, shop):
    day = SECOND + timedelta(1)
    dearer = CATALOG.with_columns(cost=pl.col("cost") * 1.2)
    night(shop, "wide", day, dearer, "score.layout=wide")
    night(shop, "long", day + timedelta(1), dearer)

    gpu_pricer("history")

    wide = pl.read_parquet(shop / "prices/wide/*.parquet").rows(named=True)
    shown = {(name.removeprefix("price_"), row["product_id"]): float(row[name])
             for row in wide for name in row if name.startswith("price_")}  # fmt: skip
    assert len(shown) == 24
    assert prices_on(shop, day) == shown
    assert prices_on(shop, day + timedelta(1)) == prices_of(shop, "long") == shown
    assert pl.read_parquet_schema(shop / FOLDER / "00000000000000000003-long.parquet")["price_group"] == pl.String
    assert pl.read_parquet(shop / FOLDER / "00000000000000000003-long.parquet").is_empty()


def test_a_product_that_comes_and_goes_is_told_at_its_own_prices(gpu_pricer, shop):
    gone = CATALOG.filter(pl.col("product_id") != "p003")
    night(shop, "third", SECOND + timedelta(1), gone)
    night(shop, "fourth", SECOND + timedelta(2), CATALOG.with_columns(cost=pl.col("cost") * 1.2))

    gpu_pricer("history")

    before, after = prices_of(shop, "second"), prices_of(shop, "third")
    assert prices_on(shop, SECOND + timedelta(1)) == before | after
    assert prices_on(shop, SECOND + timedelta(2)) == prices_of(shop, "fourth")


@pytest.mark.parametrize("damage", [cut, empty, garble])
def test_a_damaged_file_is_one_line(gpu_pricer, refused, shop, damage):
    gpu_pricer("history")
    file = shop / FOLDER / "00000000000000000000-first.parquet"
    damage(file)
    night(shop, "third", SECOND + timedelta(3), CATALOG)

    said = refused("history")

    assert said.startswith(f"{FOLDER / file.name} must be a whole Parquet file, found: ")
    assert said.endswith("restore it, or remove the folder, which is then written anew from the versions that are kept")


@pytest.mark.parametrize("name", ["mine", f"{1:020d}-other", f"{7:020d}-second", f"{1:020d}-second"])
def test_files_of_others_are_left_alone(shop, refused, name):
    (shop / FOLDER).mkdir()
    pl.DataFrame({"a": [1]}).write_parquet(shop / FOLDER / f"{name}.parquet")

    assert refused("history") == (
        f"{FOLDER} must hold only what `gpu-pricer history` wrote of prices, found {name}.parquet: set history.out to "
        "another folder"
    )


def test_a_file_in_the_place_of_the_folder_is_refused(shop, refused):
    assert refused("history", "history.out=work/data/products.parquet") == (
        "history.out must be a folder, found a file at work/data/products.parquet: set history.out to another place"
    )


@pytest.mark.parametrize(("word", "found"), [("null", "None"), ("5", "5"), ("''", "''")])
def test_history_needs_a_folder(refused, shop, word, found):
    assert refused("history", f"history.out={word}") == (
        f"history.out must be a folder, found {found}: set history.out=DIR"
    )


def test_ids_of_another_kind_are_refused(gpu_pricer, refused, shop):
    gpu_pricer("history")
    file = shop / FOLDER / "00000000000000000001-second.parquet"
    file.unlink()
    first = shop / FOLDER / "00000000000000000000-first.parquet"
    pl.read_parquet(first).with_columns(product_id=pl.lit(7, pl.Int64)).write_parquet(first)

    assert refused("history") == (
        "prices/second must have a product_id of the kind that earlier publications had (Int64), found String: set "
        "history.out to another folder"
    )


def test_a_damaged_version_is_one_line_and_those_before_it_are_told(gpu_pricer, shop):
    lost = next((shop / "prices/second").glob("*.parquet"))
    lost.unlink()

    ended = gpu_pricer("history")

    assert (ended.status, ended.out, len(ended.said)) == (2, "", 1)
    assert lost.name in ended.said[0]
    assert prices_on(shop, SECOND) == prices_of(shop, "first")


def test_history_of_an_empty_folder_is_none(gpu_pricer, tmp_path):
    ended = gpu_pricer("history")

    assert (ended.status, ended.out) == (0, "no published versions in prices\n")
    assert not (tmp_path / FOLDER).exists()
