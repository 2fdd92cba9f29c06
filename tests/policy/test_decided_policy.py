"""A policy with decisions freezes what was rejected, sets what was overridden, and keeps all else that it said."""

from dataclasses import replace

import polars as pl
import pytest

from gpu_pricer.policy.decided_policy import decided_policy
from gpu_pricer.policy.overrides import read_override_table
from gpu_pricer.policy.rule_columns import IS_FROZEN, with_rule_columns
from tests.markets import USUAL, a_policy


def catalog_of(ids):
    flags = {"product_id": ids, "is_staple": [True, False, False, False]}
    return pl.DataFrame(flags).with_columns(category_id=pl.lit("c"), price=2.0, cost=1.0, availability=1.0)


def overridden(ids, prices):
    return pl.DataFrame({"product_id": pl.Series(ids), "price": prices, "note": "set by Ann"})


@pytest.mark.parametrize("ids", [["a", "it's", 'a "b"', "d"], [1, 22, 333, 4444]])
@pytest.mark.parametrize("frozen", [None, "is_staple"])
def test_rejected_products_are_frozen_beside_those_that_were(tmp_path, ids, frozen):
    policy = a_policy(replace(USUAL, frozen=frozen))
    rejected = pl.Series("product_id", ids[1:3])

    found = decided_policy(policy, rejected, overridden(ids[3:], [3.5]), pl.String(), tmp_path / "overrides.parquet")

    is_frozen = with_rule_columns(catalog_of(ids), found.bounds)[IS_FROZEN].to_list()
    assert is_frozen == [frozen is not None, True, True, False]
    table = read_override_table(found.overrides_file, rejected.dtype, pl.String())
    assert table.rows() == [(ids[3], None, 3.5, "set by Ann")]


def test_decisions_replace_what_the_policy_set_by_hand_for_their_products(tmp_path):
    before = pl.DataFrame({"product_id": ["a", "b", "c"], "segment_id": ["s1", None, None], "price": [1.5, 2.5, 3.5]})
    before.write_csv(tmp_path / "before.csv")
    policy = a_policy(overrides=str(tmp_path / "before.csv"))
    rejected = pl.Series("product_id", ["a"])

    found = decided_policy(policy, rejected, overridden(["b"], [9.9]), pl.String(), tmp_path / "after.parquet")

    table = read_override_table(found.overrides_file, pl.String(), pl.String())
    assert table.rows() == [("c", None, 3.5, ""), ("b", None, 9.9, "set by Ann")]
