"""The blocks of the normal equations against the design written out."""

import numpy as np
import pytest

from gpu_pricer.network.segment_response.terms import Term, against_shocks, normal_matrix, score

SHAPE = (2, 4, 3)
SIZES = dict(zip("swj", SHAPE, strict=True))


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def some_terms(rng):
    one, full, shared = np.ones((1, 1, 1)), rng.normal(size=SHAPE), rng.normal(size=(1, *SHAPE[1:]))
    return [Term("a", "j", one), Term("b", "s", full), Term("c", "w", one), Term("d", "", shared), Term("e", "j", full)]


def written_out(terms):
    """X [cells, parameters], one column after the other."""
    columns = []
    for term in terms:
        factor = np.broadcast_to(term.factor, SHAPE)
        for place in range(SIZES.get(term.axis, 1)):
            mask = np.ones(SHAPE)
            if term.axis:
                mask = np.moveaxis(np.zeros(SHAPE), "swj".index(term.axis), 0)
                mask[place] = 1
                mask = np.moveaxis(mask, 0, "swj".index(term.axis))
            columns.append((factor * mask).ravel())
    return np.column_stack(columns)


def test_normal_matrix_is_that_of_the_design_written_out(rng):
    terms, information = some_terms(rng), rng.random(SHAPE)
    design = written_out(terms)

    found = normal_matrix(terms, terms, information)

    np.testing.assert_allclose(found, design.T @ (information.ravel()[:, None] * design), atol=1e-12)


def test_score_is_that_of_the_design_written_out(rng):
    terms, residual = some_terms(rng), rng.normal(size=SHAPE)

    np.testing.assert_allclose(score(terms, residual), written_out(terms).T @ residual.ravel(), atol=1e-12)


def test_cross_block_with_shocks_is_that_of_one_dummy_per_product_and_period(rng):
    terms, information = some_terms(rng), rng.random(SHAPE)
    dummies = np.broadcast_to(np.eye(SHAPE[1] * SHAPE[2]), (SHAPE[0], *[SHAPE[1] * SHAPE[2]] * 2)).reshape(-1, 12)

    found = against_shocks(terms, information)

    expected = dummies.T @ (information.ravel()[:, None] * written_out(terms))
    np.testing.assert_allclose(found.transpose(1, 0, 2).reshape(12, -1), expected, atol=1e-12)
