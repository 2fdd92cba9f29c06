"""What each rule costs, and the presets as a retailer starts from them."""

import json
from dataclasses import replace

import polars as pl
import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from gpu_pricer import CONF
from gpu_pricer.constraints.certificate import add_costs
from gpu_pricer.constraints.rule_costs import RULE_OFF, rule_costs, without_each
from gpu_pricer.policy.policy import Policy
from gpu_pricer.pricing.problem.pricing_problem import pricing_problem
from gpu_pricer.pricing.tiles.solved_tile import solve_tile
from gpu_pricer.pricing.tiles.tally import tally_of
from gpu_pricer.pricing.tiling import Tiling
from tests.markets import NO_RULES, USUAL, a_policy, catalog_of, small_artefact
from tests.pricing.test_guardrails import priced, with_families

TILES = Tiling("long", 60, 2, None, 1)


def profit(artefact, catalog, policy):
    problem = pricing_problem(artefact, catalog, policy)
    return tally_of(solve_tile(problem, 0, len(problem.products.category_start) - 1, "cpu")).profit_new


def test_cost_is_the_profit_that_a_run_without_the_rule_makes_more():
    artefact = small_artefact(51)
    catalog, policy = catalog_of(artefact), a_policy()

    found = rule_costs(artefact, catalog, policy, TILES, "cpu")

    assert found["objective"] == pytest.approx(profit(artefact, catalog, policy), rel=1e-5)
    without = profit(artefact, catalog, a_policy(replace(USUAL, max_increase=None)))
    entry = found["costs"]["bounds.max_increase"]
    assert entry["objective_without"] == pytest.approx(without, rel=1e-5)
    assert entry["cost"] == entry["objective_without"] - found["objective"] > 0
    costs = [rule["cost"] for rule in found["costs"].values()]
    assert costs == sorted(costs, reverse=True)
    assert set(found["costs"]) == {
        "bounds.max_decrease", "bounds.max_increase", "bounds.min_margin_rate", "bounds.within_support", "ladder"
    }  # fmt: skip


def test_cost_of_caps_and_families_is_reported(tmp_path):
    artefact = small_artefact(52)
    catalog = with_families(catalog_of(artefact), {"a": ["p000", "p006"]}).with_columns(price=pl.lit(4.0), cost=2.0)
    rules = replace(NO_RULES, max_decrease=0.5, max_increase=0.5, max_segment_ratio=1.0, family_column="family_id")

    found = rule_costs(artefact, catalog, a_policy(rules), TILES, "cpu")
    written = json.loads(add_costs(tmp_path, found).read_text())

    assert found["costs"]["bounds.max_segment_ratio"]["cost"] > 0
    assert found["costs"]["bounds.family_column"]["cost"] > 0
    assert {name: written[name] for name in found} == found
    assert (written["status"], written["constraints"], written["dual_bound"]) == ("met", {}, None)


def test_cost_of_a_constraint_is_reported_beside_the_rules():
    artefact = small_artefact(55, segments=6, products=40, categories=8)
    constraints = {"keep_volume": {"measure": "units", "at_least": 1.0, "relative_to": "current_prices"}}

    found = rule_costs(artefact, catalog_of(artefact), a_policy(constraints=constraints), TILES, "cpu")
    plain = rule_costs(artefact, catalog_of(artefact), a_policy(), TILES, "cpu")

    entry = found["costs"]["constraints.keep_volume"]
    assert entry["cost"] > 0
    assert entry["objective_without"] == pytest.approx(plain["objective"], rel=1e-6)


def test_cost_of_a_price_index_is_what_dearer_prices_would_earn():
    artefact = small_artefact(55, segments=6, products=40, categories=8)
    constraints = {"no_dearer": {"measure": "price_index", "at_most": 1.0}}

    found = rule_costs(artefact, catalog_of(artefact), a_policy(constraints=constraints), TILES, "cpu")
    plain = rule_costs(artefact, catalog_of(artefact), a_policy(), TILES, "cpu")

    entry = found["costs"]["constraints.no_dearer"]
    assert entry["cost"] > 0
    assert entry["objective_without"] == pytest.approx(plain["objective"], rel=1e-6)


def test_every_rule_of_the_bounds_can_be_left_out():
    settings = {"competitor_columns", "competitor_of"}

    assert set(RULE_OFF) | settings == set(vars(NO_RULES))
    assert {name: getattr(NO_RULES, name) for name in RULE_OFF} == dict(RULE_OFF)
    assert list(without_each(a_policy(NO_RULES, None))) == []


# ------------------------------------------------------------------------------------------------------- presets


def preset(name):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return instantiate(compose("config", [f"policy={name}"]).policy)


@pytest.mark.parametrize("name", sorted(path.stem for path in (CONF / "policy").glob("*.yaml")))
def test_every_preset_prices_a_market(name):
    policy = preset(name)
    artefact = small_artefact(53)

    catalog = catalog_of(artefact).with_columns(anchor_price=pl.col("price"))  # what the job adds on its first night

    table = priced(artefact, catalog, policy)

    assert isinstance(policy, Policy)
    move = (table["price"].cast(pl.Float64) / table["today_price"].cast(pl.Float64) - 1).to_numpy()
    assert move.min() >= -policy.bounds.max_decrease - 1e-9
    assert (move[table["binding"].to_numpy() != "min_margin_rate"] <= policy.bounds.max_increase + 1e-9).all()


def test_presets_do_what_they_are_named_after():
    artefact = small_artefact(54, segments=6, products=40, categories=8)
    catalog = catalog_of(artefact).with_columns(cost=pl.col("price") * 0.4)

    tables = {name: priced(artefact, catalog, preset(name)) for name in ("profit", "growth", "clearance", "safe")}

    visits = artefact.segments
    sums = {name: table.join(visits, on="segment_id").select(
        units=(pl.col("expected_units") * pl.col("visits")).sum(),
        revenue=(pl.col("expected_units") * pl.col("price").cast(pl.Float64) * pl.col("visits")).sum(),
        profit=(pl.col("expected_profit") * pl.col("visits")).sum(),
    ).row(0, named=True) for name, table in tables.items()}  # fmt: skip
    assert sums["profit"]["profit"] == max(entry["profit"] for entry in sums.values())
    assert sums["growth"]["revenue"] > sums["profit"]["revenue"]
    assert sums["clearance"]["units"] == max(entry["units"] for entry in sums.values())
    assert (tables["clearance"]["price"] <= tables["clearance"]["today_price"]).all()
    assert (tables["safe"].group_by("product_id").agg(pl.col("price").n_unique())["price"] == 1).all()
