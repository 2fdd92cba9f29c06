"""whatif and compare: what prices would be, priced as `score` prices, and what differs between two versions."""

import json
import shutil
from pathlib import Path

import polars as pl
import pytest

from gpu_pricer.tables.delta_log import current_run
from gpu_pricer.tables.version.version_record import read_version
from tests.jobs.conftest import snapshot
from tests.markets import catalog_of, small_artefact
from tests.shops import copied, lay_out, run_job

CONF = Path(__file__).parents[2] / "conf"
ARTEFACT = small_artefact(31, segments=3, products=12, categories=4)
CATALOG = catalog_of(ARTEFACT).sort("product_id")
DEPARTMENTS = CATALOG.with_columns(
    department=pl.when(pl.col("category_id") < "c2").then(pl.lit("FRESH")).otherwise(pl.lit("DRY")),
    ceiling=pl.col("price") * 1.01,
)
TIGHT = "policy.bounds.max_increase=0.03"


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A folder with one published version under the default policy, whose limits hold in each department."""
    folder = lay_out(tmp_path_factory.mktemp("asked"), ARTEFACT, DEPARTMENTS)
    settings = ("backend=cpu", "paths.shards=prices/base")
    assert [run_job(folder, job, *settings) for job in ("score", "publish")] == [0, 0]
    return folder


@pytest.fixture
def shop(published, tmp_path):
    """A copy of that folder, as working directory of the gpu_pricer fixture."""
    return copied(published, tmp_path)


def prices_of(folder):
    table = pl.read_parquet(folder / "*.parquet").sort("product_id", "segment_id")
    return table.select("product_id", "segment_id", "price", "today_price")


def test_change_that_changes_nothing_gives_the_prices_of_the_base(gpu_pricer, shop):
    assert gpu_pricer("whatif", "policy.bounds.max_increase=0.10").status == 0

    assert prices_of(shop / "work/whatif/max-increase-0.10").equals(prices_of(shop / "prices/base"))


def test_scenario_has_the_prices_that_score_would_give(gpu_pricer, shop):
    same = "policy.bounds.max_increase=0.03", "policy.constraints.keep_units=null"
    ended = gpu_pricer("whatif", *same)
    gpu_pricer("score", *same, "paths.shards=elsewhere/scored", "backend=cpu")

    assert ended.status == 0, ended.said
    folder = shop / "work/whatif/max-increase-0.03-keep-units-null"
    asked, scored = prices_of(folder), prices_of(shop / "elsewhere/scored")
    assert asked.equals(scored)
    assert (asked["price"].cast(float) <= asked["today_price"].cast(float) * 1.03 + 1e-9).all()
    assert json.loads((folder / "_record/whatif.json").read_text()) == {"base": "base", "changes": [*same]}


def test_screen_tells_units_profit_and_limits_of_every_scenario(gpu_pricer, shop):
    scenarios = '{tight: ["policy.bounds.max_increase=0.03"], free: ["policy.constraints.keep_units=null"]}'
    out = gpu_pricer("whatif", f"whatif.scenarios={scenarios}").out

    base = read_version(shop / "prices/base").tally
    for name in ("tight", "free"):
        tally = read_version(shop / "work/whatif" / name).tally
        cells = next(line for line in out.splitlines() if line.split()[:1] == [name] and "%" in line)
        assert f"{tally.profit_new:,.2f}" in cells
        assert f"{tally.price_index:.1%}" in cells
        verb = "costs" if tally.profit_new < base.profit_new else "adds"
        assert f"{name} {verb} {abs(tally.profit_new - base.profit_new):,.2f} USD of profit" in out
    assert "4 of 4 met" in out
    assert "2 of 2 met" in out


def test_preset_and_shared_changes_make_a_scenario(gpu_pricer, shop):
    assert gpu_pricer("whatif", TIGHT, 'whatif.scenarios={safe: ["policy=safe"]}').status == 0

    policy = json.loads((shop / "work/whatif/safe/_record/policy.json").read_text())
    assert (policy["bounds"]["max_increase"], policy["bounds"]["max_segment_ratio"]) == (0.03, 1.0)
    assert policy["constraints"] == {}


def test_scenarios_of_a_file_are_those_of_the_command_line(gpu_pricer, shop):
    (shop / "scenarios.yaml").write_text(f"tight: [{TIGHT}]\n")
    assert gpu_pricer("whatif", "whatif.scenarios=scenarios.yaml").status == 0
    before = prices_of(shop / "work/whatif/tight")

    assert gpu_pricer("whatif", f'whatif.scenarios={{tight: ["{TIGHT}"]}}').status == 0
    assert prices_of(shop / "work/whatif/tight").equals(before)


def test_catalog_changes_come_as_events(gpu_pricer, shop):
    dear, gone = CATALOG["product_id"][:2]
    cost = 1.2 * CATALOG["cost"][0]
    events = {"product_id": [dear, gone], "cost": [cost, None], "withdrawn": [None, True]}
    pl.DataFrame(events).write_parquet(shop / "dearer.parquet")

    assert gpu_pricer("whatif", "events=dearer.parquet").status == 0

    folder = shop / "work/whatif/events-dearer.parquet"
    assert gone not in prices_of(folder)["product_id"]
    assert prices_of(folder)["product_id"].n_unique() == CATALOG.height - 1
    catalog = pl.read_parquet(folder / "_record/catalog.parquet")
    assert catalog.filter(pl.col("product_id") == dear)["cost"].item() == pytest.approx(cost)


def test_column_that_only_the_scenario_reads_comes_from_the_catalog(gpu_pricer, shop):
    assert gpu_pricer("whatif", "policy.bounds.ceiling_column=ceiling").status == 0

    table = prices_of(shop / "work/whatif/ceiling-column-ceiling")
    assert (table["price"].cast(float) <= table["today_price"].cast(float) * 1.01 + 1e-9).all()


def test_rule_that_holds_for_no_product_is_named(gpu_pricer, shop):
    ended = gpu_pricer("whatif", "policy.bounds.frozen=\"department = 'FROZEN'\"")

    assert ended.status == 0, ended.said
    assert any("freezes nothing: it holds for no product of the catalog" in line for line in ended.log)


def test_publishing_neither_finds_nor_takes_a_what_if(gpu_pricer, refused, shop):
    before = snapshot(shop / "prices")
    assert gpu_pricer("whatif", f'whatif.scenarios={{tight: ["{TIGHT}"]}}').status == 0
    assert snapshot(shop / "prices") == before

    assert gpu_pricer("publish").status == 0
    assert current_run(shop / "prices") == "base"
    assert refused("publish", "paths.shards=work/whatif/tight").startswith("a what-if is not published, found")
    shutil.copytree(shop / "work/whatif/tight", shop / "prices/tight")
    assert refused("publish", "paths.shards=prices/tight").startswith("a what-if is not published, found")


def test_what_if_explains_its_prices(gpu_pricer, shop):
    assert gpu_pricer("whatif", f'whatif.scenarios={{tight: ["{TIGHT}"]}}').status == 0
    product, segment = prices_of(shop / "work/whatif/tight").row(0)[:2]

    ended = gpu_pricer("explain", "paths.shards=work/whatif/tight", f"product={product}", f"segment={segment}")

    assert ended.status == 0, ended.said
    assert "price" in ended.out


def test_scenario_that_cannot_be_met_does_not_hide_the_others(gpu_pricer, shop):
    impossible = '"+policy.constraints.more={measure: units, at_least: 9.0, relative_to: current_prices}"'
    scenarios = f'{{no: [{impossible}, "policy.on_infeasible=refuse"], tight: ["{TIGHT}"]}}'

    ended = gpu_pricer("whatif", f"whatif.scenarios='{scenarios}'".replace("'", ""))

    assert ended.status == 3, ended
    assert "scenario no: policy.constraints must be met together" in ended.said[0]
    assert [path.name for path in (shop / "work/whatif").iterdir()] == ["tight"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "whatif needs a change, found none"),
        (("whatif.base=7", TIGHT), "a version must be a run, its number or a folder, found '7'"),
        (('whatif.scenarios={a: ["policy.bounds.max_increse=0.1"]}',), "Key 'max_increse' is not in struct"),
        (('whatif.scenarios={a: ["policy.bounds.max_increase=x"]}',), "scenario a must leave a valid policy"),
        (("policy.ladder=x",), "must leave a valid policy, found: policy.ladder must be a mapping, found 'x'"),
        (("policy.bounds=5",), "must leave a valid policy, found: policy.bounds must be a mapping, found 5"),
        (('whatif.scenarios={a: ["backend=cuda"]}',), "scenario a must change policy or events, found backend=cuda"),
        (('whatif.scenarios={a: ["~policy.constraints"]}',), "a change must set one value, found ~policy.constraints"),
        (('whatif.scenarios={a/b: ["policy=safe"]}',), "a scenario must be named with letters"),
        (("whatif.scenarios={a: []}",), "scenario a must be a list of changes"),
        (("whatif.scenarios=gone.yaml",), "whatif.scenarios must be a mapping or a YAML file of one"),
        (("events=gone.parquet",), "events must be a Parquet file or a folder of them"),
    ],
)
def test_unclear_question_ends_with_one_line(refused, shop, arguments, said):
    assert said in refused("whatif", *arguments)


def test_comparison_has_the_sums_of_both_versions(gpu_pricer, shop):
    gpu_pricer("whatif", f'whatif.scenarios={{tight: ["{TIGHT}"]}}')

    ended = gpu_pricer("compare", "base", "tight", "compare.by=department", "compare.products=moves.csv")

    assert ended.status == 0, ended.said
    found = pl.read_csv(shop / "moves.csv")
    for name, folder in (("before", shop / "prices/base"), ("after", shop / "work/whatif/tight")):
        tally = read_version(folder).tally
        assert found[f"units_{name}"].sum() == pytest.approx(tally.units_new, rel=1e-5)
        assert found[f"profit_{name}"].sum() == pytest.approx(tally.profit_new, rel=1e-4)
        assert found[f"revenue_{name}"].sum() == pytest.approx(tally.revenue_new, rel=1e-5)
    lines = {line.split()[0]: line.split() for line in ended.out.splitlines() if line.split()[:1]}
    for department in ("FRESH", "DRY"):
        rows = found.filter(pl.col("department") == department)
        change = rows["profit_after"].sum() - rows["profit_before"].sum()
        assert lines[department][1] == str(rows.height)
        assert lines[department][-1] == f"{change:+,.2f}"
        assert lines[department][-3] == f"{rows['common_revenue'].sum() / rows['base_revenue'].sum():.1%}"
    assert "what differs between their sources: the policy changed" in ended.out


def test_product_that_is_gone_counts_in_the_group_that_it_was_in(gpu_pricer, shop):
    gone, moved = (CATALOG.filter(pl.col("category_id") == name)["product_id"][0] for name in ("c0", "c1"))
    moves = pl.when(pl.col("product_id") == moved).then(pl.lit("FROZEN")).otherwise("department")
    smaller = DEPARTMENTS.filter(pl.col("product_id") != gone).with_columns(department=moves)
    smaller.write_parquet(shop / "smaller.parquet")
    other = ("paths.catalog=smaller.parquet", "paths.shards=prices/smaller", "backend=cpu")
    assert gpu_pricer("score", *other).status == 0

    ended = gpu_pricer("compare", "base", "smaller", "compare.by=department", "compare.products=moves.parquet")

    assert ended.status == 0, ended.said
    assert "(none)" not in ended.out
    department = dict(pl.read_parquet(shop / "moves.parquet").select("product_id", "department").rows())
    assert (department[gone], department[moved]) == ("FRESH", "FROZEN")
    assert len(department) == CATALOG.height


def test_comparison_takes_work_folders_and_tables_in_the_wide_layout(gpu_pricer, shop):
    other = ("paths.work=other", "paths.demand=work/demand", "paths.catalog=work/data/products.parquet")
    assert gpu_pricer("score", *other, "score.layout=wide", "backend=cpu", "policy=profit").status == 0

    ended = gpu_pricer("compare", "base", "other", "compare.by=null", "compare.products=moves.parquet")

    assert ended.status == 0, ended.said
    assert "expected per period" not in ended.out
    assert pl.read_parquet(shop / "moves.parquet")["units_after"].null_count() == CATALOG.height


def test_page_of_a_comparison_is_the_report_against_the_first(gpu_pricer, shop):
    gpu_pricer("whatif", f'whatif.scenarios={{tight: ["{TIGHT}"]}}')

    ended = gpu_pricer("compare", "base", "tight", "compare.page=cmp/tight.html", "backend=cpu")

    assert ended.status == 0, ended.said
    page = (shop / "cmp/tight.html").read_text()
    section = page[page.index('id="older"') : page.index('id="ledger"')]
    assert "What changed against version base" in section
    assert section.count("<tr>") > 4
    assert not (shop / "work/report.html").exists()


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("compare.by=colour", "compare.by must be a column of the catalog, found colour but only product_id"),
        ("compare.products=moves.xlsx", "a table must end with .parquet or .csv, found moves.xlsx"),
    ],
)
def test_comparison_that_cannot_be_written_ends_with_one_line(refused, shop, setting, said):
    assert said in refused("compare", "base", "base", setting)
