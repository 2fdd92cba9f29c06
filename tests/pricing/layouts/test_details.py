"""Columns on request: parts add up to the price and are what they say, flags and notes are those of the rows."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from gpu_pricer.policy.ladder import Ladder
from gpu_pricer.policy.objective import Objective
from gpu_pricer.pricing.problem.pricing_problem import pricing_problem
from gpu_pricer.pricing.tiles.solved_tile import solve_tile
from gpu_pricer.pricing.tiling import Tiling
from gpu_pricer.tables.price_table import PARTS
from tests.markets import NO_RULES, USUAL, a_policy, catalog_of, small_artefact, with_dissimilarity
from tests.pricing.logit import dense_demand
from tests.pricing.tile_file import rows_of

ALL = ["parts", "personalised", "note"]
POLICIES = {
    "usual": a_policy(),
    "without rules": a_policy(NO_RULES, None),
    "revenue": a_policy(NO_RULES, None, Objective(1.0, 1.0)),
    "uniform": a_policy(replace(USUAL, max_segment_ratio=1.0)),
    "budget": a_policy(replace(USUAL, max_changes=20)),
    "no rung": a_policy(USUAL, Ladder(None, [1.5, 90.0])),
}


def detailed(artefact, policy, details=ALL):
    problem = pricing_problem(artefact, catalog_of(artefact), policy)
    return rows_of(solve_tile(problem, 0, len(problem.products.category_start) - 1, "cpu"), "long", details)


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
@pytest.mark.parametrize("outside_option", [True, False])
def test_parts_add_up_to_the_cent_on_every_row(policy, outside_option):
    artefact = small_artefact(41, segments=7)
    artefact = replace(artefact, info=replace(artefact.info, outside_option=outside_option))

    table = detailed(artefact, policy, ["parts"])

    assert (table.select(pl.sum_horizontal(PARTS)).to_series() == table["price"]).all()


def test_interior_price_needs_no_adjustment_but_the_cent():
    artefact = with_dissimilarity(small_artefact(42, segments=7), {"c1": 0.3, "c2": 0.7})

    for policy in (a_policy(NO_RULES, None), a_policy(NO_RULES, None, Objective(1.0, 2.0))):
        table = detailed(artefact, policy).filter(binding="none")
        assert table["adjustment"].cast(pl.Float64).abs().max() <= 0.03


def test_parts_are_what_their_names_say():
    artefact = small_artefact(43, segments=2, products=4, categories=1)
    catalog = catalog_of(artefact)

    table = detailed(artefact, a_policy(NO_RULES, None)).sort("segment_id", "product_id")

    known = artefact.products.join(catalog.select("product_id", "cost"), on="product_id").sort("product_id")
    for segment, s in dense_demand(artefact).segments():
        rows = table.filter(segment_id=segment)
        price = rows["price"].cast(pl.Float64).to_numpy()
        units = known["units_per_choice"].to_numpy()
        share = rows["expected_units"].to_numpy() / 1000 / units
        slope = dense_demand(artefact).sensitivity[s] / known["reference_price"].to_numpy()
        margin = units * (price - known["cost"].to_numpy())
        others = ((margin * share).sum() - margin * share) / (1 - share) / units

        assert rows["unit_cost"].cast(pl.Float64).to_numpy() == pytest.approx(known["cost"].to_numpy(), abs=0.0051)
        assert rows["shadow_price"].cast(pl.Float64).abs().max() == 0
        markup = rows["sensitivity_markup"].cast(pl.Float64).to_numpy()
        assert markup == pytest.approx(1 / (slope * (1 - share)), abs=0.006)
        assert rows["opportunity_value"].cast(pl.Float64).to_numpy() == pytest.approx(others, abs=0.006)


def test_revenue_weight_is_a_shadow_price_below_zero():
    table = detailed(small_artefact(44), a_policy(NO_RULES, None, Objective(1.0, 1.0)))

    half = -table["unit_cost"].cast(pl.Float64) / 2
    assert table["shadow_price"].cast(pl.Float64).to_numpy() == pytest.approx(half.to_numpy(), abs=0.011)


def test_personalised_says_whether_segments_differ():
    artefact = small_artefact(45)

    table = detailed(artefact, a_policy())
    one = detailed(artefact, a_policy(replace(USUAL, max_segment_ratio=1.0)))

    spread = table.group_by("product_id").agg(pl.col("price").n_unique() > 1, pl.col("personalised").unique())
    assert (spread["price"] == spread["personalised"].list.first()).all()
    assert spread["personalised"].list.len().max() == 1
    assert table["personalised"].any()
    assert not one["personalised"].any()


def test_note_of_an_override_travels_into_its_rows(tmp_path):
    artefact = small_artefact(46)
    by_hand = {
        "product_id": ["p001", "p001", "p002"],
        "segment_id": [None, "s1", "s0"],
        "price": [3.0, 2.5, 4.0],
        "note": ["ad", "trial", None],
    }
    pl.DataFrame(by_hand).write_parquet(tmp_path / "x.parquet")

    table = detailed(artefact, a_policy(overrides=str(tmp_path / "x.parquet")))

    noted = table.filter(pl.col("note") != "")
    assert noted["product_id"].unique().to_list() == ["p001"]
    assert noted.filter(segment_id="s1")["note"].to_list() == ["trial"]
    assert set(noted.filter(pl.col("segment_id") != "s1")["note"]) == {"ad"}
    assert noted["price"].cast(pl.Float64).to_list() == [2.5 if s == "s1" else 3.0 for s in noted["segment_id"]]
    assert table.filter(product_id="p002", segment_id="s0")["binding"].to_list() == ["override"]


@pytest.mark.parametrize(
    ("layout", "details", "message"),
    [
        ("long", ["part"], r"score.details must be a list of parts, personalised, note, interval, found \['part'\]"),
        ("long", "parts", r"score.details must be a list of .*, found 'parts'"),
        ("wide", ["parts"], r"score.details needs score.layout long, found wide with \['parts'\]"),
    ],
)
def test_bad_details_are_refused(layout, details, message):
    with pytest.raises(ValueError, match=message):
        Tiling(layout, 100, 1, None, 1, details)


def test_details_leave_the_other_columns_alone():
    artefact = small_artefact(47, segments=70, products=30)

    plain, full = detailed(artefact, a_policy(), []), detailed(artefact, a_policy())

    assert full.select(plain.columns).equals(plain)
    assert np.array_equal(plain["expected_units"].to_numpy(), full["expected_units"].to_numpy())
