"""Artefacts against the members they are made of."""

from copy import copy, deepcopy
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gpu_pricer.network.segments import members as members_module
from gpu_pricer.network.segments.export import ExportConfig, export_artefact, export_members
from gpu_pricer.network.segments.forming import user_coordinates
from gpu_pricer.network.segments.moments import WeightedMembers, segment_moments, weighted_members
from tests.network.small import all_members

DENSE = ExportConfig(
    "dense",
    rank=3,
    support_quantile=0.01,
    support_purchases=5,
    support_width=0.10,
    segment_members=300,
    member_cells=3000,
)
SEGMENTS = np.arange(300) % 3


@pytest.fixture
def bent_network(trained):
    """The trained network with a response half-way between the price and its log."""
    network = deepcopy(trained)
    network.bend.data.fill_(0.5)
    return network


@pytest.fixture(scope="module")
def members(trained):
    """Visits and segments of the users, and every member's choice probabilities at today's prices."""
    visits, segment = np.linspace(1, 20, 300), np.arange(300) % 3
    appeal, sensitivity = (part.double().numpy() for part in all_members(trained).demand(slice(0, 20)))
    return visits, segment, appeal, sensitivity


def test_a_dense_artefact_has_its_members_mean_shares_and_slopes(market, trained, members):
    _, data = market
    visits, segment, appeal, sensitivity = members
    ratio = (data.products.table["price"] / data.products.table["reference_price"]).to_numpy()
    shares = _shares(appeal, sensitivity, ratio, data)

    artefact = export_artefact(trained, segment, visits, DENSE, "run", "now")

    known = artefact.products["product_id"].is_not_null().to_numpy()
    exported = [artefact.factors[name][:, known].astype(float) for name in ("appeal", "sensitivity")]
    for s in range(3):
        mean = np.average(shares[segment == s], axis=0, weights=visits[segment == s])
        ours = _shares(exported[0][[s]], exported[1][[s]], ratio, data)[0]
        np.testing.assert_allclose(ours, mean, rtol=1e-4)
        slope = np.average((sensitivity * shares * (1 - shares))[segment == s], axis=0, weights=visits[segment == s])
        np.testing.assert_allclose(exported[1][s] * ours * (1 - ours), slope, rtol=1e-3)


def test_members_of_a_bent_response_sell_at_today_s_prices_what_its_curve_says(market, bent_network, members):
    _, data = market
    visits, segment, appeal, sensitivity = members
    ratio = (data.products.table["price"] / data.products.table["reference_price"]).to_numpy()
    fallen = (ratio - 1 + np.log(ratio)) / 2

    artefact = export_artefact(bent_network, segment, visits, DENSE, "run", "now")

    shares, known = _shares(appeal, sensitivity, 1 + fallen, data), artefact.products["product_id"].is_not_null()
    of_factors = [artefact.factors[name][:, known.to_numpy()].astype(float) for name in ("appeal", "sensitivity")]
    for s in range(3):
        mean = np.average(shares[segment == s], axis=0, weights=visits[segment == s])
        ours = _shares(*(factor[[s]] for factor in of_factors), 1 + fallen, data)[0]
        np.testing.assert_allclose(ours, mean, rtol=1e-4)


def test_a_segment_of_one_is_its_member_however_often_a_product_is_there(trained):
    network, everyone = copy(trained), np.arange(300)
    availability = pl.Series(np.resize([1.0, 0.25, 0.0, 0.5], 20))
    products = trained.data.products
    at_times = replace(products, table=products.table.with_columns(availability=availability))
    network.data = replace(trained.data, products=at_times)

    artefact = export_artefact(network, everyone, np.ones(300), DENSE, "run", "now")

    appeal, sensitivity = all_members(network).demand(slice(0, 20))
    np.testing.assert_allclose(artefact.factors["sensitivity"][:, :20], sensitivity, rtol=1e-3)
    np.testing.assert_allclose(artefact.factors["appeal"][:, :20], appeal, atol=1e-3)


def test_factors_of_full_rank_are_the_dense_artefact(trained, members):
    visits, segment, _, _ = members

    dense = export_artefact(trained, segment, visits, DENSE, "run", "now").factors
    factors = export_artefact(trained, segment, visits, replace(DENSE, form="factors"), "run", "now").factors

    appeal = factors["segment_appeal"] @ factors["product_appeal"].T
    raw = factors["segment_sensitivity"] @ factors["product_sensitivity"].T
    np.testing.assert_allclose(appeal, dense["appeal"], atol=1e-4)
    np.testing.assert_allclose(np.logaddexp(raw, 0), dense["sensitivity"], rtol=1e-3)


def test_every_shared_category_has_a_fallback(trained):
    artefact = export_artefact(trained, np.zeros(300, int), np.ones(300), DENSE, "run", "now")

    assert artefact.products.filter(pl.col("product_id").is_null())["category_id"].to_list() == [
        "c0",
        "c1",
        "c2",
        "c3",
    ]


def test_support_is_at_least_as_wide_as_configured(market, trained):
    artefact = export_artefact(
        trained, np.zeros(300, int), np.ones(300), replace(DENSE, support_quantile=0.49), "run", "now"
    )

    table = artefact.products
    assert (table["min_price"] <= 0.9 * table["reference_price"] + 1e-9).all()
    assert (table["max_price"] >= 1.1 * table["reference_price"] - 1e-9).all()


def test_without_an_outside_option_the_artefact_keeps_the_mean_shares(market, trained, monkeypatch):
    _, data = market
    inside = replace(data, sets=replace(data.sets, outside=torch.full_like(data.sets.outside, -torch.inf)))
    members = all_members(trained)
    monkeypatch.setattr(trained, "data", inside)
    moments = segment_moments(members, WeightedMembers(torch.arange(300), torch.full((1, 300), 1 / 300)))
    ratio = (data.products.table["price"] / data.products.table["reference_price"]).to_numpy()
    category = data.products.category.numpy()
    weight = np.exp(moments.appeal[0].numpy() - moments.sensitivity[0].numpy() * (ratio - 1))
    ours = weight / np.bincount(category, weight)[category]

    appeal, sensitivity = (part.numpy() for part in members.demand(slice(0, 20)))
    each = np.exp(appeal - sensitivity * (ratio - 1))
    expected = np.mean([row / np.bincount(category, row)[category] for row in each], axis=0)
    np.testing.assert_allclose(ours, expected, rtol=1e-4)


def test_the_members_are_kept_as_segments_of_one_for_the_categories_bought_most(trained):
    data, visits = trained.data, np.linspace(1, 20, 300)
    bought = data.products.category[data.shelf.product[data.choices.chosen[data.choices.chosen >= 0]]]
    most = torch.bincount(bought).argmax()
    size = int((data.products.category == most).sum())

    kept = export_members(trained, visits, replace(DENSE, member_cells=300 * size), "run", "now")

    is_kept = (data.products.category == most).numpy()
    assert (
        kept.products["product_id"].to_list() == data.products.table["product_id"].filter(pl.Series(is_kept)).to_list()
    )
    assert kept.segments["segment_id"].to_list() == data.users.table["user_id"].to_list()
    for part, expected in zip(("appeal", "sensitivity"), all_members(trained).demand(slice(0, 20)), strict=True):
        np.testing.assert_array_equal(kept.factors[part], expected[:, is_kept].numpy())
    assert export_members(trained, visits, replace(DENSE, member_cells=10), "run", "now") is None


@pytest.mark.parametrize("most", [100, 40])
def test_blocks_of_users_and_products_change_no_moment(trained, in_threads, monkeypatch, most):
    chosen = weighted_members(np.arange(300) % 3, np.linspace(1, 20, 300), most)
    whole = segment_moments(all_members(trained), chosen)
    where = coordinates(trained)

    monkeypatch.setattr(members_module, "USERS", 77)
    monkeypatch.setattr(members_module, "PRODUCTS", 5)
    blocks, several = (in_threads(k, lambda: segment_moments(all_members(trained), chosen)) for k in (1, 3))

    for name in ("appeal", "sensitivity", "damping"):
        assert torch.equal(getattr(several, name), getattr(blocks, name))
        torch.testing.assert_close(getattr(blocks, name), getattr(whole, name), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(coordinates(trained), where, rtol=1e-4, atol=1e-5)


def coordinates(network):
    return np.concatenate(list(user_coordinates(all_members(network), price_spread=0.2)))


def test_blocks_of_users_change_no_demand_of_a_member(trained, monkeypatch):
    visits, config = np.linspace(1, 20, 300), replace(DENSE, member_cells=300 * 20)
    whole = export_members(trained, visits, config, "run", "now")

    monkeypatch.setattr(members_module, "USERS", 64)
    blocks = export_members(trained, visits, config, "run", "now")

    for name, values in whole.factors.items():
        np.testing.assert_allclose(blocks.factors[name], values, rtol=1e-5, atol=1e-6)  # float32 sums


def test_members_that_are_drawn_have_the_moments_of_all(trained):
    segment, visits = np.arange(300) % 2, np.linspace(1, 20, 300)
    members = all_members(trained)
    exact = segment_moments(members, weighted_members(segment, visits, most=150))

    drawn = segment_moments(members, weighted_members(segment, visits, most=120))

    share = (drawn.appeal - exact.appeal).exp()
    torch.testing.assert_close(share, torch.ones_like(share), rtol=0.1, atol=0)
    torch.testing.assert_close(drawn.sensitivity, exact.sensitivity, rtol=0.05, atol=0)


@given(
    st.lists(st.tuples(st.integers(0, 4), st.floats(0, 100)), min_size=5, max_size=60),
    st.integers(1, 12),
)
def test_members_stand_for_the_visits_of_their_segment(users, most):
    segment, visits = (np.array(column) for column in zip(*[(s, 1.0) for s in range(5)], *users, strict=True))
    chosen = weighted_members(segment.astype(int), visits, most)

    weight, users_of = chosen.weight.numpy(), chosen.users.numpy()
    assert (np.diff(users_of) > 0).all()
    np.testing.assert_allclose(weight.sum(1), 1, rtol=1e-5)
    assert ((weight > 0) == (segment[users_of] == np.arange(5)[:, None])).all()
    for s, of_segment in enumerate(weight):
        size = np.maximum(visits[segment == s], 1e-4)
        assert (of_segment > 0).sum() <= most
        share = np.maximum(visits[users_of], 1e-4) / size.sum()
        np.testing.assert_allclose(of_segment[of_segment > 0], share[of_segment > 0], atol=1 / most + 1e-6)


def test_who_came_lately_is_expected_to_come_again(market):
    _, data = market
    came = data.history.visit_count.diff(dim=1).numpy().astype(float)
    came[0], came[1] = 0.0, 1.0
    came[2] = np.arange(came.shape[1]) < 3
    count = torch.from_numpy(np.concatenate([np.zeros((len(came), 1)), came.cumsum(axis=1)], axis=1))
    counted = replace(data, history=replace(data.history, visit_count=count))

    expected = counted.expected_visits(10, 4)

    assert expected[:3] == pytest.approx([0.0, 1.0, 3 / 10 / 5])
    assert expected == pytest.approx((came[:, 6:10].sum(axis=1) + came[:, :10].mean(axis=1)) / 5)
    assert counted.expected_visits(2, 4) == pytest.approx(came[:, :2].mean(axis=1))


def _shares(appeal, sensitivity, ratio, data):
    """The multinomial logit, written out: [rows, P]."""
    weight = np.exp(appeal - sensitivity * (ratio - 1))
    category = data.products.category.numpy()
    total = np.stack([weight[:, category == g].sum(axis=1) for g in range(category.max() + 1)], axis=1)
    return weight / (1 + total[:, category])
