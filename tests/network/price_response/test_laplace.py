"""What is left uncertain of the settled price response, on a market whose sensitivities the test knows."""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch

from gpu_pricer.network.encoding.loading import EncodingConfig, load_choice_data
from gpu_pricer.network.model.demand_network import NetworkConfig
from gpu_pricer.network.model.objective import OptimiserConfig
from gpu_pricer.network.price_response.parameters import PriorConfig
from gpu_pricer.network.price_response.settling import PriceResponseConfig, settle_price_response
from gpu_pricer.network.segments.export import ExportConfig, export_artefact
from gpu_pricer.network.training.fitting import TrainerConfig, fit_network
from tests.canonical import SPLIT, write_canonical

ENCODING = EncodingConfig(min_count=2, min_price_coverage=0.7, price_memory=8, half_lives=[2, 8])
NETWORK = NetworkConfig(
    taste_width=2, sensitivity_width=0, start_sensitivity=1.0, season_spread=0.5, carry_periods=4, history=None
)
OPTIMISER = OptimiserConfig("choices", 0.005, 0.02, 0.01, 512, max_epochs=2, patience=2, max_alternatives=64)
PRIOR = PriorConfig(level=1.0, effect=0.3, user_level=0.5, attribute=0.5, product=0.3, user=0.1, shock=0.1)
DRAWN = PriceResponseConfig(passes=40, tolerance=0.3, draws=60, prior=PRIOR)
DENSE = ExportConfig("dense", rank=3, support_quantile=0.01, support_width=0.10, member_cells=3000)
CPU = TrainerConfig("cpu", devices=1, num_nodes=1, strategy="auto", precision="32-true")


@pytest.fixture(scope="module")
def settled(tmp_path_factory):
    directory = tmp_path_factory.mktemp("laplace") / "data"
    drawn = write_canonical(directory)
    data = load_choice_data(directory, ENCODING, SPLIT)
    network = fit_network(data, NETWORK, OPTIMISER, CPU, tmp_path_factory.mktemp("train"), seed=0, resume=False).network
    return drawn, network.eval(), settle_price_response(network, DRAWN, OPTIMISER, seed=0)


def artefact_of(network, posterior):
    users = network.data.users.count
    return export_artefact(network, np.arange(users) % 3, np.ones(users), DENSE, "run", "now", posterior)


def test_draws_are_the_artefacts_and_leave_the_network_alone(settled):
    _, network, posterior = settled
    before = torch.nn.utils.parameters_to_vector(network.parameters()).clone()

    first, second = artefact_of(network, posterior), artefact_of(network, posterior)

    assert first.posterior.height == 60 * 3 * network.data.categories.count
    assert first.posterior.equals(second.posterior)
    assert first.factors["sensitivity"].tobytes() == artefact_of(network, None).factors["sensitivity"].tobytes()
    assert torch.equal(torch.nn.utils.parameters_to_vector(network.parameters()), before)


def test_true_sensitivities_lie_where_the_draws_say(settled):
    drawn, network, posterior = settled
    artefact = artefact_of(network, posterior)
    products = network.data.products.table.select("product_id", "category_id").with_columns(
        learned=pl.Series(artefact.factors["sensitivity"][:, : network.data.products.count].mean(axis=0)),
        true=pl.Series(drawn.sensitivity[network.data.products.table["product_id"].to_numpy()]),
    )
    mean = products.group_by("category_id").agg(pl.col("learned", "true").mean())
    spread = artefact.posterior.group_by("category_id").agg(pl.col("log_deviation").std())

    both = mean.join(spread, on="category_id")
    z = both.select((pl.col("true") / pl.col("learned")).log() / pl.col("log_deviation")).to_series()

    assert both["log_deviation"].is_between(0.01, 0.3).all()
    assert z.abs().max() < 3.5


def test_less_data_leave_more_open(settled):
    _, network, posterior = settled
    curvature = posterior.curvature
    fewer = replace(curvature, information=curvature.information / 9, of_user=curvature.of_user / 9)

    spread, wider = (
        artefact_of(network, found).posterior["log_deviation"].std()
        for found in (posterior, replace(posterior, curvature=fewer))
    )

    assert 1.2 * spread < wider < 3.5 * spread


def test_a_draw_moves_what_it_draws(settled, monkeypatch):
    """One draw that raises the raw sensitivity of product 0 by 1 and of user 0 by 2."""
    _, network, posterior = settled
    parameters, theta = posterior.parameters, posterior.theta
    parameters.put(np.zeros_like(theta))
    with torch.no_grad():
        network.product_sensitivity.own.weight[0, -1] = 1.0
        network.user_sensitivity.own.weight[0, -1] = 2.0
    shift = parameters.get()
    parameters.put(theta)
    monkeypatch.setattr(parameters, "draw", lambda *_: shift)
    category = network.data.products.category
    sensitivity = torch.linspace(0.5, 3.0, 2 * len(category)).reshape(2, -1)
    weight = torch.zeros(2, network.data.users.count)
    weight[0, 0], weight[1, 1] = 0.25, 1.0

    found = replace(posterior, draws=1).table(pl.Series([7, 8]), weight, sensitivity)

    raw = np.log(np.expm1(sensitivity.numpy().astype(float)))
    raw[0] += 0.25 * 2.0
    raw[:, 0] += 1.0
    for c, name in enumerate(network.data.categories.table["category_id"]):
        inside = (category == c).numpy()
        expected = np.log(np.logaddexp(raw[:, inside], 0).sum(axis=1) / sensitivity.numpy()[:, inside].sum(axis=1))
        rows = found.filter(pl.col("category_id") == name).sort("segment_id")
        assert rows["segment_id"].to_list() == [7, 8]
        assert rows["log_deviation"].to_numpy() == pytest.approx(expected, abs=1e-5)


def test_none_are_drawn_unasked(settled):
    network = deepcopy(settled[1])

    assert settle_price_response(network, replace(DRAWN, passes=1, draws=0), OPTIMISER, seed=0) is None


def test_draws_need_an_optimum():
    with pytest.raises(ValueError, match="draws must be 0 where passes is 0, found 60"):
        replace(DRAWN, passes=0)
