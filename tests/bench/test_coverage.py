"""Coverage: of draws by themselves, of true sensitivities in their own order, and of a small market."""

import numpy as np
import polars as pl
import pytest

from tests.bench.coverage import Cells, cells_of, mean_by_category, prepared, true_sensitivity
from tests.markets import small_artefact


@pytest.fixture
def drawn():
    """Cells whose truth comes from their own posterior."""
    rng = np.random.default_rng(0)
    spread = rng.uniform(0.05, 0.3, 3000)
    return Cells(rng.normal(0, spread), rng.normal(0, spread, (400, 3000)), np.arange(3000), 0.5)


def test_intervals_of_a_right_posterior_cover_nine_of_ten(drawn):
    found = drawn.judged()

    assert found["coverage"] == pytest.approx(0.9, abs=0.015)
    assert found["z_mean"] == pytest.approx(0, abs=0.05)
    assert found["z_sd"] == pytest.approx(1, abs=0.03)


def test_learned_sensitivities_that_are_too_low_in_cells_that_sell_much_show_there(drawn):
    too_low = np.where(drawn.choices >= 2000, 0.4, 0.0)

    found = Cells(drawn.apart + too_low, drawn.draws, drawn.choices, 0.5).judged()

    assert found["apart_by_third"] == pytest.approx([0, 0, 0.4], abs=0.02)
    assert found["coverage"] < 0.75


def test_cells_of_markets_are_judged_together(drawn):
    halves = [Cells(drawn.apart[i::2], drawn.draws[:, i::2], drawn.choices[i::2], 0.4 + 0.2 * i) for i in (0, 1)]

    together, whole = Cells.together(halves).judged(), drawn.judged()

    assert together.keys() == whole.keys()
    for name, value in whole.items():
        assert together[name] == pytest.approx(value, abs=1e-9)


def test_true_sensitivities_are_those_of_the_products_per_our_reference_price():
    truth = small_artefact(0, segments=3, products=8, categories=2, form="dense")
    known = truth.products.drop_nulls("product_id")
    products = known.select("product_id", pl.col("reference_price") * 2)[::-1]

    found = true_sensitivity(truth, products)

    np.testing.assert_allclose(found, 2 * truth.factors["sensitivity"][:, : known.height][:, ::-1], rtol=1e-6)


def test_means_are_over_the_products_of_each_category():
    found = mean_by_category(np.array([[1.0, 3.0, 7.0], [2.0, 4.0, 8.0]]), np.array([0, 0, 1]))

    assert found.tolist() == [[2.0, 7.0], [3.0, 8.0]]


def test_a_market_is_judged_from_what_prepare_wrote(tmp_path):
    small = ["data.source.people.users=300", "data.source.people.types=2", "data.source.weeks=30"]
    small += ["data.source.assortment.categories=3", "data.source.assortment.products=18"]

    cells = cells_of(prepared(tmp_path / "market", 1.0, 1, small))

    assert cells.apart.shape == cells.choices.shape == cells.draws.shape[1:] == (6,)
    assert np.abs(cells.apart).max() < 1
    assert 0.5 < cells.dissimilarity <= 1
