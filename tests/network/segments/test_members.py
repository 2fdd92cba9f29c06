"""The demand of every user before a period that is judged, which does not depend on who comes in it."""

import polars as pl
import pytest
import torch

from gpu_pricer.network.encoding.batches import EVERY_ALTERNATIVE, gather_batch
from gpu_pricer.network.encoding.loading import load_choice_data
from gpu_pricer.network.model.demand_network import DemandNetwork
from gpu_pricer.network.segments.members import Members, period_to_judge
from tests.canonical import SPLIT, write_canonical
from tests.network.small import ENCODING, NETWORK

PERIODS = 20
JUDGED = range(PERIODS - SPLIT.test_periods, PERIODS)


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    directory = tmp_path_factory.mktemp("canonical") / "data"
    write_canonical(directory, periods=PERIODS)
    return directory


@pytest.fixture(scope="module")
def network(tables):
    torch.manual_seed(0)
    return DemandNetwork(load_choice_data(tables, ENCODING, SPLIT), NETWORK).eval()


def left_by(directory, to, cut):
    """The tables of a log in which every other user stays away from period `cut` on."""
    to.mkdir()
    for file in directory.iterdir():
        (to / file.name).write_bytes(file.read_bytes())
    days = pl.read_parquet(directory / "shelf.parquet")["period"].unique().sort()
    stays = (pl.col("user_id") % 2 == 0) | (pl.col("period") < days[cut])
    for name in ("choices", "visits"):
        pl.read_parquet(directory / f"{name}.parquet").filter(stays).write_parquet(to / f"{name}.parquet")
    return load_choice_data(to, ENCODING, SPLIT)


@pytest.mark.parametrize("judged", JUDGED)
def test_the_demand_before_a_period_does_not_depend_on_who_comes_in_it(network, tables, tmp_path, judged):
    whole = Members(network, period_to_judge(network, judged)).demand(slice(0, 20))
    known = network.data
    try:
        network.data = left_by(tables, tmp_path / "left", judged)
        left = Members(network, period_to_judge(network, judged)).demand(slice(0, 20))
    finally:
        network.data = known

    assert all(torch.equal(*pair) for pair in zip(whole, left, strict=True))


def test_what_the_past_of_everybody_adds_is_that_of_users_and_products_one_by_one(network):
    with torch.no_grad():
        network.product_rate.uniform_()
        network.category_rate.uniform_()
        network.loyalty.log_concentration.normal_()
        network.loyalty.recency.normal_()
        network.history.common.normal_()
        network.history.of_category.weight.normal_()
    members, block, users = Members(network, period_to_judge(network, JUDGED[1])), slice(5, 15), slice(40, 60)

    found = members.past(block, users)

    data = network.data
    period = data.sets.period[data.choices.choice_set]
    is_here = (period == JUDGED[1]) & (data.choices.user >= 40) & (data.choices.user < 60)
    batch = gather_batch(data, is_here.nonzero().squeeze(1), EVERY_ALTERNATIVE, torch.Generator())
    with torch.no_grad():
        habits, loyalty = network.history.habits_in(data, batch), network.loyalty_in(batch)
    product, user = data.shelf.product[batch.row], batch.user[batch.occasion]
    inside = (product >= 5) & (product < 15)
    assert min(float(part.std()) for part in (found, habits, loyalty)) > 0.1
    assert int(inside.sum()) >= found.numel()
    found = found[user[inside] - 40, product[inside] - 5]
    torch.testing.assert_close(found, (habits + loyalty)[inside])
