"""The CPU's product of factors: against float64, the same bits for every number of rows and every kind of vector."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit
from numba.core.errors import TypingError

from kernels.cpu import factor_product
from kernels.cpu.factor_product import multiply_rows
from kernels.tile import LANES

REALS = st.sampled_from([np.float32, np.float64])


def drawn(seed, rows, factors, real):
    """Return products [rows, factors] and segments [factors, LANES]."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(rows, factors)).astype(real), rng.normal(size=(factors, LANES)).astype(real)


def product_of(products, segment, multiply=multiply_rows):
    """Return the product in an array that was full of NaN, with a row to spare on both sides that must stay so."""
    room = np.full((len(products) + 2, LANES), np.nan, products.dtype)
    multiply(products, segment, room[1:-1])
    assert np.isnan(room[[0, -1]]).all()
    return room[1:-1]


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 11), st.integers(0, 20), REALS)
def test_the_product_is_that_of_float64(seed, rows, factors, real):
    products, segment = drawn(seed, rows, factors, real)
    exact = products.astype(np.float64) @ segment.astype(np.float64)
    scale = np.abs(products).astype(np.float64) @ np.abs(segment).astype(np.float64)
    error = np.abs(product_of(products, segment) - exact)
    assert (error <= (factors + 1) * np.finfo(real).eps * scale).all()


@given(st.integers(0, 2**32 - 1), st.integers(1, 11), REALS)
def test_a_row_has_the_same_bits_alone_and_among_others(seed, rows, real):
    products, segment = drawn(seed, rows, 64, real)
    together = product_of(products, segment)
    alone = np.concatenate([product_of(products[row : row + 1], segment) for row in range(rows)])
    np.testing.assert_array_equal(together, alone)


@pytest.mark.parametrize("real", [np.float32, np.float64])
@pytest.mark.parametrize(("vectors", "length"), [(4, 64), (2, 32), (2, 16)])
def test_vectors_of_every_length_give_the_same_bits(monkeypatch, vectors, length, real):
    products, segment = drawn(3, 7, 13, real)
    usual = product_of(products, segment)
    monkeypatch.setattr(factor_product, "VECTORS", vectors)
    monkeypatch.setattr(factor_product, "VECTOR_BYTES", length)
    other = njit(fastmath={"contract": True}, error_model="numpy")(multiply_rows.py_func)
    np.testing.assert_array_equal(product_of(products, segment, other), usual)


def test_factors_that_are_not_contiguous_or_of_another_type_are_refused():
    products, segment = drawn(4, 6, 8, np.float32)

    for wrong in ((np.asfortranarray(products), segment), (products, segment.astype(np.float64))):
        with pytest.raises(TypingError, match="factors must be contiguous and of one type"):
            product_of(*wrong)
