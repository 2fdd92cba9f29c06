"""run: from nothing to a published price table, again, and after a kill."""

import itertools
import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

import duckdb
import polars as pl
import pytest
from omegaconf import OmegaConf

from gpu_pricer.jobs import JOBS, pricing_day, run
from gpu_pricer.pricing.problem.matching import NO_DEMAND, NO_UNIT_PRICE
from gpu_pricer.tables.artefact import write_artefact
from gpu_pricer.tables.delta_log import current_run
from gpu_pricer.tables.version.names import RUN_RECORD
from gpu_pricer.terminal.summary import closing_lines
from gpu_pricer.versions.appraisal.doubts import doubts_of
from gpu_pricer.versions.appraisal.outlook import Outlook
from tests.markets import catalog_of, small_artefact

ROOT = Path(__file__).parents[2]
MARKET = (
    "data=synthetic",
    "data.source.weeks=20",
    "data.source.people.users=200",
    "data.source.people.types=3",
    "data.source.assortment.categories=4",
    "data.source.assortment.products=16",
    "model=tiny",
    "model.optimiser.steps=20",
    "train.segments.count=3",
    "backend=cpu",
)
QUICK_EVALUATION = (
    "evaluate.plots=false",
    "evaluate.bootstrap.replicates=2",
    "~evaluate.baselines.lightgbm_monotone",
    "~evaluate.baselines.shrunken_logit",
)
KEY = ["product_id", "segment_id"]
WELL_KNOWN = Outlook(None, False, None, 0, categories=60, published=0, inelastic=0, untaught=0, borrowed=0)


def published_rows(prices, version=None):
    return pl.scan_delta(str(prices), version=version).sort(KEY).collect()


def linked_rows(prices):
    return pl.scan_parquet(prices / "_current/*.parquet").sort(KEY).collect()


def record_of(job, work):
    return json.loads((work / job / "run.json").read_text())


UNDATED = OmegaConf.create({"day": None, "data": {}, "paths": {"catalog": "work/data/products.parquet"}})


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        (["prepare", "train", "score", "evaluate"], ["prepare", "train", "wait", "score", "wait", "evaluate"]),
        (["prepare", "train"], ["prepare", "train"]),
        (["score", "publish"], ["score", "publish"]),
    ],
)
def test_kernels_are_compiled_while_a_job_does_what_needs_none(monkeypatch, steps, expected):
    happened = []
    monkeypatch.setattr(run, "compiled_beside", lambda: nullcontext(lambda: happened.append("wait")))
    monkeypatch.setattr(run, "run_job", lambda name, job, config: happened.append(name) or {"seconds": 1.0})

    run._take(steps, UNDATED)

    assert happened == expected


@pytest.mark.parametrize("steps", [["prepare", "train", "score", "evaluate", "publish"], ["score", "publish"]])
def test_all_steps_set_the_prices_of_the_day_on_which_the_run_began(monkeypatch, steps):
    days, midnights = {}, itertools.count()
    monkeypatch.setattr(pricing_day, "today", lambda zone: date(2026, 11, 26) + timedelta(next(midnights)))
    monkeypatch.setattr(run, "compiled_beside", lambda: nullcontext(lambda: None))
    monkeypatch.setattr(run, "run_job", lambda name, job, config: days.update({name: config.day}) or {"seconds": 1.0})

    run._take(steps, UNDATED)

    assert days.pop("publish") is None  # prices come into force when they are published
    assert {*days.values()} == {"2026-11-26"}


def start(*arguments, directory):
    """The command in a process of its own."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "gpu_pricer", *arguments]
    return subprocess.Popen(
        command, cwd=directory, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@dataclass(frozen=True)
class FirstRun:
    """The first run in an empty directory, which no test may change, and what it printed."""

    directory: Path
    out: str
    err: str

    @property
    def segments(self):
        """How many segments were formed, at most the three that were asked for."""
        return pl.read_parquet(self.directory / "work/demand/segments.parquet").height


@pytest.fixture(scope="module")
def first_run(tmp_path_factory):
    directory = tmp_path_factory.mktemp("first")
    process = start("run", *MARKET, directory=directory)
    out, err = process.communicate()
    assert process.returncode == 0, err
    return FirstRun(directory, out, err)


def test_one_command_leads_from_nothing_to_published_prices(first_run):
    rows = published_rows(first_run.directory / "prices")
    metrics = json.loads((first_run.directory / "work/metrics.json").read_text())

    assert first_run.segments in (2, 3)
    assert rows.height == 16 * first_run.segments
    assert rows.equals(linked_rows(first_run.directory / "prices"))
    by_duckdb = duckdb.sql(f"select * from '{first_run.directory}/prices/_current/*.parquet'").pl()
    assert rows.equals(by_duckdb.sort(KEY))
    assert metrics["test"]["rows"] > 0
    assert {"profit_over_today", "regret", "share_of_attainable_gain"} <= set(metrics["truth"])
    assert 0 <= metrics["aggregation_regret"]["regret"] < 0.5


def test_only_our_own_lines_are_logged(first_run):
    assert all(re.match(r"[-\d]+ [:,\d]+ \w+ (gpu_pricer|kernels)\.", line) for line in first_run.err.splitlines())


def test_second_run_publishes_the_next_version_beside_the_first(first_run, gpu_pricer, tmp_path):
    for folder in ("work", "prices"):
        shutil.copytree(first_run.directory / folder, tmp_path / folder, symlinks=True)

    ended = gpu_pricer("run", *MARKET, *QUICK_EVALUATION, "policy.bounds.max_increase=0.05", "train.segments.count=2")

    assert (ended.status, ended.said) == (0, [])
    assert f"version 1 of {tmp_path}/prices\n" in ended.out
    [publication] = json.loads((tmp_path / "prices/_current/_record/publication.json").read_text())
    assert publication["gates"]["max_loss_increase"]["is_passed"]
    assert publication["accepted"] == {}
    first, second = (published_rows(tmp_path / "prices", version) for version in (0, 1))
    assert first.equals(published_rows(first_run.directory / "prices"))
    assert not second.equals(first)
    assert second.equals(linked_rows(tmp_path / "prices"))


def test_closing_lines_compare_the_expected_units_with_those_sold_lately(first_run, gpu_pricer, tmp_path):
    shutil.copytree(first_run.directory / "work", tmp_path / "work")
    sales = tmp_path / "work/data/sales.parquet"
    pl.read_parquet(sales).with_columns(pl.col("units") * 3).write_parquet(sales)

    ended = gpu_pricer("run", "data=synthetic", "run.steps=[score,publish]", "backend=cpu")

    assert ended.status == 0, ended.said
    assert re.search(r"  in the last 4 periods these products sold [\d,]+ units per period, and the demand", ended.out)
    assert "in the last 4 periods" not in first_run.out


def test_version_is_evaluated_before_a_gate_refuses_it(gpu_pricer, tmp_path):
    ended = gpu_pricer("run", *MARKET, *QUICK_EVALUATION, "publish.gates.max_share_moved=0")

    assert ended.status == 3
    assert ended.said[-1].startswith("gpu-pricer run: the share of prices moved must be at most 0, found ")
    metrics = json.loads((tmp_path / "work/metrics.json").read_text())
    assert {"regret", "profit_over_today"} <= set(metrics["truth"])
    assert not (tmp_path / "prices/_delta_log").exists()


def test_last_lines_tell_where_the_prices_are_what_they_promise_and_how_to_read_them(first_run):
    closing = first_run.out[first_run.out.index("The price table is") :]

    assert f"version 0 of {first_run.directory}/prices\n" in closing
    segments = first_run.segments
    assert f"16 products x {segments} segments = {16 * segments} prices in USD; of the" in closing
    assert re.search(
        r"expected gross profit \(price less unit cost\) a week [\d.,]+ USD, at today's prices [\d.,]+ USD \([+-]",
        closing,
    )
    assert "own estimate of its own prices, not a measured gain" in closing
    assert "assumed" not in closing
    snippets = [line.strip() for line in closing.splitlines() if line.startswith("  import")]
    assert [snippet.split()[1].rstrip(";") for snippet in snippets] == ["polars", "pandas", "duckdb"]
    assert [len(namespace_of(snippet)["prices"]) for snippet in snippets] == 3 * [16 * segments]


def namespace_of(snippet):
    namespace = {}
    exec(snippet, namespace)
    return namespace


def test_assumed_costs_are_admitted(first_run, tmp_path):
    catalog = pl.read_parquet(first_run.directory / "work/data/products.parquet")
    assumed = pl.when(pl.int_range(pl.len()) < 5).then(pl.lit("assumed")).otherwise(pl.lit("given"))
    catalog.with_columns(cost_source=assumed).write_parquet(tmp_path / "assumed.parquet")

    closing = "\n".join(closing_lines(first_run.directory / "prices", tmp_path / "assumed.parquet"))

    assert "the cost of 5 products is assumed, a configured share of their list price" in closing


def test_closing_lines_count_products_without_a_price_by_reason(first_run, tmp_path):
    shutil.copytree(first_run.directory / "prices", tmp_path / "prices", symlinks=True)
    unpriced = tmp_path / "prices" / current_run(tmp_path / "prices") / "_record/unpriced.parquet"
    catalog, reasons = first_run.directory / "work/data/products.parquet", [NO_UNIT_PRICE, NO_DEMAND]

    for rows in (0, 3):
        frame = pl.DataFrame({"product_id": range(rows), "reason": [reasons[row // 2] for row in range(rows)]})
        frame.with_columns(pl.col("reason").cast(pl.String)).write_parquet(unpriced)
        closing = "\n".join(closing_lines(tmp_path / "prices", catalog))
        told = f"  3 more products get no price (2 no_unit_price, 1 {NO_DEMAND}): see "
        assert (told in closing) == bool(rows)


def test_closing_lines_count_prices_that_a_given_cost_moves_beyond_a_limit(first_run, tmp_path):
    shutil.copytree(first_run.directory / "prices", tmp_path / "prices", symlinks=True)
    record = tmp_path / "prices" / current_run(tmp_path / "prices") / RUN_RECORD
    content = json.loads(record.read_text())
    catalog = first_run.directory / "work/data/products.parquet"

    for count, said in ((0, False), (7, True)):
        content["tally"]["beyond_moves"] = count
        record.write_text(json.dumps(content))
        closing = "\n".join(closing_lines(tmp_path / "prices", catalog))
        assert ("7 of them beyond a move limit, because a rule that outranks it" in closing) == said


def test_closing_lines_say_that_the_ladder_has_no_price_for_many_products(first_run, tmp_path):
    """Goods of .05 under endings of ten cents: every price stays, and none of the sums above tells why."""
    shutil.copytree(first_run.directory / "prices", tmp_path / "prices", symlinks=True)
    record = tmp_path / "prices" / current_run(tmp_path / "prices") / RUN_RECORD
    content = json.loads(record.read_text())
    catalog, line = first_run.directory / "work/data/products.parquet", "because no price of the ladder lies in their"
    tenth = math.ceil(content["tally"]["on_shelf"] / 10)

    for count, said in ((tenth - 1, False), (tenth, True)):
        content["tally"]["no_rung"] = count
        record.write_text(json.dumps(content))
        closing = "\n".join(closing_lines(tmp_path / "prices", catalog))
        assert (f"  {count:,} products on the shelf stay as today, {line}" in closing) == said


def closing_of(first_run, outlook=None):
    catalog, doubts = first_run.directory / "work/data/products.parquet", doubts_of(outlook, {}, {})
    return "\n".join(closing_lines(first_run.directory / "prices", catalog, outlook, doubts=doubts))


def test_closing_lines_say_what_the_prices_do_and_what_that_rests_on(first_run):
    catalog = pl.read_parquet(first_run.directory / "work/demand/products.parquet")
    on_shelf = catalog.filter(pl.col("availability") > 0)["product_id"]
    rows = published_rows(first_run.directory / "prices").filter(pl.col("product_id").is_in(on_shelf.implode()))
    up, down = (rows["price"] > rows["today_price"]).mean(), (rows["price"] < rows["today_price"]).mean()
    held = (~rows["binding"].is_in(["none", "frozen", "override"])).mean()

    printed = first_run.out[first_run.out.index("The price table is") :]

    assert f"  {up:.0%} of the prices go up, {down:.0%} go down, {1 - up - down:.0%} stay as today; " in printed
    assert (
        f"; {held:.0%} are limited by a rule for single prices (column binding), and limits on the assortment"
        in printed
    )
    assert re.search(
        r"expected units a week [\d,]+, at today's prices [\d,]+ \(.+\); the units bought cost [\d.]+% of", printed
    )
    assert re.search(r"the gain is [+-][\d.]+% on average, with a 90% interval of [+-][\d.]+% to [+-][\d.]+%", printed)
    assert "one price per product for all segments would earn" in printed


@pytest.mark.parametrize(("vague", "said"), [(31, True), (30, False)])
def test_closing_lines_advise_price_tests_where_most_categories_identify_nothing(first_run, vague, said):
    closing = closing_of(first_run, replace(WELL_KNOWN, vague=vague))

    line = "in most of these categories (31 of 60) the log hardly shows how demand answers prices: run a price test"
    assert (line in closing) == said


@pytest.mark.parametrize("published", [0, 7])
def test_closing_lines_say_how_many_categories_rest_on_published_elasticities(first_run, published):
    closing = closing_of(first_run, replace(WELL_KNOWN, published=published))

    said = "the price response of 7 of 60 categories is more that of published elasticities than that of the log"
    assert (said in closing) == (published > 0)


@pytest.mark.parametrize("inelastic", [0, 3])
def test_closing_lines_say_how_many_categories_hardly_answer_prices_as_a_whole(first_run, inelastic):
    closing = closing_of(first_run, replace(WELL_KNOWN, inelastic=inelastic))

    said = "in 3 of 60 categories the model expects to lose less than 1% of the purchases if all prices rise by 10%"
    assert (said in closing) == (inelastic > 0)


@pytest.mark.parametrize(("untaught", "said"), [(0.25, True), (0.24, False)])
def test_closing_lines_say_how_much_of_the_demand_the_log_taught_no_price_response(first_run, untaught, said):
    closing = closing_of(first_run, replace(WELL_KNOWN, untaught=untaught))

    line = "25% of the units expected at today's prices are in categories whose price response cannot be learned"
    assert (line in closing) == said


@pytest.mark.parametrize(("borrowed", "said"), [(0.25, True), (0.24, False)])
def test_closing_lines_say_how_much_of_the_demand_rests_on_other_categories(first_run, borrowed, said):
    closing = closing_of(first_run, replace(WELL_KNOWN, borrowed=borrowed))

    line = "25% of the units expected at today's prices are in categories whose price response is taken more from other"
    assert (line in closing) == said


def test_closing_lines_say_where_there_is_no_outlook(first_run):
    assert "no interval of the gain: it needs a run that scores, in the long layout, at most" in closing_of(first_run)


def test_closing_lines_say_what_limits_ask_for_which_cost_profit_and_how_much(first_run, tmp_path):
    shutil.copytree(first_run.directory / "prices", tmp_path / "prices", symlinks=True)
    certificate = tmp_path / "prices" / current_run(tmp_path / "prices") / "_record/certificate.json"
    entry = {"measure": "units", "kind": "at_least", "violation": 0.0}
    shadow_prices = {"a": 1.0, "b": 3.0, "c": 4.0, "d": 0.0, "e": 2.0, "less than is proven": 0.001}
    entries = {
        f"units[{value}]": {**entry, "required": 98.0, "today": 100.0, "binding": price > 0, "shadow_price": price}
        for value, price in shadow_prices.items()
    }
    entries["rate"] = {
        **entry, "measure": "margin_rate", "required": 0.2, "today": 0.1, "violation": 0.05, "binding": True,
        "shadow_price": 9.0,
    }  # fmt: skip
    costs = {"constraints.units": {"cost": 1234.5}, "ladder": {"cost": 3.0}}
    summary = {"status": "met", "objective": 1000.0, "dual_bound": 1000.5, "constraints": entries, "costs": costs}
    certificate.write_text(json.dumps(summary))

    catalog = first_run.directory / "work/data/products.parquet"
    closing = "\n".join(closing_lines(tmp_path / "prices", catalog))

    limit = "limit units (units at least 98.0% of the level at today's prices)"
    assert f"  {limit}: 6 met; 4 of them cost profit, most in c, b, e\n" in closing
    assert "  limit rate (margin rate at least 20.0%): not reached; it costs profit\n" in closing
    assert "constraints.units costs 1,234.50 USD a week" in closing
    assert "ladder costs" not in closing


def test_every_job_leaves_a_record(first_run):
    work = first_run.directory / "work"
    on_their_own = {
        "inspect",
        "explain",
        "predict",
        "assign",
        "reprice",
        "versions",
        "whatif",
        "compare",
        "outcome",
        "history",
        "config",
        "tune",
        "review",
        "explore",
        "rollback",
        "vacuum",
        "pricetest",
    }  # which `run` leaves out
    records = {job: record_of(job, work) for job in JOBS if job not in on_their_own}

    for job, record in records.items():
        assert {"started", "seconds", "inputs", "device", "versions", "config"} <= set(record)
        assert record["config"]["model"]["optimiser"]["steps"] == 20
        assert record["device"]["cpus"] == os.cpu_count()
        assert re.fullmatch(r"\d+\.\d+.*", record["versions"]["polars"]), job
    steps = records["run"]["steps"]
    assert list(steps) == ["prepare", "train", "score", "evaluate", "publish"]
    assert steps == {job: records[job]["seconds"] for job in steps}
    assert sum(steps.values()) <= records["run"]["seconds"] + 0.05
    demand = records["score"]["inputs"]["work/demand/factors.safetensors"]
    assert demand == records["evaluate"]["inputs"]["work/demand/factors.safetensors"]
    assert re.fullmatch("[0-9a-f]{64}", demand)
    assert "work/data/choices.parquet" in records["train"]["inputs"]


def test_version_keeps_its_own_record(first_run):
    version = json.loads((first_run.directory / "prices/_current/_record/run.json").read_text())

    assert (version["currency"], version["backend"], version["segments"]) == ("USD", "cpu", first_run.segments)
    assert all(re.fullmatch("[0-9a-f]{16}", version[name]) for name in ("artefact", "policy", "catalog"))
    kept, made = (
        json.loads((first_run.directory / path / "metrics.json").read_text())
        for path in ("prices/_current/_record", "work")
    )
    assert kept == made
    assert kept["fingerprint"] == version["artefact"]


@pytest.mark.parametrize("rank", ["LOCAL_RANK", "RANK", "SLURM_PROCID"])
def test_helper_of_distributed_training_only_trains(gpu_pricer, monkeypatch, rank):
    ran = []
    for step in run.STEPS.values():
        monkeypatch.setattr(step, "inputs", lambda config: [])
        monkeypatch.setattr(step, "main", lambda config, name=step.__name__: ran.append(name))
    monkeypatch.setenv(rank, "1")

    assert gpu_pricer("run").status == 0

    assert ran == ["gpu_pricer.jobs.train"]


@pytest.fixture
def large_market(tmp_path):
    """Demand and catalog of many small categories, each a file of its own: scoring takes many steps."""
    artefact = small_artefact(31, segments=3, products=180, categories=60)
    write_artefact(artefact, tmp_path / "work/demand")
    (tmp_path / "work/data").mkdir()
    catalog_of(artefact).write_parquet(tmp_path / "work/data/products.parquet")
    return tmp_path / "prices"


def killed_when(has_come, *arguments):
    """Start a job, kill it as soon as has_come() holds, and return how it ended."""
    with start(*arguments, directory=Path.cwd()) as process:
        while process.poll() is None and not has_come():
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
        said = process.communicate()[1]
    assert process.returncode in (0, -signal.SIGKILL), said
    return process.returncode


def test_kill_while_scoring_leaves_the_published_version_whole(gpu_pricer, large_market):
    score = ("score", "backend=cpu", "score.cells_per_file=1")
    assert [gpu_pricer(*job).status for job in (score, ("publish",))] == [0, 0]
    before = published_rows(large_market)

    ended = killed_when(lambda: len([*large_market.glob("2*/*-00003.parquet")]) > 1, *score)

    assert ended == -signal.SIGKILL
    assert len([*large_market.glob("2*/_record/run.json")]) == 1
    assert published_rows(large_market).equals(before)
    assert linked_rows(large_market).equals(before)
    assert gpu_pricer("publish").status == 0
    assert published_rows(large_market).equals(before)
    assert [gpu_pricer(*job).status for job in (score, ("publish",))] == [0, 0]
    assert published_rows(large_market).equals(before)
    assert linked_rows(large_market).equals(before)


def test_kill_while_publishing_leaves_one_whole_version(gpu_pricer, large_market):
    score = ("score", "backend=cpu")
    assert [gpu_pricer(*job).status for job in (score, ("publish",))] == [0, 0]
    first = published_rows(large_market)
    assert gpu_pricer(*score, "policy.bounds.max_increase=0.05").status == 0

    killed_when((large_market / "_delta_log/00000000000000000001.json").exists, "publish")

    assert published_rows(large_market, version=0).equals(first)
    assert linked_rows(large_market).height == published_rows(large_market).height == first.height
    assert gpu_pricer("publish").status == 0
    assert not published_rows(large_market).equals(first)
    assert linked_rows(large_market).equals(published_rows(large_market))
