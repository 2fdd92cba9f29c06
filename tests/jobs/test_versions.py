"""versions, compare, rollback, vacuum: what an operator sees and undoes, on three published versions."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable
from hydra import compose, initialize_config_dir

from gpu_pricer.jobs import publish, score
from gpu_pricer.tables.artefact import write_artefact
from gpu_pricer.tables.delta_log import current_run
from tests.markets import catalog_of, small_artefact

CONF = Path(__file__).parents[2] / "conf"
ARTEFACT = small_artefact(31, segments=3, products=12, categories=4)
CATALOG = catalog_of(ARTEFACT).sort("product_id")
CATALOGS = {
    "first": CATALOG,
    "second": CATALOG.with_columns(cost=pl.col("cost") * 1.5),
    "third": CATALOG.filter(pl.col("product_id") != "p003"),
}
LOOSE = ("publish.gates.max_share_missing=1",)


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A folder with three published versions: the second with higher costs, the third without the product p003."""
    folder = tmp_path_factory.mktemp("shop")
    write_artefact(ARTEFACT, folder / "work/demand")
    (folder / "work/data").mkdir()
    with contextlib.chdir(folder):
        for run, catalog in CATALOGS.items():
            catalog.write_parquet("work/data/products.parquet")
            score.main(configuration(f"paths.shards=prices/{run}"))
            publish.main(configuration(*LOOSE))
    return folder


@pytest.fixture
def shop(published, tmp_path):
    """A copy of that folder, as working directory of the gpu_pricer fixture."""
    shutil.copytree(published, tmp_path, symlinks=True, dirs_exist_ok=True)
    return tmp_path


def configuration(*overrides):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("config", overrides=["policy=profit", "backend=cpu", *overrides])


def prices_of(shop, run):
    """The price of every cell, from the Parquet files alone."""
    rows = pl.read_parquet(shop / "prices" / run / "*.parquet")
    return {(row["product_id"], row["segment_id"]): row["price"] for row in rows.iter_rows(named=True)}


def test_a_table_that_nobody_reads_ends_without_a_word(shop):
    reading, writing = os.pipe()
    os.close(reading)

    done = subprocess.run(
        [sys.executable, "-m", "gpu_pricer", "versions"], cwd=shop, stdout=writing, stderr=subprocess.PIPE
    )

    os.close(writing)
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, b"")


def test_versions_are_listed_with_their_state(gpu_pricer, shop):
    ended = gpu_pricer("versions")

    assert ended.status == 0
    lines = [line.split() for line in ended.out.splitlines() if re.match(r"\s+\d ", line)]
    assert [(line[0], line[2], line[3], line[4], line[5]) for line in lines] == [
        ("0", "first", "superseded", "kept", "36"),
        ("1", "second", "superseded", "kept", "36"),
        ("2", "third", "current", "kept", "33"),
    ]
    assert all("@" in line[6] for line in lines)
    assert all("passed" in line for line in lines)


def test_versions_lists_what_was_not_published_and_what_was_removed(gpu_pricer, shop):
    gpu_pricer("score", "policy=profit", "paths.shards=prices/waiting", "backend=cpu")
    assert gpu_pricer("vacuum", "publish.keep=1", "publish.keep_hours=0").status == 0

    lines = [line.split() for line in gpu_pricer("versions").out.splitlines()]

    assert {line[2]: (line[3], line[4]) for line in lines if len(line) > 4 and line[0] != "version"} == {
        "first": ("superseded", "removed"),
        "second": ("superseded", "removed"),
        "third": ("current", "kept"),
        "waiting": ("unpublished", "kept"),
    }


@pytest.mark.parametrize("damage", ["lost", "empty", "cut"])
def test_versions_says_of_which_version_a_file_is_damaged(gpu_pricer, shop, damage):
    file = next((shop / "prices/third").glob("*.parquet"))
    content = file.read_bytes()
    file.unlink() if damage == "lost" else file.write_bytes(b"" if damage == "empty" else content[:-9])

    ended = gpu_pricer("versions")

    assert ended.status == 0
    lines = [line.split() for line in ended.out.splitlines() if re.match(r"\s+\d ", line)]
    assert [line[4] for line in lines] == ["kept", "kept", "damaged"]
    assert file.name in ended.out


def test_versions_of_an_empty_folder_are_none(gpu_pricer):
    ended = gpu_pricer("versions")

    assert (ended.status, ended.out) == (0, "no versions in prices\n")


def test_comparison_counts_products_and_moves(gpu_pricer, shop):
    ended = gpu_pricer("compare", "0", "third")

    assert ended.status == 0
    lines = ended.out.splitlines()
    assert lines[:4] == [
        "prices/first -> prices/third",
        "columns: 0 gone, 0 new",
        "segments: 0 out, 0 in",
        "products: 1 out (p003), 0 in",
    ]
    before, after = prices_of(shop, "first"), prices_of(shop, "third")
    up, down = (sum(sign * (after[cell] - before[cell]) > 0 for cell in after) for sign in (1, -1))
    mean = sum(float(after[cell] / before[cell]) - 1 for cell in after) / 33
    size = sum(abs(float(after[cell] / before[cell]) - 1) for cell in after) / 33
    assert lines[4] == (
        f"prices: 33 in both, {up / 33:.1%} up, {down / 33:.1%} down, mean move {mean:+.2%}, mean size {size:.2%}"
    )


def test_comparison_of_a_category_is_that_of_its_products(gpu_pricer, shop):
    out = gpu_pricer("compare", "first", "second").out

    before, after = prices_of(shop, "first"), prices_of(shop, "second")
    category = dict(CATALOG.select("product_id", "category_id").rows())
    for name in ("c0", "c1", "c2", "c3"):
        moves = [float(after[cell] / before[cell]) - 1 for cell in before if category[cell[0]] == name]
        line = next(line.split() for line in out.splitlines() if line.split()[:1] == [name])
        assert line[1:3] == ["3", "9"]
        assert line[3] == f"{sum(move > 0 for move in moves) / 9:.1%}"
        assert line[5] == f"{sum(moves) / 9:+.2%}"
    assert any(move for move in moves)


def test_cells_of_a_comparison_are_the_cells_that_differ(gpu_pricer, shop):
    assert gpu_pricer("compare", "first", "second", "compare.cells=moves.parquet").status == 0

    found = pl.read_parquet(shop / "moves.parquet")
    before, after = prices_of(shop, "first"), prices_of(shop, "second")
    both = {cell: (float(price), float(after[cell])) for cell, price in before.items()}
    expected = sorted((*cell, *prices) for cell, prices in both.items() if prices[0] != prices[1])
    assert found.rows() == expected
    assert len(expected) >= 3


def test_comparison_takes_a_folder_outside(gpu_pricer, shop):
    gpu_pricer("score", "policy=profit", "paths.shards=elsewhere/same", "backend=cpu")

    lines = gpu_pricer("compare", "third", "elsewhere/same").out.splitlines()

    assert lines[2:5] == [
        "segments: 0 out, 0 in",
        "products: 0 out, 0 in",
        "prices: 33 in both, 0.0% up, 0.0% down, mean move +0.00%, mean size 0.00%",
    ]


def test_segments_that_only_one_version_has_are_said(gpu_pricer, shop):
    ids = ARTEFACT.segments["segment_id"].to_list()
    renamed = {ids[0]: "s8", ids[1]: "s9"}
    other = replace(ARTEFACT, segments=ARTEFACT.segments.with_columns(pl.col("segment_id").replace(renamed)))
    write_artefact(other, shop / "work/other")
    new = ("policy=profit", "backend=cpu", "paths.demand=work/other", "paths.shards=prices/fourth")
    assert gpu_pricer("score", *new).status == 0

    lines = gpu_pricer("compare", "third", "fourth").out.splitlines()
    ended = gpu_pricer("publish", "paths.shards=prices/fourth")

    gone = ", ".join(sorted(renamed))
    assert lines[2] == f"segments: 2 out ({gone}), 2 in (s8, s9)"
    assert "prices: 11 in both" in lines[4]
    assert ended.status == 0, ended.said
    folder = f"prices/_artefacts/{other.fingerprint()}"
    (said,) = [line for line in ended.log if "other segments" in line]
    assert said.endswith(
        f"prices/fourth has other segments than third (gone: {gone}; new: s8, s9): whoever reads its prices needs its "
        f"users' segments, {folder}/user_segments.parquet"
    )


@pytest.mark.parametrize(("moved", "level"), [(0, None), (1, "INFO"), (3, "WARNING")])
def test_a_publication_tells_how_many_users_are_in_other_segments(gpu_pricer, shop, moved, level):
    ids = ARTEFACT.segments["segment_id"].to_list()
    for run, several, start in (("fourth", 0, "2019-01-01"), ("fifth", moved, "2019-01-02")):
        users = pl.DataFrame({"user_id": range(20), "segment_id": [ids[1]] * several + [ids[0]] * (20 - several)})
        info = replace(ARTEFACT.info, training_start=start)
        write_artefact(replace(ARTEFACT, user_segments=users, info=info), shop / f"work/{run}")
        score = ("policy=profit", "backend=cpu", f"paths.demand=work/{run}", f"paths.shards=prices/{run}")
        assert gpu_pricer("score", *score).status == 0
        ended = gpu_pricer("publish", *LOOSE)
        assert ended.status == 0, ended.said

    said = [line for line in ended.log if "other segments" in line]

    assert len(said) == (level is not None)
    for line in said:
        assert level in line
        assert f"{moved} of 20 users are in other segments than under fourth: the prices that they see may" in line


def test_versions_with_the_same_segments_are_published_without_a_word_on_them(gpu_pricer, shop):
    ended = gpu_pricer("rollback", "first", "rollback.reason=test")

    assert ended.status == 0, ended.said
    assert not [line for line in ended.log if "segments" in line]


def test_rollback_publishes_the_older_version_as_a_new_commit(gpu_pricer, shop):
    ended = gpu_pricer("rollback", "first", "rollback.reason='wrong costs, again'", *LOOSE)

    assert ended.status == 0, ended.said
    assert current_run(shop / "prices") == "first"
    assert (shop / "prices/_current").readlink() == Path("first")
    table = pl.scan_delta(str(shop / "prices")).collect()
    assert table.equals(pl.read_parquet(shop / "prices/first/*.parquet"))
    latest = DeltaTable(str(shop / "prices")).history(1)[0]
    assert (latest["version"], latest["action"], latest["reason"]) == (3, "rollback", "wrong costs, again")
    entries = json.loads((shop / "prices/first/_record/publication.json").read_text())
    assert [entry.get("reason") for entry in entries] == [None, "wrong costs, again"]
    listed = gpu_pricer("versions").out.splitlines()
    assert any("3" in line.split()[:1] and "current" in line for line in listed)
    assert any("0" in line.split()[:1] and "superseded" in line for line in listed)


def test_rollback_to_a_number_of_the_log(gpu_pricer, shop):
    assert gpu_pricer("rollback", "1", "rollback.reason=costs", *LOOSE).status == 0

    assert current_run(shop / "prices") == "second"


def test_rollback_must_pass_the_gates_or_have_them_accepted(gpu_pricer, shop):
    strict = "publish.gates.max_mean_move=0.0001"

    ended = gpu_pricer("rollback", "first", "rollback.reason=costs", strict)
    assert ended.status == 3
    assert "the mean size of the moves must be at most 0.0001" in ended.said[0]
    assert current_run(shop / "prices") == "third"

    accepted = gpu_pricer("rollback", "first", "rollback.reason=costs", strict, "publish.accept=[max_mean_move]")
    assert accepted.status == 0
    assert current_run(shop / "prices") == "first"
    assert "1 accepted" in gpu_pricer("versions").out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("rollback", "first"), "rollback.reason must say why, found None"),
        (("rollback", "rollback.reason=why"), "rollback needs a version, found none"),
        (("rollback", "third", "rollback.reason=why"), "must name a version that is not the current one, found third"),
        (("rollback", "7", "rollback.reason=why"), "a version must be a run, its number or a folder, found '7'"),
        (("rollback", "-1", "rollback.reason=why"), "a version must be a run, its number or a folder, found '-1'"),
        (("versions", "-1"), "after versions there must be key=value, found -1"),
        (("compare", "first"), "compare needs two versions, found 1"),
        (("compare", "first", "gone"), "a version must be a run, its number or a folder, found 'gone'"),
        (("compare", "first", "it's"), 'a version must be a run, its number or a folder, found "it\'s"'),
        (
            ("compare", "first", "second", "third"),
            "at most 2 plain words (compare.before, compare.after)",
        ),
    ],
)
def test_unclear_request_ends_with_one_line(refused, shop, arguments, said):
    assert said in refused(*arguments)


def test_version_whose_files_are_gone_cannot_come_back(gpu_pricer, refused, shop):
    gpu_pricer("vacuum", "publish.keep=1", "publish.keep_hours=0")

    said = refused("rollback", "first", "rollback.reason=why")

    assert said.startswith("the files of first must still be in prices, found that they were removed")


def test_vacuum_follows_the_rules_of_publish(gpu_pricer, shop):
    assert gpu_pricer("vacuum").out == "nothing to remove in prices\n"
    few = ("publish.keep=1", "publish.keep_hours=0")

    planned = gpu_pricer("vacuum", *few, "publish.dry_run=true").out
    assert planned.splitlines() == ["would remove prices/first", "would remove prices/second"]
    assert (shop / "prices/first").is_dir()

    assert gpu_pricer("vacuum", *few).out.splitlines() == ["removed prices/first", "removed prices/second"]
    assert sorted(path.name for path in (shop / "prices").iterdir() if not path.name.startswith("_")) == ["third"]
    assert pl.scan_delta(str(shop / "prices")).collect().height == 33


def test_list_of_versions_starts_without_what_prices_need():
    unused = {"kernels", "llvmlite", "numba", "pytorch_lightning", "scipy", "torch"}
    start = "import sys, gpu_pricer.command_line.cli, gpu_pricer.jobs.versions"
    code = f"{start}; print(sorted({unused} & set(sys.modules)))"

    done = subprocess.run([sys.executable, "-c", code], cwd=CONF.parent, capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
