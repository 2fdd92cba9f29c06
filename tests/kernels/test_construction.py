"""What demands, ladders, shelves and pricing inputs refuse, and what their errors say."""

from dataclasses import replace

import numpy as np
import pytest

from kernels import PRICE_LIMIT, DenseDemand, FactorDemand, Ladders
from tests.kernels.markets import factor_demand, random_inputs


def test_whole_cents_survive_float32_up_to_the_price_limit():
    assert np.float32(PRICE_LIMIT - 1) == PRICE_LIMIT - 1
    assert int(np.float32(PRICE_LIMIT + 1)) != PRICE_LIMIT + 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"product_appeal": np.zeros((4, 8), "f4")},
            r"product_appeal must have shape \(4, 9\); found \(4, 8\)",
        ),
        ({"appeal_offset": np.zeros(3, "f4")}, r"appeal_offset must have shape \(4,\); found \(3,\)"),
        ({"appeal_offset": np.zeros(4)}, "appeal_offset must be float32 like the rest .* found float64"),
        ({"appeal_offset": np.float32([0, 0, np.nan, 0])}, r"appeal_offset must be finite; .* nan at \[2\]"),
        ({"segment_appeal": np.zeros(3, "f4")}, r"segment_appeal must be a matrix; found \(3,\)"),
    ],
)
def test_factors_that_do_not_fit_are_refused(change, message):
    demand = factor_demand(0, 5, 4)

    with pytest.raises(ValueError, match=message):
        replace(demand, **change)


def test_dense_demand_of_two_shapes_is_refused():
    zero = np.zeros(4, np.float32)

    with pytest.raises(ValueError, match=r"sensitivity must have shape \(3, 4\); found \(4, 3\)"):
        DenseDemand(np.zeros((3, 4), "f4"), np.zeros((4, 3), "f4"), zero, zero)


@pytest.mark.parametrize(
    ("ladder", "message"),
    [
        ((100, [29, 129]), r"endings must lie in \[0, period\); found 1 that do not, first 129 at \[1\]"),
        ((100, []), "a ladder has endings unless its period is 0"),
        ((0, [29]), "a ladder has endings unless its period is 0"),
        ((2**24 + 1, [29]), r"period must lie in \[0, 16777216\]; found \[16777217\]"),
    ],
)
def test_ladders_without_sense_are_refused(ladder, message):
    with pytest.raises(ValueError, match=message):
        Ladders.of(ladder)


def test_a_ladder_knows_its_rungs():
    ladders = Ladders.of((100, [29, 99]), (0, []), (2**24, [150, 480]))
    ladder, price = np.array([0, 0, 1, 2, 2]), np.float32([129, 130, 7.5, 480, 580])

    assert ladders.has_rung(ladder, price).tolist() == [True, False, True, True, False]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"high": np.float32([299, 2**24])}, r"high must be below 16777216 cents; .* at \[1\]"),
        ({"low": np.float32([-1, 199])}, r"low must not be negative; .* first -1.0 at \[0\]"),
        ({"low": np.float32([199, 399])}, r"low must not exceed PricingInputs.high; .* first 399.0 at \[1\]"),
        ({"low": np.float32([199.5, 199])}, r"low must be whole cents; .* first 199.5 at \[0\]"),
        (
            {"low": np.float32([200, 199]), "high": np.float32([300, 299])},
            r"low or high must be a rung of its product's ladder; .* first 200.0 at \[0\]",
        ),
        ({"ladder": np.int32([0, 1])}, r"ladder must lie in \[0, 1\); .* first 1 at \[1\]"),
        ({"weight": np.float32([1, np.inf])}, r"weight must be finite; .* inf at \[1\]"),
        ({"unit_cost": np.int32([1, 2])}, "unit_cost must have a dtype of kind f; found int32"),
    ],
)
def test_inputs_that_cannot_be_priced_are_refused(change, message):
    inputs = random_inputs(0, [2], "endings")
    inputs = replace(inputs, low=np.float32([199, 199]), high=np.float32([299, 299]))

    with pytest.raises(ValueError, match=message):
        replace(inputs, **change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"category_start": np.array([1, 2])}, "category_start must start at 0; found 1"),
        ({"category_start": np.array([0, 3, 2])}, r"category_start must never fall; found \[0 3 2\]"),
        ({"reference_price": np.float32([300, 0])}, r"reference_price must be positive; .* 0.0 at \[1\]"),
        ({"on_shelf": np.array([1, 1])}, "on_shelf must have a dtype of kind b; found int64"),
        ({"has_outside_option": 1}, "has_outside_option must be a bool; found int"),
    ],
)
def test_shelves_without_sense_are_refused(change, message):
    shelf = random_inputs(0, [2]).shelf

    with pytest.raises(ValueError, match=message):
        replace(shelf, **change)


def test_utilities_that_float32_cannot_tell_apart_are_refused():
    factor, offset = np.full((2, 3), 2e3, np.float32), np.zeros(2, np.float32)
    a_little, huge = factor / 1e3, np.full(2, -1e7, np.float32)

    with pytest.raises(ValueError, match=r"products of FactorDemand's appeal factors must stay below 1e\+07; found 12"):
        FactorDemand(factor, factor, a_little, a_little, offset, offset)
    with pytest.raises(ValueError, match=r"FactorDemand\.sensitivity_offset must stay below 1e\+07"):
        FactorDemand(a_little, a_little, a_little, a_little, offset, huge)
    with pytest.raises(ValueError, match=r"DenseDemand\.appeal must stay below 1e\+07; found 2 .* first -1"):
        DenseDemand(np.stack([huge, offset]), a_little[:, :2], offset, offset)


def test_factors_on_scales_that_cancel_are_allowed():
    scale = np.float32([1e6, 1, 1e-6])

    demand = replace(factor_demand(0, 5, 4, (3, 3)), segment_appeal=np.ones((5, 3), "f4") * scale)

    assert replace(demand, product_appeal=np.ones((4, 3), "f4") / scale).product_count == 4
