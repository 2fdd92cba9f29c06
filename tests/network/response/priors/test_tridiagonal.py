"""Tridiagonal products and inverses against dense ones."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_pricer.network.response.priors.tridiagonal import times_tridiagonal, traces_of_settled, tridiagonal_inverse

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
    left, prior = rng.normal(size=(3, size, size)), rng.normal(size=(size, size))
    left, square, before = left + left.swapaxes(1, 2), rng.uniform(0.5, 2, 3), rng.normal(size=(size, size))
    one, other, total = tridiagonal(rng, size), tridiagonal(rng, size), torch.from_numpy(before.copy())

    found = traces_of_settled(*(torch.from_numpy(matrix) for matrix in (left, square, prior, one, other)), total)

    shares, pairs = left / square[:, None, None], ((one, one), (one, other), (other, other))
    settled = prior - shares
    expected = [
        [*(np.trace(x @ a @ x @ b) for a, b in pairs), np.trace(share @ one)]
        for x, share in zip(settled, shares, strict=True)
    ]
    np.testing.assert_allclose(found, expected, atol=1e-8)
    np.testing.assert_allclose(total, before + shares.sum(0), atol=1e-12)


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
