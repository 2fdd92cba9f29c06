"""The synthetic market: its draws, its raw tables and its truth."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from polars.testing import assert_frame_equal

from gpu_pricer.data.raw.inputs import read_inputs
from gpu_pricer.data.sources.synthetic import Assortment, Baskets, DrawnMarket, Manager, People, Synthetic
from gpu_pricer.data.sources.synthetic.sales import utility
from gpu_pricer.tables.artefact import read_artefact
from gpu_pricer.tables.periods import Period
from tests.evaluation.markets import small_source, with_confounding
from tests.markets import probabilities
from tests.shops import validation

CONF = Path(__file__).parents[3] / "conf"


@pytest.fixture(scope="module")
def drawn() -> DrawnMarket:
    return small_source().draw()


def test_same_seed_gives_the_same_bits(drawn):
    again = small_source().draw()

    assert again.truth.fingerprint() == drawn.truth.fingerprint()
    for name, table in drawn.tables.items():
        assert_frame_equal(again.tables[name], table, check_exact=True)


def test_another_seed_gives_another_market(drawn):
    other = small_source(seed=1).draw()

    assert other.truth.fingerprint() != drawn.truth.fingerprint()
    assert not other.tables["transactions"].equals(drawn.tables["transactions"])


def test_every_raw_table_keeps_every_rule_of_its_schema(tmp_path):
    inputs = read_inputs(small_source(tmp_path / "truth"), validation("refuse"), Period("1w"), last_period=None)

    assert set(inputs.tables) == {"transactions", "products", "users", "context"}


def test_truth_is_written_as_an_artefact_and_reads_back_the_same(tmp_path, drawn):
    small_source(tmp_path / "truth").tables()

    found = read_artefact(tmp_path / "truth")

    assert found.fingerprint() == drawn.truth.fingerprint()
    assert_frame_equal(found.user_segments, drawn.truth.user_segments)


def test_a_product_has_one_price_per_week_and_is_bought_only_on_the_shelf(drawn):
    week = (pl.col("time") - pl.col("time").min()).dt.total_days() // 7
    sold = drawn.tables["transactions"].group_by("product_id", week=week).agg(pl.col("price").n_unique())
    position = {product: row for row, product in enumerate(drawn.truth.products["product_id"])}

    assert sold["price"].max() == 1
    assert all(drawn.history.on_shelf[w, position[p]] for p, w in sold.select("product_id", "week").rows())


def test_truth_at_the_reference_price_is_the_simulated_utility_without_shock_and_promotion(drawn):
    market, weeks = drawn.market, len(drawn.history.price)
    reference = drawn.truth.products["reference_price"].to_numpy()
    relative = reference / market.base_price - 1
    expected = market.appeal - market.sensitivity * relative + drawn.history.season[weeks]

    np.testing.assert_allclose(drawn.truth.factors["appeal"], expected, rtol=1e-5, atol=1e-5)


def test_truth_responds_to_price_as_the_simulation_does(drawn):
    market, price = drawn.market, drawn.history.price
    dearer = replace(drawn.history, price=price + 10)
    reference = drawn.truth.products["reference_price"].to_numpy()
    on_shelf = drawn.history.on_shelf[0]
    tastes = small_source().tastes

    change = utility(market, tastes, dearer, 0)[:, on_shelf] - utility(market, tastes, drawn.history, 0)[:, on_shelf]

    expected = -drawn.truth.factors["sensitivity"] * 0.10 / reference
    np.testing.assert_allclose(change, expected[:, on_shelf], rtol=1e-5)


def test_units_of_the_log_are_those_the_utilities_expect(drawn):
    market, history, source = drawn.market, drawn.history, small_source()
    visits = np.zeros(source.people.types)
    np.add.at(visits, market.user_type, market.visit_rate)
    expected = np.zeros(source.assortment.products)
    for week in range(source.weeks):
        weight = np.exp(utility(market, source.tastes, history, week))
        total = np.add.reduceat(weight, market.category_start[:-1], axis=1)[:, market.category]
        expected += visits @ (weight / (1 + total)) * drawn.truth.products["units_per_choice"].to_numpy()

    units = np.bincount(drawn.sales.product, drawn.sales.quantity, minlength=len(expected))

    # A choice brings 1.15 · (1 + extra) units with a variance of about twice that, so 4 standard errors.
    error = np.sqrt(2.5 * expected)
    assert np.all(np.abs(units - expected) < 4 * error + 1)
    assert abs(units.sum() - expected.sum()) < 4 * np.sqrt(2.5 * expected.sum())


def with_quantities(quantity_sensitivity: float) -> Synthetic:
    source = small_source()
    return replace(source, baskets=Baskets(0.15, [0.5, 1.5], quantity_sensitivity))


def test_units_of_a_choice_answer_the_price_as_the_truth_says():
    """At today's price, by a central difference."""
    plain, drawn = (with_quantities(s).draw() for s in (0.0, 2.0))
    market, sales, truth = drawn.market, drawn.sales, drawn.truth.products
    reference, today = truth["reference_price"].to_numpy(), drawn.history.list_price[-1] / 100
    ends = [
        sales.units_per_choice(market.category, (today + d * reference) / market.base_price - 1)[0]
        for d in (-1e-4, 1e-4)
    ]

    np.testing.assert_allclose(truth["quantity_sensitivity"], -np.log(ends[1] / ends[0]) / 2e-4, rtol=1e-6)
    choices, units = (probabilities(of.truth, today / reference - 1) for of in (plain, drawn))
    taken = truth["units_per_choice"].to_numpy() * units
    np.testing.assert_allclose(taken, choices * np.sqrt(ends[0] * ends[1]), rtol=1e-4)


def test_lines_hold_more_units_where_the_price_is_low():
    lines = {s: with_quantities(s).draw() for s in (0.0, 2.0)}
    units = {}
    for s, drawn in lines.items():
        sales, history = drawn.sales, drawn.history
        relative = (history.price / (100 * drawn.market.base_price))[sales.week, sales.product]
        units[s] = sales.quantity[relative < 0.85].mean() / sales.quantity[relative > 0.95].mean()

    assert units[2.0] > 1.15 * units[0.0]


def test_quantities_leave_everything_but_the_units_as_it_was():
    plain, answering = (with_quantities(s).draw() for s in (0.0, 2.0))

    np.testing.assert_array_equal(plain.sales.product, answering.sales.product)
    more = answering.truth.factors["sensitivity"] - plain.truth.factors["sensitivity"]
    expected = np.broadcast_to(answering.truth.products["quantity_sensitivity"].to_numpy(), more.shape)
    np.testing.assert_allclose(more, expected, rtol=1e-4)


def calm_source(dissimilarity):
    """The small source without noise, whose categories are bought by a fifth of the visits, once in each."""
    source, ends = small_source(), [dissimilarity, dissimilarity]
    calm = replace(source.tastes, shock=0.0, season=0.0, display=0.0, mailer=0.0, buying_rate=[0.2, 0.2])
    steady = Manager(0.0, [0.1, 0.2], 0.0, 0.0, [0.0, 0.0], 0.0, 0.0, 1.0)
    full, once = replace(source.assortment, part_time=0.0, gap_rate=0.0), replace(source.baskets, second_choice=0.0)
    return replace(source, tastes=replace(calm, dissimilarity=ends), manager=steady, assortment=full, baskets=once)


@pytest.mark.parametrize("dissimilarity", [1.0, 0.3, 0.05])
def test_categories_are_bought_at_about_their_buying_rate(dissimilarity):
    source = calm_source(dissimilarity)
    drawn = source.draw()

    weight = np.exp(utility(drawn.market, source.tastes, drawn.history, 0))
    total = np.add.reduceat(weight, drawn.market.category_start[:-1], axis=1) ** dissimilarity

    np.testing.assert_allclose((total / (1 + total)).mean(axis=0), 0.2, atol=0.002)
    lines = np.bincount(drawn.market.category[drawn.sales.product])
    visits = drawn.market.visit_rate.sum() * len(drawn.history.price)
    assert (np.abs(lines / visits - 0.2) < 5 * np.sqrt(0.2 * 0.8 / visits)).all()


def test_the_truth_has_the_dissimilarities_of_the_market():
    source = small_source()

    nested = replace(source, tastes=replace(source.tastes, dissimilarity=[0.2, 0.6])).draw()

    ids = nested.truth.products["category_id"].unique().sort()
    assert nested.truth.dissimilarity_of(ids).tolist() == nested.market.dissimilarity.tolist()
    assert nested.market.dissimilarity.min() >= 0.2
    assert nested.market.dissimilarity.max() <= 0.6
    assert source.draw().truth.categories is None


def test_dissimilarities_leave_all_other_draws_of_the_market_as_they_were():
    source = small_source()

    plain = source.draw().market
    nested = replace(source, tastes=replace(source.tastes, dissimilarity=[0.2, 0.6])).draw().market

    for name in ("user_type", "traits", "cost", "base_price", "sensitivity", "season_peak"):
        np.testing.assert_array_equal(getattr(plain, name), getattr(nested, name))


@pytest.mark.parametrize(("strength", "least", "most"), [(0.0, -0.06, 0.06), (0.3, 0.3, 1.0)])
def test_prices_follow_the_hidden_demand_only_when_the_manager_reacts(strength, least, most):
    source = with_confounding(small_source(), strength)
    many = replace(source.assortment, categories=60, products=400)

    history = replace(source, assortment=many, weeks=52).draw().history

    log_price = np.log(history.list_price)
    move = log_price - log_price.mean(axis=0)
    correlation = np.corrcoef(move.ravel(), (history.shock - history.shock.mean(axis=0)).ravel())[0, 1]
    assert least < correlation < most


def test_a_manager_who_reacts_meets_the_same_demand():
    calm, reacting = (with_confounding(small_source(), strength).draw() for strength in (0.0, 0.3))

    np.testing.assert_array_equal(calm.history.shock, reacting.history.shock)
    np.testing.assert_array_equal(calm.history.display, reacting.history.display)
    np.testing.assert_array_equal(calm.market.appeal, reacting.market.appeal)


def test_prices_follow_costs_as_far_as_they_are_passed_through():
    source = small_source()
    costly = replace(source, manager=replace(source.manager, cost_spread=0.1, pass_through=0.5))

    calm, moved = source.draw().history, costly.draw().history

    np.testing.assert_array_equal(calm.shock, moved.shock)
    np.testing.assert_array_equal(calm.on_shelf, moved.on_shelf)
    cost = np.log(moved.cost / calm.cost)
    # Both are rounded to whole cents, of a few dollars.
    np.testing.assert_allclose(np.log(moved.list_price / calm.list_price), 0.5 * cost, atol=0.02)
    assert 0.05 < cost.std() < 0.15
    assert calm.cost.std(axis=0).max() == 0


def test_context_tells_the_cost_of_the_week_and_the_catalog_that_of_the_last(drawn):
    week = (pl.col("time") - pl.col("time").min()).dt.total_days() // 7
    context = drawn.tables["context"].with_columns(week=week)
    position = {product: row for row, product in enumerate(drawn.truth.products["product_id"])}

    for product, w, cost in context.select("product_id", "week", "cost").head(50).rows():
        assert cost == drawn.history.cost[w, position[product]] / 100
    for product, cost in drawn.tables["products"].select("product_id", "cost").rows():
        assert cost == drawn.history.cost[-1, position[product]] / 100


def test_new_products_never_sold_and_are_on_the_shelf_to_be_priced():
    source = small_source()
    drawn = replace(source, assortment=replace(source.assortment, new_rate=0.3)).draw()

    on_shelf = drawn.history.on_shelf
    is_new = on_shelf[-1] & ~on_shelf[:-1].any(axis=0)
    new = drawn.truth.products["product_id"].filter(pl.Series(is_new))
    assert 3 < is_new.sum() < 18
    assert not drawn.tables["transactions"]["product_id"].is_in(new.implode()).any()
    assert drawn.tables["products"].filter(pl.col("product_id").is_in(new.implode()))["availability"].min() == 1.0


def test_display_goes_with_price_cuts(drawn):
    is_cut = drawn.history.price < drawn.history.list_price

    assert drawn.history.display[is_cut].mean() > 5 * drawn.history.display[~is_cut].mean()


def test_attributes_tell_of_the_truth(drawn):
    users = drawn.tables["users"]
    rank = drawn.market.sensitivity_rank[drawn.market.user_type]

    assert np.corrcoef(np.log(users["income"].to_numpy()), rank)[0, 1] < -0.5
    assert np.corrcoef(drawn.market.traits[:, 1], drawn.market.appeal.mean(axis=0))[0, 1] > 0.1


@pytest.mark.parametrize(
    ("setting", "arguments", "message"),
    [
        (People, (10, 2.5, [0.1, 0.2]), r"types must be a whole number of at least 1, found 2\.5"),
        (People, (10, 2, [0.5, 0.2]), r"visit_rate\[1\] must be a number of at least 0\.5 and at most 1, found 0\.2"),
        (Assortment, (5, 9, [0.2, 0.3], 0.1, 0.1, 0.1, 0.0), "products must be a whole number of at least 10, found 9"),
        (Manager, (0.1, [0.1, 0.2], 0.1, 0.1, [0, 1], "x", 0.1, 1.0), "confounding must be a number .* found 'x'"),
    ],
)
def test_settings_refuse_what_makes_no_market(setting, arguments, message):
    with pytest.raises(ValueError, match=message):
        setting(*arguments)


def test_start_must_be_a_monday():
    with pytest.raises(ValueError, match="start must be the ISO date of a Monday, found '2025-01-07'"):
        replace(small_source(), start="2025-01-07")


def test_configured_source_is_the_default_market():
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("config", overrides=["data=synthetic", "seed=3"])

    source = instantiate(config.data.source, _convert_="all")

    assert isinstance(source, Synthetic)
    assert (source.seed, source.people.users, source.assortment.products) == (3, 2000, 1000)
    assert source.truth == "work/truth"


def test_confounded_market_is_an_experiment_of_one_strength_and_seed():
    overrides = ["experiment=confounded_market", "data.source.manager.confounding=0.0", "seed=3"]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("config", overrides=overrides)

    source = instantiate(config.data.source, _convert_="all")

    assert (source.seed, source.manager.confounding, source.manager.cost_spread) == (3, 0.0, 0.08)


@pytest.mark.parametrize(("count", "first_week", "message"), [(1, 6, "count must be 0 or"), (2, 12, "below weeks")])
def test_price_groups_that_nobody_could_be_in_are_refused(count, first_week, message):
    source = small_source()

    with pytest.raises(ValueError, match=message):
        replace(source, groups=replace(source.groups, count=count, first_week=first_week))
