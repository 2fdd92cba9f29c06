"""Tridiagonal products and inverses against dense ones."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_pricer.network.response.tridiagonal import times_tridiagonal, traces_of_products, tridiagonal_inverse

few = settings(max_examples=50, deadline=None)
sizes = st.integers(1, 30)


def tridiagonal(rng, size):
    return sum(np.diag(rng.normal(size=size - abs(place)), place) for place in (-1, 0, 1))


@few
@given(sizes, st.integers(0, 2**32 - 1))
def test_product_is_that_of_the_dense_matrix(size, seed):
    rng = np.random.default_rng(seed)
    matrix = tridiagonal(rng, size)
    values = rng.normal(size=(3, 2, size))

    found = times_tridiagonal(torch.from_numpy(values), torch.from_numpy(matrix))

    np.testing.assert_allclose(found, values @ matrix, atol=1e-12)


@few
@given(sizes, st.integers(0, 2**32 - 1))
def test_traces_are_those_of_the_dense_matrices(size, seed):
    rng = np.random.default_rng(seed)
    values, one, other = rng.normal(size=(3, size, size)), tridiagonal(rng, size), tridiagonal(rng, size)

    found = traces_of_products(*(torch.from_numpy(matrix) for matrix in (values, one, other)))

    pairs = (one, one), (one, other), (other, other)
    expected = [[np.trace(x @ a @ x @ b) for a, b in pairs] for x in values]
    np.testing.assert_allclose(found, expected, atol=1e-9)


@few
@given(sizes, st.floats(0.0, 0.999), st.floats(-9, 9), st.integers(0, 2**32 - 1))
def test_inverse_is_that_of_the_dense_matrix(size, coupling, log_scale, seed):
    """Also where neighbours nearly cancel the diagonal, and where some of it is far larger than the rest."""
    rng = np.random.default_rng(seed)
    scale = np.exp(log_scale)
    beside = scale * rng.uniform(-0.5, 0.5, (4, size - 1)) * coupling
    diagonal = scale * (1 + np.exp(rng.normal(-5, 5, (4, size))))

    found = tridiagonal_inverse(torch.from_numpy(diagonal), torch.from_numpy(beside))

    rows = zip(diagonal, beside, strict=True)
    expected = np.linalg.inv([np.diag(own) + np.diag(next_to, 1) + np.diag(next_to, -1) for own, next_to in rows])
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12 / scale)
