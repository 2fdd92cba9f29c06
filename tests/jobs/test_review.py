"""review: people decide on proposed prices, and the version that is published has exactly what they decided."""

import functools
import itertools
import json
import shlex

import polars as pl
import pytest
from deltalake import DeltaTable
from polars.testing import assert_frame_equal

from gpu_pricer.gates.record import last_undone
from gpu_pricer.tables.artefact import write_artefact
from gpu_pricer.tables.delta_log import current_run
from gpu_pricer.tables.price_table import scan_prices
from gpu_pricer.tables.version import proposals
from gpu_pricer.tables.version.decisions import read_decided, read_decisions
from gpu_pricer.tables.version.names import APPROVALS
from gpu_pricer.tables.version.seal import require_sealed
from gpu_pricer.tables.version.version_record import read_version
from tests.markets import catalog_of, small_artefact
from tests.shops import copied, lay_out, run_job

ARTEFACT = small_artefact(91, segments=3, products=24, categories=6)
CATALOG = catalog_of(ARTEFACT)
ASK = ("publish.approval.asks=all", "publish.approval.off_shelf=true")
ANN = "review.who=Ann"
KEY = ["product_id", "segment_id"]


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    """A shop whose prices were scored as `one` with the policy profit, which no test may change."""
    folder = lay_out(tmp_path_factory.mktemp("reviewed"), ARTEFACT, CATALOG)
    assert run_job(folder, "score", "policy=profit", "paths.shards=prices/one", "backend=cpu") == 0
    return folder


@pytest.fixture
def shop(scored, tmp_path):
    """A copy of that shop, to be reviewed."""
    return copied(scored, tmp_path)


def table_of(shop, run):
    return scan_prices(shop / "prices" / run).collect().sort(KEY)


def sheet_of(shop):
    return pl.read_csv(shop / "work/review.csv", infer_schema=False)


def fill(shop, answers, name="filled.csv"):
    """The sheet with these answers by product, every other row accepted; (decision, price) each."""
    sheet = sheet_of(shop)
    rows = [answers.get(product, ("accept", None)) for product in sheet["product_id"]]
    filled = sheet.with_columns(
        decision=pl.Series([row[0] for row in rows], dtype=pl.String),
        price=pl.Series([row[1] for row in rows], dtype=pl.String),
    )
    filled.write_csv(shop / name)
    return f"review.decisions={name}"


def changed_products(shop):
    """The ids of two products on the shelf whose prices move, of different categories."""
    moved = sheet_of(shop).filter(pl.col("units_change").cast(pl.Float64).is_not_null())
    first = moved.row(0, named=True)
    other = moved.filter(pl.col("category_id") != first["category_id"]).row(0, named=True)
    return first["product_id"], other["product_id"]


def test_undecided_version_does_not_publish_and_one_line_says_why(gpu_pricer, shop):
    ended = gpu_pricer("publish", *ASK)

    assert ended.status == 3
    assert len(ended.said) == 1
    assert "24 of 24 products undecided" in ended.said[0]
    assert "(publish.approval)" in ended.said[0]
    assert current_run(shop / "prices") is None


def test_published_table_has_exactly_what_was_decided_and_the_log_says_who(gpu_pricer, shop):
    assert gpu_pricer("review", *ASK).status == 0
    rejected, overridden = changed_products(shop)
    given = round(float(sheet_of(shop).filter(pl.col("product_id") == overridden)["today_price"][0]) * 1.04, 2)

    reviewed = gpu_pricer(
        "review", *ASK, ANN, fill(shop, {rejected: ("reject", None), overridden: ("override", str(given))})
    )
    assert reviewed.status == 0, reviewed
    assert gpu_pricer("publish", *ASK).status == 0

    run = current_run(shop / "prices")
    before, after = table_of(shop, "one"), table_of(shop, run)
    is_rejected, is_overridden = pl.col("product_id") == rejected, pl.col("product_id") == overridden
    columns = [*KEY, "price", "binding"]
    others = ~(is_rejected | is_overridden)
    assert_frame_equal(before.filter(others).select(columns), after.filter(others).select(columns))
    assert after.filter(is_rejected).select((pl.col("price") == pl.col("today_price")).all()).item()
    assert set(after.filter(is_rejected)["binding"]) == {"frozen"}
    assert after.filter(is_overridden)["price"].cast(pl.Float64).to_list() == [given] * 3
    assert set(after.filter(is_overridden)["binding"]) == {"override"}
    told = DeltaTable(str(shop / "prices")).history(1)[0]["decisions"]
    assert told == f"Ann accepted 22, rejected {rejected}, overrode {overridden}"
    assert "Ann accepted" in " ".join(gpu_pricer("versions").out.split())
    approvals = read_decided(shop / "prices" / run, APPROVALS)
    assert approvals["decision"].value_counts().sort("decision").rows() == [
        ("accept", 22),
        ("override", 1),
        ("reject", 1),
    ]
    require_sealed(shop / "prices" / run)


def test_sheet_says_what_the_proposed_prices_change(gpu_pricer, shop):
    assert gpu_pricer("review", *ASK).status == 0
    sheet = pl.read_parquet(shop / "work/review.parquet")
    tally = read_version(shop / "prices/one").tally

    assert sheet.height == 24
    gain, more = tally.profit_new - tally.profit_today, tally.units_new - tally.units_today
    assert abs(gain) > 1 < abs(more)
    assert sheet["profit_change"].sum() == pytest.approx(gain, abs=0.2)
    assert sheet["units_change"].sum() == pytest.approx(more, abs=0.2)
    alike = sheet.filter(pl.col("lowest_price") == pl.col("highest_price"))
    assert alike.height > 0
    assert alike["new_price"].to_list() == alike["lowest_price"].to_list()
    moves = (alike["lowest_price"] / alike["today_price"] - 1).to_list()
    assert alike["change"].to_list() == pytest.approx(moves, abs=6e-5)


def test_commands_that_it_prints_lead_to_publication(gpu_pricer, shop):
    (shop / "own/experiment").mkdir(parents=True)
    (shop / "own/experiment/ask.yaml").write_text(
        "# @package _global_\npublish: {approval: {asks: all, off_shelf: true}}\n"
    )

    begun = gpu_pricer("review", "--config-dir", "own", "experiment=ask")
    fill(shop, {}, "work/review.csv")
    decided = gpu_pricer(*printed(begun.out, "fill work/review.csv, then "))
    ended = gpu_pricer(*printed(decided.out, "decided: prices/one; next: "))

    assert (decided.status, ended.status) == (0, 0)
    assert current_run(shop / "prices") == "one"
    assert "24 new decisions" in decided.out


def printed(out, before):
    """The words of the command that stands behind some words in what was printed, without the program's name."""
    (line,) = (line for line in out.splitlines() if line.startswith(before))
    return shlex.split(line.removeprefix(before))[1:]


def test_goods_that_nobody_can_buy_need_no_decision(gpu_pricer, shop):
    absent = CATALOG.with_columns(
        availability=pl.when(pl.col("product_id").is_in(["p003", "p007"])).then(0.0).otherwise(0.9)
    )
    absent.write_parquet(shop / "work/data/products.parquet")
    assert gpu_pricer("score", "policy=profit", "paths.shards=prices/two", "backend=cpu").status == 0
    moved = {*table_of(shop, "two").filter(pl.col("price") != pl.col("today_price"))["product_id"]}

    ended = gpu_pricer("review", *ASK[:1])

    assert {"p003", "p007"} < moved
    assert {*sheet_of(shop)["product_id"]} == moved - {"p003", "p007"}
    assert "2 more products move that are not on the shelf now: they need no decision" in ended.out
    assert gpu_pricer("review", *ASK[:1], ANN, fill(shop, {})).status == 0
    assert gpu_pricer("publish", *ASK[:1]).status == 0


def test_accepted_version_is_published_itself(gpu_pricer, shop):
    assert gpu_pricer("review", *ASK).status == 0
    assert gpu_pricer("review", *ASK, ANN, fill(shop, {})).status == 0

    assert gpu_pricer("publish", *ASK).status == 0

    assert current_run(shop / "prices") == "one"
    require_sealed(shop / "prices/one")


def test_decisions_hold_for_the_same_prices_scored_again_and_others_are_asked_again(gpu_pricer, shop):
    assert gpu_pricer("review", *ASK).status == 0
    rejected, _ = changed_products(shop)
    assert gpu_pricer("review", *ASK, ANN, fill(shop, {rejected: ("reject", None)})).status == 0
    dearer = pl.when(pl.col("product_id") == "p007").then(pl.col("price") + 0.1).otherwise("price").round(2)

    assert gpu_pricer("score", "policy=profit", "paths.shards=prices/again", "backend=cpu").status == 0
    same = gpu_pricer("review", *ASK)
    CATALOG.with_columns(price=dearer).write_parquet(shop / "work/data/products.parquet")
    assert gpu_pricer("score", "policy=profit", "paths.shards=prices/dearer", "backend=cpu").status == 0
    other = gpu_pricer("review", *ASK)

    assert "23 accepted, 1 rejected, 0 overridden, 0 open" in same.out
    stale = sheet_of(shop).filter(pl.col("state") == "stale")["product_id"].to_list()
    assert "p007" in stale
    assert f"{len(stale)} open ({len(stale)} decided before at other prices)" in other.out
    assert {*stale} <= {*CATALOG.filter(pl.col("category_id") == "c1")["product_id"]}
    refused = gpu_pricer("publish", *ASK)
    assert refused.status == 3
    assert f"{len(stale)} of them decided before at other prices" in refused.said[0]


def test_rejected_price_is_never_published_though_nobody_is_asked(gpu_pricer, shop):
    assert gpu_pricer("review", *ASK).status == 0
    sheet_of(shop).head(1).with_columns(decision=pl.lit("reject")).write_csv(shop / "one.csv")
    assert gpu_pricer("review", *ASK, "review.decisions=one.csv").status == 0

    refused = gpu_pricer("publish")

    assert refused.status == 3
    assert "1 products priced otherwise than decided" in refused.said[0]
    assert gpu_pricer("review").status == 0
    assert gpu_pricer("publish").status == 0


def test_night_on_which_nobody_is_asked_keeps_to_what_was_decided_about_the_same_prices(gpu_pricer, shop):
    assert gpu_pricer("review", *ASK).status == 0
    rejected, overridden = changed_products(shop)
    given = round(float(sheet_of(shop).filter(pl.col("product_id") == overridden)["today_price"][0]) * 1.04, 2)
    answers = fill(shop, {rejected: ("reject", None), overridden: ("override", str(given))})
    assert gpu_pricer("review", *ASK, ANN, answers).status == 0
    assert gpu_pricer("publish", *ASK).status == 0
    first = current_run(shop / "prices")
    assert gpu_pricer("score", "policy=profit", "paths.shards=prices/two", "backend=cpu").status == 0

    folders = {*(shop / "prices").iterdir()}

    dry = gpu_pricer("publish", "paths.shards=prices/two", "publish.dry_run=true")
    assert dry.status == 0
    assert "proposes prices that people decided about earlier" in " ".join(dry.log)
    assert {*(shop / "prices").iterdir()} == folders
    unseen = gpu_pricer("publish", "paths.shards=prices/two", "publish.accept=[audit]", "publish.reason=new")
    assert unseen.status == 2
    assert "for a version that somebody has looked at" in unseen.said[0]

    ended = [gpu_pricer("publish", "paths.shards=prices/two") for _ in range(2)]

    run = current_run(shop / "prices")
    assert [night.status for night in ended] == [0, 0]
    assert f"prices/two proposes prices that people decided about earlier; prices/{run} keeps to" in " ".join(
        ended[0].log
    )
    assert run not in (first, "two")
    columns = [*KEY, "price", "today_price", "binding"]
    assert_frame_equal(table_of(shop, run).select(columns), table_of(shop, first).select(columns))


def test_night_on_which_nobody_is_asked_says_which_decisions_no_longer_hold(gpu_pricer, shop):
    assert gpu_pricer("review", *ASK).status == 0
    rejected, overridden = changed_products(shop)
    given = round(float(sheet_of(shop).filter(pl.col("product_id") == overridden)["today_price"][0]) * 1.04, 2)
    answers = fill(shop, {rejected: ("reject", None), overridden: ("override", str(given))})
    assert gpu_pricer("review", *ASK, ANN, answers).status == 0
    assert gpu_pricer("publish", *ASK).status == 0
    first = current_run(shop / "prices")
    dearer = pl.when(pl.col("product_id") == rejected).then((pl.col("price") * 1.01).round(2)).otherwise("price")
    CATALOG.with_columns(price=dearer).write_parquet(shop / "work/data/products.parquet")
    for night in ("two", "three"):
        assert gpu_pricer("score", "policy=profit", f"paths.shards=prices/{night}", "backend=cpu").status == 0

    ended = gpu_pricer("publish", "paths.shards=prices/two")

    assert ended.status == 0, ended.said
    (line,) = last_undone(shop / "prices" / current_run(shop / "prices"))
    assert f"changes a price that people set in {first}, because" in line
    assert f"such as {rejected}, which Ann kept at " in line
    assert any(said.endswith(line) for said in ended.log)
    assert gpu_pricer("publish", "paths.shards=prices/three").status == 0
    assert last_undone(shop / "prices" / current_run(shop / "prices")) == []


def test_policy_names_who_is_asked_about(gpu_pricer, shop):
    some = ["review", "publish.approval.asks=some", "publish.approval.moves_above=9"]

    nobody = gpu_pricer(*some)
    category = gpu_pricer(*some, "publish.approval.categories=[c2]")

    assert "0 products to decide on" in nobody.out
    moved = table_of(shop, "one").filter(pl.col("price") != pl.col("today_price"))["product_id"].unique()
    expected = CATALOG.filter((pl.col("category_id") == "c2") & pl.col("product_id").is_in(moved.implode()))
    assert {*sheet_of(shop)["product_id"]} == {*expected["product_id"]}
    assert f"{expected.height} products to decide on" in category.out


@pytest.mark.parametrize("name", ["one", "_current"])
def test_nothing_is_left_to_decide_about_the_published_version(gpu_pricer, shop, name):
    assert gpu_pricer("publish").status == 0
    assert gpu_pricer("score", "policy=profit", "paths.shards=prices/two", "backend=cpu").status == 0

    refused = gpu_pricer("review", f"paths.shards=prices/{name}")

    assert refused.status == 2
    assert refused.said == [
        "gpu-pricer review: the version to decide on must not be published yet, found prices/one: score a new one"
    ]
    assert gpu_pricer("publish").status == 0
    assert current_run(shop / "prices") == "two"


def test_decided_version_that_is_published_is_not_taken_for_the_one_scored_last(gpu_pricer, shop):
    assert gpu_pricer("review", *ASK).status == 0
    rejected, _ = changed_products(shop)
    assert gpu_pricer("review", *ASK, ANN, fill(shop, {rejected: ("reject", None)})).status == 0
    assert gpu_pricer("publish", *ASK).status == 0
    decided = current_run(shop / "prices")
    assert gpu_pricer("score", "policy=profit", "paths.shards=prices/two", "backend=cpu").status == 0

    refused = gpu_pricer("review", *ASK, "paths.shards=prices/one")

    assert (decided != "one", refused.status) == (True, 2)
    assert f"must not be published yet, found prices/{decided}: score a new one" in refused.said[0]
    assert json.loads((shop / "work/score/version.json").read_text()) == {"run": "two"}


BAD = {
    "perhaps": ({"decision": "perhaps"}, "row 2 must say accept, reject or override, found 'perhaps'"),
    "no price": ({"decision": "override"}, "row 2 must give the price of the override, found None"),
    "price alone": (
        {"decision": None, "price": "3.49"},
        "row 2 must say override where it gives a price, found no dec",
    ),
    "accept and price": ({"price": "3.49"}, "row 2 must say override where it gives a price, found 'accept'"),
    "below the margin": ({"decision": "override", "price": "0.01"}, "is the lowest price: least margin"),
    "half a cent": ({"decision": "override", "price": "3.495"}, "a price must be in whole cents"),
    "unknown product": ({"decision": "accept", "product_id": "p999"}, "must name a product of one, found p999"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_answer_is_one_line_and_nothing_is_recorded(gpu_pricer, shop, case):
    changes, message = BAD[case]
    assert gpu_pricer("review", *ASK).status == 0
    sheet_of(shop).head(2).with_columns(decision=pl.lit("accept")).with_columns(
        pl.when(pl.int_range(2) == 0).then(pl.lit(value, pl.String)).otherwise(name).alias(name)
        for name, value in changes.items()
    ).write_csv(shop / "bad.csv")

    ended = gpu_pricer("review", *ASK, "review.decisions=bad.csv")

    assert ended.status == 2
    assert len(ended.said) == 1
    assert message in ended.said[0]
    assert read_decisions(shop / "prices").is_empty()


def test_no_spreadsheet_takes_a_proposal_for_a_number(gpu_pricer, shop, monkeypatch):
    hashes = (f"{number:07d}e{number:08d}" if number % 2 else f"{number:016d}" for number in itertools.count(1234567))
    monkeypatch.setattr(proposals, "_digest", functools.cache(lambda text: next(hashes)))

    assert gpu_pricer("review", *ASK).status == 0

    assert sheet_of(shop)["proposal"].cast(pl.Float64, strict=False).null_count() == 24
    answered = gpu_pricer("review", *ASK, fill(shop, {}))
    assert "24 new decisions" in answered.out
    without_mark = sheet_of(shop).with_columns(pl.col("proposal").str.strip_prefix("p"), decision=pl.lit("reject"))
    without_mark.write_csv(shop / "earlier.csv")
    assert "24 new decisions" in gpu_pricer("review", *ASK, "review.decisions=earlier.csv").out


def test_answers_about_other_prices_do_not_count(gpu_pricer, shop):
    assert gpu_pricer("review", *ASK).status == 0
    sheet = sheet_of(shop).with_columns(decision=pl.lit("accept"), proposal=pl.lit("of another night"))
    sheet.write_csv(shop / "old.csv", separator=";")

    ended = gpu_pricer("review", *ASK, "review.decisions=old.csv")

    assert "0 new decisions" in ended.out
    assert "24 answers are about other prices and do not count" in ended.out
    assert read_decisions(shop / "prices").is_empty()


def test_certificate_says_what_the_limits_reach_with_the_decided_prices(gpu_pricer, tmp_path):
    write_artefact(ARTEFACT, tmp_path / "work/demand")
    (tmp_path / "work/data").mkdir()
    CATALOG.write_parquet(tmp_path / "work/data/products.parquet")
    limits = [
        "policy=profit",
        "+policy.constraints.volume={measure: units, at_least: 0.98, relative_to: current_prices}",
    ]
    details = ["score.details=[parts,note]", "paths.shards=prices/one", "backend=cpu"]
    assert gpu_pricer("score", *limits, *details).status == 0
    assert gpu_pricer("review", *ASK).status == 0
    lowered = sheet_of(tmp_path).filter(pl.col("change").cast(pl.Float64) < 0)["product_id"].to_list()
    given = dict.fromkeys(lowered[:2], ("reject", None))

    ended = gpu_pricer("review", *ASK, ANN, fill(tmp_path, given))

    assert ended.status == 0, ended
    folder = tmp_path / ended.out.split("decided: ")[1].split(";")[0]
    certificate = json.loads((folder / "_record/certificate.json").read_text())
    assert certificate["decided"]["base"] == "one"
    assert certificate["decided"]["products"] == 2
    table = scan_prices(folder).collect()
    visits = ARTEFACT.segments.select("segment_id", "visits")
    units = (
        table.join(visits, on="segment_id").select((pl.col("expected_units") * pl.col("visits") / 1000).sum()).item()
    )
    volume = certificate["constraints"]["volume"]
    assert volume["achieved"] == pytest.approx(units, rel=1e-5)
    assert volume["achieved"] < volume["required"]
    assert certificate["status"] == "relaxed"
    assert volume["relaxed"]
    assert {*certificate["decided"]["relaxed"]["volume"]} == {*lowered[:2]}
    assert "a limit is relaxed by the decisions about" in " ".join(ended.log)
    assert certificate["dual_bound"] >= certificate["objective"]
    assert certificate["dual_bound"] <= certificate["decided"]["objective_before"] * 1.01
    parts = ["unit_cost", "shadow_price", "sensitivity_markup", "opportunity_value", "adjustment"]
    assert table.select((pl.sum_horizontal(parts) == pl.col("price")).all()).item()
    refused = gpu_pricer("publish", *ASK, "publish.gates.certificate=met")
    assert refused.status == 3
    assert "certificate must be met, found relaxed, by people's decisions of volume (" in refused.said[0]
    assert gpu_pricer("publish", *ASK).status == 0
    assert current_run(tmp_path / "prices") == folder.name
    told = gpu_pricer("explain", f"product={lowered[0]}", "segment=s0", f"paths.shards={folder}")
    assert told.status == 0, told
    assert "frozen" in told.out
