"""Profit under the truth: against an independent optimiser, against simulation, and in the right order."""

import math
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from gpu_pricer.errors import InputError
from gpu_pricer.evaluation.demand.elasticity import elasticity_rmse, own_elasticity
from gpu_pricer.evaluation.held_out.offers import Log
from gpu_pricer.evaluation.truth.reference_prices import benchmark, gains, price_matrix
from gpu_pricer.evaluation.truth.segments import cross_tab
from gpu_pricer.evaluation.truth.under_truth import Learned, evaluate_under_truth
from gpu_pricer.policy.ladder import Ladder
from tests.evaluation.markets import policy, small_source, weekly_log
from tests.markets import USUAL, a_policy

ENDINGS = [0.09, 0.29, 0.49, 0.79, 0.99]


@pytest.fixture(scope="module")
def drawn():
    return small_source().draw()


@pytest.fixture(scope="module")
def catalog(drawn):
    return drawn.tables["products"].select("product_id", "category_id", "price", "cost", "availability")


@pytest.fixture(scope="module")
def bench(drawn, catalog):
    return benchmark(drawn.truth, catalog, policy())


@pytest.fixture(scope="module")
def laddered(drawn, catalog):
    return benchmark(drawn.truth, catalog, policy(ENDINGS))


def truth_rows(drawn, catalog, bench):
    """Return the truth's products in the order of the benchmark, with row number, cost and price."""
    joined = pl.DataFrame({"product_id": bench.product_id}).join(
        drawn.truth.products.with_row_index("row"), on="product_id", how="left", maintain_order="left"
    )
    return joined.join(catalog.select("product_id", "cost", "price"), on="product_id", maintain_order="left")


def by_bisection(appeal, slope, reference, cost, units, choices):
    """Return the highest profit R of a category for a type, and its prices: bisection on R = Σ max (x − c − R)·e^u."""

    def best(category_value):
        value = [
            (units[j] * (x - cost[j]) - category_value) * np.exp(appeal[j] - slope[j] * (x / reference[j] - 1))
            for j, x in enumerate(choices)
        ]
        pick = [int(np.argmax(v)) for v in value]
        return pick, sum(v[p] for v, p in zip(value, pick, strict=True))

    low, high = 0.0, 1e5
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if best(middle)[1] > middle else (low, middle)
    return low, [x[p] for x, p in zip(choices, best(low)[0], strict=True)]


@pytest.mark.parametrize("rules", ["bench", "laddered"])
def test_oracle_earns_what_an_independent_optimiser_finds(drawn, catalog, rules, request):
    bench = request.getfixturevalue(rules)
    rows, factors = truth_rows(drawn, catalog, bench), drawn.truth.factors
    row, on_shelf = rows["row"].to_numpy(), rows["availability"].to_numpy() > 0
    visits = drawn.truth.segments["visits"].to_numpy()
    names = ("reference_price", "cost", "units_per_choice", "category_id")
    column = {name: rows[name].to_numpy() for name in names}

    total = 0.0
    for kind in range(len(visits)):
        for category in np.unique(column["category_id"]):
            j = np.flatnonzero((column["category_id"] == category) & on_shelf)
            choices = [bench.rungs.price[bench.rungs.start[p] : bench.rungs.start[p + 1]] / 100 for p in j]
            category_value, _ = by_bisection(
                factors["appeal"][kind, row[j]].astype(float),
                factors["sensitivity"][kind, row[j]].astype(float),
                column["reference_price"][j],
                column["cost"][j],
                column["units_per_choice"][j],
                choices,
            )
            total += visits[kind] * category_value

    assert bench.market.profit(bench.oracle) == pytest.approx(1000 * total / visits.sum(), rel=1e-6)


def test_rungs_are_exactly_the_legal_prices(drawn, catalog, laddered):
    rows = truth_rows(drawn, catalog, laddered)

    for p, product in enumerate(rows.iter_rows(named=True)):
        today = round(100 * product["price"])
        low = max(0.7 * today, 100 * product["min_price"], 100 * product["cost"] / 0.95)
        high = min(1.15 * today, 100 * product["max_price"])
        inside = range(math.ceil(low - 1e-6), math.floor(high + 1e-6) + 1)
        legal = [price for price in inside if price % 100 in (9, 29, 49, 79, 99)]
        if today in inside and (all(price > today for price in legal) or all(price < today for price in legal)):
            legal = sorted([*legal, today])  # no rung lies between today's price and one bound
        found = laddered.rungs.price[laddered.rungs.start[p] : laddered.rungs.start[p + 1]].tolist()
        assert found == (legal or [today])


def test_profit_equals_a_simulation_of_visits_within_its_error(drawn, catalog, bench):
    rows, factors, rng = truth_rows(drawn, catalog, bench), drawn.truth.factors, np.random.default_rng(0)
    row, on_shelf = rows["row"].to_numpy(), rows["availability"].to_numpy() > 0
    reference, cost, units = (rows[n].to_numpy() for n in ("reference_price", "cost", "units_per_choice"))
    category = rows["category_id"].rle_id().to_numpy()
    visits, price, draws = drawn.truth.segments["visits"].to_numpy(), bench.oracle / 100, 40_000

    kind = rng.choice(len(visits), draws, p=visits / visits.sum())
    earned = np.zeros(draws)
    for t in range(len(visits)):
        mask = kind == t
        utility = factors["appeal"][t, row] - factors["sensitivity"][t, row] * (price[:, t] / reference - 1)
        utility = np.where(on_shelf, utility, -np.inf)
        for g in range(category.max() + 1):
            members = np.flatnonzero(category == g)
            noisy = np.append(utility[members], 0.0) + rng.gumbel(size=(mask.sum(), len(members) + 1))
            gain = np.append(units[members] * (price[members, t] - cost[members]), 0.0)
            earned[mask] += gain[noisy.argmax(axis=1)]

    error = 1000 * earned.std() / np.sqrt(draws)
    assert abs(1000 * earned.mean() - bench.market.profit(bench.oracle)) < 4 * error


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_oracle_earns_at_least_uniform_and_uniform_at_least_today(seed):
    drawn = small_source(seed=seed).draw()
    bench = benchmark(drawn.truth, drawn.tables["products"], policy())

    today, uniform, oracle = (bench.market.profit(p) for p in (bench.today, bench.uniform, bench.oracle))

    assert today < uniform < oracle


def test_no_single_move_of_one_price_improves_the_uniform_prices(laddered):
    best = laddered.market.profit(laddered.uniform)

    for p in range(len(laddered.product_id)):
        for price in laddered.rungs.price[laddered.rungs.start[p] : laddered.rungs.start[p + 1]]:
            other = laddered.uniform.copy()
            other[p] = price
            assert laddered.market.profit(other) <= best * (1 + 1e-12)


def test_uniform_prices_of_two_products_equal_brute_force(laddered):
    category = int(np.argmin(np.diff(laddered.market.shelf.category_start)))
    start = laddered.market.shelf.category_start[category]
    rungs = [laddered.rungs.price[laddered.rungs.start[p] : laddered.rungs.start[p + 1]] for p in (start, start + 1)]

    def earns(first, second):
        price = laddered.uniform[:, 0].copy()
        price[start], price[start + 1] = first, second
        return laddered.market.category_profit(price)[category]

    brute = max(earns(a, b) for a in rungs[0] for b in rungs[1])

    assert laddered.market.category_profit(laddered.uniform[:, 0])[category] == pytest.approx(brute, rel=1e-12)


def test_segments_that_are_the_types_earn_what_the_types_earn(drawn, bench):
    table = cross_tab(drawn.truth.user_segments, drawn.truth.user_segments, bench.type_id)

    assert table.covered == pytest.approx(1.0)
    np.testing.assert_allclose(table.visits, np.diag(drawn.truth.segments["visits"].to_numpy()))
    assert bench.market.profit_of_segments(bench.oracle, table.visits) == pytest.approx(
        bench.market.profit(bench.oracle), rel=1e-12
    )


def test_segments_that_mix_types_earn_the_mean_of_the_types(drawn, bench):
    one = drawn.truth.user_segments.select("user_id", segment_id=pl.lit("everybody"))
    table = cross_tab(one, drawn.truth.user_segments, bench.type_id)

    found = bench.market.profit_of_segments(bench.uniform, table.visits)

    assert found == pytest.approx(bench.market.profit(bench.uniform), rel=1e-12)


def test_users_without_a_segment_are_left_out_and_lower_the_coverage(drawn):
    types = drawn.truth.user_segments
    some = types.filter(pl.col("user_id") % 2 == 0).select("user_id", segment_id=pl.lit(0))

    table = cross_tab(some, types, types["segment_id"].unique().sort())

    expected = types.filter(pl.col("user_id") % 2 == 0)["visits"].sum() / types["visits"].sum()
    assert table.covered == pytest.approx(expected)
    assert table.visits.sum() == pytest.approx(expected * types["visits"].sum())


def test_segments_of_other_users_are_refused(drawn):
    others = pl.DataFrame({"user_id": [1, 2], "segment_id": [0, 0]})

    with pytest.raises(InputError, match="must share users with the truth, found none"):
        cross_tab(others, drawn.truth.user_segments, drawn.truth.segments["segment_id"])


def test_a_product_without_a_price_keeps_todays(bench):
    prices = pl.DataFrame({"segment_id": ["a"], "product_id": [bench.product_id[3]], "price": [1.23]})

    matrix = price_matrix(prices, bench.product_id, bench.today, pl.Series(["a", "b"]))

    assert matrix[3].tolist() == [123.0, bench.today[3, 0]]
    np.testing.assert_array_equal(np.delete(matrix, 3, axis=0), np.delete(np.repeat(bench.today, 2, axis=1), 3, axis=0))


def test_prices_of_another_market_are_refused(bench):
    prices = pl.DataFrame({"segment_id": ["a"], "product_id": [1], "price": [1.23]})

    with pytest.raises(InputError, match="must price products and segments of the truth's market, found 1 rows"):
        price_matrix(prices, bench.product_id, bench.today, pl.Series(["a", "b"]))


def test_gains_are_rates_of_plain_profits():
    found = gains(profit=112.0, today=100.0, uniform=108.0, oracle=116.0)

    assert found == pytest.approx({"profit_over_today": 0.12, "regret": 4 / 116, "share_of_attainable_gain": 0.5})


@pytest.mark.parametrize("dissimilarity", [1.0, 0.3])
def test_elasticity_is_the_slope_of_log_demand(bench, dissimilarity):
    shelf = replace(bench.market.shelf, dissimilarity=np.full(bench.market.shelf.category_count, dissimilarity))
    bench = replace(bench, market=replace(bench.market, shelf=shelf))
    p = int(np.flatnonzero(bench.market.shelf.on_shelf)[0])
    price = bench.today[:, 0]

    found = own_elasticity(bench.market.demand, bench.market.shelf, price)

    up, down = price.copy(), price.copy()
    up[p], down[p] = price[p] * np.exp(1e-4), price[p] * np.exp(-1e-4)
    margin = (bench.market.weight * (price - bench.market.unit_cost))[p]
    sold = [bench.market.cell_profit(x[:, None])[p] / (x[p] - bench.market.unit_cost[p]) * margin for x in (up, down)]
    np.testing.assert_allclose(found[p], (np.log(sold[0]) - np.log(sold[1])) / 2e-4, rtol=1e-6)


def test_elasticity_error_is_the_root_mean_square_over_users_and_products():
    ours, truth = np.array([[-1.0], [-2.0], [np.nan]]), np.array([[-1.0, -2.0], [-2.0, -4.0], [-1.0, -1.0]])

    found = elasticity_rmse(ours, truth, np.array([[3.0, 1.0]]))

    assert found == pytest.approx(np.sqrt((3 * 0 + 1 * (1 + 4) / 2) / 4))


def test_truth_learned_exactly_has_no_regret_and_no_elasticity_error(drawn, catalog, bench):
    learned = Learned(drawn.truth, prices_of(bench), None)

    block = evaluate_under_truth(
        drawn.truth, catalog, policy(), learned, Log(*weekly_log(drawn), visits=pl.DataFrame())
    )

    assert block["regret"] == pytest.approx(0.0, abs=1e-12)
    assert block["share_of_attainable_gain"] == pytest.approx(1.0)
    assert block["elasticity_rmse"] == pytest.approx(0.0, abs=1e-9)
    assert block["visits_covered"] == pytest.approx(1.0)
    assert block["optimism_gap"] == pytest.approx(0.0, abs=1e-9)
    assert block["gain_share"]["warm"] == pytest.approx(1.0, abs=0.02)  # the best of all are not the best of some alone
    assert set(block["baselines"]) == {"today", "best_uniform", "oracle", "log_log", "log_log_pooled", "true_types"}
    assert block["baselines"]["best_uniform"]["share_of_attainable_gain"] == pytest.approx(0.0)


def prices_of(bench):
    """The oracle's prices as a price table."""
    cells = [
        {"segment_id": kind, "product_id": product, "price": bench.oracle[p, t] / 100}
        for p, product in enumerate(bench.product_id)
        for t, kind in enumerate(bench.type_id)
    ]
    return pl.DataFrame(cells)


def test_the_oracle_keeps_to_the_prices_that_the_learned_artefact_supports(drawn, catalog):
    rules = a_policy(bounds=replace(USUAL, within_support=True))
    reference = pl.col("reference_price")
    narrow = drawn.truth.products.with_columns(min_price=0.97 * reference, max_price=1.03 * reference)
    learned = replace(drawn.truth, products=narrow)
    best = prices_of(benchmark(learned, catalog, rules))

    block = evaluate_under_truth(drawn.truth, catalog, rules, Learned(learned, best, None), None)

    assert block["regret"] == pytest.approx(0.0, abs=1e-12)
    assert best["price"].to_list() != prices_of(benchmark(drawn.truth, catalog, rules))["price"].to_list()


def test_an_artefact_that_assigns_no_user_is_refused(drawn, catalog):
    learned = Learned(replace(drawn.truth, user_segments=None), None, None)

    with pytest.raises(InputError, match=r"in paths.demand must hold user_id, segment_id, found \[\]"):
        evaluate_under_truth(drawn.truth, catalog, policy(), learned, None)


def test_entries_without_inputs_are_left_out(drawn, catalog):
    block = evaluate_under_truth(drawn.truth, catalog, policy(), None, None)

    assert set(block) == {"profit_per_1000_visits", "baselines"}
    assert set(block["profit_per_1000_visits"]) == {"today", "best_uniform", "oracle"}


def with_ladders(drawn, usual, category_ladders):
    """Return a policy with usual endings, and with others for some categories, which are numbered in sorted order."""
    names = drawn.truth.products["category_id"].drop_nulls().unique().sort()
    by_category = {names[number]: {"endings": endings} for number, endings in category_ladders.items()}
    return a_policy(ladder=Ladder(endings=usual, prices=None), category_ladders=by_category)


def test_oracle_keeps_to_the_ladders_of_categories(drawn, catalog):
    found = benchmark(drawn.truth, catalog, with_ladders(drawn, [0.99], {0: [0.50], 2: [0.49, 0.99]}))

    category = found.market.category
    for number, endings in {0: {50}, 1: {99}, 2: {49, 99}, 3: {99}}.items():
        for price in (found.oracle, found.uniform):
            mine, today = price[category == number], found.today[category == number]
            is_rung = np.isin(mine % 100, [*endings])
            assert (is_rung | (mine == today)).all()
            assert is_rung.any()


def test_oracle_uses_no_rung_outside_the_ladders(drawn, catalog):
    found = benchmark(drawn.truth, catalog, with_ladders(drawn, ENDINGS, {0: [0.49, 0.99]}))

    first = found.rungs.price[: found.rungs.start[found.market.shelf.category_start[1]]]
    assert {*(first % 100).astype(int)} <= {49, 99} | {
        *(found.today[found.market.category == 0] % 100).astype(int).ravel()
    }
    assert len(first) < len(benchmark(drawn.truth, catalog, policy(ENDINGS)).rungs.price) / 2


def test_families_have_one_price_in_every_reference(drawn, catalog):
    rules, grouped = with_families(catalog)

    found = benchmark(drawn.truth, grouped, rules)

    family = found.problem.limits.family
    assert (family >= 0).sum() >= 4
    for name in np.unique(family[family >= 0]):
        for price in (found.oracle, found.uniform):
            assert (price[family == name] == price[family == name][0]).all()
    assert found.market.profit(found.uniform) < found.market.profit(found.oracle)


def test_family_prices_of_the_oracle_are_the_best_of_brute_force(drawn, catalog):
    rules, grouped = with_families(catalog)
    found = benchmark(drawn.truth, grouped, rules)
    family = found.problem.limits.family
    members = np.flatnonzero(family == family[family >= 0][0])
    rungs = found.rungs.price[found.rungs.start[members[0]] : found.rungs.start[members[0] + 1]]
    category = found.market.category[members[0]]

    for kind in range(len(found.type_id)):
        market, price = found.market.select_types(np.array([kind])), found.oracle[:, kind]
        best = market.category_profit(price)[category]
        for rung in rungs:
            other = price.copy()
            other[members] = rung
            assert market.category_profit(other)[category] <= best * (1 + 1e-9)


def test_prices_set_by_hand_stand_in_every_reference(drawn, catalog, tmp_path):
    product, kind = catalog["product_id"][0], drawn.truth.segments["segment_id"].sort()[1]
    rows = {"product_id": [product, catalog["product_id"][5]], "segment_id": [kind, None], "price": [7.77, 8.88]}
    pl.DataFrame(rows, schema_overrides={"segment_id": catalog_type(drawn)}).write_parquet(tmp_path / "hand.parquet")

    found = benchmark(drawn.truth, catalog, a_policy(ladder=None, overrides=str(tmp_path / "hand.parquet")))

    place = {name: i for i, name in enumerate(found.product_id)}
    assert found.oracle[place[product], 1] == 777
    assert found.oracle[place[product], 0] != 777
    assert (found.oracle[place[catalog["product_id"][5]]] == 888).all()
    assert found.uniform[place[catalog["product_id"][5]], 0] == 888


def catalog_type(drawn):
    """Return the data type of the truth's segment ids."""
    return drawn.truth.segments.schema["segment_id"]


def with_families(catalog):
    """Return a policy with price families, and the catalog with families of two neighbours inside every category."""
    rank = pl.int_range(pl.len()).over("category_id")
    name = pl.concat_str(pl.col("category_id"), pl.lit(" "), (rank // 2).cast(pl.String))
    rules = replace(a_policy(ladder=Ladder(endings=ENDINGS, prices=None)).bounds, family_column="family_id")
    return a_policy(rules, Ladder(endings=ENDINGS, prices=None)), catalog.with_columns(family_id=name)


def test_the_oracle_of_a_nested_market_earns_more_than_any_prices_nearby():
    source = small_source()
    nested = replace(source, tastes=replace(source.tastes, dissimilarity=[0.2, 0.6])).draw()
    catalog = nested.tables["products"].select("product_id", "category_id", "price", "cost", "availability")
    bench = benchmark(nested.truth, catalog, policy(ENDINGS))
    profit, rng = bench.market.profit(bench.oracle), np.random.default_rng(0)

    for _ in range(50):
        moved = bench.rungs.nearest(bench.oracle[:, 0]) + (rng.random(len(bench.oracle)) < 0.2) * rng.choice([-1, 1])
        price = np.where(rng.random(bench.oracle.shape) < 0.5, bench.rungs.at(moved)[:, None], bench.oracle)
        assert bench.market.profit(price) <= profit * (1 + 1e-9)
    assert profit > bench.market.profit(bench.uniform) > bench.market.profit(bench.today)
    assert (bench.market.shelf.dissimilarity < 1).all()
