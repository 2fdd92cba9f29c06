"""The average household that the network starts from, against its log."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

from gpu_pricer.network.encoding.batches import EVERY_ALTERNATIVE, gather_batch
from gpu_pricer.network.inference.prediction import choice_shares
from gpu_pricer.network.model.demand_network import DemandNetwork
from gpu_pricer.network.model.level_process import AverageLevels, LevelProcess
from gpu_pricer.network.response.fitting.attribute_effects import AttributeEffects
from gpu_pricer.network.training.average_household import adopt
from gpu_pricer.network.training.levels import adopt_levels
from gpu_pricer.network.training.local_levels import LearnedProcess
from gpu_pricer.network.training.loyalty_fitting import fit_loyalty
from gpu_pricer.network.training.market import learn_market
from gpu_pricer.network.training.sales import Sales
from tests.network.small import NETWORK, OPTIMISER, RESPONSE

PROCESS = LevelProcess(discount=0.8, prior=2.0, reversion=2.0, scatter=0.05)


@pytest.fixture(scope="module")
def household(market, tables):
    return learn_market(market[1], tables[0], RESPONSE).household


@pytest.fixture
def adopted(market, household):
    torch.manual_seed(0)
    network = DemandNetwork(market[1], NETWORK).eval()
    adopt(network, household, Sales.of(market[1]))
    return network


def trained_batch(data):
    return gather_batch(data, data.split()[0], EVERY_ALTERNATIVE, torch.Generator())


def test_it_buys_as_much_of_every_product_as_was_bought(market, adopted):
    data = market[1]
    batch = trained_batch(data)

    with torch.no_grad():
        average = adopted.average_utility(batch, data.trusted_move(batch.row))
        share = choice_shares(average, batch).double()

    product = data.shelf.product[batch.row]
    expected = torch.zeros(data.products.count, dtype=share.dtype).index_add(0, product, share)
    sales = Sales.of(data)
    bought = sales.of_products(sales.bought, data.products.count)
    np.testing.assert_allclose(expected[1:], bought[1:], rtol=0.06)
    assert float(expected[0]) == pytest.approx(float(bought[0]), rel=0.1)  # a level that moves follows what was bought
    assert float(expected.sum()) == pytest.approx(float(bought.sum()), rel=0.02)


def test_it_answers_prices_as_the_response_model_found(adopted, household):
    grid, taught = household.fit.grid, adopted.response_of(torch.arange(20))[:, 0].exp().detach()

    torch.testing.assert_close(taught[grid.row], household.fit.sensitivity[0].float())
    untaught = sorted(set(range(20)) - set(grid.row.tolist()))
    told = household.fit.told_by_attributes(20)[0].exp()
    expected = household.fit.category_sensitivity()[0, 0] * told  # product 0 is the only one whose price was never seen
    assert untaught == [0]
    assert float(taught[0]) == pytest.approx(float(expected), rel=1e-5)


def test_its_response_is_bent_as_the_response_model_found(market, household):
    data, bend = market[1], 0.6
    torch.manual_seed(0)
    network = DemandNetwork(data, NETWORK).eval()
    grid = replace(household.fit.grid, bend=bend)
    adopt(network, replace(household, fit=replace(household.fit, grid=grid)), Sales.of(data))
    batch = trained_batch(data)
    move = data.trusted_move(batch.row)

    with torch.no_grad():
        at_reference, at_price = (network.average_utility(batch, at) for at in (torch.zeros_like(move), move))

    slope = network.log_slope[batch.user, 0].exp()[batch.occasion]
    response = slope * network.response_of(batch.products)[:, 0].exp()[batch.place]
    expected = response * (0.4 * move + 0.6 * torch.log1p(move))
    torch.testing.assert_close(at_reference - at_price, expected.detach(), rtol=1e-4, atol=1e-5)


def test_products_have_their_age_in_the_period_to_price(market, household, adopted):
    fit, before = household.fit, adopted.next_shock.clone()
    ages = torch.linspace(0, 1, len(fit.grid.row)).double()[:, None]

    adopt(adopted, replace(household, fit=replace(fit, grid=replace(fit.grid, next_ages=ages))), Sales.of(market[1]))

    effect = fit.state.z[:, fit.layout.effect][:, -1:]
    moved = (adopted.next_shock - before)[fit.grid.row]
    torch.testing.assert_close(moved, (ages * effect).float(), rtol=1e-4, atol=1e-5)
    assert bool(moved.any())


def test_products_that_taught_nothing_answer_prices_as_their_attributes_say(adopted, household):
    is_first = csr_array((np.arange(20) == 0)[:, None].astype(float))
    effects = AttributeEffects(is_first, np.zeros(20, np.int64), np.ones(20), np.array([0.6]), 0.3)

    adopt(adopted, replace(household, fit=replace(household.fit, attributes=effects)), Sales.of(adopted.data))

    expected = household.fit.category_sensitivity()[0, 0] * np.exp(0.6 * (1 - 1 / 20))
    assert float(adopted.response_of(torch.tensor([0]))[0, 0].exp()) == pytest.approx(float(expected), rel=1e-5)


def test_it_learns_what_the_attributes_of_all_products_say(market, household):
    data, effects = market[1], household.fit.attributes

    assert effects.value.shape[0] == data.products.count
    torch.testing.assert_close(effects.log_sensitivity()[household.fit.grid.row], household.fit.state.beside)


def test_adopting_it_again_changes_nothing(adopted, household):
    before = {name: value.clone() for name, value in adopted.state_dict().items()}

    adopt(adopted, household, Sales.of(adopted.data))

    for name, value in adopted.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=1e-5, atol=1e-5)


def test_a_new_product_that_sells_as_an_old_one_ends_at_its_level(adopted, household):
    """Users of the network decide more sharply than the average household, so that its levels lie elsewhere."""
    with torch.no_grad():
        adopted.mean_level += 1.5
        adopted.product_level.own.weight[3] = 0.7
    adopted.average.level[3] = torch.nan

    adopt(adopted, household, Sales.of(adopted.data))

    level = adopted.product_level.all_rows()[:, 0] + adopted.mean_level.detach()
    assert float(level[3] - adopted.average.level[3]) == pytest.approx(1.5, abs=0.01)
    assert float(level[4] - adopted.average.level[4]) == pytest.approx(1.5, abs=0.01)


def test_brands_of_another_market_set_the_level_of_a_product_that_was_never_sold(market, adopted):
    sales = Sales.of(market[1])
    sales.bought[sales.products > 0] = 0.0  # a single product tells how it was bought
    brands = adopted.product_level.values[1].weight
    with torch.no_grad():
        brands[1:, 0] = torch.tensor([-1.0, 0.0, 1.0])

    adopted.average = None
    adopt_levels(adopted, sales, torch.zeros(20, dtype=torch.bool))

    assert bool((brands[1:, 0].detach().diff() > 0.5).all())


def test_loyalty_is_where_the_likelihood_is_flat_and_better_than_none(market, adopted):
    data = market[1]
    batch = trained_batch(data)

    def mean_log_share():
        shares = choice_shares(adopted(batch), batch)
        return torch.log(shares[batch.chosen[batch.chosen >= 0]]).mean()

    adopted.loyalty.requires_grad_(False)
    adopted.loyalty.exponent.zero_()
    without = float(mean_log_share().detach())
    with torch.no_grad():
        adopted.loyalty.exponent.fill_(1.0)
    adopted.loyalty.requires_grad_(True)
    fit_loyalty(adopted, OPTIMISER, seed=0)

    assert float(mean_log_share().detach()) > without + 0.02
    assert all(parameter.isfinite().all() for parameter in adopted.loyalty.parameters())


def moving(*products):
    return torch.isin(torch.arange(20), torch.tensor(products))


def expected_appeal(network):
    """What levels and shelf effects add to the appeal of every shelf row."""
    level = network.product_level.all_rows()[:, 0] + network.mean_level.detach()
    return level[network.data.shelf.product] + network.shelf_effect.detach()


def test_levels_that_move_are_expected_from_the_periods_before_alone(market):
    data, sales = market[1], Sales.of(market[1])
    later = (data.sets.period[sales.sets] >= 10) & moving(3, 4)[sales.products]
    other = replace(sales, bought=torch.where(later, 3 * sales.bought, sales.bought))
    found = []
    for known in (sales, other):
        network = DemandNetwork(data, NETWORK).eval()
        network.average = AverageLevels(torch.zeros(20), torch.full((20,), -3.0).double(), 1.0, PROCESS)
        adopt_levels(network, known, moving(3, 4))
        found.append(expected_appeal(network))

    is_moving = moving(3, 4)[data.shelf.product]
    before = (data.sets.period_of_rows() <= 10) & is_moving
    after = (data.sets.period_of_rows() > 12) & is_moving
    moved = found[1] - found[0]
    assert bool((moved[after] > 0.2).all())
    unseen = data.sets.period_of_rows() >= data.calendar.trained_periods
    assert not bool(network.shelf_effect[unseen].any())
    # what is left: the shares of other products, whose levels are those of all periods
    assert float(moved[before].abs().max()) < 0.3 * float(moved[after].mean())


def test_a_product_that_fades_is_expected_to_sell_what_it_sold_lately(market):
    data, sales = market[1], Sales.of(market[1])
    recent = data.sets.period[sales.sets] >= data.calendar.trained_periods - 6
    faded = torch.where((sales.products == 3) & recent, 0.2 * sales.bought, sales.bought)
    sales = replace(sales, bought=faded)
    levels = []
    for which in (moving(), moving(3)):
        network = DemandNetwork(data, NETWORK).eval()
        adopt_levels(network, sales, which)
        levels.append(network.product_level.all_rows()[:, 0] + network.mean_level.detach())

    assert float(levels[1][3] - levels[0][3]) < -0.7
    told = levels[1] - network.product_level.own.weight.detach()[:, 0]
    torch.testing.assert_close(told, network.average.prior.float())
    torch.testing.assert_close(levels[1][5:], levels[0][5:], atol=0.05, rtol=0)


def test_new_products_start_at_what_others_sold_at_first(market, monkeypatch):
    monkeypatch.setattr(
        "gpu_pricer.network.training.levels.learn_process", lambda *_: LearnedProcess(PROCESS, usual=0.1, entering=-0.5)
    )
    is_trained = np.arange(20) != 7
    products = replace(market[1].products, table=market[1].products.table.with_columns(is_trained=is_trained))
    data = replace(market[1], products=products)
    network = DemandNetwork(data, NETWORK).eval()
    adopt_levels(network, Sales.of(data), moving(3))

    level = network.product_level.all_rows()[:, 0] + network.mean_level.detach()
    of_attributes = level - network.product_level.own.weight.detach()[:, 0]
    above = network.average.prior.float() - of_attributes
    torch.testing.assert_close(above, torch.where(torch.from_numpy(is_trained), 0.6, 0.0))
    torch.testing.assert_close(level[7], network.average.prior[7].float())
    torch.testing.assert_close(level[is_trained], network.average.level[is_trained])


def test_where_something_is_always_bought_no_level_moves(market):
    data = market[1]
    closed = replace(data, sets=replace(data.sets, outside=torch.full_like(data.sets.outside, -torch.inf)))
    network = DemandNetwork(closed, NETWORK).eval()

    adopt_levels(network, Sales.of(closed), moving(3))

    assert network.average.process is None
    assert not bool(network.shelf_effect.any())
