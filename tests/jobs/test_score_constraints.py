"""Constraints on the assortment in the scoring job: the table, the certificate beside it, and refusals."""

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from gpu_pricer.errors import InputError, Refused
from gpu_pricer.pricing.tiling import Tiling
from gpu_pricer.tables.artefact import write_artefact
from gpu_pricer.versions.priced_catalog import PricedCatalog
from gpu_pricer.versions.scored_version import Search, score
from tests.constraints.markets import AROUND_TODAY, QUARTERS, department_market
from tests.constraints.oracle import sums_at
from tests.markets import a_policy

VOLUME = {"measure": "units", "at_least": 1.02, "relative_to": "current_prices"}
PETS = {"measure": "revenue", "at_least": 1.05, "relative_to": "current_prices", "where": "department = 'pets'"}
SOME = {"measure": "units", "at_least": 1.2, "relative_to": "current_prices", "where": "segment_id = 's001'"}
IMPOSSIBLE = {
    "revenue": {"measure": "revenue", "at_least": 1.3, "relative_to": "current_prices"},
    "rate": {"measure": "margin_rate", "at_least": 1.3, "relative_to": "current_prices", "priority": 2},
}
FEW_RULES = (
    "policy.bounds.min_margin_rate=null", "policy.bounds.within_support=false", "policy.ladder=null",
)  # fmt: skip
MARKET = department_market(3, 1200, 6)


def scored(folder, constraints, cells_per_file=10**6, shards=1, warm_start=None, details=(), **policy):
    """The price table of the market, sorted, and its certificate (None without constraints)."""
    artefact, catalog = MARKET
    tiling = Tiling("long", cells_per_file, shards, shard=None, writers=1, details=details)
    rules = a_policy(AROUND_TODAY, QUARTERS, constraints=constraints, **policy)
    score(artefact, PricedCatalog(catalog), rules, tiling, folder, "cpu", Search(warm_start))
    table = pl.read_parquet(folder / "*.parquet").join(catalog.select("product_id", "category_id"), on="product_id")
    path = folder / "_record" / "certificate.json"
    return table.sort("category_id", "product_id", "segment_id"), json.loads(
        path.read_text()
    ) if path.exists() else None


def write_shop(folder):
    """The market where the job looks for it."""
    write_artefact(MARKET[0], folder / "work/demand")
    (folder / "work/data").mkdir()
    MARKET[1].write_parquet(folder / "work/data/products.parquet")


def test_certificate_holds_of_the_prices_in_the_files(tmp_path):
    artefact, catalog = MARKET

    table, certificate = scored(tmp_path / "v", {"volume": VOLUME, "pets": PETS, "some": SOME})

    price = table["price"].cast(pl.Float64).to_numpy().reshape(-1, 6)
    today = table["today_price"].cast(pl.Float64).to_numpy().reshape(-1, 6)
    pets = (catalog.sort("category_id", "product_id")["department"] == "pets").to_numpy()[:, None] & np.ones(6, bool)
    some = np.arange(6) == 1
    for name, covers, measure in (("volume", None, 0), ("pets", pets, 1), ("some", some, 0)):
        entry = certificate["constraints"][name]
        reached, before = (sums_at(artefact, catalog, at, covers)[measure] for at in (price, today))
        assert entry["achieved"] == pytest.approx(reached, rel=1e-9)
        assert entry["today"] == pytest.approx(before, rel=1e-9)
        assert reached >= entry["required"] * (1 - 1e-12)
    assert certificate["objective"] == pytest.approx(sums_at(artefact, catalog, price)[2], rel=1e-9)
    assert certificate["objective"] <= certificate["dual_bound"]
    assert certificate["status"] == "met"


def test_rows_do_not_depend_on_files_and_shards(tmp_path):
    constraints = {"volume": VOLUME, "some": SOME}

    whole, first = scored(tmp_path / "whole", constraints)
    cut, second = scored(tmp_path / "cut", constraints, cells_per_file=700, shards=3)

    assert whole.equals(cut)
    assert first == second


def test_parts_of_constrained_prices_add_up_to_the_cent(tmp_path):
    table, _ = scored(tmp_path / "v", {"volume": VOLUME, "some": SOME}, details=["parts"])

    parts = ["unit_cost", "shadow_price", "sensitivity_markup", "opportunity_value", "adjustment"]
    assert (table.select(pl.sum_horizontal(parts)).to_series() == table["price"]).all()
    assert (table["shadow_price"] < 0).any()


def test_a_warm_start_is_quicker(tmp_path):
    _, first = scored(tmp_path / "first", {"volume": VOLUME})
    _, again = scored(tmp_path / "again", {"volume": VOLUME}, warm_start=tmp_path / "first" / "_record")

    assert again["passes"] < first["passes"]


def test_a_warm_start_of_nothing_is_said(tmp_path, caplog):
    scored(tmp_path / "prices", {}, warm_start=tmp_path / "none")

    assert "paths.warm_start is not read: the policy has no constraints" in caplog.text


def test_what_cannot_be_met_is_relaxed_or_refused_as_configured(tmp_path):
    _, relaxed = scored(tmp_path / "relaxed", IMPOSSIBLE)

    assert relaxed["status"] == "relaxed"
    with pytest.raises(Refused, match=r"policy\.constraints must be met together, found that they cannot be: revenue"):
        scored(tmp_path / "refused", IMPOSSIBLE, on_infeasible="refuse")
    assert not (tmp_path / "refused" / "_record" / "run.json").exists()


def by_hand(folder):
    """A file of prices for single segments: some at today's price, some where no bound allows them."""
    some = MARKET[1].sort("product_id").gather_every(37)
    rows = some.select("product_id", segment_id=pl.lit("s001"), price="price", note=pl.lit("as it was"))
    odd = some.select("product_id", segment_id=pl.lit("s003"), price=pl.lit(77.77), note=pl.lit("never mind"))
    pl.concat([rows, odd]).write_parquet(folder / "by_hand.parquet")
    return {"overrides": str(folder / "by_hand.parquet"), "details": ["note"]}


def test_constraints_that_do_not_bind_change_no_price_set_by_hand(tmp_path):
    loose = {"loose": {"measure": "units", "at_least": 0.0}}

    without, _ = scored(tmp_path / "without", {}, **by_hand(tmp_path))
    constrained, certificate = scored(tmp_path / "constrained", loose, **by_hand(tmp_path))

    assert without.equals(constrained)
    assert (without["binding"] == "override").sum() == 2 * len(range(0, 1200, 37))
    assert certificate["gap"] < 1e-9


def test_prices_set_by_hand_for_single_segments_count_for_the_constraints(tmp_path):
    artefact, catalog = MARKET

    table, certificate = scored(tmp_path / "v", {"volume": VOLUME}, **by_hand(tmp_path))

    price = table["price"].cast(pl.Float64).to_numpy().reshape(-1, 6)
    set_by_hand = table.filter(pl.col("binding") == "override")
    assert set_by_hand.filter(pl.col("segment_id") == "s003")["price"].cast(pl.Float64).unique().to_list() == [77.77]
    assert set(set_by_hand["note"]) == {"as it was", "never mind"}
    entry = certificate["constraints"]["volume"]
    assert entry["achieved"] == pytest.approx(sums_at(artefact, catalog, price)[0], rel=1e-9)
    assert certificate["status"] == "met"
    assert certificate["gap"] < 1e-4


@pytest.mark.parametrize(("wish", "status"), [("relax", 0), ("refuse", 3)])
def test_command_ends_as_configured_where_constraints_cannot_be_met(gpu_pricer, tmp_path, wish, status):
    write_shop(tmp_path)
    overrides = (
        "+policy.constraints.revenue={measure: revenue, at_least: 1.3, relative_to: current_prices}",
        "+policy.constraints.rate={measure: margin_rate, at_least: 1.3, relative_to: current_prices, priority: 2}",
    )

    ended = gpu_pricer("score", "policy=profit", "paths.shards=prices/one", f"policy.on_infeasible={wish}", *overrides)

    said = ended.said if status else [line for line in ended.log if "WARNING" in line]
    assert ended.status == status
    assert any("rate asks for margin_rate at_least" in line for line in said)
    assert (tmp_path / "prices/one/_record/run.json").exists() == (status == 0)


def test_a_folder_that_is_scored_again_without_constraints_proves_nothing(tmp_path):
    scored(tmp_path / "v", {"volume": VOLUME, "stock": {"measure": "units", "at_most": "stock", "per": "product_id"}})

    _, certificate = scored(tmp_path / "v", {})

    assert certificate is None
    assert not (tmp_path / "v" / "_record" / "stock_prices.parquet").exists()


def test_certificate_holds_the_cost_of_every_rule_on_demand(gpu_pricer, tmp_path):
    write_shop(tmp_path)
    constrained = (
        "+policy.constraints.volume={measure: units, at_least: 1.02, relative_to: current_prices}",
        *FEW_RULES,
    )

    kept, loose = (
        gpu_pricer("score", "policy=profit", f"paths.shards=prices/{name}", "score.leave_one_out=true", *rules)
        for name, rules in (("with", constrained), ("without", FEW_RULES))
    )

    assert (kept.status, loose.status) == (0, 0)
    records = (tmp_path / f"prices/{name}/_record/certificate.json" for name in ("with", "without"))
    kept, loose = (json.loads(record.read_text()) for record in records)
    entry = kept["costs"]["constraints.volume"]
    assert set(kept["costs"]) == {"bounds.max_decrease", "bounds.max_increase", "constraints.volume"}
    assert entry["cost"] == pytest.approx(entry["objective_without"] - kept["objective"])
    assert entry["objective_without"] == pytest.approx(loose["objective"], rel=1e-6)
    assert entry["cost"] > 0
    assert kept["constraints"]["volume"]["shadow_price"] > 0


def test_a_stock_search_that_ends_early_rations_what_it_did_not_keep(tmp_path, monkeypatch):
    for name in ("STOCK_PASSES", "TRIES"):
        monkeypatch.setattr(f"gpu_pricer.constraints.solver.{name}", 1)
    shelf = {"measure": "units", "at_most": "stock", "per": "product_id"}

    _, certificate = scored(tmp_path / "v", {"shelf": shelf})

    limits = pl.read_parquet(tmp_path / "v/_record/stock_prices.parquet")
    over = limits.filter(pl.col("units") > pl.col("limit"))
    assert over.height == certificate["stock"]["rationed_products"] > 0
    assert (over["units"] - over["limit"]).sum() == pytest.approx(certificate["stock"]["rationed_units"], rel=1e-9)
    assert certificate["objective"] <= certificate["dual_bound"]
    assert certificate["status"] == "met"


def test_a_condition_may_name_single_products(tmp_path):
    one = {"measure": "units", "at_least": 1.0, "relative_to": "current_prices", "where": "product_id = 'p0000007'"}

    _, certificate = scored(tmp_path / "v", {"one": one})

    assert certificate["status"] == "met"


def test_unknown_columns_are_refused_before_anything_is_priced(tmp_path):
    with pytest.raises(InputError, match=r"constraints\.pets\.where must read columns .* found colour"):
        scored(tmp_path / "v", {"pets": {**PETS, "where": "colour = 'red'"}})


@pytest.mark.parametrize(
    ("constraints", "message"),
    [
        ({"a": 3}, "policy.constraints.a must be a mapping or null, found 3"),
        ({"a": {"at_least": 1.0}}, "policy.constraints.a must have a measure and none but measure, at_least"),
        ({"a": {"measure": "units", "floor": 1.0}}, "found floor"),
        ({"a": {"measure": "joy", "at_least": 1.0}}, "policy.constraints.a: measure must be one of units"),
        ([], "policy.constraints must be a mapping, found []"),
    ],
)
def test_constraints_without_sense_are_refused_in_one_line(constraints, message):
    with pytest.raises(ValueError, match=r"^policy\.constraints") as error:
        replace(a_policy(), constraints=constraints)

    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_price_index_without_todays_price_is_refused_in_one_line(refused, tmp_path):
    write_shop(tmp_path)
    is_third = pl.int_range(pl.len()) == 2
    unpriced = MARKET[1].with_columns(price=pl.when(is_third).then(None).otherwise("price"))
    unpriced.write_parquet(tmp_path / "work/data/products.parquet")

    said = refused("score", "+policy.constraints.index={measure: price_index, at_most: 1.0}", *FEW_RULES)

    assert "price|nullability in 1 rows" in said
    assert "p0000002" in said


def test_certificate_lists_the_limit_of_each_department(gpu_pricer, tmp_path):
    write_shop(tmp_path)
    each = "+policy.constraints.no_dearer={measure: price_index, at_most: 1.0, each: department}"

    ended = gpu_pricer("score", "policy=profit", each, *FEW_RULES)

    assert ended.status == 0, ended
    certificate = json.loads(next(tmp_path.glob("prices/*/_record/certificate.json")).read_text())
    departments = sorted(MARKET[1]["department"].unique())
    assert list(certificate["constraints"]) == [f"no_dearer[{department}]" for department in departments]
    assert all(entry["achieved"] <= 1 + 1e-12 for entry in certificate["constraints"].values())


def test_balanced_keeps_units_and_prices_of_every_department(gpu_pricer, tmp_path):
    write_shop(tmp_path)

    ended = gpu_pricer("score", "policy=balanced", *FEW_RULES)

    assert ended.status == 0, ended
    certificate = json.loads(next(tmp_path.glob("prices/*/_record/certificate.json")).read_text())
    table = pl.read_parquet(tmp_path / "prices/*/*.parquet")
    move = table["price"].cast(pl.Float64) / table["today_price"].cast(pl.Float64) - 1
    assert certificate["status"] == "met"
    assert len(certificate["constraints"]) == 2 * MARKET[1]["department"].n_unique()
    assert (move.min(), move.max()) == (pytest.approx(-0.1, abs=0.01), pytest.approx(0.1, abs=0.01))
    assert move.abs().max() <= 0.1 + 1e-9
    for name, entry in certificate["constraints"].items():
        is_units = name.startswith("keep_units")
        assert entry["achieved"] >= entry["today"] * (1 - 1e-12) if is_units else entry["achieved"] <= 1 + 1e-12


def test_balanced_without_departments_keeps_them_over_everything_and_says_so(gpu_pricer, tmp_path):
    write_shop(tmp_path)
    MARKET[1].drop("department").write_parquet(tmp_path / "work/data/products.parquet")

    ended = gpu_pricer("score", "policy=balanced", *FEW_RULES)

    assert ended.status == 0, ended
    certificate = json.loads(next(tmp_path.glob("prices/*/_record/certificate.json")).read_text())
    assert list(certificate["constraints"]) == ["keep_units", "no_dearer"]
    assert sum("has no column department, one limit applies to the whole assortment" in line for line in ended.log) == 2
