"""Prices of whole categories against a search over every combination, and what each rule does to them."""

import itertools
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from gpu_pricer.errors import InputError
from gpu_pricer.policy.ladder import Ladder
from gpu_pricer.policy.objective import Objective
from gpu_pricer.pricing.problem.pricing_problem import pricing_problem
from gpu_pricer.pricing.tiles.solved_tile import solve_tile
from tests.markets import (
    NO_RULES,
    a_policy,
    catalog_of,
    one_product,
    small_artefact,
    with_dissimilarity,
)
from tests.pricing.tile_file import rows_of

# Float32 prices may differ from the float64 optimum where two rungs earn the same to about this much.
SINGLE_PRECISION = 1e-5


def priced(artefact, catalog, policy):
    """The whole price table."""
    problem = pricing_problem(artefact, catalog, policy)
    return rows_of(solve_tile(problem, 0, len(problem.products.category_start) - 1, "cpu"))


def price_and_binding(artefact, catalog, policy):
    row = priced(artefact, catalog, policy).row(0, named=True)
    return float(row["price"]), row["binding"]


def utilities(artefact):
    """a and b [S, P] in float64, by the design's formulas."""
    f = {name: factor.astype(np.float64) for name, factor in artefact.factors.items()}
    if "appeal" in f:
        return f["appeal"], f["sensitivity"]
    score = f["segment_sensitivity"] @ f["product_sensitivity"].T
    return f["segment_appeal"] @ f["product_appeal"].T, np.log1p(np.exp(score))


def category_value(a, b, reference, units, cost, price, weights):
    """Objective of one segment and category at prices [..., n], and the choice probabilities."""
    odds = np.exp(a - b * (price / reference - 1))
    chance = odds / (1 + odds.sum(-1, keepdims=True))
    return (chance * units * (weights[0] * (price - cost) + weights[1] * price)).sum(-1), chance


@pytest.mark.parametrize("weights", [(1.0, 0.0), (0.5, 0.5), (0.0, 2.0)])
@pytest.mark.parametrize("form", ["factors", "dense"])
def test_prices_are_the_best_of_every_combination(form, weights):
    artefact = small_artefact(3, segments=3, products=9, categories=3, form=form)
    catalog = catalog_of(artefact).with_columns(availability=pl.lit(0.8))
    ladder = Ladder([0.09, 0.59], None)
    policy = a_policy(ladder=ladder, objective=Objective(*weights))

    table = priced(artefact, catalog, policy)

    appeal, sensitivity = utilities(artefact)
    known = artefact.products.with_row_index("row").join(catalog.drop("category_id"), on="product_id")
    segments = artefact.segments["segment_id"].to_list()
    for (category,), group in known.sort("product_id").group_by("category_id", maintain_order=True):
        rows, price, cost = group["row"].to_list(), group["price"].to_numpy(), group["cost"].to_numpy()
        low = np.maximum.reduce([price * 0.7, cost / 0.95, group["min_price"].to_numpy()])
        high = np.minimum(price * 1.15, group["max_price"].to_numpy())
        rungs = [
            [x / 100 for x in range(1, 2000) if x % 100 in (9, 59) and lo - 1e-9 <= x / 100 <= hi + 1e-9] or [today]
            for lo, hi, today in zip(low, high, price, strict=True)
        ]
        every = np.array(list(itertools.product(*rungs)))
        for s, segment in enumerate(segments):
            a, b = appeal[s, rows] + np.log(0.8), sensitivity[s, rows]
            rest = (group["reference_price"].to_numpy(), group["units_per_choice"].to_numpy(), cost)
            found = table.filter(segment_id=segment).join(group.select("product_id"), on="product_id")
            chosen = found.sort("product_id")["price"].cast(pl.Float64).to_numpy()

            achieved, chance = category_value(a, b, *rest, chosen, weights)

            assert achieved >= category_value(a, b, *rest, every, weights)[0].max() * (1 - SINGLE_PRECISION), category
            expected = 1000 * chance * rest[1]
            assert found.sort("product_id")["expected_units"].to_numpy() == pytest.approx(expected, rel=1e-4)
            profit = expected * (chosen - cost)
            assert found.sort("product_id")["expected_profit"].to_numpy() == pytest.approx(profit, rel=1e-4)


# One product, appeal 0, sensitivity 2 at reference 5: the slope is 0.4 per unit of currency.
@pytest.mark.parametrize(
    ("rule", "price", "cost", "side"),
    [
        ({"max_increase": 0.05}, 5.0, 4.0, 5.25),
        ({"max_decrease": 0.05}, 20.0, 4.0, 19.0),
        ({"min_margin_rate": 0.8}, 9.0, 4.0, 20.0),
        ({"within_support": True}, 5.0, 4.0, 6.0),
    ],
)
def test_every_rule_changes_a_price_and_is_named(rule, price, cost, side):
    artefact, catalog = one_product(price, cost, support=(4.0, 6.0))

    unlimited = price_and_binding(artefact, catalog, a_policy(NO_RULES, ladder=None))
    bound = price_and_binding(artefact, catalog, a_policy(replace(NO_RULES, **rule), ladder=None))

    assert bound == (side, next(iter(rule)))
    assert unlimited[0] == pytest.approx(7.25, abs=0.3)
    assert unlimited[1] == "none"


def test_ladder_changes_a_price():
    artefact, catalog = one_product(5.0, 4.0)

    whole, _ = price_and_binding(artefact, catalog, a_policy(NO_RULES, ladder=None))
    rung, binding = price_and_binding(artefact, catalog, a_policy(NO_RULES, ladder=Ladder([0.99], None)))

    assert abs(rung - whole) < 1
    assert round(100 * rung) % 100 == 99
    assert binding == "none"


def test_explicit_prices_are_the_only_ones():
    artefact, catalog = one_product(5.0, 4.0)

    price, _ = price_and_binding(artefact, catalog, a_policy(NO_RULES, ladder=Ladder(None, [4.5, 6.66, 12.0])))

    assert price == 6.66


@pytest.mark.parametrize("ladder", [Ladder([0.99], None), Ladder(None, [50.0])])
def test_without_a_rung_todays_price_stays_and_says_so(ladder):
    artefact, catalog = one_product(5.37, 4.0)
    bounds = replace(NO_RULES, max_decrease=0.05, max_increase=0.05)

    assert price_and_binding(artefact, catalog, a_policy(bounds, ladder)) == (5.37, "no_rung")


def test_revenue_objective_lowers_the_price():
    artefact, catalog = one_product(5.0, 4.0)
    by_profit, _ = price_and_binding(artefact, catalog, a_policy(NO_RULES, None, Objective(1.0, 0.0)))
    by_both, _ = price_and_binding(artefact, catalog, a_policy(NO_RULES, None, Objective(1.0, 1.0)))
    by_revenue, _ = price_and_binding(artefact, catalog, a_policy(NO_RULES, None, Objective(0.0, 1.0)))

    assert by_revenue < by_both < by_profit


def test_units_per_choice_weighs_products_of_a_category_against_each_other():
    artefact = small_artefact(4, segments=1, products=2, categories=1)
    catalog = catalog_of(artefact).with_columns(availability=pl.lit(1.0))
    heavy = artefact.products.with_columns(units_per_choice=pl.Series([9.0, 1.0]))
    light = artefact.products.with_columns(units_per_choice=pl.Series([1.0, 1.0]))

    policy = a_policy(NO_RULES, ladder=None)
    prices = [priced(replace(artefact, products=p), catalog, policy)["price"].to_list() for p in (heavy, light)]

    assert prices[0][1] > prices[1][1]  # the light product leaves room for the heavy one


def test_availability_moves_appeal_and_zero_leaves_the_choice_set():
    artefact = small_artefact(4, segments=2, products=4, categories=1)
    catalog = catalog_of(artefact).sort("product_id")
    scarce = catalog.with_columns(availability=pl.Series([0.0, 1.0, 1.0, 1.0]))
    without = scarce[1:]

    table = priced(artefact, scarce, a_policy())

    gone = table.filter(product_id="p000")
    assert gone["expected_units"].to_list() == [0.0, 0.0]
    assert gone["price"].null_count() == 0
    assert table.filter(pl.col("product_id") != "p000").equals(priced(artefact, without, a_policy()))


def test_scarce_product_sells_by_its_availability():
    artefact, catalog = one_product(5.0, 4.0)
    today = a_policy(replace(NO_RULES, max_decrease=0.0, max_increase=0.0), None)

    units = priced(artefact, catalog.with_columns(availability=pl.lit(0.25)), today)["expected_units"][0]

    assert units == pytest.approx(1000 * 0.25 / 1.25)  # appeal 0 at the reference price


@pytest.mark.parametrize("column", ["appeal_offset", "sensitivity_offset"])
def test_offset_of_a_product_is_that_of_each_of_its_cells(column):
    artefact = small_artefact(5)
    catalog, policy = catalog_of(artefact), a_policy(NO_RULES, None)
    values = {"appeal_offset": 0.0, "sensitivity_offset": 0.0} | {column: 0.7}
    shared = pl.DataFrame({"product_id": ["p001", "p002"]} | {n: [v, v] for n, v in values.items()})
    cells = shared.join(artefact.segments.select("segment_id"), how="cross")

    plain = priced(artefact, catalog, policy)
    by_product = priced(replace(artefact, offsets=shared), catalog, policy)
    by_cell = priced(replace(artefact, offsets=cells), catalog, policy)

    cents = [table["price"].cast(pl.Float64) * 100 for table in (by_product, by_cell)]
    assert (cents[0] - cents[1]).abs().max() <= 1.001  # the cell's sensitivity takes another softplus
    assert by_product["expected_units"].to_numpy() == pytest.approx(by_cell["expected_units"].to_numpy(), rel=1e-2)
    moved = plain.filter(plain["expected_units"] != by_product["expected_units"])["product_id"].unique()
    assert {"p001", "p002"} & set(moved)


def test_offset_of_one_cell_leaves_other_segments_alone():
    artefact = small_artefact(5)
    catalog, policy = catalog_of(artefact), a_policy(NO_RULES, None)
    zero = pl.DataFrame(
        {"product_id": ["p001"], "segment_id": ["s2"], "appeal_offset": [0.0], "sensitivity_offset": [0.0]}
    )
    one = zero.with_columns(appeal_offset=1.5)

    before, after = (priced(replace(artefact, offsets=table), catalog, policy) for table in (zero, one))

    others = pl.col("segment_id") != "s2"
    assert before.filter(others).equals(after.filter(others))
    cell = (pl.col("segment_id") == "s2") & (pl.col("product_id") == "p001")
    assert after.filter(cell)["price"][0] > before.filter(cell)["price"][0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            pl.lit(float("nan")).alias("appeal_offset"),
            r"offsets.parquet must have finite offsets below 5e\+06 in size, found 2 rows",
        ),
        (
            pl.lit(-1e19).alias("sensitivity_offset"),
            r"offsets.parquet must have finite offsets below 5e\+06 in size, found 2 rows",
        ),
        (
            pl.lit("p001").alias("product_id"),
            "offsets.parquet must have one row per product and segment, found 2",
        ),
    ],
)
def test_bad_offsets_are_refused(change, message):
    artefact = small_artefact(5)
    offsets = pl.DataFrame(
        {"product_id": ["p001", "p002"], "appeal_offset": [0.0, 0.0], "sensitivity_offset": [0.0, 0.0]}
    )

    with pytest.raises(InputError, match=message):
        pricing_problem(replace(artefact, offsets=offsets.with_columns(change)), catalog_of(artefact), a_policy())


def test_offsets_without_a_column_are_refused():
    artefact = small_artefact(5)

    with pytest.raises(InputError, match=r"offsets.parquet must hold product_id, segment_id, appeal_offset"):
        pricing_problem(
            replace(artefact, offsets=pl.DataFrame({"product_id": ["p001"]})),
            catalog_of(artefact),
            a_policy(),
        )


@pytest.mark.parametrize(
    ("price", "cost", "message"),
    [
        (167_772.16, 1.0, r"price must be at least one cent and below 167,772\.16, found 1 products"),
        (0.004, 0.0, r"price must be at least one cent .* the first \('p', 0\.004\)"),
        (5.0, 2e5, r"cost must be below 167,772\.16"),
        (5.0, 160_000.0, r"the lowest allowed price must be below 167,772\.16, found product"),
    ],
)
def test_money_beyond_float32_is_refused(price, cost, message):
    artefact, catalog = one_product(price, cost)

    with pytest.raises(InputError, match=message):
        pricing_problem(artefact, catalog, a_policy(ladder=None))


def test_higher_cost_never_lowers_a_products_price():
    artefact = small_artefact(6)
    catalog = catalog_of(artefact)
    is_dearer = pl.col("product_id") == "p007"
    dearer = catalog.with_columns(cost=pl.when(is_dearer).then(pl.col("cost") * 1.1).otherwise("cost"))

    before, after = (
        priced(artefact, c, a_policy(NO_RULES, None)).filter(is_dearer)["price"] for c in (catalog, dearer)
    )

    assert (after > before).all()


def test_without_outside_option_shares_of_a_category_add_up_to_one():
    artefact = small_artefact(6)
    artefact = replace(artefact, info=replace(artefact.info, outside_option=False))

    catalog = catalog_of(artefact).with_columns(availability=pl.lit(1.0))
    table = priced(artefact, catalog, a_policy()).join(artefact.products, on="product_id")

    shares = table.group_by("category_id", "segment_id").agg(
        (pl.col("expected_units") / pl.col("units_per_choice")).sum()
    )
    assert shares["expected_units"].to_numpy() == pytest.approx(1000, rel=1e-4)


def test_nested_categories_are_priced_as_well_as_the_best_of_every_combination():
    artefact = with_dissimilarity(small_artefact(3, segments=3, products=9, categories=3, form="dense"), {"c1": 0.2})
    catalog = catalog_of(artefact).with_columns(availability=pl.lit(0.8))
    problem = pricing_problem(artefact, catalog, a_policy(ladder=Ladder([0.09, 0.59], None)))

    table = rows_of(solve_tile(problem, 1, 2, "cpu"))

    known = artefact.products.with_row_index("row").filter(category_id="c1").join(catalog, on="product_id")
    known, rungs = known.sort("product_id"), np.arange(1, 2000)
    rungs = rungs[np.isin(rungs % 100, (9, 59))] / 100
    low = np.maximum.reduce([0.7 * known["price"], known["cost"] / 0.95, known["min_price"]])
    high = np.minimum(1.15 * known["price"], known["max_price"])
    legal = [rungs[(rungs >= lo - 1e-9) & (rungs <= hi + 1e-9)] for lo, hi in zip(low, high, strict=True)]
    every = np.array(list(itertools.product(*legal)))
    assert min(map(len, legal)) > 0
    for s, segment in enumerate(artefact.segments["segment_id"]):
        row, appeal, sensitivity = known["row"].to_numpy(), *utilities(artefact)

        def profit(price, s=s, row=row, appeal=appeal, sensitivity=sensitivity):
            """Return the nested logit's profit at prices [..., n]."""
            relative = price / known["reference_price"].to_numpy() - 1
            weight = 0.8 * np.exp(appeal[s, row] - sensitivity[s, row] * relative)
            total = weight.sum(-1)
            earned = (weight * known["units_per_choice"].to_numpy() * (price - known["cost"].to_numpy())).sum(-1)
            return earned / total / (1 + total**-0.2)

        found = table.filter(segment_id=segment).sort("product_id")
        assert profit(found["price"].cast(pl.Float64).to_numpy()) >= profit(every).max() * (1 - SINGLE_PRECISION)
