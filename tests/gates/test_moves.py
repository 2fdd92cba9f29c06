"""The gates on moves, on counts that can be added up by hand."""

from dataclasses import fields, replace

import polars as pl
import pytest

from gpu_pricer.gates.moves import SMALL, published_outcomes, today_outcomes
from gpu_pricer.gates.settings import Gates

OFF = replace(Gates(**dict.fromkeys((field.name for field in fields(Gates)), None) | {"far": 0.3}))
COUNTS = ("cells", "moved", "move", "beyond", "compared", "changed", "far", "change")


def moves_of(*groups):
    """price_moves of groups of like products, (how many, category, counts of one); with the categories."""
    rows = [(category, *counts) for many, category, *counts in groups for _ in range(many)]
    table = pl.DataFrame(rows, schema=["category_id", *COUNTS], orient="row")
    table = table.with_columns(product_id=pl.format("p{}", pl.int_range(table.height)))
    return table.drop("category_id"), table.select("product_id", "category_id").drop_nulls()


def found(outcomes):
    return {outcome.gate: outcome.found for outcome in outcomes}


def test_shares_and_means_are_of_all_prices_or_of_those_that_were_published():
    moves, categories = moves_of((2, "c", 4, 3, 0.6, 1, 2, 1, 1, 0.5), (1, "c", 8, 0, 0.0, 0, 4, 2, 0, 0.2))
    every = replace(OFF, max_share_moved=0, max_mean_move=0, max_share_beyond_moves=0, max_share_changed=0,
                    max_share_far=0)  # fmt: skip

    assert found(today_outcomes(moves, every, has_policy=True)) == pytest.approx(
        {"max_share_moved": 6 / 16, "max_mean_move": 1.2 / 16, "max_share_beyond_moves": 2 / 16}
    )
    assert found(published_outcomes(moves, every, categories)) == pytest.approx(
        {"max_share_changed": 4 / 8, "max_share_far": 2 / 8}
    )


@pytest.mark.parametrize(("many", "said", "share"), [(10, "c", 1.0), (9, SMALL, 36 / 40)])
def test_category_of_fewer_than_ten_compared_products_counts_with_the_other_small_ones(many, said, share):
    quiet = (4, 0, 0.0, 0, 4, 0, 0, 0.0)
    moves, categories = moves_of(
        (many, "c", 4, 0, 0.0, 0, 4, 4, 0, 0.0), (5, "c", 4, 0, 0.0, 0, 0, 0, 0, 0.0), (20, "large", *quiet),
        (1, None, *quiet),
    )  # fmt: skip

    (outcome,) = published_outcomes(moves, replace(OFF, max_category_share_changed=0.1), categories)

    assert outcome.found == pytest.approx(share)
    assert outcome.detail.startswith(f" in {said} (above the limit: 1 of {3 if many == 10 else 2})")
