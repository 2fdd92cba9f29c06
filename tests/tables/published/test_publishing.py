"""The published table: one whole version at a time, whatever happens in between."""

import json
import resource
import shutil
import signal
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import duckdb
import polars as pl
import pytest
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from gpu_pricer.errors import InputError, Interrupted, Refused
from gpu_pricer.gates import Evidence, judge_version
from gpu_pricer.pricing.tiling import Tiling
from gpu_pricer.process.ending import interruptible
from gpu_pricer.tables.delta_log import open_table
from gpu_pricer.tables.files.locking import locked
from gpu_pricer.tables.price_table import scan_prices
from gpu_pricer.tables.published import price_store, publishing
from gpu_pricer.tables.version.names import FAIRNESS, LOCK, RUN_RECORD, file_name
from gpu_pricer.tables.version.seal import seal
from gpu_pricer.tables.version.version_files import checked_files
from gpu_pricer.tables.version.version_record import read_version
from gpu_pricer.versions import publication as job
from gpu_pricer.versions.priced_catalog import PricedCatalog
from gpu_pricer.versions.publication import Publication, publish
from gpu_pricer.versions.scored_version import score
from tests.gates.limits import NOBODY, OFF
from tests.markets import a_policy, catalog_of, small_artefact

ARTEFACT = small_artefact(21, segments=3, products=12, categories=4)
OPEN = replace(OFF, max_share_moved=1.0, max_mean_move=1.0)
USUAL = Publication(dry_run=False, keep=5, keep_hours=0, gates=OPEN, accept=[], reason=None, approval=NOBODY)
KEY = ["product_id", "segment_id"]
ROOT = Path(__file__).parents[3]


def scored(prices, run, seed=0, layout="long", artefact=ARTEFACT):
    """A finished version whose prices differ by seed."""
    score(
        artefact,
        PricedCatalog(catalog_of(artefact, seed)),
        a_policy(),
        Tiling(layout, 9, 2, None, 1),
        prices / run,
        "cpu",
    )
    seal(prices / run)
    return prices / run


def published_rows(prices):
    return pl.scan_delta(str(prices)).sort(KEY).collect()


def rows_of(folder):
    return scan_prices(folder).sort(KEY).collect()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_after_the_commit_waits_until_the_link_follows(tmp_path, monkeypatch, number):
    def interrupted(*arguments):
        version = publishing.commit_version(*arguments)
        signal.raise_signal(number)
        return version

    monkeypatch.setattr(job, "commit_version", interrupted)

    with pytest.raises((Interrupted, KeyboardInterrupt)), interruptible():
        publish(tmp_path, scored(tmp_path, "first"), USUAL)

    assert published_rows(tmp_path).equals(rows_of(tmp_path / "first"))
    assert (tmp_path / "_current").readlink() == Path("first")


def test_three_readers_read_the_same_rows(tmp_path):
    publish(tmp_path, scored(tmp_path, "first"), USUAL)

    by_delta = published_rows(tmp_path)

    assert by_delta.equals(pl.scan_parquet(tmp_path / "_current/*.parquet").sort(KEY).collect())
    files = duckdb.sql(f"select * from '{tmp_path}/_current/*.parquet' order by product_id, segment_id")
    assert by_delta.equals(files.pl())
    assert by_delta.height == 36
    assert by_delta.equals(rows_of(tmp_path / "first"))


def test_filters_prune_by_the_committed_statistics(tmp_path):
    publish(tmp_path, scored(tmp_path, "first"), USUAL)
    actions = pl.DataFrame(DeltaTable(str(tmp_path)).get_add_actions(flatten=True))

    assert actions["num_records"].sum() == 36
    for row in actions.iter_rows(named=True):
        rows = pl.read_parquet(tmp_path / row["path"])
        assert (row["min.product_id"], row["max.product_id"]) == (
            rows["product_id"].min(),
            rows["product_id"].max(),
        )
        assert (row["min.price"], row["max.price"]) == (rows["price"].min(), rows["price"].max())
        assert row["null_count.price"] == 0
    product = rows["product_id"][0]
    assert pl.scan_delta(str(tmp_path)).filter(product_id=product).collect().height == 3


def test_second_version_replaces_the_first_which_stays_readable(tmp_path):
    publish(tmp_path, scored(tmp_path, "first"), USUAL)
    publish(tmp_path, scored(tmp_path, "second", seed=1), USUAL)

    assert DeltaTable(str(tmp_path)).version() == 1
    assert published_rows(tmp_path).equals(rows_of(tmp_path / "second"))
    assert pl.scan_delta(str(tmp_path), version=0).sort(KEY).collect().equals(rows_of(tmp_path / "first"))
    assert (tmp_path / "_current").readlink() == Path("second")
    latest = DeltaTable(str(tmp_path)).history(1)[0]
    version = read_version(tmp_path / "second")
    assert (latest["run"], latest["policy"], latest["artefact"]) == (
        "second",
        version.policy,
        version.artefact,
    )


@pytest.mark.parametrize("is_full", [False, True])
def test_vacuum_of_another_program_leaves_the_current_prices_and_not_the_older_ones(tmp_path, is_full):
    for run, seed in (("first", 0), ("second", 1)):
        publish(tmp_path, scored(tmp_path, run, seed), USUAL)
    rows = published_rows(tmp_path)

    table = DeltaTable(str(tmp_path))
    table.vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False, full=is_full)

    assert published_rows(tmp_path).equals(rows)
    assert not list((tmp_path / "first").glob("*.parquet"))
    assert (tmp_path / "second" / RUN_RECORD).is_file() != is_full
    publish(tmp_path, scored(tmp_path, "third", 2), USUAL)
    assert published_rows(tmp_path).equals(rows_of(tmp_path / "third"))


def test_older_version_can_be_published_again(tmp_path):
    first = scored(tmp_path, "first")
    publish(tmp_path, first, USUAL)
    publish(tmp_path, scored(tmp_path, "second", seed=1), USUAL)

    publish(tmp_path, first, USUAL)

    assert DeltaTable(str(tmp_path)).version() == 2
    assert published_rows(tmp_path).equals(rows_of(first))
    assert (tmp_path / "_current").readlink() == Path("first")


def test_shards_from_elsewhere_are_copied_into_the_table(tmp_path):
    outside = scored(tmp_path / "elsewhere", "OUT")
    (tmp_path / "prices").mkdir()

    for _ in range(2):
        assert publish(tmp_path / "prices", outside, USUAL) == "OUT"

    assert published_rows(tmp_path / "prices").equals(rows_of(outside))
    scored(tmp_path / "elsewhere", "OUT", seed=1)
    with pytest.raises(InputError, match="found another version there: rename it"):
        publish(tmp_path / "prices", outside, USUAL)


def test_copy_in_the_table_that_was_changed_is_refused(tmp_path):
    outside = scored(tmp_path / "elsewhere", "OUT")
    inside = shutil.copytree(outside, tmp_path / "prices/OUT")
    path = sorted(inside.glob("*.parquet"))[0]
    path.write_bytes(path.read_bytes()[:-1] + b"x")

    with pytest.raises(InputError, match=r"prices/OUT must be as `score` left it, .* such as OUT-00000-00000.parquet"):
        publish(tmp_path / "prices", outside, USUAL)

    assert not DeltaTable.is_deltatable(str(tmp_path / "prices"))


def test_copy_that_reads_otherwise_is_not_published(tmp_path, monkeypatch):
    outside = scored(tmp_path / "elsewhere", "OUT")

    def tear(copy):
        path = sorted(copy.glob("*.parquet"))[0]
        path.write_bytes(path.read_bytes()[:-1] + b"x")

    monkeypatch.setattr(publishing, "sync_tree", tear)

    with pytest.raises(InputError, match=r"must be the same bytes, found OUT-00000-00000.parquet different"):
        publish(tmp_path / "prices", outside, USUAL)

    assert [*(tmp_path / "prices").glob("OUT*")] == []


def test_dry_run_says_what_would_change_and_changes_nothing(tmp_path, capsys):
    publish(tmp_path, scored(tmp_path, "first"), USUAL)

    publish(tmp_path, scored(tmp_path, "second", seed=1), replace(USUAL, dry_run=True))

    assert "dry run: second passes the gates and would replace first\n  share_moved: " in capsys.readouterr().out
    assert DeltaTable(str(tmp_path)).version() == 0
    assert (tmp_path / "_current").readlink() == Path("first")


# The publishing process is killed before the call of each of these functions.
STEPS = ["judge_version", "bring_inside", "commit_version", "point_current", "remove_old_versions"]


DIE_AT = """
import os, signal, sys
from pathlib import Path
from gpu_pricer.versions import publication as job
from gpu_pricer.tables.published import price_store
from tests.gates.limits import NOBODY, OFF

place = job if hasattr(job, sys.argv[2]) else price_store
setattr(place, sys.argv[2], lambda *arguments: os.kill(os.getpid(), signal.SIGKILL))
job.publish(Path(sys.argv[1]), Path(sys.argv[1]) / "second", job.Publication(False, 5, 0, OFF, [], None, NOBODY))
"""


@pytest.mark.parametrize("step", STEPS)
def test_killed_publication_leaves_a_whole_version_and_a_rerun_succeeds(tmp_path, step):
    publish(tmp_path, scored(tmp_path, "first"), USUAL)
    scored(tmp_path, "second", seed=1)

    killed = subprocess.run([sys.executable, "-c", DIE_AT, tmp_path, step], cwd=ROOT, check=False)

    assert killed.returncode == -signal.SIGKILL
    is_committed = STEPS.index(step) > STEPS.index("commit_version")
    now = "second" if is_committed else "first"
    assert published_rows(tmp_path).equals(rows_of(tmp_path / now))
    link = "second" if step == "remove_old_versions" else "first"
    assert (tmp_path / "_current").readlink() == Path(link)
    assert publish(tmp_path, tmp_path / "second", USUAL) == "second"
    assert published_rows(tmp_path).equals(rows_of(tmp_path / "_current"))
    assert DeltaTable(str(tmp_path)).version() == 1


def test_scoring_that_was_killed_is_not_published(tmp_path):
    publish(tmp_path, scored(tmp_path, "first"), USUAL)
    score(
        ARTEFACT, PricedCatalog(catalog_of(ARTEFACT)), a_policy(), Tiling("long", 9, 2, 0, 1), tmp_path / "half", "cpu"
    )

    with pytest.raises(
        InputError, match=r"half must hold a finished _record/run.json, found shard-00000-of-00002.json"
    ):
        publish(tmp_path, tmp_path / "half", USUAL)


@pytest.mark.parametrize("has_first", [False, True])
def test_two_commits_at_once_end_in_one_clear_error(tmp_path, has_first):
    if has_first:
        publish(tmp_path, scored(tmp_path, "first"), USUAL)
    mine, theirs = scored(tmp_path, "mine", seed=1), scored(tmp_path, "theirs", seed=2)
    table, version = open_table(tmp_path), read_version(mine)
    files = [facts for facts, _ in checked_files(mine, version)]
    publish(tmp_path, theirs, USUAL)

    with pytest.raises(InputError, match=r"only one publisher may commit .* nothing was published, run it again"):
        publishing.commit_version(tmp_path, table, mine, version, files, {})

    assert published_rows(tmp_path).equals(rows_of(theirs))
    assert publish(tmp_path, mine, USUAL) == "mine"


@pytest.mark.parametrize("has_first", [False, True])
def test_commit_that_storage_does_not_take_says_what_is_wrong_with_it(tmp_path, has_first):
    if has_first:
        publish(tmp_path, scored(tmp_path, "first"), USUAL)
    mine = scored(tmp_path, "mine", seed=1)
    table, version = open_table(tmp_path), read_version(mine)
    files, limits = [facts for facts, _ in checked_files(mine, version)], resource.getrlimit(resource.RLIMIT_FSIZE)

    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))  # bytes of a file, fewer than an entry of the log has
    try:
        with pytest.raises(InputError, match=r"must take a commit, found: .*File too large.*: nothing was published"):
            publishing.commit_version(tmp_path, table, mine, version, files, {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    assert publish(tmp_path, mine, USUAL) == "mine"


def test_second_publisher_is_refused_before_any_work(tmp_path):
    first = scored(tmp_path, "first")

    with (
        locked(tmp_path / job.PUBLISHING, "publish"),
        pytest.raises(InputError, match="must be free to publish, found it in use: publish by process"),
    ):
        publish(tmp_path, first, USUAL)

    assert not DeltaTable.is_deltatable(str(tmp_path))


def test_version_that_is_still_scored_is_refused(tmp_path):
    first = scored(tmp_path, "first")

    with (
        locked(first / LOCK, "score this version", shared=True),
        pytest.raises(InputError, match="must be free to be published, found it in use: score this version by process"),
    ):
        publish(tmp_path, first, USUAL)


def test_link_follows_the_table_even_if_another_publisher_commits_meanwhile(tmp_path, monkeypatch):
    publish(tmp_path, scored(tmp_path, "first"), USUAL)
    second = scored(tmp_path, "second", seed=1)
    symlink_to = Path.symlink_to

    def overtaken(link, target, target_is_directory=False):
        monkeypatch.setattr(Path, "symlink_to", symlink_to)
        publish(tmp_path, second, USUAL)
        symlink_to(link, target, target_is_directory)

    monkeypatch.setattr(Path, "symlink_to", overtaken)

    assert publishing.point_current(tmp_path) == "second"
    assert (tmp_path / "_current").readlink() == Path("second")


def fail_after(function, error):
    """The function, which raises the error after it has done its work."""

    def failing(*arguments, **named):
        function(*arguments, **named)
        raise error

    return failing


@pytest.mark.parametrize("has_first", [False, True])
def test_error_of_delta_after_the_commit_is_no_failure(tmp_path, monkeypatch, caplog, has_first):
    if has_first:
        publish(tmp_path, scored(tmp_path, "first"), USUAL)
        failing = fail_after(DeltaTable.create_write_transaction, DeltaError("no checkpoint"))
        monkeypatch.setattr(DeltaTable, "create_write_transaction", failing)
    else:
        failing = fail_after(publishing.create_table_with_add_actions, DeltaError("no checkpoint"))
        monkeypatch.setattr(publishing, "create_table_with_add_actions", failing)

    assert publish(tmp_path, scored(tmp_path, "second", seed=1), USUAL) == "second"

    assert published_rows(tmp_path).equals(rows_of(tmp_path / "second"))
    assert "second is published, but Delta could not clean up its log: no checkpoint" in caplog.text


@pytest.mark.parametrize("error", [OSError("no room"), DeltaError("no room"), InputError("no room")])
@pytest.mark.parametrize("step", ["point_current", "remove_old_versions"])
def test_trouble_after_the_commit_is_no_failure_and_a_rerun_mends_it(tmp_path, monkeypatch, caplog, step, error):
    publish(tmp_path, scored(tmp_path, "first"), USUAL)

    with monkeypatch.context() as patched:
        patched.setattr(price_store, step, fail_after(lambda *arguments: None, error))
        assert publish(tmp_path, scored(tmp_path, "second", seed=1), USUAL) == "second"

    assert published_rows(tmp_path).equals(rows_of(tmp_path / "second"))
    assert "second is published, but a later step failed: no room: publish it again" in caplog.text
    assert publish(tmp_path, tmp_path / "second", USUAL) == "second"
    assert (tmp_path / "_current").readlink() == Path("second")


@pytest.mark.parametrize("where", ["inside", "outside"])
def test_folder_that_was_renamed_is_refused(tmp_path, where):
    prices = tmp_path / "prices"
    folder = scored(prices if where == "inside" else tmp_path, "first")
    renamed = folder.rename(folder.with_name("other"))

    with pytest.raises(InputError, match=r"must have the name of its run, first, found .*other: rename it back"):
        publish(prices, renamed, USUAL)


def test_corrupt_neighbours_stop_nothing(tmp_path):
    publish(tmp_path, scored(tmp_path, "first"), USUAL)
    for name, content in (("broken", "{"), ("late.part", '{"run": "late"}')):
        (tmp_path / name / "_record").mkdir(parents=True)
        (tmp_path / name / "_record/run.json").write_text(content)
    (tmp_path / "note.txt").write_text("mine")
    (tmp_path / "first/_record/run.json").write_text("{")  # even if the published one is broken

    assert publish(tmp_path, scored(tmp_path, "second", seed=1), USUAL) == "second"
    assert {"broken", "late.part", "note.txt"} <= {path.name for path in tmp_path.iterdir()}


def test_shard_that_is_requeued_after_publication_changes_nothing(tmp_path):
    first = scored(tmp_path, "first")
    publish(tmp_path, first, USUAL)
    before = published_rows(tmp_path)

    with pytest.raises(InputError, match=r"must be a new folder, found the published version .*first: name another"):
        scored(tmp_path, "first", seed=1)

    assert published_rows(tmp_path).equals(before)
    assert read_version(first).run == "first"


def test_restored_version_is_what_the_link_follows_and_never_deleted(tmp_path):
    publish(tmp_path, scored(tmp_path, "first"), USUAL)
    publish(tmp_path, scored(tmp_path, "second", seed=1), USUAL)

    DeltaTable(str(tmp_path)).restore(0)

    assert publish(tmp_path, tmp_path / "first", replace(USUAL, keep=1)) == "first"
    assert (tmp_path / "_current").readlink() == Path("first")
    assert published_rows(tmp_path).equals(rows_of(tmp_path / "first"))


def break_version(folder, how):
    path = sorted(folder.glob("*.parquet"))[0]
    rows = pl.read_parquet(path)
    if how == "missing file":
        path.unlink()
    elif how == "foreign file":
        rows.write_parquet(folder / "more.parquet")
    elif how == "torn file":
        path.write_bytes(path.read_bytes()[:-20])
    elif how == "missing row":
        rows[1:].write_parquet(path)
    elif how == "repeated row":
        rows[1:].vstack(rows[1:2]).write_parquet(path)
    elif how == "null":
        rows.with_columns(price=pl.when(pl.int_range(pl.len()) > 0).then("price")).write_parquet(path)
    elif how == "unknown binding":
        rows.with_columns(binding=pl.lit("because")).write_parquet(path)
    elif how == "missing column":
        rows.drop("binding").write_parquet(path)
    elif how == "product in two files":
        other = pl.read_parquet(sorted(folder.glob("*.parquet"))[1])
        renamed = pl.col("product_id").replace({rows["product_id"][0]: other["product_id"][0]})
        rows.with_columns(renamed).write_parquet(path)
    else:
        rows.with_columns(segment_id=pl.lit("sX") + pl.int_range(pl.len()).cast(pl.String)).write_parquet(path)


@pytest.mark.parametrize(
    ("how", "error", "message"),
    [
        ("missing file", InputError, r"must hold the \d+ files that its run.json lists, found 1 missing"),
        ("foreign file", InputError, r"found 0 missing \[\] and 1 others \['more.parquet'\]"),
        ("torn file", InputError, "must be a whole Parquet file"),
        ("missing column", InputError, "must be a price table with the columns"),
        (
            "missing row",
            Refused,
            "must hold each of 12 products x 3 segments once, found 35 prices of 12 products",
        ),
        ("repeated row", Refused, "breaks cell_is_unique in 2 rows"),
        ("null", Refused, r"breaks price\|nullability in 1 rows"),
        ("unknown binding", Refused, "breaks binding_is_a_rule in"),
        ("product in two files", Refused, "found 36 prices of 11 products and 3 segments"),
        ("other segments", Refused, "must hold each of 12 products x 3 segments once"),
    ],
)
def test_gate_stops_a_broken_version(tmp_path, how, error, message):
    publish(tmp_path, scored(tmp_path, "first"), USUAL)
    second = scored(tmp_path, "second", seed=1)
    break_version(second, how)
    seal(second)

    with pytest.raises(error, match=message):
        publish(tmp_path, second, USUAL)

    assert published_rows(tmp_path).equals(rows_of(tmp_path / "first"))


def edit_record(folder, **changes):
    record = json.loads((folder / RUN_RECORD).read_text())
    (folder / RUN_RECORD).write_text(json.dumps(record | changes))


@pytest.mark.parametrize("rows", [0, 35, 10**400])
def test_record_that_counts_other_rows_is_refused(tmp_path, rows):
    second = scored(tmp_path, "second")
    edit_record(second, tally=asdict(read_version(second).tally) | {"rows": rows})
    seal(second)

    with pytest.raises(Refused, match=f"once, found 36 prices .*, {rows} of them by its run.json"):
        publish(tmp_path, second, USUAL)


def test_files_of_another_run_are_refused(tmp_path):
    publish(tmp_path, scored(tmp_path, "first"), USUAL)
    other = scored(tmp_path, "second", seed=1).rename(tmp_path / "other")
    edit_record(other, run="other")
    seal(other)

    with pytest.raises(InputError, match=r"files must be named other-<shard>-<tile>.parquet, found second-0.*: score"):
        publish(tmp_path, other, USUAL)

    assert publish(tmp_path, tmp_path / "first", USUAL) == "first"


@pytest.mark.parametrize(
    ("product", "where"),
    [
        (pl.struct("product_id"), [0]),
        (pl.col("product_id").rank().cast(pl.Int64), [0]),
        (pl.int_range(pl.len()).cast(pl.Float64), [0]),
    ],
)
def test_ids_of_another_type_are_refused(tmp_path, product, where):
    second = scored(tmp_path, "second")
    for path in [sorted(second.glob("*.parquet"))[i] for i in where]:
        pl.read_parquet(path).with_columns(product_id=product).write_parquet(path)
    seal(second)

    with pytest.raises(
        InputError, match=r"parquet must have ids of text or integers, the same in every file, found .*"
    ):
        publish(tmp_path, second, USUAL)


@pytest.mark.parametrize(("key", "value"), [("currency", "EUR"), ("valid_from", "2030-01-01"), ("policy", "other")])
def test_record_that_contradicts_its_files_is_refused(tmp_path, key, value):
    second = scored(tmp_path, "second")
    edit_record(second, **{key: value})
    seal(second)

    with pytest.raises(
        InputError, match=f"second-.*parquet must be of the {key} that run.json names, '{value}', found"
    ):
        publish(tmp_path, second, USUAL)


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"is_refused": "no"}'])
def test_audit_that_cannot_be_read_is_refused(tmp_path, content):
    first = scored(tmp_path, "first")
    (first / FAIRNESS).write_text(content)
    seal(first)

    with pytest.raises(InputError, match=r"fairness.json must say in is_refused whether .*, found .*: score again"):
        publish(tmp_path, first, replace(USUAL, gates=replace(OFF, audit=True)))


def break_wide_version(folder, how):
    path = sorted(folder.glob("*.parquet"))[0]
    rows = pl.read_parquet(path)
    if how == "missing segment":
        rows.drop("price_s1").write_parquet(path)
    elif how == "other segment":
        rows.rename({"price_s1": "price_s9"}).write_parquet(path)
    elif how == "missing product":
        rows[1:].write_parquet(path)
    elif how == "repeated product":
        rows[1:].vstack(rows[1:2]).write_parquet(path)
    elif how == "null":
        rows.with_columns(price_s1=pl.when(pl.int_range(pl.len()) > 0).then("price_s1")).write_parquet(path)
    elif how == "no price":
        rows.with_columns(price_s1=pl.lit(0).cast(pl.Decimal(12, 2))).write_parquet(path)
    else:
        rows.with_columns(pl.col("price_s1").cast(pl.Float64)).write_parquet(path)


@pytest.mark.parametrize(
    ("how", "error", "message"),
    [
        ("missing segment", Refused, r"x 3 segments once, found 3[0-5] prices of 12 products"),
        ("other segment", Refused, "found 36 prices of 12 products and 4 segments"),
        ("missing product", Refused, "found 33 prices of 11 products and 3 segments"),
        ("repeated product", Refused, "breaks product_is_unique in 2 rows"),
        ("null", Refused, r"breaks price_s1\|nullability in 1 rows"),
        ("no price", Refused, r"breaks price_s1\|min_exclusive in"),
        ("another type", InputError, "must be a price table with the columns"),
    ],
)
def test_gate_stops_a_broken_wide_version(tmp_path, how, error, message):
    publish(tmp_path, scored(tmp_path, "first"), USUAL)
    second = scored(tmp_path, "second", seed=1, layout="wide")
    break_wide_version(second, how)
    seal(second)

    with pytest.raises(error, match=message):
        publish(tmp_path, second, USUAL)

    assert published_rows(tmp_path).equals(rows_of(tmp_path / "first"))


def test_layout_changes_nothing_that_the_gates_measure(tmp_path):
    found = {}
    for layout in ("long", "wide"):
        version = read_version(scored(tmp_path, layout, layout=layout))
        judged = judge_version(tmp_path / layout, version, OPEN, None, Evidence())
        found[layout] = {outcome.gate: outcome.found for outcome in judged.outcomes}

    assert found["long"] == pytest.approx(found["wide"])
    assert found["long"]["max_share_moved"] > 0.5


@pytest.mark.parametrize(
    ("gates", "message"),
    [
        (
            replace(OPEN, max_share_moved=0.5),
            r"share of prices moved must be at most 0\.5, found .* \(publish\.gates\.max_share_moved\)",
        ),
        (
            replace(OPEN, max_mean_move=0.01),
            r"mean size of the moves must be at most 0\.01, found .* \(publish\.gates\.max_mean_move\)",
        ),
    ],
)
def test_gate_stops_prices_that_move_too_much(tmp_path, gates, message):
    first = scored(tmp_path, "first")

    with pytest.raises(Refused, match=message):
        publish(tmp_path, first, replace(USUAL, gates=gates))

    assert not DeltaTable.is_deltatable(str(tmp_path))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: replace(USUAL, dry_run="yes"), "publish.dry_run must be true or false, found 'yes'"),
        (lambda: replace(USUAL, keep=0), "publish.keep must be a whole number of at least 1, found 0"),
        (lambda: replace(USUAL, keep_hours=-1), "publish.keep_hours must be a number of at least 0, found -1"),
        (lambda: replace(USUAL, gates=None), "publish.gates must be Gates, found None"),
        (
            lambda: replace(OFF, max_share_moved=-1),
            "publish.gates.max_share_moved must be a number of at least 0, found -1",
        ),
        (
            lambda: replace(OFF, max_mean_move="0.2"),
            "publish.gates.max_mean_move must be a number of at least 0, found '0.2'",
        ),
        (lambda: replace(OFF, audit="yes"), "publish.gates.audit must be true or false, found 'yes'"),
        (
            lambda: replace(OFF, certificate="missed"),
            "publish.gates.certificate must be met, relaxed or null, found 'missed'",
        ),
        (
            lambda: replace(USUAL, accept=["audit"]),
            "publish.accept and publish.reason must be given together, the gates and a text that says why, "
            "found ['audit'] and None",
        ),
        (
            lambda: replace(USUAL, reason="costs"),
            "publish.accept and publish.reason must be given together, the gates and a text that says why, "
            "found [] and 'costs'",
        ),
    ],
)
def test_bad_setting_is_refused_in_one_line(make, message):
    with pytest.raises(ValueError, match=r"^publish") as error:
        make()

    assert str(error.value) == message


def test_file_names_carry_the_run():
    assert file_name("night", 3, 12) == "night-00003-00012.parquet"
