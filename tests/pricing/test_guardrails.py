"""Every rule on real categories: each changes a price when it is switched on, and all together keep to brute force."""

import itertools
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from gpu_pricer.constraints.rule_costs import RULE_OFF
from gpu_pricer.errors import InputError
from gpu_pricer.policy.ladder import Ladder
from gpu_pricer.pricing.problem.pricing_problem import pricing_problem
from gpu_pricer.pricing.tiles.change_budget import Changes, most_valuable
from gpu_pricer.pricing.tiles.solved_tile import solve_tile
from gpu_pricer.pricing.tiles.solving import choose_changes
from gpu_pricer.pricing.tiles.tally import tally_of
from gpu_pricer.tables.price_table import RULES
from tests.markets import NO_RULES, USUAL, a_policy, catalog_of, one_product, small_artefact
from tests.pricing.logit import best_of, category_value, dense_demand
from tests.pricing.tile_file import rows_of

SINGLE_PRECISION = 1e-5


def priced(artefact, catalog, policy, tiles=1):
    """The whole price table, whose budget of changes is spent over so many tiles."""
    problem = pricing_problem(artefact, catalog, policy)
    count = len(problem.products.category_start) - 1
    edges = np.linspace(0, count, tiles + 1).astype(int).tolist()
    problem = choose_changes(problem, itertools.pairwise(edges), "cpu")
    return rows_of(solve_tile(problem, 0, count, "cpu"))


def price_and_binding(artefact, catalog, policy):
    row = priced(artefact, catalog, policy).row(0, named=True)
    return float(row["price"]), row["binding"]


# One product, appeal 0, sensitivity 2 at reference 5: without a rule its price is about 7.25.
ON_AND_OFF = [
        ({"max_increase": 0.2}, {}, 6.0, "max_increase"),
        ({"max_decrease": 0.1}, {"price": 9.0}, 8.1, "max_decrease"),
        ({"min_margin_rate": 0.5}, {}, 8.0, "min_margin_rate"),
        ({"within_support": True}, {}, 6.5, "within_support"),
        ({"max_increase_amount": 0.25}, {}, 5.25, "max_increase_amount"),
        ({"max_decrease_amount": 0.5}, {"price": 9.0}, 8.5, "max_decrease_amount"),
        ({"below_list_price": True}, {"list_price": 6.0}, 6.0, "list_price"),
        ({"max_above_competitor": 0.1}, {"competitor_price": 6.0}, 6.6, "max_above_competitor"),
        ({"max_below_competitor": 0.1}, {"competitor_price": 9.0}, 8.1, "max_below_competitor"),
        ({"max_above_competitor": 0.1, "competitor_columns": ["a", "b"]}, {"a": 6.0, "b": 7.0}, 6.6,
         "max_above_competitor"),
        ({"max_above_competitor": 0.0, "competitor_columns": ["a", "b"], "competitor_of": "mean"},
         {"a": 6.0, "b": 7.0}, 6.5, "max_above_competitor"),
        ({"anchor": {"column": "list_price", "max_increase": 0.15}}, {"list_price": 4.0}, 4.6, "anchor_max_increase"),
        ({"anchor": {"column": "usual", "max_decrease": 0.1}}, {"usual": 9.0}, 8.1, "anchor_max_decrease"),
        ({"floor_column": "least"}, {"least": 8.0}, 8.0, "floor"),
        ({"ceiling_column": "most"}, {"most": 6.0}, 6.0, "ceiling"),
        ({"frozen": "brand = 'own' and price < 6"}, {"brand": "own"}, 5.0, "frozen"),
        ({"min_days_between_changes": 7}, {"days_since_change": 6}, 5.0, "min_days_between_changes"),
        ({"min_change": 0.05}, {"price": 7.35}, 7.35, "min_change"),
        ({"max_changes": 0}, {}, 5.0, "max_changes"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "columns", "side", "binding"), ON_AND_OFF)
def test_every_rule_changes_a_price_and_is_named(rule, columns, side, binding):
    artefact, catalog = one_product(5.0, 4.0, support=(1.0, 6.5))
    catalog = catalog.with_columns(**{name: pl.lit(value) for name, value in columns.items()})

    unlimited = price_and_binding(artefact, catalog, a_policy(NO_RULES, ladder=None))
    bound = price_and_binding(artefact, catalog, a_policy(replace(NO_RULES, **rule), ladder=None))

    assert bound == (side, binding)
    assert unlimited[0] == pytest.approx(7.25, abs=0.3)
    assert unlimited[1] == "none"


def test_a_price_that_rested_long_enough_moves():
    artefact, catalog = one_product(5.0, 4.0)
    rules = replace(NO_RULES, min_days_between_changes=7)
    found = {}
    for days in (6, 7, None):
        known = catalog.with_columns(days_since_change=pl.lit(days, dtype=pl.Int64))
        found[days] = price_and_binding(artefact, known, a_policy(rules))

    assert found[6] == (5.0, "min_days_between_changes")  # off the ladder of nines, and not for want of a rung
    assert found[7] == found[None]
    assert found[7][0] > 6


def test_every_rule_is_switched_on_and_off():
    between_products = {"family_column", "max_segment_ratio", "pack_sizes"}  # see below, and test_segment_ratio

    assert {name for rule, *_ in ON_AND_OFF for name in rule} >= RULE_OFF.keys() - between_products


def packs_of(catalog):
    """The catalog with two packs of one good in each category: twice the size at 1.6 times the price."""
    place, price = pl.int_range(pl.len()).over("category_id"), pl.col("price")
    in_line = catalog.sort("product_id").with_columns(
        line=pl.when(place < 2).then(pl.col("category_id")), size=1.0 + place
    )
    pair = pl.when(place == 1).then(1.6 * price.first().over("category_id")).otherwise(price).round(2)
    return in_line.with_columns(price=pair, cost=0.6 * pair)


def test_packs_keep_their_order_in_all_segments():
    """No price of any segment breaks the order with any other; without the rule some do, so that it costs profit."""
    artefact = small_artefact(1)
    catalog = packs_of(catalog_of(artefact))
    free = replace(NO_RULES, max_decrease=0.5, max_increase=0.5)
    bound = replace(free, pack_sizes={"line": "line", "size": "size"})
    broken = {}
    for name, rules in (("free", free), ("bound", bound)):
        prices = priced(artefact, catalog, a_policy(rules, ladder=None))
        prices = prices.join(catalog.select("product_id", "line", "size"), on="product_id").drop_nulls("line")
        small, large = (prices.filter(pl.col("size") == size) for size in (1, 2))
        pairs = small.join(large, on="line", suffix="_large").select(pl.col("price", "price_large").cast(pl.Float64))
        is_broken = (pl.col("price_large") < pl.col("price")) | (pl.col("price_large") > 2 * pl.col("price"))
        broken[name] = pairs.filter(is_broken).height
        named = prices["binding"].is_in(["pack_sizes"]).sum()

    assert broken["free"] > 0
    assert broken["bound"] == 0
    assert named > 0


@pytest.mark.parametrize(
    ("source", "price", "binding"),
    [
        (None, 1.05, "max_increase_broken"),  # the lowest cent at which 0.99 leaves a margin of 5 %
        ("given", 1.05, "max_increase_broken"),
        ("assumed", 0.28, "max_increase"),  # today's 0.25 and 15 %, in whole cents
    ],
)
def test_only_a_given_cost_breaks_a_move_limit(source, price, binding):
    artefact, catalog = one_product(0.25, 0.99, reference=0.25)
    catalog = catalog.with_columns(cost_source=pl.lit(source, dtype=pl.String))
    rules = replace(USUAL, within_support=False)

    problem = pricing_problem(artefact, catalog, a_policy(rules, ladder=None))
    tile = solve_tile(problem, 0, 1, "cpu")
    row = rows_of(tile).row(0, named=True)

    assert (float(row["price"]), row["binding"]) == (price, binding)
    assert tally_of(tile).beyond_moves == (source != "assumed")


@pytest.mark.parametrize(("availability", "count"), [(1.0, 1), (0.0, 0)])
def test_prices_beyond_a_move_limit_are_counted_on_the_shelf_alone(availability, count):
    artefact, catalog = one_product(0.25, 0.99, reference=0.25)
    catalog = catalog.with_columns(availability=pl.lit(availability))

    problem = pricing_problem(artefact, catalog, a_policy(replace(USUAL, within_support=False), ladder=None))

    assert tally_of(solve_tile(problem, 0, 1, "cpu")).beyond_moves == count


def test_price_that_returns_to_its_anchor_by_the_largest_move_is_not_beyond_a_move_limit():
    artefact, catalog = one_product(8.0, 1.0, reference=8.0)
    rules = replace(USUAL, within_support=False, anchor={"column": "usual", "max_decrease": 0.1, "max_increase": 0.1})

    problem = pricing_problem(artefact, catalog.with_columns(usual=pl.lit(3.0)), a_policy(rules, ladder=None))
    tile = solve_tile(problem, 0, 1, "cpu")

    assert rows_of(tile)["binding"].to_list() == ["anchor_max_increase_broken"]
    assert tally_of(tile).beyond_moves == 0


@pytest.mark.parametrize("ladder", [Ladder([0.49], None), Ladder(None, [5.5, 7.49, 8.0])])
def test_a_ladder_changes_a_price(ladder):
    artefact, catalog = one_product(5.0, 4.0)

    found = price_and_binding(artefact, catalog, a_policy(NO_RULES, ladder))

    assert found == (7.49, "none")
    assert price_and_binding(artefact, catalog, a_policy(NO_RULES, ladder=None))[0] != 7.49


def test_override_overrules_everything_and_is_named(tmp_path):
    artefact, catalog = one_product(5.0, 4.0)
    pl.DataFrame({"product_id": ["p"], "price": [3.33], "note": ["loss leader"]}).write_csv(tmp_path / "hand.csv")
    rules = replace(USUAL, frozen="price > 0", max_changes=0)

    found = price_and_binding(artefact, catalog, a_policy(rules, overrides=str(tmp_path / "hand.csv")))

    assert found == (3.33, "override")


def test_ladder_of_a_category_is_its_own():
    artefact = small_artefact(2)
    policy = a_policy(
        category_ladders={"c1": {"endings": [0.0, 0.5]}, "c2": {"prices": [float(x) for x in range(1, 12)]}}
    )

    table = priced(artefact, catalog_of(artefact), policy).join(artefact.products, on="product_id")

    moved = table.filter(pl.col("price") != pl.col("today_price")).with_columns(
        cents=(pl.col("price") * 100).cast(pl.Int64)
    )
    endings = {key[0]: set((part["cents"] % 100).to_list()) for key, part in moved.group_by("category_id")}
    assert endings["c1"] <= {0, 50}
    assert endings["c2"] == {0}
    assert endings["c0"] <= set(range(9, 100, 10))


def test_ladder_of_an_unknown_category_is_refused():
    artefact = small_artefact(2)

    with pytest.raises(
        InputError, match=r"category_ladders must name categories of the catalog, found tea: there are c0"
    ):
        pricing_problem(artefact, catalog_of(artefact), a_policy(category_ladders={"tea": {"endings": [0.5]}}))


@pytest.mark.parametrize(
    ("rule", "column", "message"),
    [
        ({"floor_column": "least"}, None, r"the policy needs the columns least of the catalog, found only product_id"),
        ({"frozen": "brand = 'x'"}, None, r"the policy needs the columns brand of the catalog"),
        (
            {"floor_column": "least"},
            pl.lit("cheap").alias("least"),
            r"least must be an amount of money .*, found String",
        ),
        ({"floor_column": "least"}, pl.lit(-1.0).alias("least"), r"least must be above 0 or null, found 24 products"),
        ({"frozen": "brand + 1"}, pl.lit(3).alias("brand"), r"bounds.frozen must be true or false for each row, found"),
    ],
)
def test_column_that_a_rule_cannot_use_is_refused(rule, column, message):
    artefact = small_artefact(2)
    catalog = catalog_of(artefact)
    catalog = catalog if column is None else catalog.with_columns(column)

    with pytest.raises(InputError, match=message):
        pricing_problem(artefact, catalog, a_policy(replace(USUAL, **rule)))


# ------------------------------------------------------------------ whole categories against every combination


def every_rule(artefact, seed, tmp_path):
    """A catalog and a policy in which each rule is the narrowest for some products."""
    rng = np.random.default_rng(seed)
    n = artefact.products.height

    def some(*shares):
        """Today's price times one of these, or null."""
        share = pl.Series(rng.choice([*shares, np.nan], n, p=[0.3 / len(shares)] * len(shares) + [0.7]))
        return (pl.col("price") * share).fill_nan(None)

    catalog = catalog_of(artefact).sort("product_id")
    catalog = catalog.with_columns(
        cost=pl.col("price") * pl.Series(rng.choice([0.2, 0.6, 0.97], n)),
        list_price=some(1.04),
        competitor_price=some(0.85, 1.3),
        usual=some(1.02, 0.97),
        days_since_change=pl.Series(rng.integers(0, 60, n)),
        least=some(0.98),
        most=some(0.95, 1.03),
        is_promoted=pl.Series(rng.random(n) < 0.1),
        size=pl.col("price") ** 1.1,
        line=pl.when(pl.Series(rng.random(n) < 0.4)).then(pl.col("category_id")),
    )
    overrides = {"product_id": ["p004", "p006", "p007"], "segment_id": [None, "s1", "s0"], "price": [3.5, 2.75, 4.25]}
    pl.DataFrame(overrides).write_parquet(tmp_path / "overrides.parquet")
    bounds = replace(
        USUAL, max_decrease=0.1, max_increase_amount=0.4, max_decrease_amount=0.5, below_list_price=True,
        max_above_competitor=0.1, max_below_competitor=0.2, floor_column="least", ceiling_column="most",
        anchor={"column": "usual", "max_increase": 0.05, "max_decrease": 0.05}, min_days_between_changes=4,
        frozen="is_promoted", pack_sizes={"line": "line", "size": "size"},
    )  # fmt: skip
    ladder = Ladder([0.05, 0.25, 0.45, 0.65, 0.85], None)
    return catalog, a_policy(bounds, ladder, overrides=str(tmp_path / "overrides.parquet"))


def test_all_rules_together_agree_with_the_best_of_every_combination(tmp_path):
    named = set()
    fixed = {("p006", "s1"): 275, ("p007", "s0"): 425}
    for seed in range(20, 36):
        artefact = small_artefact(seed, segments=3, products=12, categories=4)
        catalog, policy = every_rule(artefact, seed, tmp_path)
        table, problem = priced(artefact, catalog, policy), pricing_problem(artefact, catalog, policy)
        place = {name: p for p, name in enumerate(problem.products.product_id)}
        named |= {rule.removesuffix("_broken") for rule in table["binding"]}
        for segment, s in dense_demand(artefact).segments():
            for _, rows in artefact.products.group_by("category_id", maintain_order=True):
                names = rows["product_id"].to_list()
                rungs = []
                for name in names:
                    low, high = problem.limits.low[place[name]], problem.limits.high[place[name]]
                    inside = [c for c in range(low, high + 1) if c % 20 == 5 or c in (low, high)]
                    rungs.append([fixed[name, segment]] if (name, segment) in fixed else inside)
                chosen = _prices(table, segment, names)

                assert all(round(100 * x) in allowed for x, allowed in zip(chosen, rungs, strict=True))
                best = best_of(artefact, catalog, s, names, rungs)
                assert category_value(artefact, catalog, s, names, chosen) >= best - SINGLE_PRECISION * abs(best)
    assert {*RULES, "frozen", "override", "no_rung"} <= named


@pytest.mark.parametrize("budget", [0, 3, 10, 25, 1000])
def test_most_valuable_changes_win(budget):
    artefact = small_artefact(23, segments=4, products=15, categories=5)
    catalog, unlimited = catalog_of(artefact), a_policy()
    limited = a_policy(replace(USUAL, max_changes=budget))
    best, found = priced(artefact, catalog, unlimited), priced(artefact, catalog, limited)
    today = priced(artefact, catalog, a_policy(replace(USUAL, max_changes=0)))
    cells = artefact.products.select("product_id", "category_id")
    segments = artefact.segments["segment_id"].sort().to_list()
    visits = dict(artefact.segments.iter_rows())

    lumps = []
    for (category,), rows in cells.group_by("category_id", maintain_order=True):
        names = rows["product_id"].sort().to_list()
        for segment in segments:
            prices = [_prices(table, segment, names) for table in (best, today)]
            s = dense_demand(artefact).index(segment)
            gain = [category_value(artefact, catalog, s, names, price) for price in prices]
            count = int((prices[0] != prices[1]).sum())
            if count and gain[0] > gain[1]:
                lumps.append(((gain[0] - gain[1]) * visits[segment] / count, count, segment, category))
    lumps.sort(reverse=True)
    winners, left = set(), budget
    for _, count, *place in lumps:
        if count <= left:
            winners.add(tuple(place))
            left -= count

    for (category,), rows in cells.group_by("category_id", maintain_order=True):
        names = rows["product_id"].sort().to_list()
        for segment in segments:
            expected = best if (segment, category) in winners else today
            assert (_prices(found, segment, names) == _prices(expected, segment, names)).all(), (
                segment,
                category,
            )
    moved = (found["price"] != found["today_price"]).sum() - (today["price"] != today["today_price"]).sum()
    assert moved <= budget
    assert ("max_changes" in found["binding"].to_list()) == (len(winners) < len(lumps))


def _prices(table, segment, names):
    rows = table.filter((pl.col("segment_id") == segment) & pl.col("product_id").is_in(names)).sort("product_id")
    return rows["price"].cast(pl.Float64).to_numpy()


@pytest.mark.parametrize("tiles", [1, 2, 5])
def test_budget_is_spent_the_same_way_for_any_tiling(tiles):
    artefact = small_artefact(23, segments=4, products=15, categories=5)
    policy = a_policy(replace(USUAL, max_changes=12))

    found = priced(artefact, catalog_of(artefact), policy, tiles)

    assert found.equals(priced(artefact, catalog_of(artefact), policy))


@pytest.mark.parametrize("seed", range(20))
def test_changes_are_taken_one_after_the_other_if_they_fit_however_they_come(seed):
    rng = np.random.default_rng(seed)
    cells, value, forced = rng.integers(1, 9, 40), rng.uniform(0.1, 9, 40), rng.integers(0, 3, 4)
    winners, left = [], 15 - forced.sum()
    for place in np.argsort(-value / cells):
        if cells[place] <= left:
            winners.append(place)
            left -= cells[place]

    parts = np.split(np.arange(40), [7, 8, 25])
    taken = most_valuable(
        [(Changes(part, cells[part], value[part]), count) for part, count in zip(parts, forced, strict=True)], 15
    )

    assert taken.tolist() == sorted(winners)


def test_the_log_says_where_no_change_fits_the_budget(caplog):
    artefact = small_artefact(23, segments=1, products=6, categories=1)

    table = priced(artefact, catalog_of(artefact), a_policy(replace(USUAL, max_changes=1)))

    assert (table["price"] == table["today_price"]).all()
    assert set(table["binding"]) <= {"max_changes", "none"}
    assert "bounds.max_changes=1 leaves every price that may stay at today's" in caplog.text


def test_prices_that_the_budget_keeps_count_as_held_by_a_rule():
    problem = pricing_problem(*one_product(5.0, 4.0), a_policy(replace(NO_RULES, max_changes=0)))

    tally = tally_of(solve_tile(choose_changes(problem, [(0, 1)], "cpu"), 0, 1, "cpu"))

    assert (tally.moved, tally.held, tally.held_on_shelf) == (0, 1, 1)


def test_price_that_breaks_a_rule_moves_whatever_the_budget():
    artefact, catalog = one_product(5.0, 4.0)
    rules = replace(NO_RULES, min_margin_rate=0.5, max_changes=0)

    assert price_and_binding(artefact, catalog, a_policy(rules, None)) == (8.0, "min_margin_rate")


# ------------------------------------------------------------------------------------------------------ families


def with_families(catalog, families):
    ids = {name: family for family, names in families.items() for name in names}
    return catalog.with_columns(
        family_id=pl.col("product_id").replace_strict(ids, default=None, return_dtype=pl.String)
    )


def test_family_has_one_price_that_is_the_best_of_every_combination():
    artefact = small_artefact(31, segments=3, products=8, categories=2)
    catalog = with_families(catalog_of(artefact), {"a": ["p000", "p004"], "b": ["p001", "p003", "p005"]})
    price = pl.when(pl.col("family_id").is_not_null()).then(pl.lit(4.05)).otherwise("price")
    catalog = catalog.with_columns(price=price, cost=price * pl.Series(np.linspace(0.2, 0.8, 8)))
    wide = replace(NO_RULES, max_decrease=0.6, max_increase=1.5, family_column="family_id")
    ladder = Ladder([0.25, 0.75], None)

    table = priced(artefact, catalog, a_policy(wide, ladder))
    apart = priced(artefact, catalog, a_policy(replace(wide, family_column=None), ladder))

    assert not table.equals(apart)
    for segment, s in dense_demand(artefact).segments():
        for names, groups in ((["p000", "p002", "p004", "p006"], [[0, 2], [1], [3]]),
                              (["p001", "p003", "p005", "p007"], [[0, 1, 2], [3]])):  # fmt: skip
            chosen = _prices(table, segment, names)
            today = catalog.filter(pl.col("product_id").is_in(names)).sort("product_id")["price"].to_numpy()
            rungs = [
                [c for c in range(1, 2000) if c % 100 in (25, 75) and 0.4 * p <= c / 100 <= 2.5 * p] for p in today
            ]
            every = np.array(list(itertools.product(*(rungs[group[0]] for group in groups)))) / 100
            owner = [next(i for i, group in enumerate(groups) if n in group) for n in range(4)]
            best = category_value(artefact, catalog, s, names, every[:, owner]).max()
            assert all(len(set(chosen[group])) == 1 for group in groups)
            assert category_value(artefact, catalog, s, names, chosen) >= best * (1 - SINGLE_PRECISION)


def test_family_without_a_common_price_keeps_todays():
    artefact = small_artefact(31, segments=3, products=8, categories=2)
    catalog = with_families(catalog_of(artefact), {"a": ["p000", "p004"]})
    price = pl.when(pl.col("product_id") == "p000").then(pl.lit(2.0)).when(pl.col("product_id") == "p004").then(
        pl.lit(6.0)
    ).otherwise("price")  # fmt: skip
    catalog = catalog.with_columns(price=price)

    table = priced(artefact, catalog, a_policy(replace(USUAL, family_column="family_id")))

    mates = table.filter(pl.col("product_id").is_in(["p000", "p004"]))
    assert (mates["price"] == mates["today_price"]).all()
    assert set(mates["binding"]) == {"no_common_price"}


def test_product_off_the_shelf_leaves_a_family_that_it_would_hold_at_todays_prices():
    artefact = small_artefact(31, segments=3, products=12, categories=2)
    family, absent = ["p000", "p002", "p004"], pl.col("product_id") == "p004"
    catalog = with_families(catalog_of(artefact), {"a": family}).with_columns(price=pl.lit(5.0))
    policy = a_policy(replace(NO_RULES, max_increase=0.1, max_decrease=0.1, family_column="family_id"))

    def chosen(price, availability):
        changed = catalog.with_columns(
            price=pl.when(absent).then(price).otherwise("price"),
            availability=pl.when(absent).then(availability).otherwise(1.0),
        )
        table = priced(artefact, changed, policy)
        return [table.filter(pl.col("product_id") == name) for name in family]

    first, second, mate = chosen(price=5.0, availability=0.0)
    assert list(first["price"]) == list(second["price"]) == list(mate["price"])
    first, second, stranger = chosen(price=2.0, availability=0.0)
    assert list(first["price"]) == list(second["price"]) != [5.0] * 3
    assert stranger["price"].cast(float).is_between(1.8, 2.2).all()
    first, second, stranger = chosen(price=2.0, availability=0.5)
    assert [set(part["binding"]) for part in (first, second, stranger)] == [{"no_common_price"}] * 3


def test_frozen_product_leaves_its_family():
    artefact = small_artefact(31, segments=3, products=8, categories=2)
    catalog = with_families(catalog_of(artefact), {"a": ["p000", "p002", "p004"]}).with_columns(price=pl.lit(5.0))
    rules = replace(
        NO_RULES, max_increase=0.3, max_decrease=0.3, family_column="family_id", frozen="product_id = 'p000'"
    )

    table = priced(artefact, catalog.with_columns(cost=pl.lit(3.0)), a_policy(rules))

    for segment in ("s0", "s1", "s2"):
        first, second, third = _prices(table, segment, ["p000", "p002", "p004"])
        assert first == 5.0
        assert second == third


def test_family_of_two_categories_is_refused():
    artefact = small_artefact(31)
    catalog = with_families(catalog_of(artefact), {"a": ["p000", "p001"]})

    with pytest.raises(InputError, match=r"a price family must lie inside one category, found 1 .* the first 'a'"):
        pricing_problem(artefact, catalog, a_policy(replace(USUAL, family_column="family_id")))
