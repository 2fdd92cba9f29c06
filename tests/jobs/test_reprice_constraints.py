"""reprice under constraints: the multipliers stay, untouched prices too, and the certificate says what that costs."""

import json
from dataclasses import replace
from itertools import product

import numpy as np
import polars as pl
import pytest

from gpu_pricer.constraints.kept_multipliers import Tolerance, of_categories
from gpu_pricer.policy.ladder import Ladder
from gpu_pricer.pricing import Tiling
from gpu_pricer.tables.events import updated_catalog
from gpu_pricer.tables.version.seal import require_sealed
from gpu_pricer.versions.priced_catalog import PricedCatalog
from gpu_pricer.versions.repriced_version import Base, catalog_of_base, reprice
from gpu_pricer.versions.scored_version import score
from gpu_pricer.versions.version_sources import Sources
from tests.constraints.markets import AROUND_TODAY, QUARTERS, department_market
from tests.constraints.oracle import sums_at
from tests.markets import NO_RULES, a_policy

TODAY = "current_prices"
KEEP = {
    "volume": {"measure": "units", "at_least": 1.01, "relative_to": TODAY},
    "index": {"measure": "price_index", "at_most": 0.99, "each": "department"},
    "rate": {"measure": "margin_rate", "at_least": 1.05, "relative_to": TODAY, "where": "department = 'drinks'"},
}
STOCK = {"shelf": {"measure": "units", "at_most": "stock", "per": "product_id"}}
WIDE, NONE = Tolerance(max_violation=0.01, max_gap_increase=0.01), Tolerance(max_violation=0.0, max_gap_increase=1.0)
ARTEFACT, CATALOG = department_market(3, 240, 3, category_size=8)
TILING = Tiling(layout="long", cells_per_file=150, shards=1, shard=None, writers=1)


def scored(folder, catalog, policy, artefact=ARTEFACT):
    """A full run on the catalog, as the base of events."""
    made = score(artefact, PricedCatalog(catalog), policy, TILING, folder, "cpu")
    return Base(folder, made, Sources(artefact, catalog, policy))


def after(base, events, folder, tolerance=WIDE):
    """The version after events on a base, as the base of further ones."""
    events = pl.concat([pl.DataFrame(schema={"withdrawn": pl.Float64}), pl.DataFrame(events)], how="diagonal")
    priced = catalog_of_base(base, updated_catalog(base.sources.catalog, events), base.sources.policy)
    made = reprice(base, priced, folder, TILING, tolerance, lambda version: None)
    require_sealed(folder)
    return Base(folder, made, base.sources._replace(catalog=priced.catalog))


def rows_of(base):
    """The rows of a version with each product's category, sorted as the oracle takes them."""
    rows = pl.read_parquet(base.folder / "*.parquet")
    return rows.join(base.sources.catalog.select("product_id", "category_id"), on="product_id").sort(
        "category_id", "product_id", "segment_id"
    )


def matrix(base, column="price"):
    """A column of the version's rows, [P, S]."""
    values = rows_of(base)[column].cast(pl.Float64).to_numpy()
    return values.reshape(-1, base.version.segments)


def certificate_of(base):
    return json.loads((base.folder / "_record/certificate.json").read_text())


def drawn_events(rng, catalog, products=4):
    """Other costs, prices and stocks of some products, a withdrawn one and a new one in a new category."""
    some = rng.choice(catalog["product_id"].to_numpy(), products, replace=False)
    known = catalog.filter(pl.col("product_id").is_in(some)).sort("product_id")
    changed = known.select(
        "product_id",
        cost=pl.col("cost") * pl.Series(rng.uniform(0.97, 1.03, products)),
        price=(pl.col("price") * pl.Series(rng.choice([1.0, 1.02], products))).round(2),
        stock=pl.col("stock") * 0.8,
    )
    gone = changed.tail(1).select("product_id", withdrawn=pl.lit(1.0))
    return pl.concat([changed.head(products - 1), gone], how="diagonal")


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A version under constraints that couple all categories."""
    return scored(tmp_path_factory.mktemp("base") / "base", CATALOG, a_policy(AROUND_TODAY, QUARTERS, constraints=KEEP))


def test_events_that_change_nothing_leave_every_price_and_every_sum(base, tmp_path):
    same = CATALOG.head(5).select("product_id", "cost")

    made = after(base, same, tmp_path / "next", Tolerance(0.0, 0.0))

    assert len(set(made.version.origins)) == 1
    assert rows_of(made).equals(rows_of(base))
    before, now = certificate_of(base), certificate_of(made)
    assert now | {"kept": None, "passes": 0} == before | {"passes": 0}
    assert now["kept"] == {
        "solved": "base",
        "gap_when_solved": before["gap"],
        "largest_violation": 0.0,
        "categories_priced": 0,
    }


def test_untouched_categories_keep_their_prices_bit_for_bit(base, tmp_path):
    made = after(base, {"product_id": ["p0000100"], "cost": [1.0]}, tmp_path / "next")

    touched = CATALOG.filter(product_id="p0000100")["category_id"].item()
    apart = pl.col("category_id") != touched
    assert rows_of(made).filter(apart).equals(rows_of(base).filter(apart))
    assert not rows_of(made).filter(~apart).equals(rows_of(base).filter(~apart))
    assert made.version.origins.count("base") == len(made.version.files) - 1


def test_certificate_holds_of_the_prices_after_a_chain_of_events(base, tmp_path):
    rng, now = np.random.default_rng(4), base

    for number in range(2):
        now = after(now, drawn_events(rng, now.sources.catalog), tmp_path / f"event{number}")

        certificate, catalog = certificate_of(now), now.sources.catalog
        price, today = matrix(now), matrix(now, "today_price")
        assert certificate["kept"]["solved"] == "base"
        assert certificate["objective"] == pytest.approx(sums_at(ARTEFACT, catalog, price)[2], rel=1e-9)
        assert certificate["objective"] <= certificate["dual_bound"]
        products = catalog.sort("category_id", "product_id")
        drinks = (products["department"] == "drinks").to_numpy()[:, None] & np.ones(3, np.bool_)
        volume, rate = certificate["constraints"]["volume"], certificate["constraints"]["rate"]
        assert volume["achieved"] == pytest.approx(sums_at(ARTEFACT, catalog, price)[0], rel=1e-9)
        assert volume["required"] == pytest.approx(1.01 * sums_at(ARTEFACT, catalog, today)[0], rel=1e-9)
        assert volume["violation"] == max(volume["required"] - volume["achieved"], 0.0)
        (_, sold, profit), (_, before, earned) = (sums_at(ARTEFACT, catalog, at, drinks) for at in (price, today))
        assert rate["achieved"] == pytest.approx(profit / sold, rel=1e-9)
        assert rate["required"] == pytest.approx(1.05 * earned / before, rel=1e-9)
        assert certificate["status"] == ("relaxed" if certificate["kept"]["largest_violation"] > 0 else "met")


def test_limits_relative_to_the_anchor_hold_after_events(tmp_path):
    catalog = CATALOG.with_columns(anchor_price=(pl.col("price") * 1.05).round(2))
    rules = replace(AROUND_TODAY, anchor={"column": "anchor_price", "max_increase": 0.2, "max_decrease": 0.3})
    keep = {
        "volume": {"measure": "units", "at_least": 1.1, "relative_to": "anchor_prices"},
        "index": {"measure": "price_index", "at_most": 0.94, "relative_to": "anchor_prices", "each": "department"},
    }
    base = scored(tmp_path / "base", catalog, a_policy(rules, QUARTERS, constraints=keep))

    same = after(base, catalog.head(5).select("product_id", "cost"), tmp_path / "same", Tolerance(0.0, 0.0))
    made = after(base, drawn_events(np.random.default_rng(4), catalog), tmp_path / "next")

    assert rows_of(same).equals(rows_of(base))
    certificate, known = certificate_of(made), made.sources.catalog
    anchor = np.repeat(known.sort("category_id", "product_id")["anchor_price"].to_numpy()[:, None], 3, axis=1)
    volume = certificate["constraints"]["volume"]
    assert volume["required"] == pytest.approx(1.1 * sums_at(ARTEFACT, known, anchor)[0], rel=1e-9)
    assert volume["achieved"] == pytest.approx(sums_at(ARTEFACT, known, matrix(made))[0], rel=1e-9)
    assert certificate["kept"]["solved"] == "base"
    assert certificate["objective"] == pytest.approx(sums_at(ARTEFACT, known, matrix(made))[2], rel=1e-9)


def test_bound_of_kept_multipliers_is_that_of_all_categories(base, tmp_path):
    """Prices of drinks move the limit on their rate, which enters the Lagrangian of every category of drinks."""
    event = CATALOG.filter(pl.col("department") == "drinks").head(1).select("product_id", price=pl.col("price") + 0.25)
    made = after(base, event, tmp_path / "next")

    nothing = event.select("product_id", "price")
    again = after(made, nothing, tmp_path / "again")
    sums = pl.read_parquet(made.folder / "_record/category_sums.parquet")
    assert certificate_of(again)["dual_bound"] == pytest.approx(certificate_of(made)["dual_bound"], rel=1e-12)
    assert sums["bound"].sum() >= certificate_of(made)["objective"]
    recorded = pl.read_parquet(base.folder / "_record/category_sums.parquet")
    moved = sums.join(recorded, on=["product_id", "constraint"], nulls_equal=True, suffix="_then").filter(
        pl.col("bound") != pl.col("bound_then")
    )
    departments = moved.select("product_id").join(CATALOG, on="product_id")["department"].unique().to_list()
    assert departments == ["drinks"]
    assert moved.height > 1


def best_of_all(artefact, catalog, ladder, bounds, required):
    """The best profit of one segment at all prices on the ladder within moves from today's whose units reach a number.

    The sums of each category are computed at all its prices, and then added for all pairs of two categories.
    """
    found = []
    for _, part in sorted(catalog.group_by("category_id")):
        allowed = [
            [x for x in ladder.prices if -bounds.max_decrease <= x / price - 1 <= bounds.max_increase]
            for price in sorted_prices(part)
        ]
        sums = [sums_at(artefact, part, np.array(price)[:, None]) for price in product(*allowed)]
        found.append(np.array(sums)[:, [0, 2]])
    both = found[0][:, None] + found[1]
    return both[..., 1][both[..., 0] >= required].max()


@pytest.mark.parametrize("seed", range(4))
def test_no_prices_within_the_limits_earn_more_than_the_bound(tmp_path, seed):
    artefact, catalog = department_market(seed, 4, 1, category_size=2)
    rungs = {round(price * share, 2) for price in sorted_prices(catalog) for share in (0.8, 0.9, 1.0, 1.1)}
    ladder, bounds = Ladder(None, sorted(rungs)), replace(NO_RULES, max_decrease=0.205, max_increase=0.105)
    volume = {"volume": {"measure": "units", "at_least": 1.05, "relative_to": TODAY}}
    base = scored(tmp_path / "base", catalog, a_policy(bounds, ladder, constraints=volume), artefact)
    event = catalog.head(2).select("product_id", cost=pl.col("cost") * 1.1)

    made = after(base, event, tmp_path / "next", Tolerance(1.0, 10.0))

    certificate = certificate_of(made)
    required = certificate["constraints"]["volume"]["required"] * (1 - 1e-12)
    best = best_of_all(artefact, made.sources.catalog, ladder, bounds, required)
    assert certificate["kept"] is not None
    assert best <= certificate["dual_bound"]
    assert best >= certificate["objective"] or certificate["status"] == "relaxed"


def sorted_prices(catalog):
    return catalog.sort("category_id", "product_id")["price"].to_list()


def test_limit_that_would_be_missed_by_too_much_is_solved_anew(base, tmp_path, caplog):
    events = CATALOG.head(40).select("product_id", cost=pl.col("cost") * 1.1)

    caplog.set_level("INFO")
    made = after(base, events, tmp_path / "next", NONE)

    assert "everything is priced again: policy.constraints." in caplog.text
    assert "more than reprice.max_violation=0" in caplog.text
    full = scored(tmp_path / "full", made.sources.catalog, base.sources.policy)
    assert rows_of(made).equals(rows_of(full))
    assert certificate_of(made) == certificate_of(full)
    assert certificate_of(made)["kept"] is None


def test_gap_that_grows_too_much_is_solved_anew(base, tmp_path, caplog):
    events = CATALOG.head(40).select("product_id", cost=pl.col("cost") * 0.8)

    caplog.set_level("INFO")
    made = after(base, events, tmp_path / "next", Tolerance(1.0, 0.0))

    assert "more than reprice.max_gap_increase=0 below" in caplog.text
    assert certificate_of(made)["kept"] is None


def test_limit_of_a_new_department_is_solved_for(base, tmp_path, caplog):
    new = {"product_id": ["p0000001"], "category_id": ["own"], "department": ["garden"]}

    caplog.set_level("INFO")
    made = after(base, new, tmp_path / "next")

    assert "ask for other limits after the events" in caplog.text
    assert "index[garden]" in certificate_of(made)["constraints"]


def test_limits_that_gave_way_are_settled_anew(tmp_path, caplog):
    most = {"most": {"measure": "units", "at_least": 3.0, "relative_to": TODAY}}
    base = scored(tmp_path / "base", CATALOG, a_policy(AROUND_TODAY, QUARTERS, constraints=most))
    assert certificate_of(base)["status"] == "relaxed"

    caplog.set_level("INFO")
    made = after(base, {"product_id": ["p0000001"], "cost": [1.0]}, tmp_path / "next")

    assert "base does not meet all limits, and which give way is settled anew" in caplog.text
    assert certificate_of(made)["status"] == "relaxed"


def test_stock_that_falls_is_kept_to_and_other_shadow_prices_stay(tmp_path):
    base = scored(tmp_path / "base", CATALOG, a_policy(AROUND_TODAY, QUARTERS, constraints=STOCK))
    limits = pl.read_parquet(base.folder / "_record/stock_prices.parquet")
    scarce = limits.filter(pl.col("shadow_price") > 0).head(3)
    less = scarce.select("product_id", stock=pl.col("limit") * 0.97)

    made = after(base, less, tmp_path / "next")

    now = pl.read_parquet(made.folder / "_record/stock_prices.parquet")
    assert now.filter(pl.col("units") - pl.col("rationed") > pl.col("limit") * (1 + 1e-9)).is_empty()
    joined = scarce.join(now, on="product_id", suffix="_now")
    assert (joined["limit_now"] == less["stock"]).all()
    assert (joined["shadow_price_now"] > 0).all()
    others = now.join(scarce, on="product_id", how="anti").sort("product_id")
    before = limits.join(scarce, on="product_id", how="anti").sort("product_id")
    assert others.select("product_id", "shadow_price").equals(before.select("product_id", "shadow_price"))
    certificate, catalog = certificate_of(made), made.sources.catalog
    assert certificate["stock"]["rationed_units"] == pytest.approx(now["rationed"].sum(), rel=1e-12)
    assert certificate["objective"] <= sums_at(ARTEFACT, catalog, matrix(made))[2] * (1 + 1e-9)
    assert certificate["objective"] <= certificate["dual_bound"]


def test_category_takes_the_iterate_of_most_of_its_products():
    start, recorded = np.array([0, 3, 5, 7]), np.array([1, 1, 0, -1, 2, -1, -1])

    assert of_categories(recorded, start, 3).tolist() == [1, 1, 1, 2, 2, 1, 1]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"max_violation": -0.1, "max_gap_increase": 0.0}, "reprice.max_violation must be"),
        ({"max_violation": 0.0, "max_gap_increase": "much"}, "reprice.max_gap_increase must be"),
    ],
)
def test_tolerance_must_be_numbers_from_0(settings, said):
    with pytest.raises(ValueError, match=said):
        Tolerance(**settings)
