"""Users of a network together buy what the average household buys."""

from copy import deepcopy
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from gpu_pricer.network.segments import matching, members
from gpu_pricer.network.segments.matching import match_average_household
from gpu_pricer.network.segments.members import Members, period_to_price
from tests.network.small import all_members

VISITS = np.linspace(1, 20, 300)


def log_total(appeal, sensitivity, ratio, data):
    """Log of the mean shares of users [n, 20] with these visits, computed category by category in double precision."""
    expected = np.exp(appeal - sensitivity * (ratio - 1))
    shares = np.empty_like(expected)
    for category in range(data.categories.count):
        own = data.products.category.numpy() == category
        shares[:, own] = expected[:, own] / (1 + expected[:, own].sum(1, keepdims=True))
    return np.log(np.average(shares, axis=0, weights=VISITS if len(shares) == 300 else None))


@pytest.fixture
def apart(trained):
    """The network, where a user's love of a product varies and large products have been made larger."""
    network = deepcopy(trained)
    with torch.no_grad():
        network.product_level.own.weight += torch.linspace(-0.6, 0.6, 20)[:, None]
    return network


def of_users(network, ratio):
    return log_total(
        *(part.double().numpy() for part in all_members(network).demand(slice(0, 20))), ratio, network.data
    )


def of_average(network, ratio):
    point, data = period_to_price(network), network.data
    response = network.response_of(torch.arange(20)).detach().double()
    level = network.average.level + network.next_season[data.products.category] + network.next_shock.detach()[:, 0]
    appeal = level.double() + (response[:, 1:] * point.context).sum(1)
    return log_total(appeal[None].numpy(), response[:, 0].exp()[None].numpy(), ratio, data)


def test_users_together_buy_what_the_average_household_buys(apart):
    products = apart.data.products.table
    ratio = (products["price"] / products["reference_price"]).to_numpy()
    target = of_average(apart, ratio)
    assert np.abs(of_users(apart, ratio) - target).max() > 0.25

    match_average_household(apart, period_to_price(apart), VISITS)

    np.testing.assert_allclose(of_users(apart, ratio), target, atol=0.005)


def test_threads_change_no_bit_of_the_levels(apart, in_threads, monkeypatch):
    monkeypatch.setattr(members, "PRODUCTS", 3)
    networks = [deepcopy(apart) for _ in range(2)]

    for network, threads in zip(networks, (1, 3), strict=True):
        in_threads(threads, partial(match_average_household, network, period_to_price(network), VISITS))

    one, several = (network.product_level.all_rows() for network in networks)
    assert len(list(Members(apart, period_to_price(apart)).blocks())) > 1
    assert torch.equal(one, several)


def test_a_product_off_the_shelf_would_be_bought_as_much_by_both_if_it_joined(apart):
    point = period_to_price(apart)
    away = torch.tensor([2, 3, 11])
    point = replace(point, availability=point.availability.index_fill(0, away, 0.0), price_ratio=torch.ones(20))
    products = apart.data.products

    def log_total_of_joining(appeal):
        """Log of the mean shares of the products away, each beside those that stay on the shelf."""
        odds, found = np.exp(appeal.double().numpy()), []
        for product in away.tolist():
            beside = (products.category == products.category[product]) & (point.availability > 0)
            own = odds[:, product] / (1 + odds[:, beside.numpy()].sum(1))
            found.append(np.log(np.average(own / (1 + own), weights=VISITS if len(own) == 300 else None)))
        return np.array(found)

    level = apart.average.level + point.shelf_effect
    response = apart.response_of(torch.arange(20)).detach()
    target = log_total_of_joining((level + (response[:, 1:] * point.context).sum(1))[None])

    match_average_household(apart, point, VISITS)

    appeal = Members(apart, point).demand(slice(0, 20))[0]
    np.testing.assert_allclose(log_total_of_joining(appeal), target, atol=0.005)


def test_products_that_training_did_not_see_have_one_level_in_common(apart):
    new, seen = [7, 12], apart.data.products
    is_trained = ~torch.isin(torch.arange(20), torch.tensor(new))
    table = seen.table.with_columns(is_trained=is_trained.numpy())
    apart.data = replace(apart.data, products=replace(seen, table=table))
    apart.product_level.admit(is_trained)
    with torch.no_grad():  # new products are rare
        apart.mean_level -= 3.0
        apart.product_level.own.weight += 3.0
    expected = torch.where(is_trained, apart.average.level, apart.average.prior.float() - 4.0)
    ratio = (seen.table["price"] / seen.table["reference_price"]).to_numpy()
    apart.average = replace(apart.average, level=expected, prior=expected.double())
    target = of_average(apart, ratio)
    apart.average = replace(apart.average, level=torch.where(is_trained, expected, torch.nan))

    def levels():
        return apart.product_level.all_rows()[:, 0] + apart.mean_level.detach()

    before, assumed = levels(), of_users(apart, ratio)
    match_average_household(apart, period_to_price(apart), VISITS)

    change, found = levels() - before, of_users(apart, ratio)
    assert float(change[7]) == pytest.approx(float(change[12]), abs=1e-5)
    assert np.exp(assumed[new]).sum() > 1.3 * np.exp(target[new]).sum()
    assert np.exp(found[new]).sum() == pytest.approx(np.exp(target[new]).sum(), rel=0.02)
    np.testing.assert_allclose(found[is_trained], target[is_trained], atol=0.005)


def test_of_many_users_some_are_drawn_and_products_of_like_sales_matched_together(apart, monkeypatch):
    monkeypatch.setattr(matching, "MATCHED", 200)
    monkeypatch.setattr(matching, "SIZES", 2)
    with torch.no_grad():
        apart.product_level.own.weight += 0.8
    products = apart.data.products.table
    ratio = (products["price"] / products["reference_price"]).to_numpy()
    target, before = of_average(apart, ratio), apart.product_level.own.weight.detach().clone()
    groups = np.array_split(np.argsort(target), 2)

    def apart_by():
        return [float(np.log(np.exp(of_users(apart, ratio)[of]).sum() / np.exp(target[of]).sum())) for of in groups]

    too_much = apart_by()
    match_average_household(apart, period_to_price(apart), VISITS)

    assert min(too_much) > 0.1
    assert max(map(abs, apart_by())) < 0.8 * min(too_much)
    assert len(torch.unique((apart.product_level.own.weight.detach() - before).round(decimals=4))) == 2
