"""A log in which groups of users saw prices of their own, from the canonical tables to predictions."""

import shutil
from copy import deepcopy

import numpy as np
import polars as pl
import pytest
import torch
from polars.testing import assert_frame_equal

from gpu_pricer.network.encoding.loading import load_choice_data
from gpu_pricer.network.inference.artefact_shares import artefact_shares
from gpu_pricer.network.inference.held_out import predict_held_out
from gpu_pricer.network.inference.units import units_per_choice
from gpu_pricer.network.response.fitting.attribute_effects import AttributeEffects
from gpu_pricer.network.response.fitting.fit import FitConfig, fit_response
from gpu_pricer.network.segments.matching import match_average_household
from gpu_pricer.network.segments.members import Members, period_as_it_was, period_to_judge, period_to_price
from gpu_pricer.network.storage.saved_network import read_network, write_network
from gpu_pricer.network.training.local_levels import period_sales
from gpu_pricer.network.training.market import learn_market
from gpu_pricer.network.training.sales import Sales
from gpu_pricer.network.training.told import Told
from tests.canonical import GROUPED, SPLIT, write_canonical
from tests.network.inference.test_held_out_sums import CELL, SUMS, sampled, units_of, written
from tests.network.small import ENCODING, RESPONSE, all_members, trained_network
from tests.network.training.test_init_from import ONE_SEGMENT

GROUPS = 3
SEGMENTS = np.arange(300) % 3


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    directory = tmp_path_factory.mktemp("grouped") / "data"
    return directory, write_canonical(directory, groups=GROUPS)


@pytest.fixture(scope="module")
def data(tables):
    return load_choice_data(tables[0], ENCODING, SPLIT)


@pytest.fixture(scope="module")
def trained(tables, data, tmp_path_factory):
    return trained_network(data, tables[0], tmp_path_factory.mktemp("train"))


def without_groups(directory, folder):
    """The same canonical tables where nothing is known of the groups."""
    shutil.copytree(directory, folder)
    (folder / "group_shelf.parquet").unlink()
    visits = pl.read_parquet(folder / "visits.parquet")
    visits.with_columns(price_group=pl.lit(0, pl.UInt16)).write_parquet(folder / "visits.parquet")
    return folder


def price_of_rows(data, rows):
    """The prices of shelf rows, in currency."""
    product = data.shelf.product[rows].numpy()
    return data.products.table["reference_price"].to_numpy()[product] * data.shelf.price_ratio[rows].numpy()


def test_every_alternative_of_a_choice_has_the_price_that_its_user_saw(tables, data):
    drawn, choices = tables[1], data.choices
    index = torch.arange(0, choices.count, 7)
    first, size = data.sets.start[choices.choice_set[index]], data.sets.start.diff()[choices.choice_set[index]]
    rows = torch.cat([torch.arange(f, f + n) for f, n in zip(first.tolist(), size.tolist(), strict=True)])
    user = torch.repeat_interleave(choices.user[index], size).numpy()
    period = data.sets.period_of_rows()[rows].numpy()

    seen = drawn.price[period, user, data.products.table["product_id"].to_numpy()[data.shelf.product[rows].numpy()]]

    np.testing.assert_allclose(price_of_rows(data, rows), seen, rtol=1e-6)
    assert (choices.chosen[index] >= 0).any()


def test_what_was_bought_is_of_the_set_it_was_chosen_from(data):
    chosen = data.choices.chosen
    is_bought = chosen >= 0

    assert torch.equal(data.sets.of_rows()[chosen[is_bought]], data.choices.choice_set[is_bought].long())


def test_groups_have_sets_of_the_categories_in_which_they_saw_other_prices(data):
    sets = data.sets
    is_own = sets.price_group > 0

    assert int((~is_own).sum()) == 20 * 4
    assert int(is_own.sum()) == (20 - GROUPED) * GROUPS * 3
    assert sets.category[is_own].unique().tolist() == [1, 2, 3]
    assert int(sets.period[is_own].min()) == GROUPED
    assert data.visit_group[:, GROUPED - 1].eq(0).all()
    assert data.visit_group[:, GROUPED].tolist() == [user % (GROUPS + 1) for user in range(300)]


def test_a_group_sees_every_product_once(data):
    seen = [data.sets.rows_seen(period, group) for period in (GROUPED - 1, GROUPED) for group in range(GROUPS + 1)]

    assert all(data.shelf.product[rows].sort()[0].tolist() == list(range(20)) for rows in seen)


def test_sets_of_a_group_have_the_products_too_of_which_it_saw_the_usual_price(tables, data, tmp_path):
    shutil.copytree(tables[0], tmp_path / "data")
    groups = pl.read_parquet(tables[0] / "group_shelf.parquet")
    groups.filter(pl.col("product_id") % 2 == 0).write_parquet(tmp_path / "data" / "group_shelf.parquet")

    found = load_choice_data(tmp_path / "data", ENCODING, SPLIT)

    assert torch.equal(found.shelf.product, data.shelf.product)
    is_odd, row = found.shelf.product % 2 == 1, found.sets.rows_seen(GROUPED, 1)
    usual = found.shelf.price_ratio[found.sets.rows_seen(GROUPED)]
    assert torch.equal((found.shelf.price_ratio[row] == usual), is_odd[row] | (found.shelf.product[row] < 5))


def test_a_market_point_is_as_a_group_saw_it(tables, trained, data):
    drawn, period = tables[1], 8
    reference = data.products.table["reference_price"].to_numpy()
    low, high = trained.support.T

    for group in range(GROUPS + 1):
        point = period_as_it_was(trained, period, group)

        seen = torch.from_numpy(drawn.price[period, group] / reference).float()
        torch.testing.assert_close(point.price_ratio, seen.clamp(low, high))


def test_a_period_to_judge_has_usual_prices_and_every_period_once_in_its_context(tables, trained, data):
    first = GROUPED + 2

    point = period_to_judge(trained, first)

    usual = tables[1].price[first - 1, 0] / data.products.table["reference_price"].to_numpy()
    torch.testing.assert_close(point.price_ratio, torch.from_numpy(usual).float())
    context = [data.shelf.context[data.sets.rows_seen(period)] for period in range(first - 4, first)]
    torch.testing.assert_close(point.context, torch.stack(context).mean(0))


def test_controls_of_a_group_are_in_the_appeal_of_its_rows(tables, trained, data):
    fit = learn_market(data, tables[0], RESPONSE).household.fit
    grid, z = fit.grid, fit.state.z[:, fit.layout.effect]
    controls = (grid.context * z[:, None])[:, :, -grid.controls :].sum(2).float()

    apart = period_as_it_was(trained, 10, 2).shelf_effect - period_as_it_was(trained, 10).shelf_effect

    usual, own = grid.columns.find(torch.tensor([10, 10]), torch.tensor([0, 2])).tolist()
    torch.testing.assert_close(apart[grid.row], controls[:, own] - controls[:, usual], rtol=1e-3, atol=1e-5)
    assert bool(apart.any())


def test_products_that_groups_saw_have_the_sums_of_all_groups(data):
    sales, is_moving = Sales.of(data), torch.arange(20) % 2 == 1

    found = period_sales(data, sales, torch.ones(len(sales.rows)), is_moving)

    for period, (product, expected, bought) in enumerate(found.periods):
        assert product.tolist() == list(range(10))
        assert expected.tolist() == [1.0 + GROUPS * (period >= GROUPED and number >= 2) for number in range(10)]
        is_now = data.sets.period[sales.sets] == period
        sums = torch.zeros(20, dtype=torch.float64).index_add(0, sales.products[is_now], sales.bought[is_now])
        assert bought.tolist() == sums[is_moving].tolist()


def test_a_saved_network_has_the_shelf_effects_of_the_usual_prices(trained, data, tmp_path):
    write_network(trained, ONE_SEGMENT, data.calendar.last_trained, tmp_path)

    shelf = read_network(tmp_path).shelf

    usual = torch.cat([data.sets.rows_seen(period) for period in range(20)])
    assert shelf["effect"].to_list() == trained.shelf_effect[usual].tolist()
    assert shelf.select("product_id", "period").is_unique().all()


def test_the_response_is_that_to_the_prices_that_groups_saw(tables, data, tmp_path):
    drawn = tables[1]
    plain = without_groups(tables[0], tmp_path / "plain")
    logs = {"told": (tables[0], data), "plain": (plain, load_choice_data(plain, ENCODING, SPLIT))}
    error = {}
    for name, (directory, own) in logs.items():
        known = learn_market(own.with_every_period(), directory, RESPONSE).known
        segment = torch.from_numpy(SEGMENTS)[:, None].expand(known.log.visits.shape)
        fit = fit_response(known.grid, known.log.counts(known.grid, segment, 3), FitConfig(40, 0.02, None))
        truth = drawn.sensitivity[own.products.table["product_id"].to_numpy()[fit.grid.row.numpy()]]
        error[name] = np.log(fit.sensitivity.mean(0).numpy() / truth)

    assert error["told"].mean() == pytest.approx(0, abs=0.1)
    assert error["plain"].mean() < error["told"].mean() - 0.05
    assert np.abs(error["told"]).mean() < 0.75 * np.abs(error["plain"]).mean()


def test_everybody_is_learned_from_periods_and_segments_from_groups_too(tables, data):
    market = learn_market(data, tables[0], RESPONSE)

    assert market.known.grid.columns.count == 20 + (20 - GROUPED) * GROUPS
    assert market.household.fit.grid is market.known.grid
    assert market.household.fit.counts.bought.shape[2] == market.known.grid.columns.count
    fold = market.scores().fold
    assert fold.shape == (market.known.grid.columns.count,)
    period = market.known.grid.columns.period.numpy()
    assert all(len({*fold[period == number]}) == 1 for number in range(20))
    log, wide = market.known.log, market.known.grid
    grid, counts = wide.by_period(log.visits.sum(0)), log.pooled(wide).by_period(wide.columns)
    first = fit_response(grid, counts, RESPONSE.fit)
    expected = fit_response(grid, counts, RESPONSE.fit, first, None, AttributeEffects.of(data.products, grid))
    torch.testing.assert_close(market.household.fit.sensitivity, expected.sensitivity, rtol=0.01, atol=0)


def test_a_told_shock_is_one_of_all_groups(tables, data):
    shocks = pl.DataFrame({"product_id": [7], "period": [data.calendar.periods[GROUPED]], "shock": [3.0]})

    grid = learn_market(data, tables[0], RESPONSE, Told(data.users.table, shocks)).known.grid

    product = data.products.table["product_id"].gather(grid.row.numpy()).to_list().index(7)
    assert torch.equal(grid.offset[product], 3.0 * (grid.columns.period == GROUPED).double())


def test_a_gap_is_one_of_all_groups(tables, tmp_path, caplog):
    directory = tmp_path / "data"
    shutil.copytree(tables[0], directory)
    choices = pl.read_parquet(directory / "choices.parquet")
    best, period = choices["product_id"].drop_nulls().mode()[0], choices["period"].unique().sort()[GROUPED + 2]
    is_gone = (pl.col("product_id") == best) & (pl.col("period") == period)
    choices.filter(is_gone.fill_null(False).not_()).write_parquet(directory / "choices.parquet")
    data = load_choice_data(directory, ENCODING, SPLIT)

    with caplog.at_level("INFO"):
        grid = learn_market(data, directory, RESPONSE).known.grid

    assert "1 product-periods are gaps" in caplog.text
    product = data.products.table["product_id"].gather(grid.row.numpy()).to_list().index(best)
    assert torch.equal(grid.on_shelf[product] == 0, grid.columns.period == GROUPED + 2)


def test_predictions_and_their_sums_over_all_occasions_are_at_the_prices_of_groups(
    tables, trained, data, tmp_path, monkeypatch, caplog
):
    known = learn_market(data, tables[0], RESPONSE).known
    segment = torch.from_numpy(SEGMENTS)[:, None].expand(known.log.visits.shape)
    response = fit_response(known.grid, known.log.counts(known.grid, segment, 3), FitConfig(20, 0.02, None))
    artefact = artefact_shares(trained, SEGMENTS, response, 300)
    predict_held_out(trained, artefact, units_of(artefact), tmp_path / "all.parquet")
    offers = pl.read_parquet(tmp_path / "all.parquet")
    seen = tables[1].price[
        offers["period"].rank("dense").to_numpy().astype(int) + 16, offers["user_id"], offers["product_id"]
    ]
    reference = dict(data.products.table.select("product_id", "reference_price").iter_rows())

    np.testing.assert_allclose(offers["price_ratio"] * offers["product_id"].replace_strict(reference), seen, rtol=1e-6)

    monkeypatch.setattr(trained, "data", sampled(data, 0.1))
    artefact = artefact_shares(trained, SEGMENTS, None, 300)
    with caplog.at_level("INFO"):
        predicted = written(trained, tmp_path / "sums.parquet")
    assert f"sums over all {3 * 300 * 4:,} hold-out occasions" in caplog.text
    monkeypatch.setattr(trained, "data", data)
    predict_held_out(trained, artefact, units_of(artefact), tmp_path / "all.parquet")
    offers = pl.read_parquet(tmp_path / "all.parquet")
    assert_frame_equal(predicted, offers.group_by(CELL).agg(pl.col(SUMS).sum()).sort(CELL), rel_tol=1e-4)


def test_the_artefact_s_probability_is_at_the_price_of_the_user_s_group(tables, trained, data, tmp_path):
    known = learn_market(data, tables[0], RESPONSE).known
    segment = torch.from_numpy(SEGMENTS)[:, None].expand(known.log.visits.shape)
    response = fit_response(known.grid, known.log.counts(known.grid, segment, 3), FitConfig(20, 0.02, None))
    artefact = artefact_shares(trained, SEGMENTS, response, 300)
    units = units_per_choice(data, None, 3, trained.support, artefact.first)
    predict_held_out(trained, artefact, units, tmp_path / "held_out.parquet")
    offers = pl.read_parquet(tmp_path / "held_out.parquet").sort("product_id")
    ids = data.products.table["product_id"].gather(response.grid.row.numpy()).to_list()
    columns = response.grid.columns
    reference = data.products.table.sort("product_id")["reference_price"].to_numpy()
    utility = response.utility().numpy()

    rows, unbounded = data.sets.rows_seen(18, 1), torch.tensor([0.1, 10.0]).expand(20, 2)
    place = {row: number for number, row in enumerate(response.grid.row.tolist())}
    known = [(int(row) - artefact.first, place.get(int(data.shelf.product[row]))) for row in rows]
    row, product = torch.tensor([pair for pair in known if pair[1] is not None]).T
    of_column = response.utility()[product, :, int(columns.find(torch.tensor([18]), torch.tensor([1])))]
    of_rows = units_per_choice(data, response, 3, unbounded, artefact.first)[row]
    torch.testing.assert_close(of_rows, of_column.exp().float())

    for user, period, group in [(0, 17, 0), (1, 18, 1), (7, 19, 3)]:
        column = int(columns.find(torch.tensor([period]), torch.tensor([group])))
        taught = [ids.index(product) for product in range(10, 15)]
        moves = tables[1].price[period, user, 10:15] / reference[10:15] - 1
        np.testing.assert_allclose(response.grid.move[taught, column], moves, rtol=1e-6)
        weight = np.exp(utility[taught, SEGMENTS[user], column])
        same = offers.filter(user_id=user, period=data.calendar.periods[period], category_id="c2")
        assert same["artefact_probability"].to_list() == pytest.approx(weight / (1 + weight.sum()), rel=0.02)


def test_predictions_are_at_the_price_of_the_group_where_groups_share_a_column(tmp_path):
    directory, period, groups = tmp_path / "data", 18, range(1, 10)
    drawn = write_canonical(directory, groups=len(groups))
    data = load_choice_data(directory, ENCODING, SPLIT)
    network = trained_network(data, directory, tmp_path)
    known = learn_market(data, directory, RESPONSE).known
    segment = torch.from_numpy(SEGMENTS)[:, None].expand(known.log.visits.shape)
    response = fit_response(known.grid, known.log.counts(known.grid, segment, 3), FitConfig(20, 0.02, None))
    network.support.copy_(torch.tensor([0.1, 10.0]).expand(20, 2))
    artefact = artefact_shares(network, SEGMENTS, response, 300)
    units = units_per_choice(data, response, 3, network.support, artefact.first)
    utility, columns, far = response.utility(), response.grid.columns, 0.0

    assert len(columns.of_group[period].unique()) == 5
    for group in groups:
        rows = data.sets.rows_seen(period, group)
        rows = rows[torch.isin(data.shelf.product[rows], response.grid.row)]
        row, column = data.shelf.product[rows], int(columns.find(torch.tensor([period]), torch.tensor([group])))
        product = torch.searchsorted(response.grid.row, row)
        products = data.products.table[row.numpy()]
        ratio = drawn.price[period, group, products["product_id"].to_numpy()] / products["reference_price"].to_numpy()
        beyond = torch.from_numpy(ratio - 1) - response.grid.move[product, column]
        expected = utility[product, :, column] - response.sensitivity[:, product].T * beyond[:, None]
        torch.testing.assert_close(units[rows - artefact.first], expected.exp().float(), rtol=1e-4, atol=1e-6)
        same = response.grid.category[product] == response.grid.category[-1]
        share, odds = artefact.share[rows - artefact.first][same].log(), expected[same].float()
        torch.testing.assert_close(share - share[0], odds - odds[0], rtol=1e-3, atol=1e-3)
        far = max(far, float(beyond.abs().max()))
    assert far > 0.05


def test_members_of_a_group_are_at_its_prices(trained):
    usual, own = (Members(trained, period_as_it_was(trained, 10, group)) for group in (0, 1))

    assert torch.equal(usual.bent_move(slice(0, 5)), own.bent_move(slice(0, 5)))
    assert not torch.equal(usual.bent_move(slice(5, 20)), own.bent_move(slice(5, 20)))


def mean_shares(appeal, sensitivity, ratio, weight):
    """The weighted mean of users' shares [n, 20], computed category by category in double precision."""
    odds = np.exp(appeal - sensitivity * (ratio - 1)).reshape(-1, 4, 5)
    return np.average((odds / (1 + odds.sum(2, keepdims=True))).reshape(-1, 20), axis=0, weights=weight)


def test_users_at_their_own_prices_buy_together_what_the_average_household_buys(tables, trained, data):
    """At the last prices of their groups; the average household is at the mean of these."""
    network, products = deepcopy(trained), data.products.table
    assert float(network.bend) == 0
    with torch.no_grad():
        network.product_level.own.weight += torch.linspace(-0.6, 0.6, 20)[:, None]
    seen = tables[1].price[-1] / products["reference_price"].to_numpy()
    visits = np.linspace(1, 20, 300)

    match_average_household(network, period_to_price(network), visits)

    appeal, sensitivity = (part.double().numpy() for part in all_members(network).demand(slice(0, 20)))
    response, level = network.response_of(torch.arange(20)).detach(), network.average.level
    level = level + network.next_shelf_effect() + (response[:, 1:] * period_to_price(network).context).sum(1)
    average = level.double().numpy(), response[:, 0].exp().double().numpy(), np.average(seen, axis=0, weights=visits)
    expected = mean_shares(*(part[None] for part in average), None)
    np.testing.assert_allclose(mean_shares(appeal, sensitivity, seen, visits), expected, rtol=0.005)
