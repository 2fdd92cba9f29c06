"""assign: members keep their segments, new users find theirs."""

from dataclasses import replace

import polars as pl
import pytest

from gpu_pricer.network.encoding.attributes import learn_vocabulary
from gpu_pricer.network.inference.segment_assignment import likely_segments
from gpu_pricer.tables.artefact import read_artefact
from gpu_pricer.tables.delta_log import current_run
from tests.markets import catalog_of
from tests.shops import lay_out, run_job


@pytest.fixture
def members(trained_work):
    """user_id and segment_id of all users in training."""
    return pl.read_parquet(trained_work / "demand" / "user_segments.parquet")


@pytest.fixture
def lines(trained_work):
    """Everything that was bought in training."""
    choices = pl.read_parquet(trained_work / "data" / "choices.parquet")
    return choices.filter(pl.col("product_id").is_not_null()).select("user_id", "product_id", time="period")


@pytest.fixture
def assign(gpu_pricer, trained_work, tmp_path):
    """assign(users=table, transactions=table) is the table that the job writes, and its log."""

    def job(**tables):
        for name, table in tables.items():
            table.write_parquet(tmp_path / f"{name}.parquet")
        paths = (f"paths.data={trained_work / 'data'}", f"paths.demand={trained_work / 'demand'}")
        arguments = [f"assign.{name}={name}.parquet" for name in tables]
        ended = gpu_pricer("assign", *arguments, "assign.out=out.parquet", *paths)
        assert (ended.status, ended.said) == (0, []), ended
        return pl.read_parquet(tmp_path / "out.parquet"), ended.log

    return job


def test_members_without_new_lines_keep_their_segments_in_the_given_order(assign, members, lines):
    given = members.sample(fraction=1, shuffle=True, seed=1)
    some = given["user_id"].head(20)

    by_log, _ = assign(users=given.select("user_id"))
    by_lines, _ = assign(
        users=given.select("user_id"), transactions=lines.filter(pl.col("user_id").is_in(some.implode()))
    )

    assert by_log.equals(given)
    assert by_lines["user_id"].equals(given["user_id"])
    assert by_lines[20:].equals(given[20:])


def test_new_users_are_placed_like_known_ones_who_bought_the_same(assign, lines, trained_work):
    twins = lines.with_columns(user_id=pl.col("user_id") + 1000)
    towns = pl.read_parquet(trained_work / "data" / "users.parquet").select(pl.col("user_id") + 1000, "town")

    placed, log = assign(users=towns, transactions=pl.concat([twins, lines]))

    new, known = (placed.filter(pl.col("user_id") // 1000 == block) for block in (1, 0))
    same = new.with_columns(pl.col("user_id") - 1000).join(known, on="user_id")
    assert same.height == known.height > 90
    assert (same["segment_id"] == same["segment_id_right"]).mean() > 0.9
    assert same["segment_id"].n_unique() > 1
    assert not any("never came" in line for line in log)


def test_who_never_came_is_placed_by_attributes_or_in_the_largest_segment_and_counted(assign, trained_work, members):
    newcomers = pl.DataFrame({"user_id": [7001, 7002, 7003], "town": ["Ulm", "Rome", None]})

    placed, log = assign(users=newcomers)

    segments = placed["segment_id"].to_list()
    segment = pl.read_parquet(trained_work / "demand" / "segments.parquet")
    largest = segment["segment_id"][segment["visits"].arg_max()]
    assert segments[1:] == [largest, largest]
    assert segments[0] in members["segment_id"].to_list()
    assert any(
        "3 of 3 users have no visit: 1 are assigned by their attributes, 2 to the largest" in line for line in log
    )


def test_members_whose_published_prices_are_for_other_segments_are_counted(assign, members, trained_work, tmp_path):
    artefact = read_artefact(trained_work / "demand")
    swapped = members.with_columns(
        segment_id=pl.when(pl.int_range(pl.len()) < 5).then(1 - pl.col("segment_id") % 2).otherwise("segment_id")
    )
    before = replace(artefact, user_segments=swapped)
    lay_out(tmp_path, before, catalog_of(before))
    assert [run_job(tmp_path, job, "policy=profit", "backend=cpu") for job in ("score", "publish")] == [0, 0]
    moved = (swapped["segment_id"] != members["segment_id"]).sum()

    _, log = assign(users=members.select("user_id"))

    demand, current = trained_work / "demand", current_run(tmp_path / "prices")
    assert [line.partition(": ")[2] for line in log if "WARNING gpu_pricer.jobs.assign" in line] == [
        f"{moved} of {members.height} users are in other segments of {demand} than the published prices of {current} "
        f"are for (prices/_artefacts/{before.fingerprint()}/user_segments.parquet): publish prices of this demand first"
    ]


def test_attributes_tell_the_segment_where_members_differ_by_them():
    members = pl.DataFrame({"user_id": range(60), "town": ["Ulm", "Rome", "Bath"] * 20, "segment": [0, 1, 2] * 20})
    vocabulary = learn_vocabulary(members, ["town"], min_count=1)
    newcomers = pl.DataFrame({"user_id": [60, 61, 62], "town": ["Bath", "Rome", "Oslo"]})

    segment, is_described = likely_segments(newcomers, members, vocabulary, largest=0)

    assert segment.tolist() == [2, 1, 0]
    assert is_described.tolist() == [True, True, False]


def test_lines_of_unknown_products_are_counted(assign, lines):
    strange = lines.head(10).with_columns(product_id=pl.lit(5_000))

    _, log = assign(transactions=pl.concat([lines, strange.cast(lines.schema)]))

    assert any(
        f"10 of {lines.height + 10} lines are of products that are not in the training data" in line for line in log
    )


def test_who_bought_unknown_products_alone_has_come(assign, lines):
    """After the log's end; user 7001 bought what training never saw, user 7002 something else besides."""
    last = lines.filter(pl.col("time") == pl.col("time").max()).head(1)
    known, strange = last["product_id"], pl.Series([5_000])
    bought = [(7001, strange), (7002, strange), (7002, known)]
    new = pl.concat(
        [last.with_columns(user_id=pl.lit(user), product_id=product) for user, product in bought],
        how="vertical_relaxed",
    )

    placed, log = assign(transactions=new.cast(lines.schema))

    assert placed["user_id"].to_list() == [7001, 7002]
    assert not any("never came" in line for line in log)
    assert any(
        "2 of 3 lines are of products that are not in the training data: they count as visits" in line for line in log
    )


def test_broken_tables_are_refused(refused, trained_work, tmp_path, members, lines):
    paths = (f"paths.data={trained_work / 'data'}", f"paths.demand={trained_work / 'demand'}", "assign.out=out.parquet")
    pl.concat([members, members]).write_parquet(tmp_path / "twice.parquet")
    lines.drop("time").write_parquet(tmp_path / "timeless.parquet")

    assert "found neither: set assign.users=FILE" in refused("assign", *paths)
    assert "twice.parquet breaks user_is_unique in 200 rows" in refused("assign", *paths, "assign.users=twice.parquet")
    refusal = refused("assign", *paths, "assign.transactions=timeless.parquet")
    assert "timeless.parquet must have the column time" in refusal
    assert "assign.out must be a Parquet file" in refused("assign", *paths[:2], "assign.users=twice.parquet")


def test_attributes_of_another_kind_than_in_training_are_refused(refused, trained_work, tmp_path):
    paths = (f"paths.data={trained_work / 'data'}", f"paths.demand={trained_work / 'demand'}", "assign.out=out.parquet")
    pl.DataFrame({"user_id": [7001], "town": [0.5]}).write_parquet(tmp_path / "number.parquet")
    pl.DataFrame({"user_id": [7001], "town": [{"name": "Ulm"}]}).write_parquet(tmp_path / "struct.parquet")

    assert "number.parquet: the attribute town must be String as in the tables trained on, found Float64" in refused(
        "assign", *paths, "assign.users=number.parquet"
    )
    assert "struct.parquet: the attribute town must be text, a number, a date" in refused(
        "assign", *paths, "assign.users=struct.parquet"
    )
