"""Training on markets whose demand the test knows."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch

from gpu_pricer.errors import InputError
from gpu_pricer.network import training
from gpu_pricer.network.demand_network import DemandNetwork, NetworkConfig
from gpu_pricer.network.encoding.batches import EVERY_ALTERNATIVE, gather_batch
from gpu_pricer.network.encoding.loading import EncodingConfig, load_choice_data
from gpu_pricer.network.held_out import predict_held_out
from gpu_pricer.network.history_encoder import HistoryConfig
from gpu_pricer.network.likelihood import log_probability
from gpu_pricer.network.price_response.parameters import PriorConfig
from gpu_pricer.network.price_response.settling import PriceResponseConfig, settle_price_response
from gpu_pricer.network.segments import members as members_module
from gpu_pricer.network.segments.export import ExportConfig, export_artefact, export_members
from gpu_pricer.network.segments.forming import SegmentsConfig, form_segments, user_coordinates
from gpu_pricer.network.segments.members import Members, period_to_price
from gpu_pricer.network.segments.moments import member_weight, segment_moments
from gpu_pricer.network.training import OptimiserConfig, TrainerConfig, fit_network
from tests.canonical import SPLIT, write_canonical

ENCODING = EncodingConfig(min_count=2, min_price_coverage=0.7, price_memory=8, half_lives=[2, 8, 32])
NETWORK = NetworkConfig(
    taste_width=4, sensitivity_width=1, start_sensitivity=1.0, season_spread=0.5, carry_periods=4,
    history=HistoryConfig(hidden=16, dropout=0.5),
)  # fmt: skip
OPTIMISER = OptimiserConfig("choices", 0.005, 0.02, 0.01, 512, max_epochs=6, patience=3, max_alternatives=64)
PRIOR = PriorConfig(level=1.0, effect=0.3, user_level=0.5, attribute=0.5, product=0.5, user=0.5, shock=0.1)
PRICE_RESPONSE = PriceResponseConfig(passes=40, tolerance=0.3, draws=0, prior=PRIOR)
DENSE = ExportConfig("dense", rank=3, support_quantile=0.01, support_width=0.10, member_cells=3000)
SEGMENTS = np.arange(300) % 3
CPU = TrainerConfig("cpu", devices=1, num_nodes=1, strategy="auto", precision="32-true")


@pytest.fixture(scope="module")
def market(tmp_path_factory):
    directory = tmp_path_factory.mktemp("canonical") / "data"
    drawn = write_canonical(directory)
    return drawn, load_choice_data(directory, ENCODING, SPLIT)


@pytest.fixture(scope="module")
def trained(market, tmp_path_factory):
    _, data = market
    network = fit_network(data, NETWORK, OPTIMISER, CPU, tmp_path_factory.mktemp("train"), seed=0, resume=False).network
    settle_price_response(network, PRICE_RESPONSE, OPTIMISER, seed=0)
    return network.eval()


def test_training_beats_shares_that_know_no_user_and_no_price(market, trained):
    _, data = market
    _, validation, _ = data.split()
    bought = data.chosen[validation] >= 0
    counts = torch.bincount(data.product[data.chosen[validation][bought]], minlength=data.products.height)
    share = counts / (len(validation) / data.categories.height)
    outside = 1 - torch.zeros(data.categories.height).index_add(0, data.product_category, share)
    category = data.set_category[data.choice_set[validation]]
    known = torch.where(bought, share[data.product[data.chosen[validation].clamp(min=0)]], outside[category])

    batch = gather_batch(data, validation, EVERY_ALTERNATIVE, torch.Generator())
    with torch.no_grad():
        ours = log_probability(trained(batch), batch.occasion, batch.chosen, batch.outside).mean()

    assert ours > known.log().mean() + 0.02


def test_sensitivity_is_learned_from_price_moves(market, trained):
    drawn, data = market
    learned = mean_sensitivity_of_products(trained)
    truth = drawn.sensitivity[data.products["product_id"].to_numpy()]

    assert learned.mean() == pytest.approx(truth.mean(), rel=0.1)
    assert np.corrcoef(learned, truth)[0, 1] > 0.7


def test_sensitivity_does_not_depend_on_where_it_starts(market, trained, tmp_path):
    _, data = market
    brief = replace(OPTIMISER, max_epochs=2)
    begun, reached = [], []
    for start in (0.5, 2.0, 6.0):
        network = replace(NETWORK, start_sensitivity=start)
        other = fit_network(data, network, brief, CPU, tmp_path / str(start), seed=0, resume=False).network
        begun.append(mean_sensitivity_of_products(other).mean())
        settle_price_response(other, PRICE_RESPONSE, OPTIMISER, seed=0)
        reached.append(mean_sensitivity_of_products(other).mean())

    expected = mean_sensitivity_of_products(trained).mean()
    assert max(begun) > 1.2 * min(begun)
    assert reached == pytest.approx([expected] * 3, rel=0.05)
    assert max(reached) < 1.05 * min(reached)


def test_fixed_effects_alone_learn_prices_and_no_tastes(market, tmp_path):
    drawn, data = market
    linear, brief = replace(NETWORK, taste_width=0, sensitivity_width=0, history=None), replace(OPTIMISER, max_epochs=2)
    network = fit_network(data, linear, brief, CPU, tmp_path, seed=0, resume=False).network
    settle_price_response(network, PRICE_RESPONSE, OPTIMISER, seed=0)

    batch = gather_batch(data, data.split()[0][:100], EVERY_ALTERNATIVE, torch.Generator())

    assert (network.tastes(batch) == 0).all()
    assert mean_sensitivity_of_products(network).mean() == pytest.approx(drawn.sensitivity.mean(), rel=0.2)


def test_settling_raises_the_penalised_likelihood_to_a_flat_place(market, trained):
    _, data = market
    training = data.split()[0]
    batch = gather_batch(data, training, EVERY_ALTERNATIVE, torch.Generator())
    trained.zero_grad()
    _learned_likelihood(trained, batch).sum().backward()

    purchases = float((batch.chosen >= 0).sum())
    assert abs(float(trained.mean_level.grad)) < 0.005 * purchases
    assert float(trained.mean_sensitivity.grad.abs().max()) < 0.005 * purchases


def test_habits_in_a_batch_are_those_of_its_users_and_products_one_by_one(market, trained):
    _, data = market
    late = data.split()[1]
    batch = gather_batch(data, late[::7], max_alternatives=3, generator=torch.Generator())
    user, period = batch.user[batch.occasion], data.set_period[batch.choice_set][batch.occasion]

    with torch.no_grad():
        found = trained.history.habits_in(data, batch)
        expected = trained.history.habits(data, user, data.product[batch.row], period)

    assert 0.1 < data.history.has_bought(user, data.product[batch.row], period).float().mean() < 0.9
    torch.testing.assert_close(found, expected)


def test_segments_number_from_the_most_visits_down_and_are_all_used(market, trained):
    visits = np.linspace(1, 20, 300)

    config = SegmentsConfig(count=8, price_spread=0.2, restarts=2)
    formed = form_segments(everybody(trained), config, visits, seed=0)

    total = np.bincount(formed.segment, weights=visits)
    assert len(total) == 8
    assert (total > 0).all()
    assert (np.diff(total) <= 0).all()


def test_more_segments_than_users_are_refused(trained):
    with pytest.raises(InputError, match=r"found 301 for 300: lower segments\.count"):
        form_segments(everybody(trained), SegmentsConfig(count=301, price_spread=0.2, restarts=1), np.ones(300), seed=0)


def test_blocks_of_users_and_products_change_no_moment(trained, monkeypatch):
    weight = member_weight(np.arange(300) % 3, np.linspace(1, 20, 300))
    whole, where = segment_moments(everybody(trained), weight), user_coordinates(everybody(trained), price_spread=0.2)

    monkeypatch.setattr(members_module, "USERS", 77)
    monkeypatch.setattr(members_module, "PRODUCTS", 5)
    blocks = segment_moments(everybody(trained), weight)

    for name in ("appeal", "sensitivity", "damping"):
        torch.testing.assert_close(getattr(blocks, name), getattr(whole, name), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(user_coordinates(everybody(trained), price_spread=0.2), where, rtol=1e-4, atol=1e-5)


@pytest.fixture(scope="module")
def members(trained):
    """Visits and segments of the users, and every member's choice probabilities at today's prices."""
    visits, segment = np.linspace(1, 20, 300), np.arange(300) % 3
    appeal, sensitivity = (part.double().numpy() for part in everybody(trained).demand(slice(0, 20)))
    return visits, segment, appeal, sensitivity


def test_who_came_lately_is_expected_to_come_again(market):
    _, data = market
    came = data.history.visit_count.diff(dim=1).numpy().astype(float)
    came[0], came[1] = 0.0, 1.0
    came[2] = np.arange(came.shape[1]) < 3
    count = torch.from_numpy(np.concatenate([np.zeros((len(came), 1)), came.cumsum(axis=1)], axis=1))
    told = replace(data, history=replace(data.history, visit_count=count))

    expected = told.expected_visits(10, 4)

    assert expected[:3] == pytest.approx([0.0, 1.0, 3 / 10 / 5])
    assert expected == pytest.approx((came[:, 6:10].sum(axis=1) + came[:, :10].mean(axis=1)) / 5)
    assert told.expected_visits(2, 4) == pytest.approx(came[:, :2].mean(axis=1))


def test_a_dense_artefact_has_its_members_mean_shares_and_slopes(market, trained, members):
    _, data = market
    visits, segment, appeal, sensitivity = members
    ratio = (data.products["price"] / data.products["reference_price"]).to_numpy()
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


def test_held_out_rows_are_the_test_periods_and_probabilities_are_calibrated(market, trained, tmp_path):
    _, data = market
    predict_held_out(trained, SEGMENTS, tmp_path / "held_out.parquet")

    offers = pl.read_parquet(tmp_path / "held_out.parquet")
    assert offers["period"].unique().sort().to_list() == data.periods[-3:]
    assert offers.height == 3 * 300 * data.products.height
    assert offers["probability"].is_between(0, 1, closed="none").all()
    assert offers["probability"].sum() == pytest.approx(offers["bought"].sum(), rel=0.1)
    assert offers["artefact_probability"].sum() == pytest.approx(offers["probability"].sum(), rel=0.05)


def test_a_sample_of_the_zeros_predicts_as_many_purchases_as_all_of_them(tmp_path):
    write_canonical(tmp_path / "data", keep_zeros=0.3)
    data = load_choice_data(tmp_path / "data", ENCODING, SPLIT)
    network = fit_network(data, NETWORK, OPTIMISER, CPU, tmp_path / "train", seed=0, resume=False).network
    sampled = replace(OPTIMISER, max_alternatives=3)
    settle_price_response(network, PRICE_RESPONSE, sampled, seed=0)

    predict_held_out(network, SEGMENTS, tmp_path / "held_out.parquet")

    offers = pl.read_parquet(tmp_path / "held_out.parquet")
    predicted = (offers["probability"] * offers["weight"]).sum()
    assert predicted == pytest.approx(offers["bought"].sum(), rel=0.1)
    assert len(data.user) < 0.8 * 300 * 20 * 4


def test_a_price_that_is_only_carried_teaches_no_price_response(market):
    _, data = market
    network = DemandNetwork(data, NETWORK)
    batch = gather_batch(data, data.split()[0], EVERY_ALTERNATIVE, torch.Generator())
    _learned_likelihood(network, batch).sum().backward()

    carried = data.products["product_id"].to_numpy() == 0
    gradient = network.product_sensitivity.own.weight.grad.abs().sum(dim=1).numpy()
    assert (gradient[carried] == 0).all()
    assert (gradient[~carried] > 0).all()


def test_without_an_outside_option_the_artefact_keeps_the_mean_shares(market, trained, monkeypatch):
    _, data = market
    inside = replace(data, outside=torch.full_like(data.outside, -torch.inf))
    members = everybody(trained)
    monkeypatch.setattr(trained, "data", inside)
    moments = segment_moments(members, torch.full((1, 300), 1 / 300))
    ratio = (data.products["price"] / data.products["reference_price"]).to_numpy()
    category = data.product_category.numpy()
    weight = np.exp(moments.appeal[0].numpy() - moments.sensitivity[0].numpy() * (ratio - 1))
    ours = weight / np.bincount(category, weight)[category]

    appeal, sensitivity = (part.numpy() for part in members.demand(slice(0, 20)))
    each = np.exp(appeal - sensitivity * (ratio - 1))
    expected = np.mean([row / np.bincount(category, row)[category] for row in each], axis=0)
    np.testing.assert_allclose(ours, expected, rtol=1e-4)


def test_the_members_are_kept_as_segments_of_one_for_the_categories_bought_most(trained):
    data, visits = trained.data, np.linspace(1, 20, 300)
    bought = data.product_category[data.product[data.chosen[data.chosen >= 0]]]
    most = torch.bincount(bought).argmax()
    size = int((data.product_category == most).sum())

    kept = export_members(trained, visits, replace(DENSE, member_cells=300 * size), "run", "now")

    is_kept = (data.product_category == most).numpy()
    assert kept.products["product_id"].to_list() == data.products["product_id"].filter(pl.Series(is_kept)).to_list()
    assert kept.segments["segment_id"].to_list() == data.users["user_id"].to_list()
    for part, expected in zip(("appeal", "sensitivity"), everybody(trained).demand(slice(0, 20)), strict=True):
        np.testing.assert_array_equal(kept.factors[part], expected[:, is_kept].numpy())
    assert export_members(trained, visits, replace(DENSE, member_cells=10), "run", "now") is None


def test_protected_columns_never_enter_the_network(market):
    _, data = market

    assert data.user_attributes.sizes == ()
    assert data.user_attributes.numbers.shape[1] == 0


def test_a_resumed_training_ends_where_an_uninterrupted_one_does(market, tmp_path, monkeypatch):
    _, data = market
    sampled = replace(OPTIMISER, max_alternatives=3)
    whole = fit_network(data, NETWORK, sampled, CPU, tmp_path / "whole", seed=1, resume=False)
    with monkeypatch.context() as patch:
        patch.setattr(training, "DemandTraining", _LostAfterThreeEpochs)
        with pytest.raises(_Interrupted):
            fit_network(data, NETWORK, sampled, CPU, tmp_path / "cut", seed=1, resume=False)

    resumed = fit_network(data, NETWORK, sampled, CPU, tmp_path / "cut", seed=1, resume=True)

    for name, value in whole.state_dict().items():
        torch.testing.assert_close(resumed.state_dict()[name], value, rtol=1e-3, atol=2e-3)


def test_a_checkpoint_of_another_configuration_is_not_resumed(market, tmp_path, caplog):
    _, data = market
    short = OptimiserConfig(
        "choices", 0.005, 0.02, 0.01, batch_size=4096, max_epochs=1, patience=3, max_alternatives=64
    )
    fit_network(data, NETWORK, short, CPU, tmp_path, seed=1, resume=False)

    with caplog.at_level("INFO"):
        fit_network(data, NETWORK, short, CPU, tmp_path, seed=2, resume=True)

    assert "training starts afresh" in caplog.text


def test_sampling_alternatives_keeps_the_likelihood_consistent(market):
    _, data = market
    network = DemandNetwork(data, NETWORK).eval()
    index = torch.arange(len(data.user))[:2000]
    full = gather_batch(data, index, EVERY_ALTERNATIVE, torch.Generator())
    with torch.no_grad():
        expected = _purchase_share(network, full)
        draws = [
            _purchase_share(network, gather_batch(data, index, 3, torch.Generator().manual_seed(n))) for n in range(40)
        ]

    assert torch.stack(draws).mean() == pytest.approx(float(expected), rel=0.02)


def everybody(network):
    """All users in the period to price."""
    return Members(network, period_to_price(network))


def mean_sensitivity_of_products(network):
    """Sensitivity of every product, averaged over the users, [P]."""
    return everybody(network).demand(slice(0, 20))[1].mean(0).numpy()


def _learned_likelihood(network, batch):
    """The log likelihood that training climbs, [N]."""
    utility = network.utility(batch, network.tastes(batch), network.data.trusted_moves(batch.row))
    return log_probability(utility, batch.occasion, batch.chosen, batch.outside)


def _purchase_share(network, batch):
    """The expected number of purchases of the occasions in which nothing was bought."""
    weight = torch.zeros(len(batch.user)).index_add(0, batch.occasion, torch.exp(network(batch) + batch.correction))
    return weight[batch.chosen < 0].mean()


def _shares(appeal, sensitivity, ratio, data):
    """The multinomial logit, written out: [rows, P]."""
    weight = np.exp(appeal - sensitivity * (ratio - 1))
    category = data.product_category.numpy()
    total = np.stack([weight[:, category == g].sum(axis=1) for g in range(category.max() + 1)], axis=1)
    return weight / (1 + total[:, category])


class _Interrupted(RuntimeError):
    """What stands for a lost machine."""


class _LostAfterThreeEpochs(training.DemandTraining):
    def on_train_epoch_start(self):
        super().on_train_epoch_start()
        if self.current_epoch == 3:
            raise _Interrupted
