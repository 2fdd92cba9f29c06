"""score: the same rows however the work is cut, whole folders or none, and one line for what is wrong."""

import errno
import json
import math
import re
import subprocess
import sys
from dataclasses import replace

import duckdb
import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
from hydra import compose, initialize_config_dir

from gpu_pricer import CONF
from gpu_pricer.errors import InputError, Refused
from gpu_pricer.jobs import score as job
from gpu_pricer.policy.ladder import Ladder
from gpu_pricer.pricing import scoring
from gpu_pricer.pricing.problem.pricing_problem import pricing_problem
from gpu_pricer.pricing.tiling import Tiling
from gpu_pricer.tables.artefact import write_artefact
from gpu_pricer.tables.files.locking import locked
from gpu_pricer.tables.price_table import BINDINGS, scan_cells, scan_prices, write_prices
from gpu_pricer.tables.version.names import LOCK, RUN_RECORD
from gpu_pricer.tables.version.version_record import read_version
from gpu_pricer.versions import backends, scored_version
from gpu_pricer.versions.priced_catalog import PricedCatalog
from gpu_pricer.versions.scored_version import Search, score
from tests.markets import NINES, NO_RULES, USUAL, a_policy, catalog_of, small_artefact, with_posterior

ARTEFACT = small_artefact(11, segments=19, products=60, categories=9)
CATALOG = catalog_of(ARTEFACT)
PRICED = PricedCatalog(CATALOG)
UNUSED = {"cupy", "matplotlib", "numba.cuda", "pandas", "prometheus_client", "rich", "scipy.optimize", "scipy.stats",
          "sklearn", "sqlalchemy", "torch"}  # fmt: skip
ONE_SHARD = Tiling(layout="long", cells_per_file=10**6, shards=1, shard=None, writers=1)


def scored(folder, tiling=ONE_SHARD, artefact=ARTEFACT, catalog=CATALOG, policy=None):
    score(artefact, PricedCatalog(catalog), policy or a_policy(), tiling, folder, "cpu")
    return scan_prices(folder).sort("product_id", "segment_id").collect()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("prices") / "whole"
    scored(path)
    return path


def test_every_product_has_a_price_for_every_segment(folder):
    table = scan_prices(folder).collect()

    assert table.height == 60 * 19
    assert table.select("product_id", "segment_id").n_unique() == table.height
    assert sum(table.null_count().row(0)) == 0
    assert set(table["binding"]) <= set(BINDINGS)


@pytest.mark.parametrize("form", ["factors", "dense", "segment offsets"])
@pytest.mark.parametrize(("cells", "shards", "writers"), [(1, 1, 1), (200, 1, 3), (350, 4, 2), (10**6, 9, 1)])
def test_rows_are_the_same_bits_for_any_tiling(tmp_path, form, cells, shards, writers):
    artefact = small_artefact(
        12, segments=19, products=60, categories=9, form=form.split()[0].replace("segment", "factors")
    )
    if form == "segment offsets":
        offsets = {
            "product_id": ["p001"],
            "segment_id": ["s2"],
            "appeal_offset": [0.3],
            "sensitivity_offset": [0.1],
        }
        artefact = replace(artefact, offsets=pl.DataFrame(offsets))

    one = scored(tmp_path / "one", ONE_SHARD, artefact)
    cut = scored(tmp_path / "cut", Tiling("long", cells, shards, None, writers), artefact)

    assert one.equals(cut)
    for column in ("expected_units", "expected_profit"):
        assert (one[column].to_numpy().view(np.uint32) == cut[column].to_numpy().view(np.uint32)).all()


@pytest.mark.parametrize(("cells", "shards", "writers"), [(1, 1, 1), (200, 1, 3), (350, 4, 2), (10**6, 9, 1)])
def test_wide_rows_are_the_same_for_any_tiling_and_those_of_the_long_table(tmp_path, folder, cells, shards, writers):
    score(
        ARTEFACT,
        PRICED,
        a_policy(),
        Tiling("wide", cells, shards, None, writers),
        tmp_path / "wide",
        "cpu",
    )

    cells_of = [scan_cells(path, pl.String()).sort("product_id", "segment_id") for path in (folder, tmp_path / "wide")]
    assert cells_of[0].collect().equals(cells_of[1].collect())
    assert scan_prices(tmp_path / "wide").collect().shape == (60, 2 + 19)
    long, wide = read_version(folder), read_version(tmp_path / "wide")
    assert (long.layout, wide.layout) == ("long", "wide")
    assert wide.tally.moved == long.tally.moved
    assert wide.tally.profit_new == pytest.approx(long.tally.profit_new)


def test_layouts_do_not_mix(tmp_path):
    score(ARTEFACT, PRICED, a_policy(), Tiling("wide", 200, 2, 0, 1), tmp_path / "run", "cpu")

    with pytest.raises(InputError, match="every shard must be scored from the same"):
        score(ARTEFACT, PRICED, a_policy(), Tiling("long", 200, 2, 1, 1), tmp_path / "run", "cpu")


def test_version_of_the_time_before_layouts_and_posteriors_had_neither(tmp_path):
    scored(tmp_path / "run")
    record = tmp_path / "run/_record/run.json"
    content = json.loads(record.read_text())
    del content["layout"], content["uncertainty"]
    record.write_text(json.dumps(content))

    version = read_version(tmp_path / "run")
    assert (version.layout, version.uncertainty) == ("long", "point")


@pytest.mark.parametrize(("cells", "shards", "writers"), [(1, 1, 1), (350, 4, 2)])
def test_rows_under_a_posterior_are_the_same_bits_for_any_tiling(tmp_path, cells, shards, writers):
    artefact = with_posterior(ARTEFACT, 0.5)
    for name, tiling in (("one", ONE_SHARD), ("cut", Tiling("long", cells, shards, None, writers))):
        tiling = replace(tiling, details=["parts", "interval"])
        score(artefact, PRICED, a_policy(), tiling, tmp_path / name, "cpu", Search(uncertainty="posterior"))

    one, cut = (scan_prices(tmp_path / name).sort("product_id", "segment_id").collect() for name in ("one", "cut"))
    assert one.equals(cut)
    for column in ("expected_units", "expected_profit", "profit_low", "profit_high"):
        assert (one[column].to_numpy().view(np.uint32) == cut[column].to_numpy().view(np.uint32)).all()
    versions = [read_version(tmp_path / name) for name in ("one", "cut")]
    assert versions[0].tally.profit_new == pytest.approx(versions[1].tally.profit_new, rel=1e-12)
    assert versions[0].uncertainty == "posterior"


def test_posterior_is_only_heard_when_asked_for(tmp_path, folder):
    artefact = with_posterior(ARTEFACT, 0.5)

    plain = scored(tmp_path / "plain", artefact=artefact)
    score(artefact, PRICED, a_policy(), ONE_SHARD, tmp_path / "drawn", "cpu", Search(uncertainty="posterior"))

    drawn = scan_prices(tmp_path / "drawn").sort("product_id", "segment_id").collect()
    assert plain.equals(scan_prices(folder).sort("product_id", "segment_id").collect())
    assert drawn.columns == plain.columns
    assert not drawn["price"].equals(plain["price"])
    assert not drawn["expected_profit"].equals(plain["expected_profit"])


def test_shards_under_a_posterior_do_not_mix_with_others(tmp_path):
    artefact, tiling = with_posterior(ARTEFACT, 0.5), Tiling("long", 200, 2, 0, 1)
    score(artefact, PRICED, a_policy(), tiling, tmp_path / "run", "cpu", Search(uncertainty="posterior"))

    with pytest.raises(InputError, match="every shard must be scored from the same"):
        score(artefact, PRICED, a_policy(), replace(tiling, shard=1), tmp_path / "run", "cpu")


def test_posterior_stays_on_the_cpu(tmp_path, monkeypatch, caplog):
    artefact = with_posterior(ARTEFACT, 0.5)
    monkeypatch.setattr(backends, "resolve_backend", lambda _: "cuda")

    with pytest.raises(InputError, match="uncertainty=posterior needs backend=cpu, found cuda"):
        score(artefact, PRICED, a_policy(), ONE_SHARD, tmp_path / "run", "cuda", Search(uncertainty="posterior"))
    version = score(artefact, PRICED, a_policy(), ONE_SHARD, tmp_path / "run", "auto", Search(uncertainty="posterior"))

    assert version.backend == "cpu"


def test_rows_of_a_file_are_sorted_by_product_then_segment(tmp_path):
    scored(tmp_path / "run", Tiling("long", 200, 2, None, 1))

    for path in (tmp_path / "run").glob("*.parquet"):
        rows = pl.read_parquet(path)
        assert rows.equals(rows.sort("product_id", "segment_id"))


def test_separate_processes_write_one_version(tmp_path):
    whole = scored(tmp_path / "whole", Tiling("long", 200, 3, None, 1))
    for shard in (2, 0):
        assert (
            score(
                ARTEFACT,
                PRICED,
                a_policy(),
                Tiling("long", 200, 3, shard, 1),
                tmp_path / "array",
                "cpu",
            )
            is None
        )
    with pytest.raises(InputError, match=r"found shard-00000-of-00003.json, shard-00002-of-00003.json"):
        read_version(tmp_path / "array")

    version = score(ARTEFACT, PRICED, a_policy(), Tiling("long", 200, 3, 1, 1), tmp_path / "array", "cpu")

    assert version == read_version(tmp_path / "array")
    assert scan_prices(tmp_path / "array").sort("product_id", "segment_id").collect().equals(whole)
    assert version.tally == read_version(tmp_path / "whole").tally


def test_shards_of_different_policies_do_not_mix(tmp_path):
    score(ARTEFACT, PRICED, a_policy(), Tiling("long", 200, 2, 0, 1), tmp_path / "run", "cpu")

    with pytest.raises(InputError, match="every shard must be scored from the same artefact, catalog and policy"):
        score(
            ARTEFACT,
            PRICED,
            a_policy(ladder=None),
            Tiling("long", 200, 2, 1, 1),
            tmp_path / "run",
            "cpu",
        )


@pytest.mark.parametrize("what", ["code", "details", "warm_start"])
def test_shards_of_different_making_do_not_mix(tmp_path, monkeypatch, what):
    tiling = Tiling("long", 200, 2, 0, 1)
    score(ARTEFACT, PRICED, a_policy(), tiling, tmp_path / "run", "cpu")
    tiling, start = replace(tiling, shard=1), None
    if what == "code":
        monkeypatch.setattr(scored_version, "code_fingerprint", lambda: "another")
    elif what == "details":
        tiling = replace(tiling, details=["parts"])
    else:
        start = tmp_path
        (start / "certificate.json").write_text("{}")

    with pytest.raises(InputError, match=rf"by the same code and with the same settings, found .* with {{'{what}': "):
        score(ARTEFACT, PRICED, a_policy(), tiling, tmp_path / "run", "cpu", Search(start))


def test_second_attempt_leaves_nothing_of_the_first(tmp_path):
    scored(tmp_path / "run", Tiling("long", 1, 3, None, 1))
    stale = tmp_path / "run" / "run-00007-00000.parquet.part"
    stale.write_bytes(b"half")

    scored(tmp_path / "run", ONE_SHARD)

    names = {path.name for path in (tmp_path / "run").rglob("*") if path.is_file()}
    assert names == {
        "run-00000-00000.parquet",
        "shard-00000-of-00001.json",
        "run.json",
        "SHA256SUMS",
        "unpriced.parquet",
    }


def interrupt(monkeypatch, written, after):
    """Let writing fail after so many files; the names of those written go into the list."""

    def write(path, *arguments):
        if len(written) >= after:
            raise OSError(errno.EIO, "Input/output error")
        write_prices(path, *arguments)
        written.append(path.name)

    monkeypatch.setattr(scoring, "write_prices", write)


def contents(folder):
    """What every file of a version holds, but for the time of its scoring."""
    created = re.compile(rb'"created": "[^"]*"|^[0-9a-f]{64}  _record/(run|shard.*).json\n', re.MULTILINE)
    return {path.name: created.sub(b"", path.read_bytes()) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("tiling", [Tiling("long", 200, 1, None, 1), Tiling("wide", 200, 3, None, 1)])
@pytest.mark.parametrize("is_torn", [False, True])
def test_interrupted_scoring_goes_on_after_its_finished_files(tmp_path, monkeypatch, caplog, tiling, is_torn):
    score(ARTEFACT, PRICED, a_policy(), tiling, tmp_path / "whole" / "run", "cpu")
    before, after = [], []
    interrupt(monkeypatch, before, 3)
    with pytest.raises(OSError, match="Input/output error"):
        score(ARTEFACT, PRICED, a_policy(), tiling, tmp_path / "run", "cpu")
    finished = set(before)
    if is_torn:
        torn = tmp_path / "run" / before[0]
        torn.write_bytes(torn.read_bytes()[:-1])
        finished.remove(before[0])

    interrupt(monkeypatch, after, math.inf)
    with caplog.at_level("INFO"):
        score(ARTEFACT, PRICED, a_policy(), tiling, tmp_path / "run", "cpu")

    files = {path.name for path in (tmp_path / "whole" / "run").glob("*.parquet")}
    assert len(files) > 5
    assert {*after} == files - finished
    assert "files are reused from an earlier attempt" in caplog.text
    assert contents(tmp_path / "run") == contents(tmp_path / "whole" / "run")


@pytest.mark.parametrize("changed", ["policy", "catalog", "demand", "tiling"])
def test_interrupted_scoring_begins_anew_where_its_sources_changed(tmp_path, monkeypatch, changed):
    tiling, before, after = Tiling("long", 200, 1, None, 1), [], []
    interrupt(monkeypatch, before, 3)
    with pytest.raises(OSError, match="Input/output error"):
        score(ARTEFACT, PRICED, a_policy(), tiling, tmp_path / "run", "cpu")

    interrupt(monkeypatch, after, math.inf)
    dearer = PricedCatalog(CATALOG.with_columns(pl.col("price") * 1.5))
    appeal = {name: factor + np.float32(0.01) for name, factor in ARTEFACT.factors.items()}
    score(
        replace(ARTEFACT, factors=appeal) if changed == "demand" else ARTEFACT,
        dearer if changed == "catalog" else PRICED,
        a_policy(replace(USUAL, max_increase=0.01)) if changed == "policy" else a_policy(),
        replace(tiling, cells_per_file=400) if changed == "tiling" else tiling,
        tmp_path / "run",
        "cpu",
    )

    assert {*after} == {path.name for path in (tmp_path / "run").glob("*.parquet")}


def test_products_without_demand_are_listed_beside_the_table(tmp_path):
    catalog = CATALOG.with_columns(product_id=pl.col("product_id").replace({"p003": "other"}))

    table = scored(tmp_path / "run", catalog=catalog)

    assert pl.read_parquet(tmp_path / "run/_record/unpriced.parquet")["product_id"].to_list() == ["other"]
    assert table["product_id"].n_unique() == 59
    assert read_version(tmp_path / "run").unpriced == 1


def test_integer_ids_come_out_as_they_went_in(tmp_path):
    numbers = ARTEFACT.products.with_columns(product_id=pl.int_range(pl.len(), dtype=pl.UInt32))
    artefact = replace(ARTEFACT, products=numbers)

    table = scored(tmp_path / "run", artefact=artefact, catalog=catalog_of(artefact))

    assert table["product_id"].unique().sort().to_list() == list(range(60))
    assert table.schema["product_id"] == pl.Int64  # Delta has no unsigned integers


def test_file_says_what_it_was_made_of(folder):
    metadata = pq.read_metadata(next(folder.glob("*.parquet"))).metadata
    version = read_version(folder)

    assert metadata[b"currency"] == b"USD"
    assert metadata[b"valid_from"] == b"2026-01-05"
    assert metadata[b"run"] == b"whole"
    assert metadata[b"artefact"].decode() == version.artefact == ARTEFACT.fingerprint()
    assert metadata[b"policy"].decode() == version.policy == a_policy().fingerprint()


def test_readers_agree_on_every_row(folder):
    by_polars = scan_prices(folder).sort("product_id", "segment_id").collect()

    by_duckdb = duckdb.sql(f"select * from '{folder}/*.parquet' order by product_id, segment_id").pl()

    assert by_duckdb.equals(by_polars)
    assert by_polars.schema == {
        "segment_id": pl.String,
        "product_id": pl.String,
        "price": pl.Decimal(12, 2),
        "today_price": pl.Decimal(12, 2),
        "expected_units": pl.Float32,
        "expected_profit": pl.Float32,
        "binding": pl.String,
    }


def test_totals_are_those_of_the_rows(folder):
    table = scan_prices(folder).collect().with_columns(pl.col("price", "today_price").cast(pl.Float64))
    table = table.join(ARTEFACT.segments, on="segment_id")
    totals = json.loads((folder / "_record/run.json").read_text())["totals"]
    move = (table["price"] / table["today_price"] - 1).to_numpy()

    assert totals["share_moved"] == pytest.approx((move != 0).mean())
    assert totals["mean_move"] == pytest.approx(move.mean())
    assert totals["mean_absolute_move"] == pytest.approx(np.abs(move).mean())
    units, sums = (
        table["expected_units"] * table["visits"],
        json.loads((folder / "_record/run.json").read_text())["tally"],
    )
    index = (units * table["price"]).sum() / (units * table["today_price"]).sum()
    assert totals["price_index"] == pytest.approx(index, rel=1e-5)
    assert (sums["raised"], sums["moved"]) == ((move > 0).sum(), (move != 0).sum())
    is_held = ~table["binding"].is_in(["none", "frozen", "override", "min_change"])
    assert sums["held"] == is_held.sum() > 0
    for measure in ("units", "profit"):
        expected = (table[f"expected_{measure}"] * table["visits"] / 1000).sum()
        assert totals[f"{measure}_per_period"]["new"] == pytest.approx(expected, rel=1e-5)
    assert totals["profit_per_period"]["new"] > totals["profit_per_period"]["today"]
    shelf = pricing_problem(ARTEFACT, CATALOG, a_policy()).products.is_on_shelf
    no_rung = table.filter(binding="no_rung")["product_id"].n_unique()
    assert totals["share_without_rung"] <= no_rung / shelf.sum()


def test_totals_at_todays_prices_are_todays(tmp_path):
    stay = replace(NO_RULES, max_decrease=0.0, max_increase=0.0)

    version = score(ARTEFACT, PRICED, a_policy(stay, ladder=None), ONE_SHARD, tmp_path / "run", "cpu")

    assert version.totals()["share_moved"] == 0
    assert version.tally.profit_new == version.tally.profit_today
    assert version.tally.units_new == version.tally.units_today


def configured(tmp_path, *overrides):
    write_artefact(ARTEFACT, tmp_path / "demand")
    CATALOG.write_parquet(tmp_path / "products.parquet")
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose(
            "config",
            [
                f"paths.demand={tmp_path}/demand",
                f"paths.catalog={tmp_path}/products.parquet",
                f"paths.prices={tmp_path}/prices",
                *overrides,
            ],
        )


def test_job_prices_any_artefact_and_catalog(tmp_path, folder):
    job.main(configured(tmp_path, f"paths.shards={tmp_path}/OUT", "policy=profit"))

    table = scan_prices(tmp_path / "OUT").sort("product_id", "segment_id").collect()
    assert table.equals(scan_prices(folder).sort("product_id", "segment_id").collect())


def test_job_writes_a_new_folder_of_the_published_table_by_default(tmp_path):
    job.main(configured(tmp_path))
    job.main(configured(tmp_path))

    runs = sorted(path.name for path in (tmp_path / "prices").glob("[!_]*"))
    assert len(runs) == 2
    for run in runs:
        assert read_version(tmp_path / "prices" / run).run == run


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["score.shards=2", "score.shard=1"], r"score\.shard needs paths\.shards, .* found null"),
        (["paths.shards=prices/a b"], r"paths\.shards must be named with letters, .* found 'a b'"),
        (["score.layout=wide", "paths.demand=odd"], "score.layout=wide needs segments whose ids name columns"),
        (["backend=tpu"], "backend must be 'auto', 'cpu' or 'cuda'; found 'tpu'"),
    ],
)
def test_job_refuses_what_cannot_work(tmp_path, monkeypatch, overrides, message):
    monkeypatch.chdir(tmp_path)
    segments = ARTEFACT.segments.with_columns(pl.col("segment_id").str.replace("s", "s "))
    write_artefact(replace(ARTEFACT, segments=segments), tmp_path / "odd")

    with pytest.raises(InputError, match=message):
        job.main(configured(tmp_path, *overrides))


def test_record_that_lets_a_version_be_published_comes_after_the_audit(tmp_path, monkeypatch):
    recorded = []
    monkeypatch.setattr(job, "audit_version", lambda folder, *_: recorded.append((folder / RUN_RECORD).exists()))

    job.main(configured(tmp_path, f"paths.shards={tmp_path}/OUT"))

    assert recorded == [False]
    assert read_version(tmp_path / "OUT").run == "OUT"


def test_second_job_in_a_folder_that_is_being_scored_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("gpu_pricer.tables.files.locking.PATIENCE", 0.05)

    busy = "must be free to score this version, found it in use"
    with locked(tmp_path / "OUT" / LOCK, "score this version", shared=True), pytest.raises(InputError, match=busy):
        job.main(configured(tmp_path, f"paths.shards={tmp_path}/OUT"))


def test_category_that_the_demand_does_not_know_is_said(tmp_path, caplog):
    moved = pl.when(pl.int_range(pl.len()) < 2).then(pl.lit("elsewhere")).otherwise("category_id")

    scored(tmp_path / "prices", catalog=CATALOG.with_columns(category_id=moved))

    assert "2 products are in categories that the demand does not know" in caplog.text


@pytest.mark.parametrize(("day", "is_old"), [("2026-01-11", False), ("2026-01-12", True), ("2025-06-01", False)])
def test_sales_that_end_long_before_the_pricing_day_are_said(tmp_path, caplog, day, is_old):
    """The demand's pricing period begins on 5 January 2026."""
    job.main(configured(tmp_path, f"day={day}"))

    said = [text for text in caplog.messages if "the last sales are of" in text]
    assert said == is_old * [
        f"the last sales are of 2026-01-04, 8 days before {day}, the day on which prices are set (more than 7 days): "
        "train on newer sales, or set day to the intended day"
    ]


@pytest.mark.parametrize(
    ("ladder", "cents", "is_said"),
    [
        (NINES, 0.0, True),
        (NINES, 0.5, False),
        (None, 0.0, False),
        (Ladder([0.0], None), 0.0, False),
        (Ladder(None, [float(price) for price in range(1, 20)]), 0.0, False),
    ],
)
def test_ladder_that_splits_the_unit_of_whole_prices_is_said(tmp_path, caplog, ladder, cents, is_said):
    whole = CATALOG.with_columns(price=pl.col("price").ceil() + cents)

    scored(tmp_path / "prices", catalog=whole, policy=a_policy(ladder=ladder))

    assert ("today's prices are all whole amounts of USD and policy.ladder has none" in caplog.text) == is_said


def test_demand_in_another_currency_than_the_prepared_catalog_is_refused(tmp_path):
    config = configured(tmp_path)
    (tmp_path / "summary.json").write_text('{"currency": "EUR"}')

    with pytest.raises(InputError, match="must be of the catalog's currency EUR, found USD: run"):
        job.main(config)

    (tmp_path / "summary.json").write_text("")
    with pytest.raises(InputError, match=r"summary\.json must be readable, found: .*; run `gpu-pricer prepare` again"):
        job.main(config)


def test_new_version_that_cannot_be_finished_leaves_no_folder(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(job, "audit_version", full)

    with pytest.raises(OSError, match="No space"):
        job.main(configured(tmp_path))

    assert [*(tmp_path / "prices").glob("[!_]*")] == []


def test_version_that_the_audit_refuses_stays_so_that_publish_says_why(tmp_path, monkeypatch):
    def refuse(*_):
        raise Refused("the same basket must cost the same")

    monkeypatch.setattr(job, "audit_version", refuse)

    with pytest.raises(Refused):
        job.main(configured(tmp_path))

    (folder,) = (tmp_path / "prices").glob("[!_]*")
    assert read_version(folder).run == folder.name


def test_start_of_a_task_imports_nothing_that_prices_do_not_need():
    start = "import sys, gpu_pricer.command_line.cli, gpu_pricer.jobs.score"
    code = f"{start}; print(sorted({UNUSED} & set(sys.modules)))"

    done = subprocess.run([sys.executable, "-c", code], cwd=CONF.parent, capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
