"""The cells that each constraint covers."""

import numpy as np
import polars as pl
import pytest

from gpu_pricer.errors import InputError
from gpu_pricer.policy.constraint import Constraint
from gpu_pricer.policy.slices import slices_of

PRODUCTS = pl.DataFrame(
    {"product_id": ["a", "b", "c"], "department": ["food", "food", "pets"], "price": [1.0, 2.0, 3.0]}
)
SEGMENTS = pl.DataFrame({"segment_id": ["s0", "s1", "s2", "s3"], "tier": ["gold", "blue", "gold", None]})


def covered(*conditions: str | None) -> np.ndarray:
    """Return which cells each condition covers, bool [K, P, S]."""
    constraints = {str(k): Constraint("units", at_least=1.0, where=where) for k, where in enumerate(conditions)}
    slices = slices_of(constraints, PRODUCTS, SEGMENTS)
    return np.array([[slices.covers(c, k) for c in slices.segment_class] for k in range(len(conditions))]).swapaxes(
        1, 2
    )


def test_conditions_over_products_segments_and_both():
    food, gold, both, everything = covered("department = 'food'", "tier = 'gold'", "tier = 'gold' and price > 1", None)

    assert (food == np.array([1, 1, 0], bool)[:, None]).all()
    assert (gold == np.array([1, 0, 1, 0], bool)).all()
    assert (both == np.outer([0, 1, 1], [1, 0, 1, 0])).all()
    assert everything.all()


def test_segments_that_no_condition_tells_apart_are_one_class():
    constraints = {"gold": Constraint("units", at_least=1.0, where="tier = 'gold'")}

    slices = slices_of(constraints, PRODUCTS, SEGMENTS)

    assert slices.class_count == 2
    assert [list(slices.members(c)) for c in slices.segment_class[:2]] == [[0, 2], [1, 3]]


@pytest.mark.parametrize(
    ("where", "message"),
    [
        (
            "colour = 'red'",
            "constraints.k.where must read columns of the catalog or of the artefact's segments, found colour",
        ),
        ("department = 'toys'", "constraints.k.where must hold for at least one product and segment, found none for"),
        ("price + 1", "constraints.k.where must be true or false for each row, found 'price + 1' to be Float64"),
        (
            "department > 3",
            "constraints.k.where must be a condition over columns of the catalog, found 'department > 3'",
        ),
    ],
)
def test_conditions_that_do_not_fit_are_refused(where, message):
    with pytest.raises(InputError) as error:
        slices_of({"k": Constraint("units", at_least=1.0, where=where)}, PRODUCTS, SEGMENTS)

    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)
