"""What the canonical tables teach: counts against counting row by row, and the cells of the grid."""

from collections import Counter
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch

from gpu_pricer.network.encoding.context_scale import ContextScale
from gpu_pricer.network.response.grid.controls import EndogeneityConfig, category_move
from gpu_pricer.network.response.grid.loading import ResponseTables, load_response_data
from tests.canonical import write_canonical

AS_THEY_ARE = EndogeneityConfig(None, planned_promotions=True, folds=4)
AS_IT_IS = ContextScale(["display", "mailer"], [0.0, 0.0], [1.0, 1.0])
SEGMENTS = 3

BEGUN = pl.DataFrame({"category_id": ["c0", "c1", "c2"], "odds": [0.5, 0.4, 0.3], "units": [0.9, 0.8, 0.7]})


def tables_of(directory, keep_zeros):
    """Tables of three categories of three products; product 0 has no price that was seen, product 4 comes and goes.

    Of eight periods the first and the last two do not teach. Some choices have half a weight. The products have the
    categories' fallbacks among them.
    """
    write_canonical(directory, users=24, categories=3, size=3, periods=8, keep_zeros=keep_zeros)
    shelf, choices, visits, products, users = (
        pl.read_parquet(directory / f"{name}.parquet") for name in ("shelf", "choices", "visits", "products", "users")
    )
    periods = shelf["period"].unique().sort().to_list()
    is_away = (pl.col("product_id") == 4) & pl.col("period").is_in(periods[2:4])
    rng = np.random.default_rng(0)
    weight = pl.Series(np.where(rng.random(choices.height) < 0.3, 0.5, 1.0))
    choices = choices.with_columns(weight=pl.when(pl.col("product_id").is_null()).then(1.0).otherwise(weight))
    fallback = products.select(pl.lit(None, pl.Int64).alias("product_id"), pl.col("category_id").unique())
    return ResponseTables(
        products=pl.concat([products.select("product_id", "category_id"), fallback])
        .sort("category_id", "product_id", nulls_last=True)
        .join(shelf.group_by("product_id").agg(reference_price=pl.col("price").median()), on="product_id", how="left")
        .with_columns(
            has_unit_price=pl.lit(True),
            is_listed=pl.lit(True),
            launched=pl.lit(None, pl.Datetime("us")),
            teaches_price=pl.col("product_id") != 0,
        ),
        shelf=shelf.filter(~is_away),
        group_shelf=None,
        choices=choices.filter(~is_away.fill_null(False)).lazy(),
        visits=visits.filter(pl.Series(rng.random(visits.height) < 0.8)) if keep_zeros < 1 else visits,
        users=users["user_id"].reverse(),
        context=AS_IT_IS,
        periods=periods,
        taught=range(1, 6),
        begun=None,
    )


@pytest.fixture(scope="module", params=[1.0, 0.5], ids=["every zero", "sampled zeros"])
def tables(request, tmp_path_factory):
    return tables_of(tmp_path_factory.mktemp("canonical") / "data", request.param)


@pytest.fixture
def complete(tmp_path):
    return tables_of(tmp_path / "data", 1.0)


def load(tables, endogeneity=AS_THEY_ARE, nested=False):
    return load_response_data(tables, endogeneity, nested)


def a_membership(tables, seed=0):
    """A segment of every user in every period."""
    return np.random.default_rng(seed).integers(0, SEGMENTS, (len(tables.users), len(tables.periods)))


def counts_of(data, membership):
    return data.log.counts(data.grid, torch.from_numpy(membership), SEGMENTS)


def ids_of(tables, data):
    return tables.products["product_id"].gather(data.grid.row.tolist()).to_list()


def assert_same(found, expected):
    for name in ("bought", "visits"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), atol=1e-12)


def test_counts_are_those_of_counting_row_by_row(tables):
    data, membership = load(tables), a_membership(tables)
    user = {name: number for number, name in enumerate(tables.users)}
    week = {day: number for number, day in enumerate(tables.periods)}
    taught = ids_of(tables, data)
    category = dict(tables.products.drop_nulls("product_id").select("product_id", "category_id").iter_rows())
    choices = tables.choices.collect()
    is_complete = (choices["outside_rate"] == 1).all()
    bought, visits = Counter(), Counter()
    for row in choices.iter_rows(named=True):
        w = week[row["period"]]
        s = membership[user[row["user_id"]], w]
        product = row["product_id"]
        if w in tables.taught and product in taught:
            bought[product, s, w] += row["weight"]
        if is_complete and w in tables.taught and (product is None or product in taught):
            visits[row["category_id"], s, w] += 1 / row["outside_rate"] if product is None else row["weight"]
    if not is_complete:
        shelf = {(category[p], week[day]) for p, day in tables.shelf.select("product_id", "period").iter_rows()
                 if p in taught}  # fmt: skip
        for name, day in tables.visits.select("user_id", "period").iter_rows():
            for g in set(category.values()):
                if week[day] in tables.taught and (g, week[day]) in shelf:
                    visits[g, membership[user[name], week[day]], week[day]] += 1

    found = counts_of(data, membership)

    for (j, s, w), value in np.ndenumerate(found.bought.numpy()):
        assert value == bought[taught[j], s, w]
    of_group = dict(zip(data.grid.category.tolist(), (category[p] for p in taught), strict=True))
    for (g, s, w), value in np.ndenumerate(found.visits.numpy()):
        assert value == pytest.approx(visits[of_group[g], s, w])
    assert bought
    assert visits


def test_segments_add_up_to_the_pooled_counts(tables):
    data = load(tables)
    found, pooled = counts_of(data, a_membership(tables)), data.log.pooled(data.grid)

    np.testing.assert_allclose(found.bought.sum(1, keepdim=True), pooled.bought)
    np.testing.assert_allclose(found.visits.sum(1, keepdim=True), pooled.visits)


def test_choices_of_periods_that_do_not_teach_change_nothing(tables):
    data, membership = load(tables), a_membership(tables)
    product = pl.when(tables.teaches()).then("product_id").otherwise(pl.lit(7))
    changed = load(replace(tables, choices=tables.choices.with_columns(product_id=product, user_id="user_id")))

    assert_same(counts_of(changed, membership), counts_of(data, membership))
    for name in ("row", "move", "context", "on_shelf"):
        assert torch.equal(getattr(changed.grid, name), getattr(data.grid, name))
    untaught = [w for w in range(len(tables.periods)) if w not in tables.taught]
    assert not counts_of(data, membership).visits[:, :, untaught].any()


def test_order_of_rows_does_not_matter(tables):
    membership = a_membership(tables)
    names = ("shelf", "choices", "visits")
    given = {name: getattr(tables, name).lazy().collect() for name in names}
    shuffled = {name: table.sample(fraction=1, shuffle=True, seed=1) for name, table in given.items()}
    shuffled["choices"] = shuffled["choices"].lazy()

    found, expected = load(replace(tables, **shuffled)), load(tables)

    assert_same(counts_of(found, membership), counts_of(expected, membership))
    np.testing.assert_allclose(found.grid.context, expected.grid.context, atol=1e-12)
    assert torch.equal(found.grid.move, expected.grid.move)


def test_users_are_numbered_in_the_order_given(tables):
    membership = a_membership(tables)

    turned = load(replace(tables, users=tables.users.reverse()))

    assert_same(counts_of(turned, membership[::-1].copy()), counts_of(load(tables), membership))


def test_cells_hold_relative_prices_and_promotions_of_every_period(tables):
    data = load(tables)
    reference = dict(tables.products.drop_nulls("product_id").select("product_id", "reference_price").iter_rows())
    shelf = {(row["product_id"], row["period"]): row for row in tables.shelf.iter_rows(named=True)}

    assert data.context == ["display"]  # the mailer never changes
    for j, product in enumerate(ids_of(tables, data)):
        for w, day in enumerate(tables.periods):
            row = shelf.get((product, day))
            assert data.grid.on_shelf[j, w] == (row is not None)
            expected = (row["price"] / reference[product] - 1, row["display"]) if row else (0, 0)
            assert float(data.grid.move[j, w]) == pytest.approx(expected[0])
            assert float(data.grid.context[j, w, 0]) == expected[1]


def test_products_are_in_the_order_of_their_rows_and_categories_are_numbered_from_0(tables):
    grid = load(tables).grid

    assert grid.row.tolist() == sorted(grid.row.tolist())
    names = tables.products["category_id"].gather(grid.row.tolist()).to_list()
    assert [sorted(set(names)).index(name) for name in names] == grid.category.tolist()


def test_information_on_prices_is_less_where_periods_do_not_show_them(complete):
    """Product 4 shows its price in every other period, with a purchase only, and has one cut; product 5 has three."""
    is_odd = pl.Series(np.array([complete.periods.index(period) % 2 for period in complete.shelf["period"]]) > 0)
    hidden = is_odd & (complete.shelf["product_id"] == 4)
    some = pl.col("period").is_in(complete.periods[2:5]) & (pl.col("product_id") == 5)
    one = (pl.col("period") == complete.periods[4]) & (pl.col("product_id") == 4)
    cut = pl.when(some | one).then(0.7).otherwise(1)
    shelf = complete.shelf.with_columns(list_price="price", price=pl.col("price") * cut)
    shelf = shelf.with_columns(price_age=pl.when(hidden).then(1).otherwise("price_age"))

    data = load(replace(complete, shelf=shelf, products=complete.products.with_columns(is_listed=True)))

    information = dict(zip(ids_of(complete, data), data.grid.price_information.tolist(), strict=True))
    assert information[4] < 1
    assert all(told == 1 for product, told in information.items() if product != 4)


def test_product_that_nobody_bought_in_the_periods_that_teach_is_left_out(complete):
    is_bought = (pl.col("product_id") == 3) & complete.teaches()
    some = replace(complete, choices=complete.choices.filter(~is_bought.fill_null(False)))

    assert ids_of(some, load(some)) == [1, 2, 4, 5, 6, 7, 8]


def test_category_without_a_product_that_teaches_is_left_out(complete):
    products = complete.products.with_columns(teaches_price=pl.col("product_id") >= 3)

    data = load(replace(complete, products=products))

    assert data.grid.categories == 2
    assert counts_of(data, a_membership(complete)).visits.shape == (2, SEGMENTS, 8)


def test_there_is_no_data_where_nothing_teaches(complete):
    untaught = replace(complete, products=complete.products.with_columns(teaches_price=False))
    unseen = replace(complete, shelf=complete.shelf.with_columns(price_age=pl.lit(1, pl.Int64)))
    unbought = replace(complete, choices=complete.choices.with_columns(product_id=pl.lit(None, pl.Int64)))

    assert load(untaught) is None
    assert load(unseen) is None
    assert load(unbought) is None


def test_outside_option_is_there_where_somebody_bought_nothing(complete):
    buyers = replace(complete, choices=complete.choices.drop_nulls("product_id"))

    assert load(complete).grid.has_outside_option
    assert not load(buyers).grid.has_outside_option


def test_controls_are_the_last_columns_and_only_those_that_move(complete):
    """Constant list prices are no control, list prices that move are one, and costs make the surprise one."""
    rng = np.random.default_rng(2)
    listed = complete.shelf.with_columns(
        list_price=pl.col("price") * pl.Series(rng.choice([1.0, 1.3], complete.shelf.height)),
        cost=pl.Series(rng.uniform(1, 2, complete.shelf.height)),
    )
    with_lists = replace(complete, shelf=listed)
    by_cost = EndogeneityConfig(["cost"], planned_promotions=False, folds=4)

    for tables, endogeneity in ((complete, AS_THEY_ARE), (with_lists, AS_THEY_ARE), (with_lists, by_cost)):
        data = load(tables, endogeneity=endogeneity)

        assert data.context == ["display"]
        expected = 1 if tables is complete else 2
        assert data.grid.controls == expected
        assert data.grid.context.shape[2] == 1 + expected
        assert bool(data.grid.context[:, :, 1:].flatten(0, 1).any(0).all())


def test_ages_of_launched_products_are_the_last_controls(complete):
    """Product 4 comes in the fifth of eight periods; the age of the others is not known."""
    launched = replace(complete, shelf=complete.shelf.filter(
        (pl.col("product_id") != 4) | (pl.col("period") >= complete.periods[4])
    ))  # fmt: skip

    for tables, ahead in ((launched, 1), (replace(launched, begun=BEGUN), 0)):
        grid = load(tables).grid

        assert grid.controls == 2
        of_age, others = grid.context[:, :, -1], grid.context[:, :, :-1]
        assert others.shape[2] == 2
        row = ids_of(tables, load(tables)).index(4)
        np.testing.assert_allclose(of_age[row, 4:], np.log(np.arange(1, 5)), atol=1e-12)
        assert grid.next_ages[row].item() == pytest.approx(np.log(4 + ahead))
        rest = torch.arange(len(of_age)) != row
        assert not bool(of_age[rest].any())
        assert not bool(grid.next_ages[rest].any())


def test_launches_that_are_stated_tell_the_ages_of_all_products(complete):
    told = complete.products.with_columns(launched=pl.lit(complete.periods[0]).cast(pl.Datetime("us")))

    grid = load(replace(complete, products=told)).grid

    ages = torch.from_numpy(np.log(np.arange(1, 10)))
    torch.testing.assert_close(grid.context[:, :, -1], ages[:8] * grid.on_shelf)
    torch.testing.assert_close(grid.next_ages[:, 0], ages[8].expand(len(grid.on_shelf)))


def test_context_is_on_its_scale_and_0_where_nobody_knows(complete):
    rng = np.random.default_rng(3)
    place = int((complete.shelf["product_id"] == 1).arg_true()[0])
    known = pl.Series("rain", rng.normal(50, 7, complete.shelf.height)).scatter(place, [None])
    scale = ContextScale(["display", "mailer", "rain"], [0.0, 0.0, 50.0], [1.0, 1.0, 7.0])
    tables = replace(complete, shelf=complete.shelf.with_columns(known), context=scale)

    data = load(tables)

    assert data.context == ["display", "rain"]
    rain = data.grid.context[:, :, 1]
    of_shelf = rain[data.grid.on_shelf > 0].numpy()
    taught = known.filter(complete.shelf["product_id"] != 0)
    assert sorted(of_shelf) == pytest.approx(sorted(((taught - 50) / 7).fill_null(0.0).to_list()))
    week = complete.periods.index(complete.shelf["period"][place])
    assert float(rain[ids_of(tables, data).index(1), week]) == 0.0


def test_untaught_costs_may_be_unknown(complete):
    """The period to price has no cost yet; instruments explain only the prices that teach."""
    rng = np.random.default_rng(4)
    cost = pl.when(complete.teaches()).then(pl.Series(rng.uniform(1, 2, complete.shelf.height)))
    tables = replace(complete, shelf=complete.shelf.with_columns(cost=cost))

    data = load(tables, endogeneity=EndogeneityConfig(["cost"], planned_promotions=False, folds=4))

    assert bool(data.grid.context.isfinite().all())


def test_cuts_teach_nests_beside_the_mean_regular_price(complete):
    rng = np.random.default_rng(2)
    listed = pl.col("price") * pl.Series(rng.choice([1.0, 1.3], complete.shelf.height))
    tables = replace(complete, shelf=complete.shelf.with_columns(list_price=listed))
    plain, nested = (load(tables, nested=flag) for flag in (False, True))
    shared, regular = nested.grid.context[:, :, -2], nested.grid.context[:, :, -1]
    sold = torch.zeros(len(shared), dtype=torch.float64).index_add(0, nested.log.product, nested.log.count.double())

    assert (plain.tells_nests, nested.tells_nests) == (False, True)
    torch.testing.assert_close(regular, plain.grid.context[:, :, -1])
    torch.testing.assert_close(shared, category_move(regular, nested.grid.on_shelf, sold, nested.grid.category))


def in_groups(tables):
    """The same tables where users of odd ids are in a price group from period 4 on, at prices 10 % above the usual."""
    is_later = pl.col("period").is_in(tables.periods[4:])
    number = pl.lit(2, pl.UInt16).alias("price_group")
    own = tables.shelf.filter(is_later).select("period", number, "product_id", price=pl.col("price") * 1.1)
    group = pl.when(is_later & (pl.col("user_id") % 2 == 1)).then(number).otherwise(0)
    return replace(tables, group_shelf=own, visits=tables.visits.with_columns(price_group=group.cast(pl.UInt16)))


def test_users_of_a_group_count_in_its_column(tables):
    plain, grouped = load(tables), load(in_groups(tables))
    columns = grouped.grid.columns
    usual, found = (data.log.pooled(data.grid) for data in (plain, grouped))
    is_odd = torch.from_numpy(tables.users.to_numpy() % 2 == 1)

    assert columns.period.tolist() == [0, 1, 2, 3, 4, 4, 5, 5, 6, 6, 7, 7]
    assert_same(found.by_period(columns), usual)
    own = ~columns.is_usual().expand(grouped.log.visits.shape)
    assert not grouped.log.visits[own & ~is_odd[:, None]].any()
    assert not grouped.log.visits[~own & is_odd[:, None] & (columns.period >= 4)].any()
    for cells in (grouped.grid.move, grouped.grid.context[:, :, -1]):  # the second: the mean of the category
        at_usual = cells[:, columns.usual()]
        expected = torch.where(columns.is_usual(), at_usual, (1 + at_usual) * 1.1 - 1)
        torch.testing.assert_close(cells, expected * grouped.grid.on_shelf)


def test_prices_of_a_group_are_regular_ones_to_its_users(complete):
    listed = pl.col("price") * pl.Series(np.random.default_rng(2).choice([1.0, 1.3], complete.shelf.height))
    tables = in_groups(replace(complete, shelf=complete.shelf.with_columns(list_price=listed)))

    grid = load(tables, nested=True).grid

    shared, usual = grid.context[:, :, -2], grid.columns.usual()
    apart = np.log(1.1) * ~grid.columns.is_usual() * grid.on_shelf
    torch.testing.assert_close(shared - shared[:, usual], apart)
    assert torch.equal(grid.context[:, :, -1], grid.context[:, usual, -1])


def test_all_groups_of_a_begun_period_have_shown_as_little_of_it(complete):
    grid = load(replace(in_groups(complete), begun=BEGUN)).grid

    shown = grid.on_shelf * (grid.columns.period == 7)
    for offset, name in ((grid.offset, "odds"), (grid.unit_offset, "units")):
        of_category = torch.tensor(BEGUN[name].log().to_list(), dtype=torch.float64)
        torch.testing.assert_close(offset, of_category[grid.category, None] * shown)


def test_no_nests_are_told_where_any_price_may_answer_demand(complete, caplog):
    suspected = EndogeneityConfig(None, planned_promotions=False, folds=4)

    with caplog.at_level("INFO"):
        plain, nested = (load(complete, endogeneity=suspected, nested=flag) for flag in (False, True))

    assert not nested.tells_nests
    assert (
        caplog.text.count(
            "dissimilarity of every category is 1: it is identified only where promotional cuts alone are used"
        )
        == 1
    )
    torch.testing.assert_close(nested.grid.context, plain.grid.context)
