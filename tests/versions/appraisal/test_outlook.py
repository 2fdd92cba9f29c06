"""The outlook of a version: the gain of every draw, the profit of one price list, and what the data leave open."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from gpu_pricer.policy.objective import Objective
from gpu_pricer.pricing import Tiling, pricing_problem
from gpu_pricer.pricing.problem.posterior_draws import has_own_draws, posterior_draws
from gpu_pricer.versions.appraisal.outlook import (
    count_inelastic,
    count_published,
    gain_of_draws,
    has_rationed,
    outlook_of,
    share_of_units,
    vague_categories,
)
from gpu_pricer.versions.appraisal.uniform_prices import UniformProfit, uniform_profit
from gpu_pricer.versions.priced_catalog import PricedCatalog
from gpu_pricer.versions.scored_version import score
from tests.markets import (
    USUAL,
    a_policy,
    catalog_of,
    small_artefact,
    with_dissimilarity,
    with_posterior,
    with_stand_ins,
)

ARTEFACT = with_posterior(small_artefact(7, form="dense"), 0.2)
CATALOG = catalog_of(ARTEFACT).with_columns(availability=pl.lit(1.0))
PROBLEM = pricing_problem(ARTEFACT, CATALOG, a_policy())
ONE_SHARD = Tiling("long", 10**6, 1, None, 1)
VOLUME = {"units": {"measure": "units", "at_least": 1.0, "relative_to": "current_prices"}}


def draws_of(artefact):
    categories = artefact.products["category_id"].unique().sort()
    return posterior_draws(artefact, categories)


def profit_by_hand(draw, price):
    """Return the profit at prices [P, S] in currency, products by category and id, from the artefact's own tables."""
    products = ARTEFACT.products.with_row_index("row").join(CATALOG.select("product_id", "cost"), on="product_id")
    products = products.sort("category_id", "product_id")
    total = 0.0
    for s, segment in enumerate(sorted(ARTEFACT.segments["segment_id"])):
        row = ARTEFACT.segments["segment_id"].index_of(segment)
        seen = ARTEFACT.posterior.filter(segment_id=segment, draw=draw).select("category_id", "log_deviation")
        cells = products.join(seen, on="category_id", how="left", maintain_order="left")
        at = products["row"].to_numpy()
        sensitivity = ARTEFACT.factors["sensitivity"][row, at] * np.exp(cells["log_deviation"].to_numpy())
        utility = ARTEFACT.factors["appeal"][row, at] - sensitivity * (price[:, s] / cells["reference_price"] - 1)
        cells = cells.with_columns(weight=np.exp(utility), price=price[:, s])
        share = pl.col("weight") / (1 + pl.col("weight").sum().over("category_id"))
        earned = share * pl.col("units_per_choice") * (pl.col("price") - pl.col("cost"))
        total += ARTEFACT.segments["visits"][row] * cells.select(earned.sum()).item()
    return total


def test_gain_of_a_draw_is_what_its_demand_earns_more_than_at_todays_prices():
    rng = np.random.default_rng(1)
    today = np.repeat(PROBLEM.products.today[:, None], 5, axis=1).astype(np.int64)
    price = (today * rng.uniform(0.8, 1.1, today.shape)).astype(np.int64)

    gains = gain_of_draws(PROBLEM, draws_of(ARTEFACT), price)

    by_hand = [profit_by_hand(draw, price / 100) - profit_by_hand(draw, today / 100) for draw in range(20)]
    assert gains == pytest.approx(np.array(by_hand), rel=1e-6)


def scored(folder, policy, catalog=CATALOG):
    version = score(ARTEFACT, PricedCatalog(catalog), policy, ONE_SHARD, folder, "cpu")
    catalog.write_parquet(folder.parent / "catalog.parquet")
    return version, outlook_of(version, folder, ARTEFACT, folder.parent / "catalog.parquet", policy)


def test_outlook_holds_the_profit_of_one_price_list(tmp_path):
    version, found = scored(tmp_path / "own", a_policy())
    uniform, _ = scored(tmp_path / "one", a_policy(replace(USUAL, max_segment_ratio=1.0)))

    assert found.uniform == UniformProfit(pytest.approx(uniform.tally.profit_new), is_bound=False)
    assert found.uniform.profit < version.tally.profit_new
    estimate = version.tally.profit_new - version.tally.profit_today
    assert found.gain.low < estimate < found.gain.high
    assert found.gain.low < found.gain.mean < found.gain.high
    assert found.categories == 6


def test_one_price_list_is_not_judged_by_its_profit_where_the_policy_asks_for_revenue(tmp_path):
    _, found = scored(tmp_path / "mixed", a_policy(objective=Objective(profit=0.5, revenue=0.5)))

    assert found.uniform is None


@pytest.mark.parametrize(("limit", "is_rationed"), [(1e-3, True), (1e6, False)])
def test_gain_has_no_interval_where_limits_per_product_ration(tmp_path, limit, is_rationed):
    policy = a_policy(constraints={"stock": {"measure": "units", "at_most": "stock", "per": "product_id"}})

    version, found = scored(tmp_path / "own", policy, CATALOG.with_columns(stock=pl.lit(limit)))

    assert found.is_rationed == is_rationed
    assert (found.gain is None) == is_rationed
    assert (version.tally.units_today < 1) == is_rationed


def test_limit_that_holds_todays_demand_back_rations_though_the_new_prices_keep_to_it():
    dear = np.repeat(2 * PROBLEM.products.today[:, None], 5, axis=1).astype(np.int64)
    demand = PROBLEM.demand.tile(0, len(dear))
    asked = [
        PROBLEM.totals(demand, 0, PROBLEM.category_count, price).chosen[:, 0] * PROBLEM.products.units_per_choice
        for price in (PROBLEM.products.today[:, None], dear)
    ]
    limits = pl.DataFrame({"product_id": PROBLEM.products.product_id, "limit": (asked[0] + asked[1]) / 2})

    assert has_rationed(PROBLEM, limits, dear)
    assert not has_rationed(PROBLEM, limits.with_columns(limit=pl.lit(1.01 * max(asked[0]))), dear)
    assert not has_rationed(PROBLEM, None, dear)


def test_outlook_bounds_the_profit_of_one_price_list_under_constraints(tmp_path):
    version, found = scored(tmp_path / "own", a_policy(constraints=VOLUME))
    one = a_policy(replace(USUAL, max_segment_ratio=1.0), constraints=VOLUME)
    uniform, _ = scored(tmp_path / "one", one)

    assert found.uniform.is_bound
    assert uniform.tally.profit_new <= found.uniform.profit * (1 + 1e-6)
    assert found.uniform.profit < version.tally.profit_new


def test_products_whose_availability_is_that_of_the_artefact_count_in_one_price_list(tmp_path):
    artefact = replace(ARTEFACT, products=ARTEFACT.products.with_columns(availability=pl.lit(1.0)))
    unknown = CATALOG.with_columns(availability=pl.lit(None, pl.Float64))

    of_catalog = uniform_profit(artefact, CATALOG, a_policy(), tmp_path, "cpu")

    assert uniform_profit(artefact, unknown, a_policy(), tmp_path, "cpu") == of_catalog


def test_ladder_of_a_category_off_the_shelf_hinders_no_price_list(tmp_path):
    first = CATALOG["category_id"].sort()[0]
    gone = CATALOG.with_columns(availability=(pl.col("category_id") != first).cast(pl.Float64))
    policy = a_policy(category_ladders={first: {"endings": [0.99]}})

    found = uniform_profit(ARTEFACT, gone, policy, tmp_path, "cpu")

    assert found == uniform_profit(ARTEFACT, gone, a_policy(), tmp_path, "cpu")


def test_no_price_list_is_sought_beside_rules_that_couple_cells_or_segments(tmp_path):
    coupled = {"max_segment_ratio": 1.0}, {"max_changes": 5}
    one_segment = {"units": VOLUME["units"] | {"where": "segment_id = 's1'"}}

    found = [scored(tmp_path / str(i), a_policy(replace(USUAL, **rule)))[1] for i, rule in enumerate(coupled)]
    found.append(scored(tmp_path / "segment", a_policy(constraints=one_segment))[1])

    assert [outlook.uniform for outlook in found] == [None, None, None]


def test_large_and_wide_tables_have_no_outlook(tmp_path, monkeypatch):
    version, _ = scored(tmp_path / "v", a_policy())
    of = tmp_path / "v", ARTEFACT, tmp_path / "catalog.parquet", a_policy()
    monkeypatch.setattr("gpu_pricer.versions.appraisal.outlook.MOST_CELLS", version.tally.rows - 1)

    assert outlook_of(version, *of) is None
    assert outlook_of(replace(version, layout="wide"), *of) is None


@pytest.mark.parametrize(("spread", "draws", "vague"), [(2.0, 40, 6), (0.05, 40, 0), (2.0, 10, 0)])
def test_a_category_is_vague_where_its_draws_are_as_wide_as_all_categories_together(spread, draws, vague):
    artefact = with_posterior(small_artefact(7, form="dense", segments=1), spread, draws)
    problem = pricing_problem(artefact, catalog_of(artefact), a_policy())

    found = vague_categories(problem, draws_of(artefact), np.ones(6, np.bool_))
    assert found.sum() == pytest.approx(vague, abs=2 if vague else 0)


@pytest.mark.parametrize(
    ("between", "deviation", "vague"),
    [(0.0, 1.0, 6), (0.6, 1.0, 6), (1.0, 1.0, 0), (0.0, 0.4, 0)],
)
def test_prior_is_as_wide_as_categories_differ_and_their_draws_together(between, deviation, vague):
    """Variances over draws of 1/4 or 1/25 by weight, between categories of 0, 0.09 or 1/4; 0.64 of their sum counts."""
    artefact = with_posterior(small_artefact(7, form="dense", segments=2), 1.0, 40)
    visits = artefact.segments.with_columns(visits=pl.Series([300.0, 100.0]))
    of_category = {f"c{k}": 2.0 * np.exp(between / 2 * (-1) ** k) for k in range(6)}
    own = artefact.products["category_id"].replace_strict(of_category).to_numpy()
    sign = pl.when((pl.col("draw") % 2 == 0) == (pl.col("segment_id") == visits["segment_id"][0])).then(1.0)
    certain = replace(
        artefact, segments=visits,
        factors=artefact.factors | {"sensitivity": np.tile(own, (2, 1)).astype(np.float32)},
        posterior=artefact.posterior.with_columns(log_deviation=(deviation * sign.otherwise(-1.0)).cast(pl.Float32)),
    )  # fmt: skip

    problem = pricing_problem(certain, catalog_of(certain), a_policy())
    assert vague_categories(problem, draws_of(certain), np.ones(6, np.bool_)).sum() == vague


@pytest.mark.parametrize(("prior", "expected"), [(2.62, 2), (None, 0)])
def test_published_elasticities_tell_most_where_the_log_tells_less_than_half(prior, expected):
    """One category is told by the log, one is not, and one is unknown to the response model."""
    known = pl.DataFrame({"category_id": ["c0", "c1"], "sensitivity_from_log": [0.9, 0.2]})
    known = known.with_columns(prior_elasticity=pl.lit(prior, pl.Float64))
    priced = pl.Series(["c0", "c0", "c1", "c2"])

    assert count_published(replace(ARTEFACT, categories=known), priced) == expected
    assert count_published(replace(ARTEFACT, categories=None), priced) == 0


@pytest.mark.parametrize(("lift", "outside_option", "inelastic"), [(0.0, True, 0), (9.0, True, 1), (0.0, False, 6)])
def test_a_category_is_inelastic_where_nearly_every_visit_buys_there(lift, outside_option, inelastic):
    """The appeal of c2's products rises by `lift`; without an outside option every visit buys of all categories."""
    lifted = np.where(ARTEFACT.products["category_id"] == "c2", lift, 0.0)
    factors = ARTEFACT.factors | {"appeal": (ARTEFACT.factors["appeal"] + lifted).astype(np.float32)}
    artefact = replace(ARTEFACT, info=replace(ARTEFACT.info, outside_option=outside_option), factors=factors)

    problem = pricing_problem(artefact, CATALOG, a_policy())

    assert count_inelastic(problem) == inelastic
    assert problem.category_count == 6


def test_goods_of_a_few_cents_are_not_inelastic_because_no_whole_cent_is_a_tenth_dearer():
    prices = {"reference_price": 0.03, "min_price": 0.01, "max_price": 0.05}
    artefact = replace(ARTEFACT, products=ARTEFACT.products.with_columns(**{n: pl.lit(p) for n, p in prices.items()}))
    catalog = CATALOG.with_columns(price=pl.lit(0.03), cost=pl.lit(0.01))

    assert count_inelastic(pricing_problem(artefact, catalog, a_policy())) == 0


def test_a_category_that_did_not_teach_is_not_vague():
    is_taught = np.arange(6) < 4
    artefact = with_posterior(small_artefact(7, form="dense", segments=1), 2.0, 40)
    problem = pricing_problem(artefact, catalog_of(artefact), a_policy())

    assert vague_categories(problem, draws_of(artefact), is_taught)[4:].tolist() == [False, False]
    assert not vague_categories(problem, draws_of(artefact), np.zeros(6, np.bool_)).any()


def test_categories_without_draws_are_untaught_by_their_share_of_the_units(tmp_path):
    """The interval of the gain knows of them only by stand-ins."""
    taught = ARTEFACT.posterior.filter(pl.col("category_id").is_in(["c0", "c1"]))
    few = replace(ARTEFACT, posterior=taught)
    names, is_taught = pl.Series([f"c{k}" for k in range(6)]), np.arange(6) < 2
    assert has_own_draws(few, names).tolist() == is_taught.tolist()
    today = PROBLEM.products.today[:, None]
    chosen = PROBLEM.totals(PROBLEM.demand.tile(0, len(today)), 0, PROBLEM.category_count, today).chosen[:, 0]
    units = pl.DataFrame(
        {"product_id": PROBLEM.products.product_id, "units": PROBLEM.products.units_per_choice * chosen}
    )
    of_category = units.join(CATALOG, on="product_id").group_by("category_id").agg(pl.col("units").sum())
    known = of_category.filter(pl.col("category_id").is_in(["c0", "c1"]))["units"].sum()

    assert share_of_units(PROBLEM, ~is_taught) == pytest.approx(1 - known / of_category["units"].sum())
    assert share_of_units(PROBLEM, ~has_own_draws(ARTEFACT, names)) == 0
    version, found = scored(tmp_path / "own", a_policy())
    assert found.untaught == 0
    less = outlook_of(version, tmp_path / "own", few, tmp_path / "catalog.parquet", a_policy())
    assert less.untaught == pytest.approx(share_of_units(PROBLEM, ~is_taught))
    assert less.gain.high - less.gain.low < found.gain.high - found.gain.low
    assert less.borrowed == 0
    unlike = with_stand_ins(ARTEFACT, ["c0", "c1"], 5, 1.0)
    more = outlook_of(version, tmp_path / "own", unlike, tmp_path / "catalog.parquet", a_policy())
    assert more.untaught == less.untaught
    assert more.gain.high - more.gain.low > less.gain.high - less.gain.low


def test_categories_that_taught_less_than_others_did_are_borrowed_by_their_share_of_the_units(tmp_path):
    version, _ = scored(tmp_path / "own", a_policy())
    told = dict(zip(("c0", "c1", "c2", "c3", "c4"), (0.9, 0.5, 0.49, 0.1, 0.7), strict=True))  # c5 is not said
    known = with_dissimilarity(ARTEFACT, dict.fromkeys(told, 1.0)).categories
    known = known.with_columns(sensitivity_from_log=pl.col("category_id").replace_strict(told))
    taught = ARTEFACT.posterior.filter(pl.col("category_id") != "c3")  # which taught nothing

    found = outlook_of(
        version,
        tmp_path / "own",
        replace(ARTEFACT, categories=known, posterior=taught),
        tmp_path / "catalog.parquet",
        a_policy(),
    )

    assert found.borrowed == pytest.approx(share_of_units(PROBLEM, np.isin(np.arange(6), [2, 5])))
    assert 0 < found.borrowed < 1
