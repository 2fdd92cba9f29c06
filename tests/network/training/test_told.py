"""What training is told instead of learning it."""

import polars as pl
import pytest

from gpu_pricer.errors import InputError
from gpu_pricer.network.training.market import learn_market
from gpu_pricer.network.training.told import Told, read_told
from tests.network.small import RESPONSE


@pytest.fixture
def told(market):
    """Two types, of which the second has most users, and a large shock of one product in one period."""
    data = market[1]
    users, period = data.users.table["user_id"], data.calendar.periods[4]
    types = pl.DataFrame({"user_id": users, "segment_id": ["few" if user % 4 == 0 else "many" for user in users]})
    return Told(types.reverse(), pl.DataFrame({"product_id": [7], "period": [period], "shock": [3.0]}))


def test_types_are_segments_numbered_from_the_most_users_down(market, told):
    membership = told.membership(market[1], 5)

    assert membership.count == 2
    assert membership.segment.tolist() == [int(user % 4 == 0) for user in market[1].users.table["user_id"]]
    assert bool((membership.by_period == membership.by_period[:, :1]).all())


def test_a_user_without_a_type_is_refused(market, told):
    with pytest.raises(InputError, match=r"train.told must have the type of every user, 1 lack one"):
        Told(told.types.head(299), told.shocks).membership(market[1], 5)


def test_a_told_shock_is_a_known_part_of_the_appeal(market, tables, told):
    data = market[1]

    known = learn_market(data, tables[0], RESPONSE, told).known

    place = data.products.table["product_id"].gather(known.grid.row.numpy()).to_list().index(7)
    assert float(known.grid.offset[place, 4]) == 3.0
    assert float(known.grid.offset.sum()) == 3.0


@pytest.mark.parametrize("missing", ["types.parquet", "shocks.parquet"])
def test_a_missing_file_is_named(told, tmp_path, missing):
    told.types.write_parquet(tmp_path / "types.parquet")
    told.shocks.write_parquet(tmp_path / "shocks.parquet")
    (tmp_path / missing).unlink()

    with pytest.raises(InputError, match=f"found no {missing}"):
        read_told(tmp_path)


def test_a_missing_column_is_named(told, tmp_path):
    told.types.write_parquet(tmp_path / "types.parquet")
    told.shocks.drop("shock").write_parquet(tmp_path / "shocks.parquet")

    with pytest.raises(InputError, match="found no shock"):
        read_told(tmp_path)
